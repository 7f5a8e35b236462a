/*
 * test_db_timings.c - flights are timed by their last statement, and what was gathered is written
 * down once, or kept.
 */
#include "base/timing.h"
#include "tests/lib/db_fixture.h"

/* What was gathered under that kind, name and outcome since the last time. */
static int64_t
counted(const char *kind, const char *name, const char *outcome)
{
	struct timing *rows;
	size_t n = timing_take(world.c.mem, &rows);
	int64_t found = 0;

	while (n-- > 0) {
		if (strcmp(rows[n].kind, kind) == 0 && strcmp(rows[n].name, name) == 0 &&
		    strcmp(rows[n].outcome, outcome) == 0)
			found += rows[n].n;
	}
	return found;
}

static void
forget(void)
{
	(void)counted("", "", "");
}

static void
a_flight_is_called_by_its_last_statement(void **state UNUSED)
{
	static const struct db_stmt head = { "head", "select 1" };
	static const struct db_stmt many = { "note_list#12_3", "select 2" };
	const struct db_step steps[] = { { .stmt = &head }, { .stmt = &many } };
	struct db_tx *tx;

	need_database();
	forget();
	assert_int_equal(db_run(&world.c, world.db, DB_TRANSACTION, steps, 2), 0);
	assert_int_equal(counted(TIMING_QUERY, "note_list", "ok"), 1);
	assert_int_equal(db_begin(&world.c, world.db, steps, 2, &tx), 0);
	assert_int_equal(db_more(&world.c, tx, steps, 1), 0);
	assert_int_equal(db_commit(&world.c, tx, NULL, 0), 0);
	assert_int_equal(counted(TIMING_QUERY, "commit", "ok"), 1);
	assert_int_equal(db_run(&world.c, world.db, 0, steps, 1), 0);
	assert_int_equal(counted(TIMING_QUERY, "head", "ok"), 1);
}

static void
what_is_refused_or_late_is_told_apart(void **state UNUSED)
{
	static const struct db_stmt wrong = { "wrong", "select 1 / 0" };
	static const struct db_stmt slow = { "slow", "select pg_sleep(30)" };
	const struct db_step a = { .stmt = &wrong }, b = { .stmt = &slow };

	need_database();
	use_pool("", "", "1", "300");
	forget();
	assert_int_equal(db_run(&world.c, world.db, 0, &a, 1), -1);
	assert_int_equal(counted(TIMING_QUERY, "wrong", "refused"), 1);
	fail_clear(&world.c);
	assert_int_equal(db_run(&world.c, world.db, 0, &b, 1), -1);
	assert_int_equal(counted(TIMING_TIMEOUT, "database", "late"), 1);
	fail_clear(&world.c);
	assert_int_equal(db_run(&world.c, world.db, 0, &b, 1), -1);
	assert_int_equal(counted(TIMING_QUERY, "slow", "late"), 1);
	fail_clear(&world.c);
	use_pool("", "", "1", "10000");
}

static void
a_connection_that_is_not_to_be_had_is_counted(void **state UNUSED)
{
	struct db *nowhere, *taken;
	struct db_tx *tx;

	need_database();
	nowhere = db_open("postgresql:///x?host=/nonexistent", "");
	forget();
	assert_int_equal(db_ping(&world.c, nowhere), -1);
	assert_int_equal(counted(TIMING_DATABASE, "connect", "failed"), 1);
	fail_clear(&world.c);
	db_close(nowhere);

	taken = open_pool("", "", "1", "100");
	assert_int_equal(db_begin(&world.c, taken, NULL, 0, &tx), 0);
	forget();
	assert_int_equal(db_ping(&world.c, taken), -1);
	assert_int_equal(counted(TIMING_TIMEOUT, "pool", "busy"), 1);
	fail_clear(&world.c);
	db_rollback(&world.c, tx);
	db_close(taken);
}

static void
it_is_written_down_once_or_kept(void **state UNUSED)
{
	need_database();
	sql(world.other, "create table written (rows jsonb)");
	forget();
	timing_add(TIMING_STEP, "a.\"b\"", "ok", 1500000);
	db_timings(&world.c, world.db);
	assert_int_equal(world.c.failure.err, ERR_NONE);
	assert_true(timing_due(0));

	sql(world.other,
	    "create function public.timings_add(p jsonb) returns void language plpgsql as"
	    " $$ begin insert into written values (p); end $$");
	forget();
	timing_add(TIMING_STEP, "a.\"b\"", "ok", 1500000);
	timing_count(TIMING_TIMEOUT, "pool", "busy");
	db_timings(&world.c, world.db);
	assert_false(timing_due(0));
	db_timings(&world.c, world.db);
	assert_string_equal(ask(world.other, "select string_agg(rows::text, '|') from written"),
	    "[{\"n\": 1, \"kind\": \"step\", \"name\": \"a.\\\"b\\\"\", \"buckets\": [0, 0, 0, 0, "
	    "0, 0, 0, 0, 1, 0, 0, 0, 0, 0], \"outcome\": \"ok\", \"seconds\": 1.500000}, "
	    "{\"n\": 1, \"kind\": \"timeout\", \"name\": \"pool\", \"buckets\": [1, 0, 0, 0, 0, "
	    "0, 0, 0, 0, 0, 0, 0, 0, 0], \"outcome\": \"busy\", \"seconds\": 0.000000}]");
	sql(world.other, "drop function public.timings_add(jsonb)");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flight_is_called_by_its_last_statement),
		cmocka_unit_test(what_is_refused_or_late_is_told_apart),
		cmocka_unit_test(a_connection_that_is_not_to_be_had_is_counted),
		cmocka_unit_test(it_is_written_down_once_or_kept),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
