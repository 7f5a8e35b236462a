/*
 * test_db_pool.c - the pool: shared by threads, never above its size, given up in time, closed when
 * unused; silent about secrets.
 */
#include "tests/lib/db_fixture.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>

enum { THREADS = 8, RUNS = 60 };

/* ---- threads ------------------------------------------------------------ */

static int
run_some(struct ctx *c, int i)
{
	static const struct db_stmt put = { "thread_put",
		"insert into marks values ($1, $2::int)" };
	static const struct db_stmt bad = { "thread_bad", "select 1 / 0" };
	char number[16];
	struct span params[] = { { "thread", 6 }, { number, 0 } };
	const struct db_step steps[] = { { &put, params, 2, NULL }, { .stmt = &bad } };
	struct db_tx *tx;

	params[1].len = (size_t)snprintf(number, sizeof(number), "%d", i);
	if (i % 3 == 0)
		return db_run(c, world.db, i % 2 ? DB_TRANSACTION : 0, steps, 1);
	/* What fails leaves nothing behind, and does not take the connection along. */
	if (i % 3 == 1)
		return db_run(c, world.db, DB_TRANSACTION, steps, 2) == -1 ? 0 : -1;
	if (db_begin(c, world.db, steps, 1, &tx))
		return -1;
	return db_commit(c, tx, steps, 1);
}

static void *
run_thread(void *arg)
{
	int *failures = arg;
	struct ctx c;

	if (ctx_init(&c, 1 << 20)) {
		++*failures;
		return NULL;
	}
	for (int i = 0; i < RUNS; i++) {
		*failures += run_some(&c, i) != 0;
		ctx_reset(&c);
	}
	ctx_free(&c);
	return NULL;
}

static void
threads_share_few_connections(void **state)
{
	pthread_t threads[THREADS];
	int failures[THREADS] = { 0 }, open, used;

	(void)state;
	need_database();
	use_pool("application_name=hookswitch-threads", "", "3", "10000");
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run_thread, &failures[i]), 0);
	db_counts(world.db, &open, &used);
	assert_in_range(open, 0, 3);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(failures[i], 0);
	}
	db_counts(world.db, &open, &used);
	assert_in_range(open, 1, 3);
	assert_int_equal(used, 0);
	assert_int_equal(ask_int(world.other, "select count(*) from marks"),
	    THREADS * RUNS / 3 * 3);
	assert_int_equal(ask_int(world.other,
			     "select count(*) from pg_stat_activity"
			     " where application_name = 'hookswitch-threads'"),
	    open);
}

static void *
commit_soon(void *arg)
{
	struct ctx *c = arg;

	poll(NULL, 0, 200);
	db_rollback(c, c->owner);
	return NULL;
}

static void
who_waits_gets_the_next_one(void **state)
{
	struct ctx holder;
	struct db_tx *tx;
	pthread_t thread;
	int64_t began;

	(void)state;
	need_database();
	use_pool("", "", "1", "1500");
	assert_int_equal(ctx_init(&holder, 1 << 20), 0);
	assert_int_equal(db_begin(&holder, world.db, NULL, 0, &tx), 0);
	began = clock_steady_ms();
	assert_int_equal(try_sql(&world.c, world.db, 0, "select 1"), -1);
	assert_failure(ERR_UNAVAILABLE, 503, "unavailable");
	assert_string_equal(world.c.failure.log, "db=busy");
	assert_in_range(clock_steady_ms() - began, 1400, 60000);

	holder.owner = tx;
	assert_int_equal(pthread_create(&thread, NULL, commit_soon, &holder), 0);
	sql(world.db, "select 1");
	pthread_join(thread, NULL);
	ctx_free(&holder);
}

/* ---- idle --------------------------------------------------------------- */

static void
a_renewed_connection_is_another_one(void **state)
{
	int64_t first;

	(void)state;
	need_database();
	use_pool("", "", "1", "10000");
	first = ask_int(world.db, "select pg_backend_pid()");
	assert_int_equal(ask_int(world.db, "select pg_backend_pid()"), first);
	db_renew(world.db);
	assert_int_not_equal(ask_int(world.db, "select pg_backend_pid()"), first);
	first = ask_int(world.db, "select pg_backend_pid()");
	assert_int_equal(ask_int(world.db, "select pg_backend_pid()"), first);
}

