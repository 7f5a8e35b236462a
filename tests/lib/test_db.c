/*
 * test_db.c - statements in one flight: their rows, their errors, their transaction; what is
 * prepared and what is forgotten.
 */
#include "tests/lib/db_fixture.h"

#define PARAM(s) span_of(s)

static void
rows_come_as_text_with_nulls(void **state)
{
	static const struct db_stmt s = { "rows",
		"select n, case when n > 1 then repeat('x', n) end, $1::text, $2::int"
		" from generate_series(1, 3) n" };
	const struct span params[] = { { "abcdef", 3 }, { NULL, 0 } };
	struct db_rows rows;
	const struct db_step step = { &s, params, COUNT(params), &rows };

	(void)state;
	need_database();
	assert_int_equal(db_run(&world.c, world.db, 0, &step, 1), 0);
	assert_int_equal(rows.n, 3);
	assert_int_equal(rows.ncols, 4);
	assert_int_equal(db_int(&rows, 2, 0, -1), 3);
	assert_null(db_str(&rows, 0, 1));
	assert_int_equal(db_int(&rows, 0, 1, -7), -7);
	assert_int_equal(db_value(&rows, 2, 1).len, 3);
	assert_string_equal(db_str(&rows, 1, 2), "abc");
	assert_null(db_value(&rows, 1, 3).data);
	assert_null(db_str(&rows, 3, 0));
	assert_null(db_str(&rows, 0, 4));
	assert_int_equal(db_ping(&world.c, world.db), 0);
}

static void
several_steps_are_one_transaction(void **state)
{
	static const struct db_stmt put = { "put", "insert into marks values ($1)" };
	static const struct db_stmt two = { "two", "select count(*) from marks" };
	static const struct db_stmt bad = { "bad", "select 1 / $1::int" };
	const struct span a[] = { PARAM("a") }, zero[] = { PARAM("0") };
	struct db_rows rows = { 0 };
	const struct db_step good[] = { { &put, a, 1, NULL }, { &put, a, 1, NULL },
		{ &two, NULL, 0, &rows } };
	const struct db_step mixed[] = { { &put, a, 1, NULL }, { &bad, zero, 1, &rows },
		{ &put, a, 1, NULL } };

	(void)state;
	need_database();
	assert_int_equal(db_run(&world.c, world.db, DB_TRANSACTION, good, COUNT(good)), 0);
	assert_int_equal(db_int(&rows, 0, 0, 0), 2);
	rows.n = 77;
	assert_int_equal(db_run(&world.c, world.db, DB_TRANSACTION, mixed, COUNT(mixed)), -1);
	assert_failure(ERR_INTERNAL, 500, "internal");
	assert_int_equal(rows.n, 77);
	fail_clear(&world.c);
	assert_int_equal(db_run(&world.c, world.db, 0, mixed, COUNT(mixed)), -1);
	assert_int_equal(ask_int(world.db, "select count(*) from marks"), 2);
	assert_idle(world.db);
}

static void
sql_tells_its_own_errors(void **state)
{
	(void)state;
	need_database();
	sql(world.other,
	    "create function refuse(p_state text, p_hint text) returns void language plpgsql"
	    " as $$"
	    " begin insert into marks values ('refused');"
	    " raise exception 'call_not_found' using errcode = p_state, detail = 'in words',"
	    " hint = p_hint; end $$");

	assert_int_equal(try_sql(&world.c, world.db, 0, "select refuse('PT404', '')"), -1);
	assert_failure(ERR_CALL_NOT_FOUND, 404, "call_not_found");
	assert_string_equal(world.c.failure.detail, "in words");
	assert_int_equal(world.c.failure.nfields, 0);

	assert_int_equal(try_sql(&world.c, world.db, DB_TRANSACTION,
			     "select refuse('PT422', 'calls.3.name')"),
	    -1);
	assert_int_equal(world.c.failure.status, 422);
	assert_int_equal(world.c.failure.nfields, 1);
	assert_string_equal(world.c.failure.fields[0].field, "calls.3.name");
	assert_string_equal(world.c.failure.fields[0].code, "call_not_found");

	assert_int_equal(try_sql(&world.c, world.db, 0, "select refuse('PT999', '')"), -1);
	assert_failure(ERR_INTERNAL, 500, "internal");
	assert_int_equal(ask_int(world.db, "select count(*) from marks"), 0);
}

