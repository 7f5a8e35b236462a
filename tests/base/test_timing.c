/*
 * test_timing.c - the process's table of how often and how long: it adds up, it is taken as a
 * whole, it does not grow.
 */
#include "base/timing.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct mem *m;

static int
set_up(void **state UNUSED)
{
	struct timing *rows;

	m = mem_new(1024 * 1024);
	timing_take(m, &rows);
	return m ? 0 : -1;
}

static int
tear_down(void **state UNUSED)
{
	mem_free(m);
	return 0;
}

static void
the_same_is_added_up(void **state UNUSED)
{
	struct timing *rows;

	timing_add(TIMING_QUERY, "call_list", "ok", 5000);
	timing_add(TIMING_QUERY, "call_list", "ok", 5001);
	timing_add(TIMING_QUERY, "call_list", "ok", 70000000);
	timing_add(TIMING_QUERY, "call_list", "late", 1);
	timing_add(TIMING_STEP, "call_list", "ok", 1);
	assert_int_equal(timing_take(m, &rows), 3);
	assert_string_equal(rows[0].kind, TIMING_QUERY);
	assert_string_equal(rows[0].name, "call_list");
	assert_string_equal(rows[0].outcome, "ok");
	assert_int_equal(rows[0].n, 3);
	assert_int_equal(rows[0].us, 70010001);
	assert_int_equal(rows[0].buckets[0], 1);
	assert_int_equal(rows[0].buckets[1], 1);
	assert_int_equal(rows[0].buckets[TIMING_BUCKETS - 1], 1);
	assert_string_equal(rows[1].outcome, "late");
	assert_string_equal(rows[2].kind, TIMING_STEP);
	assert_int_equal(timing_take(m, &rows), 0);
}

static void
what_is_no_code_is_other(void **state UNUSED)
{
	static const char *const wrong[] = { "", "Somebody's words", "+15550100100",
		"a_code_that_is_longer_than_any_of_ours" };
	struct timing *rows;
	size_t i;

	for (i = 0; i < COUNT(wrong); i++)
		timing_add(TIMING_PROVIDER, "twilio.buy", wrong[i], 1);
	timing_count(TIMING_PROVIDER, "twilio.buy", "twilio_21422");
	assert_int_equal(timing_take(m, &rows), 2);
	assert_string_equal(rows[0].outcome, "other");
	assert_int_equal(rows[0].n, COUNT(wrong));
	assert_string_equal(rows[1].outcome, "twilio_21422");
}

static void
the_table_does_not_grow(void **state UNUSED)
{
	char name[TIMING_NAME_MAX + 2];
	struct timing *rows;
	int i;

	for (i = 0; i < 10 * TIMING_SLOTS; i++) {
		snprintf(name, sizeof(name), "name_%d", i);
		timing_add(TIMING_QUERY, name, "ok", 1);
	}
	/* Those that are there go on. */
	timing_add(TIMING_QUERY, "name_0", "ok", 1);
	assert_int_equal(timing_take(m, &rows), TIMING_SLOTS);
	assert_int_equal(rows[0].n, 2);

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	timing_add(TIMING_QUERY, name, "ok", 1);
	assert_int_equal(timing_take(m, &rows), 0);
}

static void
it_is_due_after_a_while_or_when_it_is_nearly_full(void **state UNUSED)
{
	char name[TIMING_NAME_MAX];
	struct timing *rows;
	int i;

	assert_false(timing_due(0));
	timing_add(TIMING_QUERY, "a", "ok", 1);
	assert_true(timing_due(0));
	assert_false(timing_due(1000000000));
	for (i = 0; i < TIMING_SLOTS * 3 / 4; i++) {
		snprintf(name, sizeof(name), "name_%d", i);
		timing_add(TIMING_QUERY, name, "ok", 1);
	}
	assert_true(timing_due(1000000000));
	timing_take(m, &rows);
	assert_false(timing_due(0));
}

static void
what_is_given_back_is_there_again(void **state UNUSED)
{
	struct timing *rows, *again;
	size_t n;

	timing_add(TIMING_QUERY, "a", "ok", 1);
	timing_add(TIMING_QUERY, "b", "ok", 9000);
	n = timing_take(m, &rows);
	timing_add(TIMING_QUERY, "b", "ok", 9000);
	timing_give_back(rows, n);
	assert_int_equal(timing_take(m, &again), 2);
	assert_string_equal(again[0].name, "b");
	assert_int_equal(again[0].n, 2);
	assert_int_equal(again[0].us, 18000);
	assert_int_equal(again[0].buckets[1], 2);
	assert_int_equal(again[1].n, 1);
}

static void
without_memory_nothing_is_lost(void **state UNUSED)
{
	struct mem *little = mem_new(64);
	struct timing *rows;

	assert_non_null(little);
	timing_add(TIMING_QUERY, "a", "ok", 1);
	assert_int_equal(timing_take(little, &rows), 0);
	assert_int_equal(timing_take(m, &rows), 1);
	mem_free(little);
}

enum { THREADS = 4, ADDS = 5000 };

static void *
add_many(void *arg UNUSED)
{
	int i;

	for (i = 0; i < ADDS; i++)
		timing_add(TIMING_QUERY, i % 2 ? "odd" : "even", "ok", 1);
	return NULL;
}

static void
threads_add_at_once(void **state UNUSED)
{
	pthread_t threads[THREADS];
	struct timing *rows;
	int64_t all = 0;
	size_t n;
	int i;

	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, add_many, NULL), 0);
	for (i = 0; i < THREADS; i++) {
		n = timing_take(m, &rows);
		while (n-- > 0)
			all += rows[n].n;
		pthread_join(threads[i], NULL);
	}
	n = timing_take(m, &rows);
	while (n-- > 0)
		all += rows[n].n;
	assert_int_equal(all, THREADS * ADDS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_same_is_added_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_no_code_is_other, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_table_does_not_grow, set_up, tear_down),
		cmocka_unit_test_setup_teardown(it_is_due_after_a_while_or_when_it_is_nearly_full,
		    set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_given_back_is_there_again, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(without_memory_nothing_is_lost, set_up, tear_down),
		cmocka_unit_test_setup_teardown(threads_add_at_once, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
