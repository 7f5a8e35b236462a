/*
 * test_webhook.c - webhooks: who sent one, that it is kept as it came, that chatter is only
 * counted.
 */
#include "database.h"
#include "lib/seal.h"
#include "web/webhook.h"

#define SECRET_KEY "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define ASSIGNMENT "5f0c3a9e-1b2c-4d3e-8f4a-0123456789ab"
#define OTHER_ORGANIZATION "22222222-2222-4222-8222-222222222222"
#define HOOK(organization) "REQUEST_URI=/hooks/" organization
#define RIGHT "HTTP_X_VAPI_SECRET=installation-secret"

/* The database's functions in the small: they remember what they were called with. */
static const char *const hook_sql[] = {
	"create table public.taken (provider text, organization text, signer text, key text, typ"
	"e text, assignment text,"
	" call text, body text, report text, class text)",
	"create table public.counts (provider text, type text, n bigint)",
	"create function public.webhook_keep(text, uuid, text, text, text, uuid, text, text, tex"
	"t, text) returns text"
	" language plpgsql as $$ begin if $5 = 'broken' then perform 1 / 0; end if;"
	" insert into public.taken values ($1, $2::text, $3, $4, $5, $6::text, $7, $8, $9, $10);"
	" return 'kept'; end $$",
	"create function public.webhook_ask(text, uuid, text, text, text, uuid, text, text, text,"
	" text, out state text, out reply text) language plpgsql as $$ begin"
	" state := public.webhook_keep($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);"
	" reply := case when $5 <> 'nobody' then '{\"assistantId\":\"a-1\"}' end; end $$",
	"create function public.webhook_count(text, text, bigint) returns void language sql as"
	" $$ insert into public.counts values ($1, $2, $3) $$",
	"create function public.webhook_secrets_of(text, uuid) returns table (kind text, config "
	"jsonb, secret text)"
	" language sql stable as $$ select k, c::jsonb, s from (values"
	" ('bearer', '{\"headerName\":\"X-Vapi-Secret\",\"bearerPrefixEnabled\":false}', 'organi"
	"zation-secret'),"
	" ('hmac', '{\"payloadFormat\":\"{url}|{body}\"}', 'hmac-secret'),"
	" ('oauth2', '{}', 'never'), ('call_id', '{}', 'by-plan'), ('bearer', '{}', 'sealed:1:no"
	"body:AAAA')) v(k, c, s)"
	" where $1 = 'vapi' and $2 = '" DATABASE_ORGANIZATION "' $$",
};

/* ---- a program ------------------------------------------------------- */

static const struct webhook hook = { .provider = "vapi",
	.secrets = SET_VAPI_WEBHOOK_SECRET,
	.plans = signature_vapi,
	.nplans = SIGNATURE_VAPI_PLANS,
	.token_header = "X-Vapi-Secret",
	.token_purpose = SEAL_INBOUND };

/* The body's first word is the class, the second the type; what is behind them may be anything. */
static int
take_event(struct ctx *c, const void *arg)
{
	const struct webhook_in *in = arg;
	struct webhook_proof proof;
	struct span body = request_body(c);
	char class[16] = "", type[16] = "";

	if (webhook_verify(c, &hook, in->organization_id, body, &proof) < 0)
		return -1;
	if (sscanf(body.data, "%15s %15s", class, type) != 2)
		return fail(c, ERR_BAD_JSON, "no event");
	return webhook_take(c, &hook, &proof,
	    &(const struct webhook_event){ class, type, "the-key", OTHER_ORGANIZATION, "c-1", "{}",
		"{\"ok\":1}" });
}