static void
words_for_the_log_hold_no_values(void **state)
{
	(void)state;
	need_database();
	assert_int_equal(try_sql(&world.c, world.db, 0, "select '+491701234567'::uuid"), -1);
	assert_failure(ERR_INTERNAL, 500, "internal");
	assert_non_null(strstr(world.c.failure.log, "22P02"));
	assert_null(strstr(world.c.failure.log, "49170"));
	assert_int_equal(try_sql(&world.c, world.db, 0, "select no_such_thing()"), -1);
	assert_non_null(strstr(world.c.failure.log, "no_such_thing"));
}

static void
a_parameter_with_nul_is_refused(void **state)
{
	static const struct db_stmt s = { "nul", "select $1::text" };
	const struct span params[] = { { "a\0b", 3 } };
	const struct db_step step = { &s, params, 1, NULL };

	(void)state;
	need_database();
	assert_int_equal(db_run(&world.c, world.db, 0, &step, 1), -1);
	assert_failure(ERR_INTERNAL, 500, "internal");
}

static void
texts_travel_as_an_array_of_bytes(void **state)
{
	static const struct db_stmt s = { "texts", "select t, $2::text from unnest($1::text[]) t" };
	const struct span texts[] = { SPAN("{a,\"b\"}\\ NULL"), { NULL, 0 }, { "", 0 },
		SPAN("\xe2\x82\xac") };
	struct span params[2] = { { NULL, 0 }, { "three and more", 5 } };
	struct db_rows rows;
	const struct db_step step = { &s, params, 2, &rows };

	(void)state;
	need_database();
	for (int i = 0; i < 2; i++) {
		params[0] = db_texts(world.c.mem, texts, COUNT(texts));
		assert_int_equal(db_run(&world.c, world.db, DB_BINARY, &step, 1), 0);
		assert_int_equal(rows.n, COUNT(texts));
		for (int row = 0; row < rows.n; row++)
			assert_true(span_equal(db_value(&rows, row, 0), texts[row]));
		assert_null(db_str(&rows, 1, 0));
		assert_string_equal(db_str(&rows, 0, 1), "three");
		set("HOOKSWITCH_DB_PREPARE", "off");
		use_pool("", "", "1", "7000");
	}
	params[0] = db_texts(world.c.mem, texts, 0);
	assert_int_equal(db_run(&world.c, world.db, DB_BINARY, &step, 1), 0);
	assert_int_equal(rows.n, 0);
	params[1] = (struct span){ "\xff", 1 };
	assert_int_equal(db_run(&world.c, world.db, DB_BINARY, &step, 1), -1);
	assert_failure(ERR_INTERNAL, 500, "internal");
}

/* ---- the end of a transaction ------------------------------------------- */

static void
what_is_wrong_at_commit_is_an_error(void **state)
{
	static const int flags[] = { 0, DB_TRANSACTION };
	struct db_tx *tx;
	int pid;

	(void)state;
	need_database();
	pid = ask_int(world.db, "select pg_backend_pid()");
	for (size_t i = 0; i < COUNT(flags); i++) {
		assert_int_equal(try_sql(&world.c, world.db, flags[i],
				     "insert into once values (1), (1)"),
		    -1);
		assert_failure(ERR_INTERNAL, 500, "internal");
		assert_non_null(strstr(world.c.failure.log, "23505"));
		assert_idle(world.db);
		assert_int_equal(ask_int(world.db, "select count(*) from once"), 0);
	}

	fail_clear(&world.c);
	assert_int_equal(db_begin(&world.c, world.db, NULL, 0, &tx), 0);
	assert_int_equal(db_commit(&world.c, tx,
			     &(struct db_step){ .stmt = &(struct db_stmt){ "w",
						    "insert into once values (1), (1)" } },
			     1),
	    -1);
	assert_failure(ERR_INTERNAL, 500, "internal");
	assert_int_equal(ask_int(world.db, "select count(*) from once"), 0);
	assert_int_equal(ask_int(world.db, "select pg_backend_pid()"), pid);
}

