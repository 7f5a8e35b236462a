/*
 * test_rounds.c - the frame of a turn: who may stay, what wakes it, when it is over.
 */
#include "work/rounds.h"

#include "base/clock.h"
#include "base/poke.h"
#include "base/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct fetch *fetch;

static int
set_up(void **state)
{
	(void)state;
	setenv("HOOKSWITCH_RUN_DIR", ".", 1);
	setenv("HOOKSWITCH_PUMP_BUSY_MS", "10", 1);
	setenv("HOOKSWITCH_PUMP_QUIET_MS", "70", 1);
	setenv("HOOKSWITCH_DB_IDLE_SECONDS", "1", 1);
	fetch = fetch_new(4);
	return fetch ? settings_load() : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	(void)unlink("test-rounds.poke.lock");
	fetch_free(fetch);
	return 0;
}

static void
one_turn_stays_and_a_second_does_not(void **state)
{
	struct rounds a, b;

	(void)state;
	assert_true(rounds_begin(&a, "test-rounds", 60000, -1));
	assert_false(rounds_begin(&b, "test-rounds", 60000, -1));
	assert_true(rounds_over(&b, fetch, false));
	assert_false(rounds_over(&a, fetch, false));
	rounds_end(&b);
	rounds_end(&a);
	/* One that does not stay listens to nobody, and disturbs nobody. */
	assert_true(rounds_begin(&a, "test-rounds", 0, -1));
	assert_int_equal(a.poke_fd, -1);
	assert_true(rounds_begin(&b, "test-rounds", 60000, -1));
	rounds_end(&b);
}

static void
a_poke_wakes_it(void **state)
{
	struct rounds r;
	int64_t began = clock_steady_ms();

	(void)state;
	assert_true(rounds_begin(&r, "test-rounds", 60000, -1));
	rounds_widen(&r);
	poke_send("test-rounds");
	assert_true(rounds_wait(&r, fetch, began + 30000));
	assert_true(clock_steady_ms() - began < 10000);
	assert_int_equal(r.gap, 10);
	assert_false(rounds_wait(&r, fetch, clock_steady_ms()));
	rounds_end(&r);
}

static void
its_end_wakes_it_and_nothing_that_is_kept_holds_it_up(void **state)
{
	struct rounds r;
	int pair[2];

	(void)state;
	assert_int_equal(pipe(pair), 0);
	assert_true(rounds_begin(&r, "test-rounds", 60000, pair[0]));
	assert_int_equal(write(pair[1], "x", 1), 1);
	assert_false(rounds_wait(&r, fetch, clock_steady_ms() + 30000));
	assert_true(r.stopping);
	assert_true(rounds_over(&r, fetch, true));
	rounds_end(&r);
	close(pair[0]);
	close(pair[1]);
}

static void
it_stays_while_something_is_to_be_recorded(void **state)
{
	struct rounds r;

	(void)state;
	assert_true(rounds_begin(&r, "test-rounds", 0, -1));
	assert_false(rounds_over(&r, fetch, true));
	assert_true(rounds_over(&r, fetch, false));
}

static void
vain_looks_become_rarer_up_to_the_quiet_interval(void **state)
{
	struct rounds r;

	(void)state;
	assert_true(rounds_begin(&r, "test-rounds", 0, -1));
	assert_int_equal(r.gap, 10);
	rounds_widen(&r);
	assert_int_equal(r.gap, 20);
	rounds_widen(&r);
	rounds_widen(&r);
	rounds_widen(&r);
	assert_int_equal(r.gap, 70);
	rounds_narrow(&r);
	assert_int_equal(r.gap, 10);
}

/* The database is never asked here. */
static void
it_rests_once_after_an_idle_time_and_again_after_work(void **state)
{
	struct db *db = db_open("host=/nowhere dbname=none", "");
	int64_t began = clock_steady_ms();
	struct rounds r;

	(void)state;
	assert_non_null(db);
	assert_true(rounds_begin(&r, "test-rounds", 0, -1));
	while (r.rest_at != 0) {
		rounds_rest(&r, db);
		rounds_wait(&r, fetch, clock_steady_ms() + 20);
	}
	assert_true(clock_steady_ms() - began >= 1000);
	rounds_widen(&r);
	assert_true(r.rest_at == 0);
	rounds_narrow(&r);
	assert_true(r.rest_at > clock_steady_ms());
	db_close(db);
}

static void
workers_have_names_of_their_own(void **state)
{
	char a[ROUNDS_WORKER_MAX], b[ROUNDS_WORKER_MAX];

	(void)state;
	assert_int_equal(rounds_worker(a), 0);
	assert_int_equal(rounds_worker(b), 0);
	assert_string_not_equal(a, b);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_turn_stays_and_a_second_does_not),
		cmocka_unit_test(a_poke_wakes_it),
		cmocka_unit_test(its_end_wakes_it_and_nothing_that_is_kept_holds_it_up),
		cmocka_unit_test(it_stays_while_something_is_to_be_recorded),
		cmocka_unit_test(vain_looks_become_rarer_up_to_the_quiet_interval),
		cmocka_unit_test(it_rests_once_after_an_idle_time_and_again_after_work),
		cmocka_unit_test(workers_have_names_of_their_own),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
