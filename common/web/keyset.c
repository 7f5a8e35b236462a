/*
 * keyset.c - remembers a key set in the process, in the database, and fetches it when somebody
 * must.
 */
#include "web/keyset.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/settings.h"
#include "lib/fetch.h"
#include "web/server.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
	FRESH_MS = 10 * 60 * 1000,
	USABLE_MS = 24 * 60 * 60 * 1000,
	LOOK_MS = 1000, /* a process asks the database no more often about names it does not know */
	WAIT_MS = 4000, /* for another process that is fetching */
	PIECE_MS = 50,
	FETCH_MS = 3000,
	BODY_MAX = 64 * 1024,
	DEPTH = 8,
	MEMORY = 2 * BODY_MAX
};

#define GAP_SECONDS "15"
#define WELL_KNOWN "/auth/v1/.well-known/jwks.json"

static const struct db_stmt read_stmt = { "key_set_read",
	"select k.body, (k.age_seconds * 1000)::bigint, (k.tried_seconds * 1000)::bigint, k.state,"
	" k.mine from public.key_set_read($1, $2::boolean, $3::float8) k" };
static const struct db_stmt store_stmt = { "key_set_store", "select public.key_set_store($1, $2)" };

enum { COLUMN_BODY, COLUMN_AGE, COLUMN_TRIED, COLUMN_STATE, COLUMN_MINE };

/* What the process remembers; behind the lock. */
static struct {
	pthread_mutex_t lock;
	struct mem *mem;
	const char *body;
	int64_t fetched_ms;
	int64_t looked_ms; /* when there was last nothing newer to be had, and why */
	enum keyset_verdict why;
} cache = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* A set in the hands of one request. */
struct set {
	const char *body;
	int64_t fetched_ms;
};

/* How it stands in the database. */
struct row {
	bool there, mine, trying, fetched;
	struct set set;
};

/* ---- in the process ------------------------------------------------------------- */

/* why: KEYSET_FOUND, or why there was nothing newer to be had just now. */
static struct set
recall(struct ctx *c, enum keyset_verdict *why)
{
	struct set s = { NULL, 0 };

	pthread_mutex_lock(&cache.lock);
	if (cache.body)
		s = (struct set){ mem_str(c->mem, cache.body), cache.fetched_ms };
	*why = KEYSET_FOUND;
	if (cache.looked_ms && clock_steady_ms() - cache.looked_ms < LOOK_MS)
		*why = cache.why;
	pthread_mutex_unlock(&cache.lock);
	return s;
}

static void
remember(const struct set *s)
{
	pthread_mutex_lock(&cache.lock);
	if (!cache.mem)
		cache.mem = mem_new(MEMORY);
	if (cache.mem && s->body && (!cache.body || s->fetched_ms > cache.fetched_ms)) {
		mem_reset(cache.mem);
		cache.body = mem_str(cache.mem, s->body);
		cache.fetched_ms = s->fetched_ms;
	}
	pthread_mutex_unlock(&cache.lock);
}

static enum keyset_verdict
remember_why(enum keyset_verdict why)
{
	pthread_mutex_lock(&cache.lock);
	cache.looked_ms = clock_steady_ms();
	cache.why = why;
	pthread_mutex_unlock(&cache.lock);
	return why;
}

void
keyset_forget(void)
{
	pthread_mutex_lock(&cache.lock);
	mem_freep(&cache.mem);
	cache.body = NULL;
	cache.looked_ms = 0;
	pthread_mutex_unlock(&cache.lock);
}

/* ---- what a set holds --------------------------------------------------------------- */

static const struct json *
read_set(struct mem *m, const char *body, size_t n)
{
	const struct json *j = NULL;

	if (json_read(m, body, n, DEPTH, &j) != JSON_OK ||
	    json_type(json_get(j, "keys")) != JSON_ARRAY)
		return NULL;
	return j;
}

/* The set, when it is not too old and has the key. */
static bool
serves(struct ctx *c, const struct set *s, int64_t max_ms, const char *kid, const struct json **ret)
{
	const struct json *j, *keys;
	const char *name;
	size_t i;

	if (!s->body || clock_steady_ms() - s->fetched_ms >= max_ms)
		return false;
	j = read_set(c->mem, s->body, strlen(s->body));
	keys = json_get(j, "keys");
	for (i = 0; i < json_len(keys); i++) {
		name = json_str(json_at(keys, i), "kid");
		if (!name || strcmp(name, kid) != 0)
			continue;
		*ret = j;
		return true;
	}
	return false;
}

/* ---- in the database ------------------------------------------------------------------ */

/* want: if nobody has tried lately the caller is to fetch it (mine).  Trouble is told by an empty
 * row. */
