/*
 * test_webhook_money.c - webhooks of payment providers: proved by the installation's secrets, kept
 * as they came, answered when they are kept.
 */
#include "database.h"
#include "web/webhook.h"

#include <time.h>

#define PATH "REQUEST_URI=/hooks"

/* The database's functions in the small: they remember what they were called with. */
static const char keep_sql[] =
    "create function public.money_keep(text, text, text, jsonb, text) returns text language plpgsql"
    " as $$ begin if $3 = 'broken' then perform 1 / 0; end if;"
    " insert into public.taken values ($1, $2, $3, $4, $5); return 'waiting'; end $$";
static const char count_sql[] =
    "create function public.webhook_count(text, text, bigint) returns void language sql as"
    " $$ insert into public.counts values ($1, $2, $3) $$";
static const char *const money_sql[] = {
	"create table public.taken (provider text, event text, type text, object jsonb, body text)",
	"create table public.counts (provider text, type text, n bigint)",
	keep_sql,
	count_sql,
};

/* ---- a program ------------------------------------------------------- */

static const struct webhook hook = { .provider = "stripe",
	.secrets = SET_STRIPE_WEBHOOK_SECRET,
	.plans = signature_stripe,
	.nplans = SIGNATURE_STRIPE_PLANS,
	.tolerance = SET_HOOKSWITCH_PADDLE_TOLERANCE_SECONDS };

/* The body's first word is the type, the second the object. */
static int
take_event(struct ctx *c, const void *arg)
{
	struct span body = request_body(c);
	char type[16] = "", object[32] = "";

	(void)arg;
	if (webhook_prove(c, &hook, body) < 0)
		return -1;
	if (sscanf(body.data, "%15s %31s", type, object) < 1)
		return fail(c, ERR_BAD_JSON, "no event");
	return webhook_take_money(c, &hook,
	    &(const struct webhook_money){ "evt_1", type, object[0] != '\0' ? object : NULL });
}

/* What the database was told since the last time. */
static int
tell_taken(struct ctx *c, const void *arg)
{
	static const struct db_stmt stmt = { "tell_taken",
		"with t as (delete from public.taken returning *), c as (delete from public.counts"
		" returning *)"
		" select jsonb_build_object('taken', (select coalesce(jsonb_agg(t), '[]') from t),"
		" 'counts', (select coalesce(jsonb_agg(c), '[]') from c))::text" };
	struct db_rows rows;
	const struct db_step step = { &stmt, NULL, 0, &rows };

	(void)arg;
	if (db_run(c, server_db(), 0, &step, 1) < 0)
		return -1;
	return reply_json(c, 200, db_value(&rows, 0, 0));
}

static const struct route routes[] = {
	{ POST, "/hooks", PUBLIC, NO_FIELDS, take_event, 200, NULL, "x", .body_max = 1000,
	    .flags = ROUTE_RAW, .after = webhook_answered },
	{ GET, "/taken", PUBLIC, NO_FIELDS, tell_taken, 200, NULL, "x" },
};

static const struct server server = { "hooks", routes, COUNT(routes), .quiet = webhook_flush,
	.stop = webhook_flush };

static struct child a;

static void
send_with(const char *header, const char *setting, const char *body)
{
	char length[40];
	const char *variables[] = { "REQUEST_METHOD=POST", PATH, length,
		"STRIPE_WEBHOOK_SECRET=whsec_old, whsec_new", header, setting, NULL };

	snprintf(length, sizeof(length), "CONTENT_LENGTH=%zu", strlen(body));
	child_run(&server, NULL, variables, body, &a);
}

static const char *
signed_by(struct mem *m, const char *secret, int64_t ahead, const char *body)
{
	const char *t = mem_printf(m, "%lld", (long long)(time(NULL) + ahead));
	struct span parts[] = { span_of(t), SPAN("."), span_of(body) };
	unsigned char mac[DIGEST_MAX];
	char hex[2 * DIGEST_MAX + 1];

	assert_int_equal(crypto_hmac_parts(DIGEST_SHA256, span_of(secret), parts, COUNT(parts),
			     mac),
	    SHA256_LEN);
	crypto_hex(mac, SHA256_LEN, hex);
	return mem_printf(m, "HTTP_STRIPE_SIGNATURE=t=%s,v1=%s", t, hex);
}

static const struct json *
taken(struct mem *m)
{
	static const char *const variables[] = { "REQUEST_METHOD=GET", "REQUEST_URI=/taken", NULL };
	const struct json *j = NULL;

	child_run(&server, NULL, variables, "", &a);
	assert_int_equal(a.status, 200);
	assert_int_equal(json_read(m, a.body, strlen(a.body), JSON_DEPTH_API, &j), JSON_OK);
	return j;
}

static int
hooks_open(void **state)
{
	if (database_open(state) < 0)
		return -1;
	return database_url[0] ? database_run(database_url, money_sql, COUNT(money_sql)) : 0;
}

static int
mem_open(void **state)
{
	*state = mem_new(1 << 20);
	return *state ? 0 : -1;
}

static int
mem_close(void **state)
{
	mem_free(*state);
	return 0;
}

/* ---- tests ------------------------------------------------------------- */

