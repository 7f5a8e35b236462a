/*
 * database.h - for the tests of web/: a database of their own with the few functions that requests
 * need.
 *
 * Needs HOOKSWITCH_TEST_DATABASE_URL, a superuser's address.  The real functions are tested with
 * the whole stack.
 */
#ifndef TESTS_WEB_DATABASE_H
#define TESTS_WEB_DATABASE_H

#include "base/settings.h"
#include "child.h"

#define DATABASE_KEY "hsk_test_known"
#define DATABASE_ORGANIZATION "11111111-1111-4111-8111-111111111111"

static const char *const database_sql[] = {
	"do $$ begin if not exists (select from pg_roles where rolname = 'hookswitch_api') then"
	" create role hookswitch_api nologin; end if; end $$",
	"create schema api",
	"grant usage, create on schema api, public to hookswitch_api",
	"create function public.request_identity_token(p_claims jsonb, p_organization text, p_scope"
	" text)"
	" returns table (claims text, organization_id uuid, user_id uuid) language plpgsql as $$"
	" begin"
	" if p_organization = 'none' then raise exception 'organization_not_found' using errcode"
	" = 'PT404'; end if;"
	" return query select p_claims::text, '" DATABASE_ORGANIZATION
	"'::uuid, (p_claims ->> 'sub')::uuid; end $$",
	"create function public.request_identity_key(p_hash text, p_organization text, p_scope"
	" text, p_in_path boolean)"
	" returns table (claims text, organization_id uuid, user_id uuid) language plpgsql as $$"
	" begin"
	" if p_hash <> encode(sha256('" DATABASE_KEY "'), 'hex') then"
	" raise exception 'api_key_invalid' using errcode = 'PT401'; end if;"
	" return query select '{\"role\":\"key\"}', '" DATABASE_ORGANIZATION
	"'::uuid, null::uuid; end $$",
	"create table public.kept (key text primary key, fingerprint text, status int, body text)",
	"create table public.notes (id bigint generated always as identity, text text not null)",
	"grant all on public.kept, public.notes to hookswitch_api",
	"create function public.idempotency_take(p_key text, p_fingerprint text, p_person bool)"
	" returns table (state text, status int, body text) language plpgsql as $$ declare k"
	" public.kept; begin"
	" if p_key = 'busy' then return query select 'in_use', null::int, null::text; return; end"
	" if;"
	" select * into k from public.kept x where x.key = p_key;"
	" return query select case when k.key is null then 'new' when k.fingerprint = p_fingerprint"
	" then 'replay' else 'reused' end, k.status, k.body; end $$",
	"create function public.idempotency_keep(p_key text, p_fingerprint text, p_status int,"
	" p_body text, p_person bool)"
	" returns void language sql as $$ insert into public.kept values (p_key, p_fingerprint,"
	" p_status, p_body) $$",
	"create function api.note_add(p_text text) returns jsonb language plpgsql as $$ begin"
	" insert into public.notes (text) values (p_text);"
	" if p_text = 'bad' then raise exception 'number_invalid' using errcode = 'PT422', detail"
	" = 'No number.'; end if;"
	" if p_text = 'broken' then perform 1 / 0; end if;"
	" return jsonb_build_object('text', p_text, 'n', (select count(*) from public.notes));"
	" end $$",
	"create function api.note_echo(p_id uuid, p_limit int default null, p_at timestamptz"
	" default null,"
	" p_flag boolean default null, p_any jsonb default null) returns jsonb language sql as $$"
	" select jsonb_build_object('id', p_id, 'limit', p_limit, 'at', p_at at time zone 'UTC',"
	" 'flag', p_flag,"
	" 'any', p_any, 'role', current_user, 'request',"
	" current_setting('hookswitch.request_id', true), 'address',"
	" current_setting('hookswitch.address', true), 'organization',"
	" current_setting('hookswitch.organization_id', true),"
	" 'sub', nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub') $$",
	"create function api.note_change(p_id uuid, p_changes jsonb) returns jsonb language sql as"
	" $$ select p_changes $$",
	"create function api.note_request() returns jsonb language sql as $$ select"
	" jsonb_build_object('request', current_setting('hookswitch.request_id', true), 'address',"
	" current_setting('hookswitch.address', true)) $$",
	"create function api.note_nothing() returns jsonb language sql as $$ select null::jsonb $$",
	"create function api.note_two(p_a int) returns jsonb language sql as $$ select"
	" '{}'::jsonb $$",
	"create function api.note_two(p_a text) returns jsonb language sql as $$ select"
	" '{}'::jsonb $$",
};

static char database_url[1024];
static char database_name[64];

/* The same server, another database: postgresql://host/NAME?... */
static inline bool
database_named(const char *admin, const char *name, char *ret, size_t size)
{
	const char *host = strstr(admin, "://"), *path, *query;

	if (!host)
		return false;
	path = host + 3 + strcspn(host + 3, "/?");
	query = path + strcspn(path, "?");
	return snprintf(ret, size, "%.*s/%s%s", (int)(path - admin), admin, name, query) <
	    (int)size;
}

/* Runs statements one by one in a process of its own; 0 when all went well. */
static inline int
database_run(const char *url, const char *const *sql, size_t n)
{
	struct db_stmt stmt[COUNT(database_sql)];
	struct db_step step = { .nparams = 0 };
	char names[COUNT(database_sql)][32];
	int status = -1, rc = 0;
	struct ctx c;
	struct db *db;
	pid_t pid;
	size_t i;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		db =
		    settings_load() == 0 && ctx_init(&c, FAKE_MEM) == 0 ? db_open(url, NULL) : NULL;
		for (i = 0; db && rc == 0 && i < n; i++) {
			snprintf(names[i], sizeof(names[i]), "setup_%zu", i);
			stmt[i] = (struct db_stmt){ names[i], sql[i] };
			step.stmt = &stmt[i];
			rc = db_run(&c, db, 0, &step, 1);
		}
		if (rc < 0)
			fprintf(stderr, "%s: %s\n", sql[i - 1],
			    c.failure.log ? c.failure.log : c.failure.code);
		_exit(db && rc == 0 ? 0 : 1);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1;
}

/* For a group's set-up: makes the database where there is a cluster for tests; else database_url
 * stays "". */
static inline int
database_open(void **state)
{
	const char *admin = getenv("HOOKSWITCH_TEST_DATABASE_URL"), *sql;
	char create[128];

	(void)state;
	setenv("HOOKSWITCH_JWT_SECRET", "a-secret-for-tests-a-secret-for-tests", 1);
	if (!admin || !*admin)
		return 0;
	snprintf(database_name, sizeof(database_name), "hookswitch_web_%ld", (long)getpid());
	snprintf(create, sizeof(create), "create database %s", database_name);
	sql = create;
	if (!database_named(admin, database_name, database_url, sizeof(database_url)) ||
	    database_run(admin, &sql, 1) < 0)
		return -1;
	setenv("DATABASE_URL", database_url, 1);
	return database_run(database_url, database_sql, COUNT(database_sql));
}

static inline int
database_close(void **state)
{
	const char *admin = getenv("HOOKSWITCH_TEST_DATABASE_URL"), *sql;
	char drop[128];

	(void)state;
	if (!database_url[0])
		return 0;
	snprintf(drop, sizeof(drop), "drop database %s with (force)", database_name);
	sql = drop;
	return database_run(admin, &sql, 1);
}

#define DATABASE_OR_SKIP()                                                                         \
	do {                                                                                       \
		if (!database_url[0])                                                              \
			skip();                                                                    \
	} while (0)

#endif
