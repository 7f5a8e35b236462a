/*
 * condition.c - makes ETags out of answers, and holds changes to what they name.
 */
#include "web/condition.h"

#include "lib/crypto.h"
#include "web/auth.h"
#include "web/bind.h"
#include "web/flight.h"
#include "web/server.h"

#include <string.h>

enum { TAG_BYTES = 16, TAG_MAX = 32, TRIES_MAX = 5 };

/* ---- tags ----------------------------------------------------------------- */

/* The same bytes have the same tag, on each host. */
static int
make_tag(struct span body, char ret[TAG_MAX])
{
	unsigned char digest[SHA256_LEN];
	char text[TAG_MAX - 2];

	if (crypto_sha256(body, digest) < 0 ||
	    crypto_base64url(digest, TAG_BYTES, text, sizeof(text)) < 0)
		return -1;
	snprintf(ret, TAG_MAX, "\"%s\"", text);
	return 0;
}

bool
condition_names(const char *list, const char *tag)
{
	size_t n, len = strlen(tag);

	for (;;) {
		list += strspn(list, " \t,");
		if (*list == '*')
			return true;
		if (strncmp(list, "W/", 2) == 0)
			list += 2;
		if (*list != '"')
			return false;
		n = 1 + strcspn(list + 1, "\"");
		if (!list[n])
			return false;
		n++;
		if (n == len && memcmp(list, tag, n) == 0)
			return true;
		list += n;
	}
}

static bool
is_tagged(const struct answer *a)
{
	return a->status == 200 && a->type && strcmp(a->type, "application/json") == 0 &&
	    !a->streamed;
}

void
condition_tag(struct ctx *c)
{
	const struct request *r = request_of(c);
	const char *have = request_header(c, "If-None-Match");
	char tag[TAG_MAX];

	if (r->method != GET || !is_tagged(&r->answer) || make_tag(r->answer.body, tag) < 0)
		return;
	reply_header(c, "ETag", tag);
	if (have && condition_names(have, tag))
		(void)reply_empty(c, 304);
}

/* ---- changes ----------------------------------------------------------------- */

static const struct route *
find_get(const struct request *r)
{
	return route_find(r->server->routes, r->server->nroutes, GET, &r->parts).route;
}

const char *
condition_wanted(const struct ctx *c)
{
	enum method m = request_of(c)->method;
	const char *s =
	    m == PUT || m == PATCH || m == DELETE ? request_header(c, "If-Match") : NULL;

	return s && *s ? s : NULL;
}

/* Runs the GET of this path as if it had been asked for, without a query. */
static int
run_get(struct ctx *c)
{
	struct request *r = request_of(c), asked = *r;
	int rc;

	r->route = find_get(r);
	r->sql += r->route - asked.route;
	r->method = GET;
	r->query = "";
	r->in = NULL;
	rc = bind_fields(c);
	if (rc == 0)
		rc = r->route->run(c, r->in);
	r->route = asked.route;
	r->sql = asked.sql;
	r->method = asked.method;
	r->query = asked.query;
	r->form = asked.form;
	r->in = asked.in;
	return rc;
}

static int
compare(struct ctx *c)
{
	const struct request *r = request_of(c);
	size_t headers = r->answer.headers.len;
	char tag[TAG_MAX];
	bool same;

	if (run_get(c) < 0)
		return -1;
	if (!is_tagged(&r->answer) || make_tag(r->answer.body, tag) < 0)
		return fail(c, ERR_INTERNAL, "the path's GET gave nothing to compare");
	same = condition_names(condition_wanted(c), tag);
	reply_forget(c, headers);
	return same ? 0 : fail(c, ERR_PRECONDITION_FAILED, NULL);
}

/* *ret: somebody else changed something at the same time. */
static int
run_once(struct ctx *c, bool *ret)
{
	struct request *r = request_of(c);
	struct db_rows who = { .n = 0 };
	struct db_step step;
	struct db_tx *tx;
	int rc;

	if (auth_step(c, &step, &who) < 0 ||
	    db_begin_isolated(c, server_db(), &step, 1, &r->tx) < 0) {
		r->tx = NULL;
		return -1;
	}
	rc = compare(c);
	if (rc == 0)
		rc = r->route->run(c, r->in);
	tx = r->tx;
	r->tx = NULL;
	if (rc == 0)
		rc = db_commit(c, tx, NULL, 0);
	else
		db_rollback(c, tx);
	*ret = rc < 0 && db_conflicted(tx);
	return rc;
}

/* After a conflict it is done again, and then mostly finds another tag: what was in the way has
 * been committed. */
int
condition_run(struct ctx *c)
{
	size_t headers;
	bool again;
	int tries;

	if (flight_prove(c) < 0)
		return -1;
	if (!find_get(request_of(c)))
		return fail(c, ERR_PRECONDITION_FAILED, "this path has no GET, and so no ETag");
	headers = request_of(c)->answer.headers.len;
	for (tries = 0; tries < TRIES_MAX; tries++) {
		again = false;
		if (run_once(c, &again) == 0)
			return 0;
		if (!again)
			return -1;
		fail_clear(c);
		reply_forget(c, headers);
	}
	return fail(c, ERR_PRECONDITION_FAILED, "it is being changed by others");
}