static void
unused_connections_are_closed(void **state)
{
	int open, used, next;

	(void)state;
	need_database();
	set("HOOKSWITCH_DB_IDLE_SECONDS", "1");
	use_pool("", "", "3", "10000");
	setenv("HOOKSWITCH_DB_IDLE_SECONDS", "10", 1);
	assert_int_equal(db_close_idle(world.db), -1);
	sql(world.db, "select 1");
	next = db_close_idle(world.db);
	assert_in_range(next, 1, 1000);
	db_counts(world.db, &open, &used);
	assert_int_equal(open, 1);
	poll(NULL, 0, next + 5);
	assert_int_equal(db_close_idle(world.db), -1);
	db_counts(world.db, &open, &used);
	assert_int_equal(open, 0);
	sql(world.db, "select 1");
}

/* ---- connecting --------------------------------------------------------- */

static void
a_bad_url_is_refused(void **state)
{
	static const char *const urls[] = { "", "postgres://user:geheim@host:5432/db?nonsense=1",
		"geheim", "postgres://user:%zzgeheim@host/", "host='x" };

	(void)state;
	assert_int_equal(settings_load(), 0);
	for (size_t i = 0; i < COUNT(urls); i++) {
		errno = 0;
		assert_null(db_open(urls[i], NULL));
		assert_int_equal(errno, EINVAL);
	}
	assert_null(db_open(NULL, NULL));
}

static void
a_server_that_is_not_there_is_told_without_secrets(void **state)
{
	static const char *const urls[] = {
		"postgres://user:geheim@127.0.0.1:1/db",
		"host=/nonexistent user=u password=geheim",
		/* Not escaped: libpq takes these for hosts and ports and repeats them. */
		"postgres://user:pass@geheim.invalid@127.0.0.1/db",
		"postgres://user:pass@geheim:geheim@127.0.0.1/db",
		"postgres://user:geheim@127.0.0.1:1/db?sslmode=geheim",
	};
	struct ctx c;

	(void)state;
	assert_int_equal(settings_load(), 0);
	assert_int_equal(ctx_init(&c, 1 << 20), 0);
	for (size_t i = 0; i < COUNT(urls); i++) {
		struct db *db = db_open(urls[i], NULL);

		assert_non_null(db);
		assert_int_equal(db_ping(&c, db), -1);
		assert_int_equal(c.failure.err, ERR_UNAVAILABLE);
		assert_int_equal(c.failure.retry_after, 1);
		assert_non_null(strstr(c.failure.log, "db=no_connection"));
		assert_null(strstr(c.failure.log, "geheim"));
		assert_null(c.failure.detail);
		db_close(db);
		ctx_reset(&c);
	}
	ctx_free(&c);
}

static void
the_role_is_set_at_the_start(void **state)
{
	(void)state;
	need_database();
	if (strcmp(ask(world.other, "select pg_has_role('pg_monitor', 'member')"), "t") != 0)
		skip();
	use_pool("", "pg_monitor", "1", "10000");
	assert_string_equal(ask(world.db, "select current_user"), "pg_monitor");
	sql(world.db, "select set_config('role', 'pg_read_all_stats', true)");
	assert_string_equal(ask(world.db, "select current_user"), "pg_monitor");

	use_pool("", "no_such_role_here", "1", "10000");
	assert_int_equal(try_sql(&world.c, world.db, 0, "select 1"), -1);
	assert_failure(ERR_UNAVAILABLE, 503, "unavailable");
	assert_non_null(strstr(world.c.failure.log, "no_such_role_here"));
	assert_idle(world.db);
}

static void
a_shorter_limit_of_the_database_stays(void **state)
{
	bool uri;

	(void)state;
	need_database();
	uri = strstr(database_url(), "://") != NULL;
	assert_string_equal(ask(world.db, "select current_setting('statement_timeout')"), "10s");
	assert_string_equal(ask(world.db, "select current_setting('client_encoding')"), "UTF8");
	assert_string_equal(ask(world.db, "select current_setting('application_name')"),
	    "test_db_pool");
	use_pool(uri ? "options=-cstatement_timeout%3D2s" : "options='-cstatement_timeout=2s'", "",
	    "1", "10000");
	assert_string_equal(ask(world.db, "select current_setting('statement_timeout')"), "2s");
	use_pool(uri ? "options=-cstatement_timeout%3D1min" : "options='-cstatement_timeout=1min'",
	    "", "1", "10000");
	assert_string_equal(ask(world.db, "select current_setting('statement_timeout')"), "10s");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		DB_TEST(threads_share_few_connections),
		DB_TEST(who_waits_gets_the_next_one),
		DB_TEST(a_renewed_connection_is_another_one),
		DB_TEST(unused_connections_are_closed),
		cmocka_unit_test(a_bad_url_is_refused),
		cmocka_unit_test(a_server_that_is_not_there_is_told_without_secrets),
		DB_TEST(the_role_is_set_at_the_start),
		DB_TEST(a_shorter_limit_of_the_database_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
