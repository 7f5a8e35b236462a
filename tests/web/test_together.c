/*
 * test_together.c - requests that wait together: nobody waits without need, none is forgotten, none
 * is done twice.
 */
#include "base/base.h"
#include "web/together.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

enum { THREADS = 16, RUNS = 400, MANY = TOGETHER_FEW };

struct item {
	struct together_job job;
	int times; /* done */
	size_t company;
	struct ctx *by;
};

/* What go saw; a gate holds the first go until others wait. */
static atomic_int under_way, most_seen, gos;
static atomic_size_t largest;
static sem_t gate, held;
static atomic_bool gated;

static void
note_most(atomic_int *most, int n)
{
	int seen = atomic_load(most);

	while (n > seen && !atomic_compare_exchange_weak(most, &seen, n))
		;
}

static void
go(struct ctx *c, struct together_job *const *jobs, size_t n)
{
	note_most(&most_seen, atomic_fetch_add(&under_way, 1) + 1);
	atomic_fetch_add(&gos, 1);
	if (n > atomic_load(&largest))
		atomic_store(&largest, n);
	if (atomic_exchange(&gated, false)) {
		sem_post(&held);
		while (sem_wait(&gate) < 0)
			;
	}
	for (size_t i = 0; i < n; i++) {
		struct item *item = (struct item *)jobs[i];

		item->times++;
		item->company = n;
		item->by = c;
	}
	atomic_fetch_sub(&under_way, 1);
}

static int
begin(void **state)
{
	(void)state;
	under_way = most_seen = gos = 0;
	largest = 0;
	sem_init(&gate, 0, 0);
	sem_init(&held, 0, 0);
	return 0;
}

struct worker {
	pthread_t thread;
	struct together *together;
	struct ctx c;
	struct item item;
	int most;
	int runs;
	int wrong;
};

static void *
work(void *arg)
{
	struct worker *w = arg;

	for (int i = 0; i < w->runs; i++) {
		w->item.times = 0;
		together_do(&w->c, w->together, &w->item.job, w->most);
		w->wrong += w->item.times != 1;
	}
	return NULL;
}

static void
start(struct worker *w, struct together *t, int most, int runs)
{
	w->together = t;
	w->most = most;
	w->runs = runs;
	assert_int_equal(pthread_create(&w->thread, NULL, work, w), 0);
}

static void
one_goes_at_once_by_itself(void **state)
{
	struct together t = TOGETHER(go);
	struct item item = { .times = 0 };
	struct ctx c;

	(void)state;
	for (int i = 1; i <= 3; i++) {
		together_do(&c, &t, &item.job, 1);
		assert_int_equal(item.times, i);
		assert_int_equal(item.company, 1);
		assert_ptr_equal(item.by, &c);
	}
}

/* Holds one go, lets n gather of that size each, and lets all end. */
static void
gather(struct worker *w, size_t n, size_t size, int most)
{
	static struct together t;
	struct worker first = { .runs = 1 };

	t = (struct together)TOGETHER(go);
	atomic_store(&gated, true);
	start(&first, &t, most, 1);
	while (sem_wait(&held) < 0)
		;
	for (size_t i = 0; i < n; i++) {
		w[i].item.job.size = size;
		start(&w[i], &t, most, 1);
	}
	for (bool all = false; !all;) {
		pthread_mutex_lock(&t.lock);
		all = t.waiting == n || most > 1;
		pthread_mutex_unlock(&t.lock);
		sched_yield();
	}
	if (most == 1)
		sem_post(&gate);
	for (size_t i = 0; i < n; i++)
		pthread_join(w[i].thread, NULL);
	if (most > 1)
		sem_post(&gate);
	pthread_join(first.thread, NULL);
	assert_int_equal(first.item.times, 1);
}

static void
those_that_come_meanwhile_go_together(void **state)
{
	static struct worker w[THREADS];

	(void)state;
	gather(w, THREADS, 10, 1);
	for (size_t i = 0; i < THREADS; i++) {
		assert_int_equal(w[i].item.times, 1);
		assert_int_equal(w[i].item.company, THREADS);
		assert_ptr_equal(w[i].item.by, w[0].item.by);
	}
	assert_int_equal(gos, 2);
}

static void
a_go_that_hangs_does_not_hold_many_up(void **state)
{
	static struct worker w[MANY];

	(void)state;
	/* They end while the first is still held. */
	gather(w, MANY, 10, 2);
	assert_int_equal(most_seen, 2);
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(w[i].item.company, MANY);
}

static void
large_ones_go_in_several_goes(void **state)
{
	static struct worker w[THREADS];

	(void)state;
	gather(w, THREADS, TOGETHER_BYTES / 4, 1);
	assert_int_equal(gos, 1 + THREADS / 4);
	assert_int_equal(largest, 4);
	gos = 0;
	largest = 0;
	gather(w, 4, TOGETHER_BYTES * 2, 1);
	assert_int_equal(gos, 5);
	assert_int_equal(largest, 1);
}

static void
none_is_forgotten_and_none_is_done_twice(void **state)
{
	static struct worker w[THREADS];
	struct together t = TOGETHER(go);

	(void)state;
	for (int most = 1; most <= 3; most++) {
		most_seen = 0;
		for (size_t i = 0; i < THREADS; i++)
			start(&w[i], &t, most, RUNS);
		for (size_t i = 0; i < THREADS; i++) {
			pthread_join(w[i].thread, NULL);
			assert_int_equal(w[i].wrong, 0);
		}
		assert_true(most_seen <= most);
		assert_true(largest <= TOGETHER_MOST);
		assert_null(t.first);
		assert_int_equal(t.waiting, 0);
		assert_int_equal(t.under_way, 0);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(one_goes_at_once_by_itself, begin),
		cmocka_unit_test_setup(those_that_come_meanwhile_go_together, begin),
		cmocka_unit_test_setup(a_go_that_hangs_does_not_hold_many_up, begin),
		cmocka_unit_test_setup(large_ones_go_in_several_goes, begin),
		cmocka_unit_test_setup(none_is_forgotten_and_none_is_done_twice, begin),
	};

	return cmocka_run_group_tests_name("together", tests, NULL, NULL);
}
