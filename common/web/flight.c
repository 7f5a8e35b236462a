/*
 * flight.c - runs a route's query as who asks.  Without an Idempotency-Key: one flight; under one:
 * steps of the open transaction.
 */
#include "web/flight.h"

#include "web/auth.h"
#include "web/server.h"

#include <string.h>

enum { STEPS_MAX = 16, SQL_MAX = 8192 };

/* ---- flights -------------------------------------------------------------- */

static struct db *
pool(struct ctx *c)
{
	struct db *db = server_db();

	if (!db)
		fail(c, ERR_UNAVAILABLE, "no database");
	return db;
}

/* As who asks, who may be nobody. */
static int
fly(struct ctx *c, struct db *db, const struct db_step *steps, size_t n)
{
	struct db_step all[LIMIT_HEAD_MAX + STEPS_MAX];
	struct limit_head head;
	int flags = DB_TRANSACTION, rc;

	if (n > STEPS_MAX)
		return fail(c, ERR_INTERNAL, "too many steps");
	if (limit_head(c, &head) < 0)
		return -1;
	memcpy(all, head.steps, head.n * sizeof(*all));
	if (n)
		memcpy(&all[head.n], steps, n * sizeof(*steps));
	if (request_of(c)->method == GET)
		flags |= DB_REPEATABLE;
	rc = db_run(c, db, flags, all, head.n + n);
	limit_tail(c, &head, rc);
	return rc;
}

int
db_ask(struct ctx *c, const struct db_step *steps, size_t n)
{
	const struct request *r = request_of(c);
	struct db *db = pool(c);

	if (!db)
		return -1;
	return r->tx ? db_more(c, r->tx, steps, n) : fly(c, db, steps, n);
}

int
flight_prove(struct ctx *c)
{
	struct db *db = pool(c);

	return db ? fly(c, db, NULL, 0) : -1;
}

/* One row with one value; data NULL with no failure: it is null. */
static int
ask_one(struct ctx *c, const struct db_stmt *stmt, const struct span *params, size_t n,
    struct span *ret)
{
	struct db_rows rows = { .n = 0 };
	struct db_step step = { stmt, params, n, &rows };

	if (db_ask(c, &step, 1) < 0)
		return -1;
	*ret = rows.n ? db_value(&rows, 0, 0) : (struct span){ NULL, 0 };
	return 0;
}

/* ---- run_query -------------------------------------------------------------- */

static size_t
count_params(const struct route *r)
{
	size_t i, n = 0;

	for (i = 0; i < r->nfields; i++)
		n += r->method != PATCH || r->fields[i].place != BODY;
	return n + (r->method == PATCH);
}

/* What a PATCH wants changed: only the members that were given. */
static int
changes(struct ctx *c, const struct form *form, struct span *ret)
{
	CLEANUP(text_clear) struct text t = TEXT(SERVER_MEM_MAX / 2);
	const char *s;

	form_write(&t, form);
	s = text_ok(&t) ? mem_dup(c->mem, t.data, t.len) : NULL;
	if (!s)
		return fail(c, ERR_TOO_LARGE, "the request needs too much memory");
	*ret = (struct span){ s, t.len };
	return 0;
}

static int
fill_params(struct ctx *c, struct span *params)
{
	const struct request *r = request_of(c);
	size_t i, n = 0;

	for (i = 0; i < r->form.n; i++)
		if (r->route->method != PATCH || r->form.fields[i].place != BODY)
			params[n++] = r->form.values[i].text;
	return r->route->method == PATCH ? changes(c, &r->form, &params[n]) : 0;
}

