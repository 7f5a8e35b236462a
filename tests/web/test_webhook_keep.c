/*
 * test_webhook_keep.c - events that are kept in one statement: what becomes of each, also when one
 * of them is bad or the database goes away.
 */
#include "base/clock.h"
#include "database.h"
#include "web/server.h"
#include "web/together.h"
#include "web/webhook.h"

#include <poll.h>

enum { N = TOGETHER_FEW, WAIT_MS = 60000 };

/* The database's functions in the small.  Each statement waits until nobody holds the gate. */
static const char *const keep_sql[] = {
	"create table public.taken (key text primary key, body text, report text, company int)",
	"create function public.take(text, text, text, text, int) returns text language plpgsql as"
	" $$ begin if $2 = 'broken' then perform 1 / 0; end if;"
	" if $2 = 'gone' then perform pg_terminate_backend(pg_backend_pid()); end if;"
	" insert into public.taken values ($1, $3, $4, $5) on conflict do nothing;"
	" return case when found then 'kept' else 'duplicate' end; end $$",
	"create function public.webhook_keep(text, uuid, text, text, text, uuid, text, text, text,"
	" text) returns text language plpgsql as"
	" $$ begin perform pg_advisory_xact_lock_shared(1);"
	" return public.take($4, $5, $8, $9, 1); end $$",
	"create function public.webhook_keep_many(text, text[], text[], text[], text[], text[],"
	" text[], text[], text[], text[]) returns text[] language plpgsql as"
	" $$ begin perform pg_advisory_xact_lock_shared(1);"
	" return array(select case when $5[i] <> 'alone' then"
	" public.take($4[i], $5[i], $8[i], $9[i], cardinality($4)) end"
	" from generate_series(1, cardinality($4)) i); end $$",
};

static struct db *db;

struct db *
server_db(void)
{
	return db;
}

struct sender {
	pthread_t thread;
	struct ctx c;
	const char *type;
	const char *class;
	char key[32];
	char body[64];
	struct webhook_keeping k;
	int result;
};

static void *
send_one(void *arg)
{
	static const struct webhook_proof proof = { "installation", DATABASE_ORGANIZATION, "" };
	struct sender *s = arg;
	const struct webhook_event e = { s->class, s->type, s->key, NULL, "c-1",
		strcmp(s->key, "k-3") == 0 ? NULL : "{}", "{}" };

	s->k = (struct webhook_keeping){ "vapi", &proof, &e, s->class, span_of(s->body), "" };
	s->result = webhook_keep(&s->c, &s->k);
	return NULL;
}

static void
start(struct sender *s, size_t i, const char *type)
{
	memset(s, 0, sizeof(*s));
	assert_int_equal(ctx_init(&s->c, FAKE_MEM), 0);
	s->type = type;
	s->class = "kept";
	snprintf(s->key, sizeof(s->key), "k-%zu", i);
	snprintf(s->body, sizeof(s->body), "body of %zu, \"{,}\\ \xc3\xa9", i);
	assert_int_equal(pthread_create(&s->thread, NULL, send_one, s), 0);
}

static void
join(struct sender *s)
{
	pthread_join(s->thread, NULL);
	s->k.event = NULL;
}

/* One number of the database. */
static int64_t
ask(struct db *admin, const char *name, const char *sql)
{
	const struct db_stmt stmt = { name, sql };
	struct db_rows rows = { 0 };
	const struct db_step step = { &stmt, NULL, 0, &rows };
	struct ctx c;
	int64_t n;

	assert_int_equal(ctx_init(&c, FAKE_MEM), 0);
	assert_int_equal(db_run(&c, admin, 0, &step, 1), 0);
	n = db_int(&rows, 0, 0, -1);
	ctx_free(&c);
	return n;
}

static void
wait_for_waiting(struct db *admin, int64_t n)
{
	int64_t deadline = clock_steady_ms() + WAIT_MS;

	while (ask(admin, "waiting",
		   "select count(*) from pg_locks l join pg_database d on d.oid = l.database"
		   " where l.locktype = 'advisory' and not l.granted"
		   " and d.datname = current_database()") != n) {
		assert_true(clock_steady_ms() < deadline);
		poll(NULL, 0, 5);
	}
}

/* Sends one event, and while it is held up all others of these types, which go in one statement. */
static void
send_together(struct sender s[N], const char *const types[N])
{
	static const struct db_stmt lock = { "gate", "select pg_advisory_xact_lock(1)::text" };
	const struct db_step step = { &lock, NULL, 0, NULL };
	struct db *admin = db_open(database_url, NULL);
	struct sender first;
	struct db_tx *tx;
	struct ctx c;

	assert_non_null(admin);
	assert_int_equal(ctx_init(&c, FAKE_MEM), 0);
	ask(admin, "clear",
	    "with d as (delete from public.taken returning 1) select count(*) from d");
	assert_int_equal(db_begin(&c, admin, &step, 1, &tx), 0);
	start(&first, 99, "fine");
	wait_for_waiting(admin, 1);
	for (size_t i = 0; i < N; i++)
		start(&s[i], i, types[i]);
	wait_for_waiting(admin, 2);
	assert_int_equal(db_commit(&c, tx, NULL, 0), 0);
	join(&first);
	assert_int_equal(first.result, 0);
	assert_string_equal(first.k.state, "kept");
	for (size_t i = 0; i < N; i++)
		join(&s[i]);
	ctx_free(&first.c);
	ctx_free(&c);
	db_close(admin);
}

