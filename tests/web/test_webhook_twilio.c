/*
 * test_webhook_twilio.c - webhooks of Twilio: proved by the address of the settings, kept as they
 * came, and what the database answers.
 */
#include "database.h"
#include "web/reply.h"
#include "web/webhook.h"

#define PATH "/hooks/x"

/* The database's functions in the small: they remember what they were called with. */
static const char keep_sql[] =
    "create function public.twilio_keep(text, text, jsonb, text) returns jsonb language plpgsql"
    " as $$ begin if $2 = 'broken' then perform 1 / 0; end if;"
    " insert into public.taken values ($1, $2, $3, $4);"
    " return jsonb_build_object('state', 'applied', 'answer', $3 -> 'answer'); end $$";
static const char count_sql[] =
    "create function public.webhook_count(text, text, bigint) returns void language sql as"
    " $$ insert into public.counts values ($1, $2, $3) $$";
static const char *const twilio_sql[] = {
	"create table public.taken (key text, type text, facts jsonb, body text)",
	"create table public.counts (provider text, type text, n bigint)",
	keep_sql,
	count_sql,
};

/* ---- a program ------------------------------------------------------- */

static const struct webhook hook = { .provider = "twilio",
	.secrets = SET_TWILIO_AUTH_TOKEN,
	.plans = signature_twilio,
	.nplans = SIGNATURE_TWILIO_PLANS,
	.below = "/hooks",
	.told = SET_TWILIO_WEBHOOK_URL };

/* The body's first field is the type, the second the facts. */
static int
take_event(struct ctx *c, const void *arg UNUSED)
{
	struct span body = request_body(c);
	char type[16] = "", facts[64] = "";
	const struct json *answer;

	if (webhook_prove(c, &hook, body) < 0)
		return -1;
	if (sscanf(body.data, "%15[^=]=%63[^&]", type, facts) < 1)
		return fail(c, ERR_BAD_JSON, "no event");
	if (webhook_take_twilio(c, &hook,
		&(const struct webhook_twilio){ "k", type, facts[0] != '\0' ? facts : NULL },
		&answer) < 0)
		return -1;
	return reply_json(c, 200, span_of(answer ? json_print(c->mem, answer) : "null"));
}

/* What the database was told since the last time. */
static int
tell_taken(struct ctx *c, const void *arg UNUSED)
{
	static const struct db_stmt stmt = { "tell_taken",
		"with t as (delete from public.taken returning *), c as (delete from public.counts"
		" returning *)"
		" select jsonb_build_object('taken', (select coalesce(jsonb_agg(t), '[]') from t),"
		" 'counts', (select coalesce(jsonb_agg(c), '[]') from c))::text" };
	struct db_rows rows;
	const struct db_step step = { &stmt, NULL, 0, &rows };

	if (db_run(c, server_db(), 0, &step, 1) < 0)
		return -1;
	return reply_json(c, 200, db_value(&rows, 0, 0));
}

static const struct route routes[] = {
	{ POST, PATH, PUBLIC, NO_FIELDS, take_event, 200, NULL, "x", .body_max = 1000,
	    .flags = ROUTE_RAW, .after = webhook_answered },
	{ GET, "/taken", PUBLIC, NO_FIELDS, tell_taken, 200, NULL, "x" },
};

static const struct server server = { "hooks", routes, COUNT(routes), .quiet = webhook_flush,
	.stop = webhook_flush };

static struct child a;

/* A body of one field, signed with a token over an address. */
static void
send_with(const char *told, const char *token, const char *url, const char *name, const char *value)
{
	const struct span parts[] = { span_of(url), span_of(name), span_of(value) };
	char length[40], header[120] = "HTTP_X_TWILIO_SIGNATURE=", body[200];
	const char *variables[] = { "REQUEST_METHOD=POST", "REQUEST_URI=" PATH, length,
		"TWILIO_AUTH_TOKEN=new, old", "API_URL=https://a.example", "HTTP_HOST=evil.example",
		header, told, NULL };
	unsigned char mac[DIGEST_MAX];
	size_t n = strlen(header);
	int len;

	len = crypto_hmac_parts(DIGEST_SHA1, span_of(token), parts, COUNT(parts), mac);
	assert_true(crypto_base64(mac, (size_t)len, header + n, sizeof(header) - n) > 0);
	snprintf(body, sizeof(body), "%s=%s", name, value);
	snprintf(length, sizeof(length), "CONTENT_LENGTH=%zu", strlen(body));
	child_run(&server, NULL, variables, body, &a);
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
	return database_url[0] ? database_run(database_url, twilio_sql, COUNT(twilio_sql)) : 0;
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
the_address_is_the_one_of_the_settings(void **state)
{
	static const struct {
		const char *told, *token, *url;
		bool good;
	} rows[] = {
		{ NULL, "new", "https://a.example/hooks/x", true },
		{ NULL, "old", "https://a.example/hooks/x", true },
		{ NULL, "other", "https://a.example/hooks/x", false },
		{ NULL, "", "https://a.example/hooks/x", false },
		{ NULL, "new", "https://evil.example/hooks/x", false },
		{ "TWILIO_WEBHOOK_URL=https://t.example/y", "new", "https://t.example/y/x", true },
		{ "TWILIO_WEBHOOK_URL=https://t.example/y", "new", "https://a.example/hooks/x",
		    false },
	};
	size_t i;

	DATABASE_OR_SKIP();
	for (i = 0; i < COUNT(rows); i++) {
		send_with(rows[i].told, rows[i].token, rows[i].url, "sms", "{}");
		assert_int_equal(a.status, rows[i].good ? 200 : 401);
		assert_int_equal(json_len(json_get(taken(*state), "taken")), rows[i].good);
	}
}

static void
an_event_is_kept_as_it_came_counted_and_answered(void **state)
{
	const struct json *told, *event;

	DATABASE_OR_SKIP();
	send_with(NULL, "new", "https://a.example/hooks/x", "sms",
	    "{\"answer\":{\"record\":true}}");
	assert_int_equal(a.status, 200);
	assert_string_equal(a.body, "{\"record\":true}");
	told = taken(*state);
	event = json_at(json_get(told, "taken"), 0);
	assert_string_equal(json_str(event, "key"), "k");
	assert_string_equal(json_str(event, "type"), "sms");
	assert_string_equal(json_str(event, "body"), "sms={\"answer\":{\"record\":true}}");
	assert_string_equal(json_str(json_at(json_get(told, "counts"), 0), "type"),
	    "state:applied");
	send_with(NULL, "new", "https://a.example/hooks/x", "sms", "");
	assert_string_equal(a.body, "null");
	assert_int_equal(json_type(json_get(json_at(json_get(taken(*state), "taken"), 0), "facts")),
	    JSON_NULL);
}

static void
what_could_not_be_kept_has_to_come_again(void **state)
{
	DATABASE_OR_SKIP();
	send_with(NULL, "new", "https://a.example/hooks/x", "broken", "{}");
	assert_int_equal(a.status, 500);
	assert_true(child_has(&a, "Retry-After: 1\r\n"));
	assert_int_equal(json_len(json_get(taken(*state), "taken")), 0);
}

#define WITH_MEM(f) cmocka_unit_test_setup_teardown(f, mem_open, mem_close)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_MEM(the_address_is_the_one_of_the_settings),
		WITH_MEM(an_event_is_kept_as_it_came_counted_and_answered),
		WITH_MEM(what_could_not_be_kept_has_to_come_again),
	};

	if (settings_load() < 0)
		return 1;
	return cmocka_run_group_tests_name("webhook_twilio", tests, hooks_open, database_close);
}