int
run_query(struct ctx *c, const void *in)
{
	const struct request *r = request_of(c);
	size_t n = count_params(r->route);
	struct span *params, answer;

	(void)in;
	params = mem_alloc(c->mem, (n + 1) * sizeof(*params));
	if (!params)
		return fail(c, ERR_INTERNAL, "out of memory");
	if (fill_params(c, params) < 0 || ask_one(c, &r->sql->run, params, n, &answer) < 0)
		return -1;
	if (r->route->status == 204)
		return reply_empty(c, 204);
	if (!answer.data)
		return fail(c, ERR_INTERNAL, "the query returned nothing");
	return reply_json(c, r->route->status, answer);
}

/* ---- db_call ------------------------------------------------------------------ */

const struct json *
db_call(struct ctx *c, const char *const *args, size_t n)
{
	const struct request *r = request_of(c);
	struct span params[FLIGHT_ARGS_MAX], answer;
	const struct json *j;
	size_t i;

	if (!r->route->query || n > FLIGHT_ARGS_MAX) {
		fail(c, ERR_INTERNAL, "the route has no such query");
		return NULL;
	}
	for (i = 0; i < n; i++)
		params[i] = span_of(args[i]);
	if (ask_one(c, &r->sql->call[n], params, n, &answer) < 0)
		return NULL;
	if (!answer.data) {
		fail(c, ERR_NOT_FOUND, NULL);
		return NULL;
	}
	if (json_read(c->mem, answer.data, answer.len, JSON_DEPTH_PROVIDER, &j) != JSON_OK) {
		fail(c, ERR_INTERNAL, "the query's answer cannot be read");
		return NULL;
	}
	return j;
}

/* ---- statements ------------------------------------------------------------------ */

/* Parameters take the types of the function's own arguments: functions of schema api are never
 * overloaded. */
static int
make_run(struct mem *m, const struct route *r, size_t at, struct db_stmt *ret)
{
	CLEANUP(text_clear) struct text t = TEXT(SQL_MAX);
	size_t i, n = 0;

	text_printf(&t, "select api.%s(", r->query);
	for (i = 0; i < r->nfields; i++)
		if (r->method != PATCH || r->fields[i].place != BODY) {
			n++;
			text_printf(&t, "%sp_%s => $%zu", n > 1 ? ", " : "", r->fields[i].name, n);
		}
	if (r->method == PATCH) {
		n++;
		text_printf(&t, "%sp_changes => $%zu", n > 1 ? ", " : "", n);
	}
	text_putc(&t, ')');
	if (!text_ok(&t))
		return -1;
	*ret = (struct db_stmt){ mem_printf(m, "%s#%zu", r->query, at), mem_str(m, text_str(&t)) };
	return ret->name && ret->sql ? 0 : -1;
}

static int
make_call(struct mem *m, const struct route *r, size_t at, size_t n, struct db_stmt *ret)
{
	CLEANUP(text_clear) struct text t = TEXT(SQL_MAX);
	size_t i;

	text_printf(&t, "select api.%s(", r->query);
	for (i = 1; i <= n; i++)
		text_printf(&t, "%s$%zu", i > 1 ? ", " : "", i);
	text_putc(&t, ')');
	if (!text_ok(&t))
		return -1;
	*ret = (struct db_stmt){ mem_printf(m, "%s#%zu_%zu", r->query, at, n),
		mem_str(m, text_str(&t)) };
	return ret->name && ret->sql ? 0 : -1;
}

const struct route_sql *
flight_sql(struct mem *m, const struct route *routes, size_t n)
{
	struct route_sql *sql;
	size_t i, k;

	sql = mem_alloc(m, (n + 1) * sizeof(*sql));
	if (!sql)
		return NULL;
	for (i = 0; i < n; i++) {
		if (!routes[i].query)
			continue;
		if (routes[i].run == run_query && make_run(m, &routes[i], i, &sql[i].run) < 0)
			return NULL;
		for (k = 0; routes[i].run != run_query && k <= FLIGHT_ARGS_MAX; k++)
			if (make_call(m, &routes[i], i, k, &sql[i].call[k]) < 0)
				return NULL;
	}
	return sql;
}