static void
end(struct sender s[N])
{
	for (size_t i = 0; i < N; i++)
		ctx_free(&s[i].c);
}

static int64_t
count(const char *where)
{
	struct db *admin = db_open(database_url, NULL);
	char sql[256];
	int64_t n;

	snprintf(sql, sizeof(sql), "select count(*) from public.taken where %s", where);
	n = ask(admin, "count", sql);
	db_close(admin);
	return n;
}

/* ---- tests -------------------------------------------------------------- */

static void
those_that_wait_share_a_statement(void **state)
{
	static const char *const types[N] = { "a", "b", "c", "d", "e", "f", "g", "h" };
	struct sender s[N];

	(void)state;
	DATABASE_OR_SKIP();
	send_together(s, types);
	for (size_t i = 0; i < N; i++) {
		assert_int_equal(s[i].result, 0);
		assert_string_equal(s[i].k.state, "kept");
	}
	assert_int_equal(count("company = 8"), N);
	assert_int_equal(count("body = 'body of ' || substr(key, 3) || ', \"{,}\\ \u00e9'"), N + 1);
	assert_int_equal(count("report is null and key = 'k-3'"), 1);
	assert_int_equal(count("report = '{}'"), N);
	end(s);
}

static void
one_bad_event_takes_none_with_it(void **state)
{
	static const char *const types[N] = { "a", "b", "broken", "d", "alone", "f", "g", "h" };
	struct sender s[N];

	(void)state;
	DATABASE_OR_SKIP();
	send_together(s, types);
	for (size_t i = 0; i < N; i++) {
		assert_int_equal(s[i].result, i == 2 ? -1 : 0);
		assert_int_equal(s[i].c.failure.err, i == 2 ? ERR_INTERNAL : ERR_NONE);
		assert_string_equal(s[i].k.state, i == 2 ? "" : "kept");
	}
	assert_int_equal(count("company = 1"), N);
	end(s);
}

static void
one_that_may_not_go_with_others_goes_alone(void **state)
{
	static const char *const types[N] = { "a", "b", "c", "d", "alone", "f", "g", "h" };
	struct sender s[N];

	(void)state;
	DATABASE_OR_SKIP();
	send_together(s, types);
	for (size_t i = 0; i < N; i++)
		assert_string_equal(s[i].k.state, "kept");
	assert_int_equal(count("company = 8"), N - 1);
	assert_int_equal(count("company = 1 and key = 'k-4'"), 1);
	end(s);
}

static void
a_database_that_goes_away_is_told_to_all_and_nothing_is_lost(void **state)
{
	static const char *const gone[N] = { "a", "b", "c", "d", "e", "f", "gone", "h" };
	static const char *const fine[N] = { "a", "b", "c", "d", "e", "f", "g", "h" };
	struct sender s[N];

	(void)state;
	DATABASE_OR_SKIP();
	send_together(s, gone);
	for (size_t i = 0; i < N; i++) {
		assert_int_equal(s[i].result, -1);
		assert_int_equal(s[i].c.failure.err, ERR_UNAVAILABLE);
	}
	assert_int_equal(count("true"), 1);
	end(s);
	/* The provider sends them again. */
	for (int again = 0; again < 2; again++) {
		for (size_t i = 0; i < N; i++)
			start(&s[i], i, fine[i]);
		for (size_t i = 0; i < N; i++) {
			join(&s[i]);
			assert_int_equal(s[i].result, 0);
			assert_string_equal(s[i].k.state, again ? "duplicate" : "kept");
		}
		end(s);
	}
	assert_int_equal(count("true"), N + 1);
}

static int
keep_open(void **state)
{
	if (database_open(state) < 0)
		return -1;
	if (!database_url[0])
		return 0;
	if (database_run(database_url, keep_sql, COUNT(keep_sql)) < 0)
		return -1;
	db = db_open(database_url, NULL);
	return db ? 0 : -1;
}

static int
keep_close(void **state)
{
	db_close(db);
	return database_close(state);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(those_that_wait_share_a_statement),
		cmocka_unit_test(one_bad_event_takes_none_with_it),
		cmocka_unit_test(one_that_may_not_go_with_others_goes_alone),
		cmocka_unit_test(a_database_that_goes_away_is_told_to_all_and_nothing_is_lost),
	};

	setenv("HOOKSWITCH_DB_CONNECTIONS", "3", 1);
	if (settings_load() < 0)
		return 1;
	return cmocka_run_group_tests_name("webhook_keep", tests, keep_open, keep_close);
}