/* What the database was told since the last time. */
static int
tell_taken(struct ctx *c, const void *arg)
{
	static const struct db_stmt stmt = { "tell_taken",
		"with t as (delete from public.taken returning *), c as (delete from public.coun"
		"ts returning *)"
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
	{ POST, "/hooks/{organization_id}", PUBLIC, FIELDS(webhook_fields), take_event, 200, NULL,
	    "x", .body_max = 1000, .flags = ROUTE_RAW, .after = webhook_answered },
	{ GET, "/taken", PUBLIC, NO_FIELDS, tell_taken, 200, NULL, "x" },
};

static const struct server server = { "hooks", routes, COUNT(routes), .quiet = webhook_flush,
	.stop = webhook_flush };

static struct child a;

static void
send_with(const char *path, const char *header, const char *setting, const char *body)
{
	char length[40];
	const char *variables[] = { "REQUEST_METHOD=POST", path, length,
		"HOOKSWITCH_SECRET_KEY=" SECRET_KEY, "API_URL=https://hooks.example",
		"VAPI_WEBHOOK_SECRET=old-one, installation-secret", header, setting, NULL };

	snprintf(length, sizeof(length), "CONTENT_LENGTH=%zu", strlen(body));
	child_run(&server, NULL, variables, body, &a);
}

static void
send_event(const char *path, const char *header, const char *body)
{
	send_with(path, header, NULL, body);
}

/* The answer to GET /taken; lives in m. */
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

/* A member of the only event taken; NULL when there is none, or more. */
static const char *
only(struct mem *m, const char *name)
{
	const struct json *list = json_get(taken(m), "taken");

	return json_len(list) == 1 ? json_str(json_at(list, 0), name) : NULL;
}

static int
hooks_open(void **state)
{
	if (database_open(state) < 0)
		return -1;
	return database_url[0] ? database_run(database_url, hook_sql, COUNT(hook_sql)) : 0;
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

/* ---- who sent it ----------------------------------------------------- */

static const char *
signed_url(struct mem *m, const char *secret, const char *url, const char *body)
{
	struct span parts[] = { span_of(url), SPAN("|"), span_of(body) };
	unsigned char mac[DIGEST_MAX];
	char hex[2 * DIGEST_MAX + 1];
	int n = crypto_hmac_parts(DIGEST_SHA256, span_of(secret), parts, COUNT(parts), mac);

	assert_int_equal(n, SHA256_LEN);
	crypto_hex(mac, SHA256_LEN, hex);
	return mem_printf(m, "HTTP_X_SIGNATURE=%s", hex);
}

static void
a_secret_says_who_sent_it(void **state)
{
	struct mem *m = *state;
	static const char body[] = "moves status-update";
	const char *hmac = signed_url(m, "hmac-secret",
	    "https://hooks.example/hooks/" DATABASE_ORGANIZATION "?a=1", body);
	const struct {
		const char *path, *header, *signer;
	} rows[] = {
		{ HOOK(DATABASE_ORGANIZATION), "HTTP_X_VAPI_SECRET=organization-secret",
		    "organization" },
		{ HOOK(DATABASE_ORGANIZATION), "HTTP_AUTHORIZATION=Bearer by-plan",
		    "organization" },
		{ HOOK(DATABASE_ORGANIZATION) "?a=1", hmac, "organization" },
		{ HOOK(DATABASE_ORGANIZATION), hmac, NULL },
		{ HOOK(DATABASE_ORGANIZATION), "HTTP_X_VAPI_SECRET=installation-secret",
		    "installation" },
		{ HOOK(OTHER_ORGANIZATION), "HTTP_X_VAPI_SECRET=old-one", "installation" },
		{ HOOK(OTHER_ORGANIZATION), "HTTP_X_VAPI_SECRET=organization-secret", NULL },
		{ HOOK(DATABASE_ORGANIZATION), "HTTP_X_VAPI_SECRET=never", NULL },
		{ HOOK(DATABASE_ORGANIZATION), "HTTP_AUTHORIZATION=Bearer sealed:1:nobody:AAAA",
		    NULL },
		{ HOOK(DATABASE_ORGANIZATION), "HTTP_X_VAPI_SECRET=", NULL },
		{ HOOK(DATABASE_ORGANIZATION), "HTTP_X_VAPI_SECRET=old-one, installation-secret",
		    NULL },
		{ HOOK(DATABASE_ORGANIZATION), "HTTP_X_OTHER=1", NULL },
	};
	size_t i;

	DATABASE_OR_SKIP();
	for (i = 0; i < COUNT(rows); i++) {
		const char *signer;
		send_event(rows[i].path, rows[i].header, body);
		assert_int_equal(a.status, rows[i].signer ? 200 : 401);
		assert_int_equal(strstr(a.body, "\"code\":\"signature_invalid\"") != NULL,
		    !rows[i].signer);
		signer = only(m, "signer");
		assert_string_equal(signer ? signer : "(nothing kept)",
		    rows[i].signer ? rows[i].signer : "(nothing kept)");
	}
}

static void
a_call_token_names_its_attempt(void **state)
{
	struct mem *m = *state;
	const struct json *event;
	char header[200];

	DATABASE_OR_SKIP();
	snprintf(header, sizeof(header), "HTTP_X_VAPI_SECRET=%s",
	    seal_token(m, SEAL_CALL, ASSIGNMENT));
	send_event(HOOK(OTHER_ORGANIZATION), header, "moves status-update");
	assert_int_equal(a.status, 200);
	event = json_at(json_get(taken(m), "taken"), 0);
	assert_string_equal(json_str(event, "signer"), "call");
	/* It wins over the one that the body names. */
	assert_string_equal(json_str(event, "assignment"), ASSIGNMENT);
	assert_string_equal(json_str(event, "organization"), OTHER_ORGANIZATION);
	header[strlen(header) - 1] ^= 1;
	send_event(HOOK(OTHER_ORGANIZATION), header, "moves status-update");
	assert_int_equal(a.status, 401);
	snprintf(header, sizeof(header), "HTTP_X_VAPI_SECRET=%s",
	    seal_token(m, SEAL_INBOUND, OTHER_ORGANIZATION));
	send_event(HOOK(OTHER_ORGANIZATION), header, "moves status-update");
	assert_string_equal(only(m, "signer"), "inbound");
	send_event(HOOK(DATABASE_ORGANIZATION), header, "moves status-update");
	assert_int_equal(a.status, 401);
}

/* ---- keeping ---------------------------------------------------------- */

static void
an_event_is_kept_as_it_came(void **state)
{
	struct mem *m = *state;
	const struct json *event;

	DATABASE_OR_SKIP();
	send_event(HOOK(DATABASE_ORGANIZATION), RIGHT, "moves status-update \xff\xc3\xa9 \\u0000");
	assert_int_equal(a.status, 200);
	assert_string_equal(a.body, "{\"ok\":1}");
	event = json_at(json_get(taken(m), "taken"), 0);
	assert_string_equal(json_str(event, "provider"), "vapi");
	assert_string_equal(json_str(event, "organization"), DATABASE_ORGANIZATION);
	assert_string_equal(json_str(event, "key"), "the-key");
	assert_string_equal(json_str(event, "type"), "status-update");
	assert_string_equal(json_str(event, "assignment"), OTHER_ORGANIZATION);
	assert_string_equal(json_str(event, "call"), "c-1");
	assert_string_equal(json_str(event, "class"), "moves");
	assert_string_equal(json_str(event, "report"), "{}");
	assert_string_equal(json_str(event, "body"), "moves status-update \\u00ff\xc3\xa9 \\u0000");
}

static void
an_event_that_could_not_be_kept_is_not_answered_with_success(void **state)
{
	struct mem *m = *state;

	DATABASE_OR_SKIP();
	send_event(HOOK(DATABASE_ORGANIZATION), RIGHT, "moves broken");
	assert_int_equal(a.status, 500);
	assert_true(child_has(&a, "Retry-After: 1\r\n"));
	assert_null(only(m, "type"));
	send_with(HOOK(DATABASE_ORGANIZATION), RIGHT,
	    "DATABASE_URL=postgresql://127.0.0.1:1/x?connect_timeout=1", "moves status-update");
	assert_int_equal(a.status, 503);
	assert_true(child_has(&a, "Retry-After: "));
}

static void
who_asks_is_answered_by_the_database(void **state)
{
	struct mem *m = *state;

	DATABASE_OR_SKIP();
	send_event(HOOK(DATABASE_ORGANIZATION), RIGHT, "ask assistant");
	assert_int_equal(a.status, 200);
	assert_string_equal(a.body, "{\"assistantId\":\"a-1\"}");
	send_event(HOOK(DATABASE_ORGANIZATION), RIGHT, "ask nobody");
	assert_string_equal(a.body, "{\"ok\":1}");
	/* Somebody waits on the line: there is an answer, whatever is wrong. */
	send_event(HOOK(DATABASE_ORGANIZATION), RIGHT, "ask broken");
	assert_int_equal(a.status, 200);
	assert_int_equal(json_len(json_get(taken(m), "taken")), 2);
}

static void
a_body_beyond_the_limit_is_refused(void **state)
{
	char body[1002];

	(void)state;
	DATABASE_OR_SKIP();
	memset(body, 'x', sizeof(body) - 1);
	body[sizeof(body) - 1] = '\0';
	send_event(HOOK(DATABASE_ORGANIZATION), RIGHT, body);
	assert_int_equal(a.status, 413);
}

static void
chatter_is_counted_and_kept_only_when_asked(void **state)
{
	struct mem *m = *state;
	const struct json *told;

	DATABASE_OR_SKIP();
	send_event(HOOK(DATABASE_ORGANIZATION), RIGHT, "chatter speech-update");
	assert_int_equal(a.status, 200);
	told = taken(m);
	assert_int_equal(json_len(json_get(told, "taken")), 0);
	assert_int_equal(json_len(json_get(told, "counts")), 1);
	assert_string_equal(json_str(json_path(told, "counts.0"), "type"), "speech-update");
	assert_int_equal(json_int(json_path(told, "counts.0"), "n", 0), 1);
	send_with(HOOK(DATABASE_ORGANIZATION), RIGHT, "HOOKSWITCH_KEEP_CHATTER=on",
	    "chatter speech-update");
	told = taken(m);
	assert_string_equal(json_str(json_path(told, "taken.0"), "class"), "kept");
	/* It counts by what became of it, like all that is kept. */
	assert_int_equal(json_len(json_get(told, "counts")), 1);
	assert_string_equal(json_str(json_path(told, "counts.0"), "type"), "state:kept");
	/* Chatter of nobody is not counted either. */
	send_event(HOOK(DATABASE_ORGANIZATION), "HTTP_X_VAPI_SECRET=wrong",
	    "chatter speech-update");
	assert_int_equal(a.status, 401);
	assert_int_equal(json_len(json_get(taken(m), "counts")), 0);
}

/* ---- the body as text -------------------------------------------------- */

static void
any_bytes_become_text(void **state)
{
	struct mem *m = *state;
	static const struct {
		const char *in;
		size_t len;
		const char *want;
	} rows[] = {
		{ "", 0, "" },
		{ "plain", 5, "plain" },
		{ "a\0b", 3, "a\\u0000b" },
		{ "\xff\xfe", 2, "\\u00ff\\u00fe" },
		{ "\xe2\x82\xac\xe2\x82", 5, "\xe2\x82\xac\\u00e2\\u0082" },
		{ "\xed\xa0\x80z", 4, "\\u00ed\\u00a0\\u0080z" },
	};
	struct span text;
	char *big;
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		text = webhook_text(m, (struct span){ rows[i].in, rows[i].len });
		assert_true(span_equal(text, span_of(rows[i].want)));
	}
	big = mem_alloc(m, 100001);
	memset(big, 'x', 100000);
	big[50000] = (char)0x80;
	text = webhook_text(m, (struct span){ big, 100000 });
	assert_int_equal(text.len, 100005);
	assert_memory_equal(text.data + 49999, "x\\u0080x", 8);
	assert_true(utf8_valid(text.data, text.len));
}

#define WITH_MEM(f) cmocka_unit_test_setup_teardown(f, mem_open, mem_close)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_MEM(a_secret_says_who_sent_it),
		WITH_MEM(a_call_token_names_its_attempt),
		WITH_MEM(an_event_is_kept_as_it_came),
		WITH_MEM(an_event_that_could_not_be_kept_is_not_answered_with_success),
		WITH_MEM(who_asks_is_answered_by_the_database),
		WITH_MEM(a_body_beyond_the_limit_is_refused),
		WITH_MEM(chatter_is_counted_and_kept_only_when_asked),
		WITH_MEM(any_bytes_become_text),
	};

	setenv("HOOKSWITCH_SECRET_KEY", SECRET_KEY, 1);
	if (settings_load() < 0)
		return 1;
	return cmocka_run_group_tests_name("webhook", tests, hooks_open, database_close);
}