static struct db_step
put_mark(void)
{
	static const struct db_stmt put = { "put_mark", "insert into marks values ('m')" };

	return (struct db_step){ .stmt = &put };
}

static void
a_transaction_stays_open_between_flights(void **state)
{
	struct db_step put = put_mark();
	struct db_tx *tx;
	int open, used;

	(void)state;
	need_database();
	assert_int_equal(db_begin(&world.c, world.db, &put, 1, &tx), 0);
	assert_int_equal(db_more(&world.c, tx, &put, 1), 0);
	db_counts(world.db, &open, &used);
	assert_int_equal(used, 1);
	assert_int_equal(ask_int(world.other, "select count(*) from marks"), 0);
	assert_int_equal(db_commit(&world.c, tx, &put, 1), 0);
	assert_idle(world.db);
	assert_int_equal(ask_int(world.other, "select count(*) from marks"), 3);

	assert_int_equal(db_begin(&world.c, world.db, &put, 1, &tx), 0);
	db_rollback(&world.c, tx);
	assert_int_equal(ask_int(world.db, "select count(*) from marks"), 3);
}

static void
a_failed_transaction_cannot_be_committed(void **state)
{
	static const struct db_stmt bad = { "bad2", "select 1 / 0" };
	struct db_step put = put_mark(), wrong = { .stmt = &bad };
	struct db_tx *tx;

	(void)state;
	need_database();
	assert_int_equal(db_begin(&world.c, world.db, &put, 1, &tx), 0);
	assert_int_equal(db_more(&world.c, tx, &wrong, 1), -1);
	fail_clear(&world.c);
	assert_int_equal(db_commit(&world.c, tx, NULL, 0), -1);
	assert_failure(ERR_INTERNAL, 500, "internal");
	assert_idle(world.db);
	assert_int_equal(ask_int(world.db, "select count(*) from marks"), 0);
}

/* ---- conflicts ---------------------------------------------------------- */

static void
a_conflict_is_tried_again_three_times(void **state)
{
	(void)state;
	need_database();
	assert_int_equal(try_sql(&world.c, world.db, DB_TRANSACTION, "select conflict_until(4)"),
	    0);
	assert_int_equal(ask_int(world.db, "select last_value from tries"), 4);
	assert_int_equal(try_sql(&world.c, world.db, DB_TRANSACTION, "select conflict_until(100)"),
	    -1);
	assert_failure(ERR_UNAVAILABLE, 503, "unavailable");
	assert_int_equal(world.c.failure.retry_after, 1);
	assert_int_equal(ask_int(world.db, "select last_value from tries"), 8);
}

/* ---- prepared statements ------------------------------------------------ */

static const char prepared_count[] =
    "select count(*) from pg_prepared_statements where name like 'known%'";

static void
a_statement_is_prepared_once(void **state)
{
	static const struct db_stmt good = { "known_a", "select 1" },
				    late = { "known_b", "select 2" };
	static const struct db_stmt bad = { "bad3", "select 1 / 0" };
	const struct db_step fails[] = { { .stmt = &good }, { .stmt = &good }, { .stmt = &bad },
		{ .stmt = &late } };
	const struct db_step works[] = { { .stmt = &late }, { .stmt = &good }, { .stmt = &late } };
	int pid;

	(void)state;
	need_database();
	pid = ask_int(world.db, "select pg_backend_pid()");
	for (int i = 0; i < 2; i++) {
		fail_clear(&world.c);
		assert_int_equal(db_run(&world.c, world.db, 0, fails, COUNT(fails)), -1);
		assert_failure(ERR_INTERNAL, 500, "internal");
		assert_non_null(strstr(world.c.failure.log, "22012"));
		assert_int_equal(ask_int(world.db, prepared_count), 1);
	}
	fail_clear(&world.c);
	for (int i = 0; i < 3; i++)
		assert_int_equal(db_run(&world.c, world.db, DB_TRANSACTION, works, COUNT(works)),
		    0);
	assert_int_equal(ask_int(world.db, prepared_count), 2);
	assert_int_equal(ask_int(world.db, "select pg_backend_pid()"), pid);
}