static void
each_of_the_installations_secrets_is_good(void **state)
{
	struct mem *m = *state;
	static const char body[] = "invoice.paid {}";
	const struct {
		const char *header, *setting;
		bool good;
	} rows[] = {
		{ signed_by(m, "whsec_old", 0, body), NULL, true },
		{ signed_by(m, "whsec_new", 0, body), NULL, true },
		{ signed_by(m, "whsec_new", -290, body), NULL, true },
		{ signed_by(m, "whsec_new", -310, body), NULL, false },
		{ signed_by(m, "whsec_new", 310, body), NULL, false },
		{ signed_by(m, "whsec_new", -310, body), "HOOKSWITCH_PADDLE_TOLERANCE_SECONDS=400",
		    true },
		{ signed_by(m, "whsec_new", -20, body), "HOOKSWITCH_PADDLE_TOLERANCE_SECONDS=5",
		    false },
		{ signed_by(m, "whsec_other", 0, body), NULL, false },
		{ signed_by(m, "whsec_old, whsec_new", 0, body), NULL, false },
		{ signed_by(m, "", 0, body), NULL, false },
		{ signed_by(m, "whsec_new", 0, "another body"), NULL, false },
		{ "HTTP_X_OTHER=1", NULL, false },
	};
	size_t i, n;

	DATABASE_OR_SKIP();
	for (i = 0; i < COUNT(rows); i++) {
		send_with(rows[i].header, rows[i].setting, body);
		assert_int_equal(a.status, rows[i].good ? 200 : 401);
		assert_int_equal(strstr(a.body, "\"code\":\"signature_invalid\"") == NULL,
		    rows[i].good);
		n = json_len(json_get(taken(m), "taken"));
		assert_int_equal(n, rows[i].good ? 1 : 0);
	}
}

static void
an_event_is_kept_as_it_came_and_counted(void **state)
{
	struct mem *m = *state;
	static const char body[] = "invoice.paid {\"id\":\"in_1\"} \xff\xc3\xa9 \\u0000";
	const struct json *told, *event;

	DATABASE_OR_SKIP();
	send_with(signed_by(m, "whsec_old", 0, body), NULL, body);
	assert_int_equal(a.status, 200);
	assert_string_equal(a.body, "{}");
	told = taken(m);
	event = json_path(told, "taken.0");
	assert_string_equal(json_str(event, "provider"), "stripe");
	assert_string_equal(json_str(event, "event"), "evt_1");
	assert_string_equal(json_str(event, "type"), "invoice.paid");
	assert_string_equal(json_str_of(json_path(event, "object.id"), NULL), "in_1");
	assert_string_equal(json_str(event, "body"),
	    "invoice.paid {\"id\":\"in_1\"} \\u00ff\xc3\xa9 \\u0000");
	assert_string_equal(json_str(json_path(told, "counts.0"), "type"), "state:waiting");
	assert_string_equal(json_str(json_path(told, "counts.0"), "provider"), "stripe");
}

static void
one_that_is_not_understood_comes_without_an_object(void **state)
{
	struct mem *m = *state;
	const struct json *event;

	DATABASE_OR_SKIP();
	send_with(signed_by(m, "whsec_old", 0, "odd"), NULL, "odd");
	assert_int_equal(a.status, 200);
	event = json_path(taken(m), "taken.0");
	assert_string_equal(json_str(event, "type"), "odd");
	assert_null(json_str(event, "object"));
}

static void
one_that_could_not_be_kept_is_not_answered_with_success(void **state)
{
	struct mem *m = *state;

	DATABASE_OR_SKIP();
	send_with(signed_by(m, "whsec_old", 0, "broken"), NULL, "broken");
	assert_int_equal(a.status, 500);
	assert_true(child_has(&a, "Retry-After: 1\r\n"));
	assert_int_equal(json_len(json_get(taken(m), "taken")), 0);
	send_with(signed_by(m, "whsec_old", 0, "x"),
	    "DATABASE_URL=postgresql://127.0.0.1:1/x?connect_timeout=1", "x");
	assert_int_equal(a.status, 503);
	assert_true(child_has(&a, "Retry-After: "));
}

static void
without_a_secret_nobody_gets_in(void **state)
{
	struct mem *m = *state;

	DATABASE_OR_SKIP();
	send_with(signed_by(m, "", 0, "x"), "STRIPE_WEBHOOK_SECRET=", "x");
	assert_int_equal(a.status, 401);
	send_with(signed_by(m, "", 0, "x"), "STRIPE_WEBHOOK_SECRET=, ,", "x");
	assert_int_equal(a.status, 401);
}

#define WITH_MEM(f) cmocka_unit_test_setup_teardown(f, mem_open, mem_close)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_MEM(each_of_the_installations_secrets_is_good),
		WITH_MEM(an_event_is_kept_as_it_came_and_counted),
		WITH_MEM(one_that_is_not_understood_comes_without_an_object),
		WITH_MEM(one_that_could_not_be_kept_is_not_answered_with_success),
		WITH_MEM(without_a_secret_nobody_gets_in),
	};

	if (settings_load() < 0)
		return 1;
	return cmocka_run_group_tests_name("webhook_money", tests, hooks_open, database_close);
}
