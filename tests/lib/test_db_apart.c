/*
 * test_db_apart.c - two transactions in one trip: what stands before db_apart stays, whatever
 * becomes of the rest.
 */
#include "tests/lib/db_proxy.h"

static const char marks[] = "select count(*) from marks";

static const struct db_stmt put_first = { "put_first",
	"insert into marks values ('first') returning 'told', pg_current_xact_id()" };
static const struct db_stmt put_second = { "put_second",
	"insert into marks values ('second') returning 1, pg_current_xact_id()" };
static const struct db_stmt refuse = { "refuse",
	"do $$ begin raise exception 'rate_limited' using errcode = 'PT429'; end $$" };
static const struct db_stmt who = { "who", "select current_user, current_setting('jit')" };

static struct db_rows first, second;

static void
both_are_committed_one_by_one(void **state)
{
	const struct db_step steps[] = { { &put_first, NULL, 0, &first }, { .stmt = &db_apart },
		{ &put_second, NULL, 0, &second } };

	(void)state;
	need_database();
	for (int i = 1; i <= 3; i++) {
		assert_int_equal(db_run(&world.c, world.db, DB_TRANSACTION, steps, 3), 0);
		assert_string_equal(db_str(&first, 0, 0), "told");
		assert_string_not_equal(db_str(&first, 0, 1), db_str(&second, 0, 1));
		assert_int_equal(ask_int(world.other, marks), 2 * i);
	}
	assert_idle(world.db);
}

static void
the_first_stays_and_tells_when_the_second_is_refused(void **state)
{
	const struct db_step steps[] = { { &put_first, NULL, 0, &first }, { .stmt = &db_apart },
		{ &put_second, NULL, 0, &second }, { .stmt = &refuse } };

	(void)state;
	need_database();
	for (int i = 1; i <= 3; i++) {
		first = second = (struct db_rows){ .n = 0 };
		fail_clear(&world.c);
		assert_int_equal(db_run(&world.c, world.db, DB_TRANSACTION, steps, 4), -1);
		assert_failure(ERR_RATE_LIMITED, 429, "rate_limited");
		assert_int_equal(first.n, 1);
		assert_string_equal(db_str(&first, 0, 0), "told");
		assert_int_equal(second.n, 0);
		assert_int_equal(ask_int(world.other, marks), i);
	}
	assert_idle(world.db);
}

static void
nothing_is_told_when_the_first_is_refused(void **state)
{
	const struct db_step steps[] = { { &put_first, NULL, 0, &first }, { .stmt = &refuse },
		{ .stmt = &db_apart }, { &put_second, NULL, 0, &second } };

	(void)state;
	need_database();
	first = (struct db_rows){ .n = 0 };
	assert_int_equal(db_run(&world.c, world.db, DB_TRANSACTION, steps, 4), -1);
	assert_failure(ERR_RATE_LIMITED, 429, "rate_limited");
	assert_int_equal(first.n, 0);
	assert_int_equal(ask_int(world.other, marks), 0);
}

static void
a_transaction_may_stay_open_behind_it(void **state)
{
	const struct db_step steps[] = { { &put_first, NULL, 0, &first }, { .stmt = &db_apart },
		{ &put_second, NULL, 0, &second } };
	struct db_tx *tx;

	(void)state;
	need_database();
	assert_int_equal(db_begin(&world.c, world.db, steps, 3, &tx), 0);
	assert_int_equal(ask_int(world.other, marks), 1);
	db_rollback(&world.c, tx);
	assert_int_equal(ask_int(world.other, marks), 1);
	assert_int_equal(db_begin(&world.c, world.db, steps, 3, &tx), 0);
	assert_int_equal(db_commit(&world.c, tx, NULL, 0), 0);
	assert_int_equal(ask_int(world.other, marks), 3);
}

static void
behind_a_pooler_both_know_the_role(void **state)
{
	const struct db_step steps[] = { { &who, NULL, 0, &first }, { .stmt = &db_apart },
		{ &who, NULL, 0, &second } };

	(void)state;
	need_database();
	set("HOOKSWITCH_DB_PREPARE", "off");
	use_pool("", "pg_monitor", "1", "10000");
	assert_int_equal(db_run(&world.c, world.db, DB_TRANSACTION, steps, 3), 0);
	assert_string_equal(db_str(&first, 0, 0), "pg_monitor");
	assert_string_equal(db_str(&second, 0, 0), "pg_monitor");
	assert_string_equal(db_str(&second, 0, 1), "off");
}

/* The count of the first may be done twice; that the second was is not believed without proof. */
static void
a_break_behind_the_commit_is_unknown(void **state)
{
	const struct db_step steps[] = { { &put_first, NULL, 0, &first }, { .stmt = &db_apart },
		{ &put_second, NULL, 0, &second } };

	(void)state;
	need_database();
	proxy_start("1", "10000");
	assert_int_equal(db_ping(&world.c, world.db), 0);
	proxy.mode = PROXY_CUT_ANSWER;
	assert_int_equal(db_run(&world.c, world.db, DB_TRANSACTION, steps, 3), -1);
	assert_failure(ERR_OUTCOME_UNKNOWN, 503, "outcome_unknown");
	assert_int_equal(ask_int(world.other, marks), 2);
	fail_clear(&world.c);
	proxy.mode = PROXY_CUT_ANSWER;
	assert_int_equal(db_run(&world.c, world.db, DB_TRANSACTION | DB_REPEATABLE, steps, 3), 0);
	assert_int_equal(ask_int(world.other, marks), 6);
	proxy_stop();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		DB_TEST(both_are_committed_one_by_one),
		DB_TEST(the_first_stays_and_tells_when_the_second_is_refused),
		DB_TEST(nothing_is_told_when_the_first_is_refused),
		DB_TEST(a_transaction_may_stay_open_behind_it),
		DB_TEST(behind_a_pooler_both_know_the_role),
		DB_TEST(a_break_behind_the_commit_is_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
