/*
 * test_db_flight.c - a connection that breaks: before the commit it is done again, behind it nobody
 * is told a lie.
 */
#include "tests/lib/db_proxy.h"

static const char put_mark[] = "insert into marks values ('m')";
static const char marks[] = "select count(*) from marks";

static const int both_ways[] = { 0, DB_TRANSACTION };

/* ---- the answer does not come ------------------------------------------- */

static void
lost_behind_the_commit_is_unknown(void **state)
{
	(void)state;
	need_database();
	proxy_start("1", "10000");
	for (size_t i = 0; i < COUNT(both_ways); i++) {
		assert_int_equal(db_ping(&world.c, world.db), 0);
		proxy.mode = PROXY_CUT_ANSWER;
		assert_int_equal(try_sql(&world.c, world.db, both_ways[i], put_mark), -1);
		assert_failure(ERR_OUTCOME_UNKNOWN, 503, "outcome_unknown");
		assert_int_equal(proxy.cuts, i + 1);
		assert_int_equal(ask_int(world.other, marks), i + 1);
		assert_idle(world.db);
		fail_clear(&world.c);
	}
	proxy_stop();
}

static void
what_may_be_repeated_is_repeated(void **state)
{
	static const char put_once[] = "insert into once values (7) on conflict do nothing";

	(void)state;
	need_database();
	sql(world.other, "alter table once drop constraint once_number_key, add unique (number)");
	proxy_start("1", "10000");
	for (size_t i = 0; i < COUNT(both_ways); i++) {
		assert_int_equal(db_ping(&world.c, world.db), 0);
		proxy.mode = PROXY_CUT_ANSWER;
		assert_int_equal(try_sql(&world.c, world.db, DB_REPEATABLE | both_ways[i],
				     put_once),
		    0);
		assert_int_equal(proxy.cuts, i + 1);
	}
	assert_int_equal(ask_int(world.other, "select count(*) from once"), 1);
	proxy_stop();
}

static void
repeated_once_only(void **state)
{
	(void)state;
	need_database();
	proxy_start("1", "10000");
	proxy.again = 5;
	proxy.mode = PROXY_CUT_REQUEST;
	assert_int_equal(try_sql(&world.c, world.db, DB_REPEATABLE, put_mark), -1);
	assert_failure(ERR_UNAVAILABLE, 503, "unavailable");
	assert_int_equal(proxy.cuts, 2);
	proxy_stop();
}

/* The server never got it, but that cannot be known. */
static void
a_lost_request_is_unknown_too(void **state)
{
	(void)state;
	need_database();
	proxy_start("1", "10000");
	proxy.mode = PROXY_CUT_REQUEST;
	assert_int_equal(try_sql(&world.c, world.db, DB_TRANSACTION, put_mark), -1);
	assert_failure(ERR_OUTCOME_UNKNOWN, 503, "outcome_unknown");
	assert_int_equal(ask_int(world.other, marks), 0);
	proxy_stop();
}

static void
lost_before_the_commit_is_done_again(void **state)
{
	static const struct db_stmt big = { "big", "insert into marks select left($1, 5)" };
	struct span body = { NULL, 4 << 20 };
	const struct db_step step = { &big, &body, 1, NULL };

	(void)state;
	need_database();
	proxy_start("1", "10000");
	body.data =
	    mem_dup(world.c.mem, memset(mem_alloc(world.c.mem, body.len), 'x', body.len), body.len);
	for (size_t i = 0; i < COUNT(both_ways); i++) {
		assert_int_equal(db_ping(&world.c, world.db), 0);
		proxy.left = 1 << 20;
		proxy.mode = PROXY_CUT_MIDWAY;
		assert_int_equal(db_run(&world.c, world.db, both_ways[i], &step, 1), 0);
		assert_int_equal(proxy.cuts, i + 1);
		assert_int_equal(ask_int(world.other, marks), i + 1);
	}
	proxy_stop();
}

static void
a_begin_that_is_lost_is_done_again(void **state)
{
	struct db_stmt s = { "put", put_mark };
	struct db_step step = { .stmt = &s };
	struct db_tx *tx;

	(void)state;
	need_database();
	proxy_start("1", "10000");
	proxy.mode = PROXY_CUT_ANSWER;
	assert_int_equal(db_begin(&world.c, world.db, &step, 1, &tx), 0);
	assert_int_equal(proxy.cuts, 1);
	proxy.mode = PROXY_CUT_ANSWER;
	assert_int_equal(db_more(&world.c, tx, &step, 1), -1);
	assert_failure(ERR_UNAVAILABLE, 503, "unavailable");
	assert_int_equal(db_commit(&world.c, tx, &step, 1), -1);
	assert_int_equal(ask_int(world.other, marks), 0);

	fail_clear(&world.c);
	assert_int_equal(db_begin(&world.c, world.db, &step, 1, &tx), 0);
	proxy.mode = PROXY_CUT_ANSWER;
	assert_int_equal(db_commit(&world.c, tx, &step, 1), -1);
	assert_failure(ERR_OUTCOME_UNKNOWN, 503, "outcome_unknown");
	assert_int_equal(ask_int(world.other, marks), 2);
	proxy_stop();
}