static struct row
look(struct ctx *c, const char *url, bool want)
{
	const struct span params[] = { span_of(url), span_of(want ? "true" : "false"),
		SPAN(GAP_SECONDS) };
	struct db_rows rows = { .n = 0 };
	const struct db_step step = { &read_stmt, params, COUNT(params), &rows };
	struct row row = { .there = false };
	const char *state;

	if (!server_db() || db_run(c, server_db(), want ? 0 : DB_REPEATABLE, &step, 1) < 0) {
		fail_clear(c);
		return row;
	}
	if (!rows.n)
		return row;
	state = db_str(&rows, 0, COLUMN_STATE);
	row.there = true;
	row.mine = db_str(&rows, 0, COLUMN_MINE)[0] == 't';
	row.trying =
	    strcmp(state, "trying") == 0 && db_int(&rows, 0, COLUMN_TRIED, 0) < FETCH_MS + LOOK_MS;
	row.fetched = strcmp(state, "fetched") == 0;
	row.set.body = db_str(&rows, 0, COLUMN_BODY);
	row.set.fetched_ms = clock_steady_ms() - db_int(&rows, 0, COLUMN_AGE, 0);
	remember(&row.set);
	return row;
}

static void
store(struct ctx *c, const char *url, const char *body)
{
	const struct span params[] = { span_of(url), span_of(body) };
	const struct db_step step = { &store_stmt, params, COUNT(params), NULL };

	if (db_run(c, server_db(), DB_REPEATABLE, &step, 1) < 0)
		fail_clear(c);
}

/* ---- from the other side ----------------------------------------------------------------- */

static bool
fetch_set(struct ctx *c, const char *url, struct set *ret)
{
	const struct fetch_request request = { .method = "GET",
		.url = url,
		.timeout_ms = FETCH_MS,
		.max_bytes = BODY_MAX };
	struct fetch_answer answer = { .why = NULL };
	char why[300];
	bool good;

	good = fetch_one(c, &request, &answer) == 0 && answer.outcome == FETCH_ANSWERED &&
	    answer.status == 200 && read_set(c->mem, answer.body.data, answer.body.len);
	store(c, url, good ? answer.body.data : NULL);
	if (!good) {
		log_line(LOG_WARN, "event=key_set_unavailable status=%d why=%s request_id=%s",
		    answer.status,
		    log_quote(answer.why ? answer.why : "no key set", why, sizeof(why)),
		    c->request_id);
		return false;
	}
	*ret = (struct set){ answer.body.data, clock_steady_ms() };
	remember(ret);
	return true;
}

/* ---- finding ------------------------------------------------------------------------------ */

/* Another process is fetching: its answer is worth a moment. */
static struct row
wait_for_other(struct ctx *c, const char *url, struct row row)
{
	int64_t until = clock_steady_ms() + WAIT_MS;

	while (row.trying && clock_steady_ms() < until) {
		poll(NULL, 0, PIECE_MS);
		row = look(c, url, false);
	}
	return row;
}

/* Neither the process nor the database has a set that is fresh and has the key. */
static enum keyset_verdict
renew(struct ctx *c, const char *url, const char *kid, const struct json **ret)
{
	struct row row = look(c, url, true);
	struct set set;

	if (row.mine)
		row.fetched = fetch_set(c, url, &set);
	else if (!serves(c, &row.set, USABLE_MS, kid, ret))
		row = wait_for_other(c, url, row);
	if (row.mine && row.fetched)
		row.set = set;
	if (!row.fetched)
		remember_why(KEYSET_UNAVAILABLE);
	if (serves(c, &row.set, USABLE_MS, kid, ret))
		return KEYSET_FOUND;
	return row.fetched ? remember_why(KEYSET_UNKNOWN) : KEYSET_UNAVAILABLE;
}

enum keyset_verdict
keyset_find(struct ctx *c, const char *kid, const struct json **ret)
{
	const char *base = setting_str(SET_SUPABASE_URL);
	const char *url = base ? mem_printf(c->mem, "%s" WELL_KNOWN, base) : NULL;
	enum keyset_verdict why, verdict;
	struct set own = recall(c, &why);
	struct row row;

	if (!url)
		return base ? KEYSET_UNAVAILABLE : KEYSET_UNKNOWN;
	if (serves(c, &own, why == KEYSET_FOUND ? FRESH_MS : USABLE_MS, kid, ret))
		return KEYSET_FOUND;
	if (why != KEYSET_FOUND)
		return why;
	row = look(c, url, false);
	if (row.there && serves(c, &row.set, FRESH_MS, kid, ret))
		return KEYSET_FOUND;
	verdict = renew(c, url, kid, ret);
	/* The database may be the one that is gone. */
	if (verdict != KEYSET_FOUND && serves(c, &own, USABLE_MS, kid, ret))
		verdict = KEYSET_FOUND;
	return verdict;
}
