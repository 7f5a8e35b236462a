/*
 * webhook_verify.c - who sent a webhook: the token of one call, a secret of the organization, or
 * one of the installation.
 */
#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "lib/db.h"
#include "lib/seal.h"
#include "web/request.h"
#include "web/server.h"
#include "web/webhook.h"

#include <pthread.h>
#include <string.h>

/* Secrets that fit nothing are read anew, but not more often than this: they may just have been
 * changed, and a refused webhook may never come again. */
enum { CACHE_SLOTS = 1000, CACHE_MS = 30 * 1000, CACHE_FRESH_MS = 1000, SECRETS_MAX = 64 * 1024 };

static const struct db_stmt secrets_stmt = { "webhook_secrets",
	"select coalesce(jsonb_agg(jsonb_build_object("
	"'kind', s.kind, 'config', s.config, 'secret', s.secret)), '[]')::text"
	" from public.webhook_secrets_of($1, $2::uuid) s" };

/* ---- the organization's secrets, remembered for a while -------------- */

struct cached {
	char organization_id[37];
	const char *provider;
	int64_t until_ms;
	struct text rows; /* JSON as it came; its secrets are sealed */
};

/* One place for each organization; another one with the same place takes it over. */
static struct {
	pthread_mutex_t lock;
	struct cached slots[CACHE_SLOTS];
} cache = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct cached *
cache_slot(const char *organization_id)
{
	uint32_t hash = 2166136261u;

	for (; *organization_id; organization_id++)
		hash = (hash ^ (unsigned char)*organization_id) * 16777619u;
	return &cache.slots[hash % CACHE_SLOTS];
}

/* What is remembered for at least so many ms more, in m; NULL when nothing is. */
static const char *
cache_find(struct mem *m, const char *provider, const char *organization_id, int64_t more_ms)
{
	struct cached *s = cache_slot(organization_id);
	const char *rows = NULL;

	pthread_mutex_lock(&cache.lock);
	if (s->until_ms > clock_steady_ms() + more_ms && strcmp(s->provider, provider) == 0 &&
	    strcmp(s->organization_id, organization_id) == 0)
		rows = mem_str(m, text_str(&s->rows));
	pthread_mutex_unlock(&cache.lock);
	return rows;
}

static void
cache_put(const char *provider, const char *organization_id, struct span rows)
{
	struct cached *s = cache_slot(organization_id);

	pthread_mutex_lock(&cache.lock);
	text_clear(&s->rows);
	s->rows = TEXT(SECRETS_MAX);
	text_put(&s->rows, rows.data, rows.len);
	snprintf(s->organization_id, sizeof(s->organization_id), "%s", organization_id);
	s->provider = provider;
	s->until_ms = text_ok(&s->rows) ? clock_steady_ms() + CACHE_MS : 0;
	pthread_mutex_unlock(&cache.lock);
}

/* The organization's secrets as a JSON array, remembered ones if they are fresh enough (more_ms,
 * see cache_find); -1 with the database's failure. */
static int
secrets_of(struct ctx *c, const struct webhook *w, const char *organization_id, int64_t more_ms,
    const struct json **ret)
{
	const char *provider = w->provider;
	const struct span params[] = { span_of(provider), span_of(organization_id) };
	struct db_rows rows = { 0 };
	const struct db_step step = { &secrets_stmt, params, COUNT(params), &rows };
	const char *text = cache_find(c->mem, provider, organization_id, more_ms);

	if (!text) {
		if (db_run(c, server_db(), DB_REPEATABLE, &step, 1) < 0)
			return -1;
		text = rows.n == 1 ? db_str(&rows, 0, 0) : NULL;
		if (!text)
			return fail(c, ERR_INTERNAL, "secrets could not be read");
		cache_put(provider, organization_id, span_of(text));
	}
	if (json_read(c->mem, text, strlen(text), JSON_DEPTH_API, ret) != JSON_OK)
		return fail(c, ERR_INTERNAL, "secrets could not be read");
	return 0;
}

/* ---- the three kinds of proof --------------------------------------- */

static const char *
header_of(const void *arg, const char *name)
{
	return request_header(arg, name);
}

/* The address as the sender was told it: ours by configuration, not what the request says of
 * itself. */
static const char *
told_url(struct ctx *c, const struct webhook *w)
{
	const char *base = w->below ? setting_str(w->told) : NULL;
	const char *path = request_path(c), *query = request_query(c);

	if (base && strncmp(path, w->below, strlen(w->below)) == 0)
		path += strlen(w->below);
	else
		base = setting_str(SET_API_URL);
	if (!base)
		return NULL;
	return mem_printf(c->mem, "%s%s%s%s", base, path, query[0] != '\0' ? "?" : "", query);
}