static void
a_silent_server_is_given_up(void **state)
{
	struct db_tx *tx;
	int64_t began;

	(void)state;
	need_database();
	proxy_start("1", "500");
	proxy.mode = PROXY_SILENT;
	began = clock_steady_ms();
	assert_int_equal(try_sql(&world.c, world.db, DB_TRANSACTION, put_mark), -1);
	assert_failure(ERR_OUTCOME_UNKNOWN, 503, "outcome_unknown");
	assert_in_range(clock_steady_ms() - began, 450, 2500);

	proxy.mode = PROXY_SILENT;
	assert_int_equal(try_sql(&world.c, world.db, DB_REPEATABLE, "select 1"), -1);
	assert_failure(ERR_UNAVAILABLE, 503, "unavailable");
	proxy.mode = PROXY_SILENT;
	fail_clear(&world.c);
	assert_int_equal(db_begin(&world.c, world.db, NULL, 0, &tx), -1);
	assert_failure(ERR_UNAVAILABLE, 503, "unavailable");
	assert_string_equal(world.c.failure.log, "db=late");
	sql(world.db, "select 1");
	proxy_stop();
}

/* ---- the server says that it ends --------------------------------------- */

static int backend;
static int times;

/* Waits until the flight has begun its work, then ends its session from outside. */
static void
end_session(void)
{
	char text[160];

	if (times-- <= 0)
		return;
	snprintf(text, sizeof(text),
	    "select count(*) from pg_stat_activity where pid = %d and wait_event = 'PgSleep'",
	    backend);
	for (int i = 0; i < 500 && !ask_int(world.other, text); i++)
		poll(NULL, 0, 10);
	snprintf(text, sizeof(text), "select pg_terminate_backend(%d)", backend);
	sql(world.other, text);
}

static void
ended_before_the_commit_is_done_again(void **state)
{
	static const char slow_mark[] = "insert into marks select 'm' from sleep_once()";

	(void)state;
	need_database();
	for (size_t i = 0; i < COUNT(both_ways); i++) {
		sql(world.other, "alter sequence tries restart");
		backend = ask_int(world.db, "select pg_backend_pid()");
		times = 1;
		db_after_send(end_session);
		assert_int_equal(try_sql(&world.c, world.db, both_ways[i], slow_mark), 0);
		db_after_send(NULL);
		assert_int_equal(ask_int(world.other, marks), i + 1);
		assert_int_not_equal(ask_int(world.db, "select pg_backend_pid()"), backend);
	}
}

static void
a_session_closed_while_idle_is_not_noticed(void **state)
{
	char text[80];
	int last = 0, pid;

	(void)state;
	need_database();
	for (size_t i = 0; i < COUNT(both_ways); i++) {
		pid = ask_int(world.db, "select pg_backend_pid()");
		assert_int_not_equal(pid, last);
		last = pid;
		snprintf(text, sizeof(text), "select pg_terminate_backend(%d, 5000)", pid);
		sql(world.other, text);
		assert_int_equal(try_sql(&world.c, world.db, both_ways[i], put_mark), 0);
	}
	assert_int_equal(ask_int(world.db, marks), 2);
}

static void
closed_without_a_word_while_idle_neither(void **state)
{
	(void)state;
	need_database();
	proxy_start("1", "10000");
	for (size_t i = 0; i < COUNT(both_ways); i++) {
		assert_int_equal(db_ping(&world.c, world.db), 0);
		assert_int_equal(write(proxy.stop[1], "c", 1), 1);
		for (int k = 0; k < 500 && proxy.cuts < (int)i + 1; k++)
			poll(NULL, 0, 10);
		assert_int_equal(try_sql(&world.c, world.db, both_ways[i], put_mark), 0);
	}
	assert_int_equal(ask_int(world.other, marks), 2);
	proxy_stop();
}

static void
a_slow_statement_is_ended_by_the_server(void **state)
{
	int pid;

	(void)state;
	need_database();
	use_pool("", "", "1", "300");
	pid = ask_int(world.db, "select pg_backend_pid()");
	assert_int_equal(try_sql(&world.c, world.db, DB_TRANSACTION, "select pg_sleep(20)"), -1);
	assert_failure(ERR_UNAVAILABLE, 503, "unavailable");
	assert_non_null(strstr(world.c.failure.log, "57014"));
	assert_int_equal(ask_int(world.db, "select pg_backend_pid()"), pid);
}

/* ---- much data ---------------------------------------------------------- */

static void
large_bodies_both_ways_at_once_do_not_lock(void **state)
{
	static const struct db_stmt echo = { "echo", "select $1::text" };
	struct span body = { NULL, 3 << 20 };
	struct db_rows rows[4];
	struct db_step steps[4];

	(void)state;
	need_database();
	body.data = memset(mem_alloc(world.c.mem, body.len), 'y', body.len);
	for (size_t i = 0; i < COUNT(steps); i++)
		steps[i] = (struct db_step){ &echo, &body, 1, &rows[i] };
	assert_int_equal(db_run(&world.c, world.db, DB_TRANSACTION, steps, COUNT(steps)), 0);
	for (size_t i = 0; i < COUNT(steps); i++) {
		assert_int_equal(db_value(&rows[i], 0, 0).len, body.len);
		assert_memory_equal(db_str(&rows[i], 0, 0), body.data, body.len);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		DB_TEST(lost_behind_the_commit_is_unknown),
		DB_TEST(what_may_be_repeated_is_repeated),
		DB_TEST(repeated_once_only),
		DB_TEST(a_lost_request_is_unknown_too),
		DB_TEST(lost_before_the_commit_is_done_again),
		DB_TEST(a_begin_that_is_lost_is_done_again),
		DB_TEST(a_silent_server_is_given_up),
		DB_TEST(ended_before_the_commit_is_done_again),
		DB_TEST(a_session_closed_while_idle_is_not_noticed),
		DB_TEST(closed_without_a_word_while_idle_neither),
		DB_TEST(a_slow_statement_is_ended_by_the_server),
		DB_TEST(large_bodies_both_ways_at_once_do_not_lock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