static void
more_statements_than_are_remembered_still_work(void **state)
{
	char text[64];

	(void)state;
	need_database();
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 300; i++) {
			snprintf(text, sizeof(text), "select %d", i);
			assert_int_equal(ask_int(world.db, mem_str(world.c.mem, text)), i);
		}
	}
}

static void
what_the_server_forgot_is_prepared_again(void **state)
{
	static const char all[] = "select * from marks";

	(void)state;
	need_database();
	use_pool("", "", "3", "10000");
	sql(world.db, all);
	sql(world.db, "deallocate all");
	sql(world.db, all);
	sql(world.other, "alter table marks add column more text");
	sql(world.db, all);
	sql(world.other, "alter table marks drop column more");
	assert_int_equal(try_sql(&world.c, world.db, DB_TRANSACTION, all), 0);
	assert_idle(world.db);
}

static void
inside_a_transaction_a_forgotten_statement_is_told(void **state)
{
	static const struct db_stmt all = { "all_marks", "select * from marks" };
	const struct db_step step = { .stmt = &all };
	struct db_tx *tx;

	(void)state;
	need_database();
	assert_int_equal(db_run(&world.c, world.db, 0, &step, 1), 0);
	sql(world.other, "alter table marks add column more text");
	assert_int_equal(db_begin(&world.c, world.db, NULL, 0, &tx), 0);
	assert_int_equal(db_more(&world.c, tx, &step, 1), -1);
	assert_failure(ERR_UNAVAILABLE, 503, "unavailable");
	db_rollback(&world.c, tx);
	fail_clear(&world.c);
	assert_int_equal(db_run(&world.c, world.db, 0, &step, 1), 0);
}

static void
behind_a_pooler_nothing_stays_in_the_session(void **state)
{
	(void)state;
	need_database();
	set("HOOKSWITCH_DB_PREPARE", "off");
	if (strcmp(ask(world.other, "select pg_has_role('pg_monitor', 'member')"), "t") == 0) {
		use_pool("", "pg_monitor", "1", "7000");
		assert_string_equal(ask(world.db, "select current_user"), "pg_monitor");
	}
	use_pool("", "", "1", "7000");
	assert_string_equal(ask(world.db, "select current_setting('statement_timeout')"), "7s");
	assert_int_equal(ask_int(world.db, "select count(*) from pg_prepared_statements"), 0);
	use_pool("", "", "1", "10000");
	sql(world.db, "select set_config('statement_timeout', '5min', false)");
	assert_string_equal(ask(world.db, "select current_setting('statement_timeout')"), "10s");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		DB_TEST(rows_come_as_text_with_nulls),
		DB_TEST(several_steps_are_one_transaction),
		DB_TEST(sql_tells_its_own_errors),
		DB_TEST(words_for_the_log_hold_no_values),
		DB_TEST(a_parameter_with_nul_is_refused),
		DB_TEST(texts_travel_as_an_array_of_bytes),
		DB_TEST(what_is_wrong_at_commit_is_an_error),
		DB_TEST(a_transaction_stays_open_between_flights),
		DB_TEST(a_failed_transaction_cannot_be_committed),
		DB_TEST(a_conflict_is_tried_again_three_times),
		DB_TEST(a_statement_is_prepared_once),
		DB_TEST(more_statements_than_are_remembered_still_work),
		DB_TEST(what_the_server_forgot_is_prepared_again),
		DB_TEST(inside_a_transaction_a_forgotten_statement_is_told),
		DB_TEST(behind_a_pooler_nothing_stays_in_the_session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