static bool
any_plan_fits(const struct webhook *w, struct span secret, const struct signed_request *r)
{
	bool fits = false;
	size_t i;

	for (i = 0; i < w->nplans && !fits; i++)
		fits = signature_fits(&w->plans[i], secret, r);
	return fits;
}

static bool
call_fits(struct ctx *c, const struct webhook *w, char assignment_id[37])
{
	const char *token = w->token_header ? request_header(c, w->token_header) : NULL;

	return token && seal_token_check(SEAL_CALL, token, assignment_id);
}

static bool
secret_fits(struct ctx *c, const struct webhook *w, const struct json *row,
    const struct signed_request *r)
{
	const char *kind = json_str(row, "kind"), *sealed = json_str(row, "secret");
	const char *secret = sealed ? seal_open(c->mem, "webhook.secret", sealed) : NULL;
	struct signature_plan plan;

	if (!kind || !secret) {
		log_line(LOG_WARN, "event=webhook_secret_unreadable provider=%s request_id=%s",
		    w->provider, c->request_id);
		return false;
	}
	if (strcmp(kind, "call_id") == 0)
		return any_plan_fits(w, span_of(secret), r);
	if (signature_plan_read(json_get(row, "config"), kind, &plan) < 0) {
		log_line(LOG_WARN, "event=webhook_credential_unknown provider=%s request_id=%s",
		    w->provider, c->request_id);
		return false;
	}
	return signature_fits(&plan, span_of(secret), r);
}

static bool
installation_fits(const struct webhook *w, const struct signed_request *r)
{
	const char *s = setting_str(w->secrets);
	bool fits = false;
	size_t n, end;

	while (s && *s != '\0' && !fits) {
		s += strspn(s, ", ");
		n = end = strcspn(s, ",");
		while (n > 0 && s[n - 1] == ' ')
			n--;
		fits = any_plan_fits(w, (struct span){ s, n }, r);
		s += end;
	}
	return fits;
}

/* 1: an organization's secret fits, 0: none does, -1 with a failure. */
static int
secrets_fit(struct ctx *c, const struct webhook *w, const char *organization_id, int64_t more_ms,
    const struct signed_request *r)
{
	const struct json *rows = NULL;
	bool fits = false;
	size_t i;

	if (secrets_of(c, w, organization_id, more_ms, &rows) < 0)
		return -1;
	for (i = 0; i < json_len(rows) && !fits; i++)
		fits = secret_fits(c, w, json_at(rows, i), r);
	return fits;
}

static int
organization_fits(struct ctx *c, const struct webhook *w, const char *organization_id,
    const struct signed_request *r)
{
	int fits = secrets_fit(c, w, organization_id, 0, r);

	if (fits != 0 || installation_fits(w, r))
		return fits;
	return secrets_fit(c, w, organization_id, CACHE_MS - CACHE_FRESH_MS, r);
}

static struct signed_request
request_in_hand(struct ctx *c, const struct webhook *w, struct span signed_text)
{
	return (struct signed_request){ .header = header_of,
		.arg = c,
		.method = "POST",
		.url = told_url(c, w),
		.body = signed_text,
		.now = clock_wall_ms() / 1000,
		.tolerance = w->tolerance ? setting_int(w->tolerance) : SIGNATURE_TOLERANCE };
}

static int
refuse(struct ctx *c)
{
	return fail(c, ERR_SIGNATURE_INVALID, "No secret that we know made this signature.");
}

int
webhook_prove(struct ctx *c, const struct webhook *w, struct span signed_text)
{
	struct signed_request r = request_in_hand(c, w, signed_text);

	crash_point(webhook_read);
	if (!installation_fits(w, &r))
		return refuse(c);
	crash_point(webhook_verified);
	return 0;
}

int
webhook_verify(struct ctx *c, const struct webhook *w, const char *organization_id,
    struct span signed_text, struct webhook_proof *ret)
{
	struct webhook_proof p = { .organization_id = organization_id };
	struct signed_request r = request_in_hand(c, w, signed_text);
	int fits;

	crash_point(webhook_read);
	if (call_fits(c, w, p.assignment_id)) {
		p.signer = "call";
	} else {
		p.assignment_id[0] = '\0';
		fits = organization_fits(c, w, organization_id, &r);
		if (fits < 0)
			return -1;
		if (fits > 0)
			p.signer = "organization";
		else if (installation_fits(w, &r))
			p.signer = "installation";
	}
	if (!p.signer)
		return refuse(c);

	*ret = p;
	crash_point(webhook_verified);
	return 0;
}
