/*
 * test_webhook.c - webhooks: who sent one, that it is kept as it came, that chatter is only counted.
 */
#include "database.h"
#include "lib/seal.h"
#include "web/webhook.h"

#define SECRET_KEY "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define ASSIGNMENT "5f0c3a9e-1b2c-4d3e-8f4a-0123456789ab"
#define OTHER_ORGANIZATION "22222222-2222-4222-8222-222222222222"
#define PATH_OF(organization) "REQUEST_URI=/hooks/" organization

/* Functions of the database in the small: they remember what they were called with. */
static const char *const hook_sql[] = {
	"create table public.taken (provider text, organization text, signer text, key text, type text, assignment text,"
	" call text, body text, report text, class text)",
	"create table public.counts (provider text, type text, n bigint)",
	"create function public.webhook_keep(text, uuid, text, text, text, uuid, text, text, text, text) returns text"
	" language plpgsql as $$ begin if $5 = 'broken' then perform 1 / 0; end if;"
	" insert into public.taken values ($1, $2::text, $3, $4, $5, $6::text, $7, $8, $9, $10); return 'kept'; end $$",
	"create function public.webhook_count(text, text, bigint) returns void language sql as"
	" $$ insert into public.counts values ($1, $2, $3) $$",
	"create function public.webhook_secrets_of(text, uuid) returns table (kind text, config jsonb, secret text)"
	" language sql stable as $$ select k, c::jsonb, s from (values"
	" ('bearer', '{\"headerName\":\"X-Vapi-Secret\",\"bearerPrefixEnabled\":false}', 'organization-secret'),"
	" ('oauth2', '{}', 'never'), ('call_id', '{}', 'by-plan')) v(k, c, s)"
	" where $1 = 'vapi' and $2 = '" DATABASE_ORGANIZATION "' $$",
};

/* ---- a program ------------------------------------------------------- */

static const struct webhook hook = { .provider = "vapi",
	.secrets = SET_VAPI_WEBHOOK_SECRET,
	.plans = signature_vapi,
	.nplans = SIGNATURE_VAPI_PLANS,
	.token_header = "X-Vapi-Secret" };

/* The body's first word is the class, the second the type; what is behind them is any bytes. */
static int
take_event(struct ctx *c, const void *arg)
{
	const struct webhook_in *in = arg;
	struct webhook_proof proof;
	struct span body = request_body(c);
	char class[16] = "", type[16] = "";

	if (webhook_verify(c, &hook, in->organization_id, body, &proof) < 0)
		return -1;
	sscanf(body.data, "%15s %15s", class, type);
	return webhook_take(c, &hook, &proof,
	    &(const struct webhook_event){ mem_str(c->mem, class), mem_str(c->mem, type), "the-key", NULL, "c-1", NULL, "{\"ok\":1}" });
}

static const struct route routes[] = {
	{ POST, "/hooks/{organization_id}", PUBLIC, FIELDS(webhook_fields), take_event, 200, NULL, "x",
	    .body_max = 1000, .flags = ROUTE_RAW, .after = webhook_answered },
};

static const struct server server = { "hooks", routes, COUNT(routes), .quiet = webhook_flush, .stop = webhook_flush };

static struct child a;

static void
send_event(const char *path, const char *header, const char *setting, const char *body)
{
	char length[40];
	const char *variables[] = { "REQUEST_METHOD=POST", path, length, "HOOKSWITCH_SECRET_KEY=" SECRET_KEY,
		"VAPI_WEBHOOK_SECRET=old-one, installation-secret", header, setting, NULL };

	snprintf(length, sizeof(length), "CONTENT_LENGTH=%zu", strlen(body));
	child_run(&server, NULL, variables, body, &a);
}

/* What one statement says; compared as text. */
static void
assert_sql(const char *sql, const char *want)
{
	struct db_stmt stmt = { "", "" };
	char check[2000];
	const char *one = check;

	(void)stmt;
	snprintf(check, sizeof(check), "do $x$ begin if (%s)::text is distinct from '%s' then raise exception 'it is %%', (%s)::text; end if; end $x$",
	    sql, want, sql);
	assert_int_equal(database_run(database_url, &one, 1), 0);
}

static int
hooks_open(void **state)
{
	if (database_open(state) < 0)
		return -1;
	return database_url[0] ? database_run(database_url, hook_sql, COUNT(hook_sql)) : 0;
}

/* ---- who sent it ----------------------------------------------------- */

static void
a_secret_says_who_sent_it(void **state)
{
	static const struct {
		const char *path, *header, *signer;
	} rows[] = {
		{ PATH_OF(DATABASE_ORGANIZATION), "HTTP_X_VAPI_SECRET=organization-secret", "organization" },
		{ PATH_OF(DATABASE_ORGANIZATION), "HTTP_AUTHORIZATION=Bearer by-plan", "organization" },
		{ PATH_OF(DATABASE_ORGANIZATION), "HTTP_X_VAPI_SECRET=installation-secret", "installation" },
		{ PATH_OF(OTHER_ORGANIZATION), "HTTP_X_VAPI_SECRET=old-one", "installation" },
		{ PATH_OF(OTHER_ORGANIZATION), "HTTP_X_VAPI_SECRET=organization-secret", NULL },
		{ PATH_OF(DATABASE_ORGANIZATION), "HTTP_X_VAPI_SECRET=never", NULL },
		{ PATH_OF(DATABASE_ORGANIZATION), "HTTP_X_VAPI_SECRET=", NULL },
		{ PATH_OF(DATABASE_ORGANIZATION), "HTTP_X_VAPI_SECRET=old-one, installation-secret", NULL },
		{ PATH_OF(DATABASE_ORGANIZATION), "HTTP_X_OTHER=1", NULL },
	};
	size_t i;

	(void)state;
	DATABASE_OR_SKIP();
	for (i = 0; i < COUNT(rows); i++) {
		assert_sql("with d as (delete from public.taken) select 1", "1");
		send_event(rows[i].path, rows[i].header, NULL, "moves status-update");
		if (a.status != (rows[i].signer ? 200 : 401))
			fail_msg("%s: %s", rows[i].header, a.text);
		assert_sql("select signer from public.taken", rows[i].signer ? rows[i].signer : "");
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(a_secret_says_who_sent_it) };

	return cmocka_run_group_tests_name("webhook", tests, hooks_open, database_close);
}
