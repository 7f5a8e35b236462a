/*
 * test_db_isolated.c - a transaction that sees the data of one moment: who comes second is told,
 * and can tell that from other failures.
 */
#include "tests/lib/db_fixture.h"

static const struct db_stmt look = { "isolated_look", "select number from marks" };
static const struct db_stmt count_up = { "isolated_up",
	"update marks set number = number + 1 returning number" };

static int
mark_number(void)
{
	return (int)ask_int(world.other, "select number from marks");
}

static void
who_comes_second_is_told(void **state)
{
	struct db_rows rows = { .n = 0 };
	struct db_step see = { .stmt = &look, .ret = &rows }, up = { .stmt = &count_up };
	struct db_tx *tx;

	(void)state;
	need_database();
	sql(world.other, "insert into marks values ('a', 1)");
	assert_int_equal(db_begin_isolated(&world.c, world.db, &see, 1, &tx), 0);
	sql(world.other, "update marks set number = 5");
	/* It sees what it saw, and cannot change what is another one now. */
	assert_int_equal(db_more(&world.c, tx, &see, 1), 0);
	assert_int_equal(db_int(&rows, 0, 0, 0), 1);
	assert_false(db_conflicted(tx));
	assert_int_equal(db_more(&world.c, tx, &up, 1), -1);
	assert_true(db_conflicted(tx));
	assert_failure(ERR_UNAVAILABLE, 503, "unavailable");
	fail_clear(&world.c);
	db_rollback(&world.c, tx);
	assert_true(db_conflicted(tx));
	assert_int_equal(mark_number(), 5);
	assert_idle(world.db);

	assert_int_equal(db_begin_isolated(&world.c, world.db, &see, 1, &tx), 0);
	assert_int_equal(db_commit(&world.c, tx, &up, 1), 0);
	assert_false(db_conflicted(tx));
	assert_int_equal(mark_number(), 6);
	/* The next transaction of the connection is a usual one. */
	assert_string_equal(ask(world.db, "show transaction_isolation"), "read committed");
}

static void
other_failures_are_no_conflicts(void **state)
{
	static const struct db_stmt wrong = { "isolated_wrong", "select 1 / 0" };
	struct db_step see = { .stmt = &look }, bad = { .stmt = &wrong };
	struct db_tx *tx;

	(void)state;
	need_database();
	assert_int_equal(db_begin_isolated(&world.c, world.db, &see, 1, &tx), 0);
	assert_int_equal(db_more(&world.c, tx, &bad, 1), -1);
	assert_false(db_conflicted(tx));
	db_rollback(&world.c, tx);
}

static void
behind_a_pooler_it_is_the_same(void **state)
{
	static const struct db_stmt level = { "isolated_level", "show transaction_isolation" };
	struct db_rows rows = { .n = 0 };
	struct db_step see = { .stmt = &level, .ret = &rows };
	struct db_tx *tx;

	(void)state;
	need_database();
	set("HOOKSWITCH_DB_PREPARE", "off");
	use_pool("", "", "1", "7000");
	assert_int_equal(db_begin_isolated(&world.c, world.db, &see, 1, &tx), 0);
	assert_string_equal(db_str(&rows, 0, 0), "repeatable read");
	assert_int_equal(db_commit(&world.c, tx, NULL, 0), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		DB_TEST(who_comes_second_is_told),
		DB_TEST(other_failures_are_no_conflicts),
		DB_TEST(behind_a_pooler_it_is_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
