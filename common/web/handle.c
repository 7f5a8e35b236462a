/*
 * handle.c - the order of things in a request: route, who asks, body, fields, run, commit, answer,
 * log, after.
 */
#include "web/handle.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/timing.h"
#include "web/auth.h"
#include "web/bind.h"
#include "web/condition.h"
#include "web/cors.h"
#include "web/flight.h"
#include "web/idempotency.h"
#include "web/server.h"

/* What takes longer than LATE_US is answered 504 by the web server. */
enum { LOG_VALUE_MAX = 400, LATE_US = 60000000 };

/* ---- finding the route ------------------------------------------------------ */

static void
allow_header(struct ctx *c, unsigned allow)
{
	CLEANUP(text_clear) struct text t = TEXT(200);
	int m;

	for (m = GET; m < OPTIONS; m++)
		if (allow & 1u << m)
			text_printf(&t, "%s%s",
			    m == GET ? "GET, HEAD" : method_name((enum method)m), ", ");
	text_puts(&t, "OPTIONS");
	reply_header(c, "Allow", text_str(&t));
}

/* 1: answered already (OPTIONS), 0: there is a route, -1: there is none. */
static int
find(struct ctx *c, const struct route_sql *sql)
{
	struct request *r = request_of(c);
	const struct server *s = r->server;
	struct route_match found;

	found = route_find(s->routes, s->nroutes, r->method, &r->parts);
	if (!found.allow)
		return fail(c, ERR_NOT_FOUND, NULL);
	if (found.route) {
		r->route = found.route;
		r->sql = &sql[found.route - s->routes];
		return 0;
	}
	allow_header(c, found.allow);
	if (r->method != OPTIONS)
		return fail(c, ERR_METHOD_NOT_ALLOWED, NULL);
	cors_preflight(c, found.allow);
	(void)reply_empty(c, 204);
	return 1;
}

/* ---- running it ----------------------------------------------------------------- */

/* Wrong fields are only told to somebody whom the database knows: an unknown key is answered 401
 * first. */
static int
bind_or_prove(struct ctx *c)
{
	struct failure kept;

	if (bind_fields(c) == 0)
		return 0;
	kept = c->failure;
	fail_clear(c);
	if (request_of(c)->identity.kind != IDENTITY_NONE ?
		flight_prove(c) == 0 :
		limit_now(c) == 0 || c->failure.err != ERR_RATE_LIMITED)
		c->failure = kept;
	return -1;
}

static int
run_once(struct ctx *c)
{
	struct request *r = request_of(c);

	if (condition_wanted(c))
		return condition_run(c);
	/* A handler of its own may do more than ask the database: it is counted before. */
	if (!r->idempotency_key && r->route->run != run_query && limit_now(c) < 0)
		return -1;
	if (!r->idempotency_key)
		return r->route->run(c, r->in);
	if (r->route->flags & ROUTE_OUTSIDE)
		return idempotency_end(c, r->route->run(c, r->in));
	switch (idempotency_begin(c)) {
	case IDEMPOTENCY_RUN:
		return idempotency_end(c, r->route->run(c, r->in));
	case IDEMPOTENCY_REPLAYED:
		return 0;
	case IDEMPOTENCY_FAILED:
		break;
	}
	return -1;
}

/* With a key it does no harm to ask again: what was committed is then only given again. */
static int
run(struct ctx *c)
{
	const struct request *r = request_of(c);
	size_t headers = r->answer.headers.len;

	if (run_once(c) == 0)
		return 0;
	if (!r->idempotency_key || c->failure.err != ERR_OUTCOME_UNKNOWN)
		return -1;
	fail_clear(c);
	reply_forget(c, headers);
	return run_once(c);
}

static bool
takes_body(const struct request *r)
{
	return (r->method == POST || r->method == PUT || r->method == PATCH) &&
	    !(r->route->flags & ROUTE_STREAM);
}

static int
respond(struct ctx *c, const struct route_sql *sql)
{
	struct request *r = request_of(c);
	int rc;

	rc = find(c, sql);
	if (rc)
		return rc < 0 ? -1 : 0;
	if (auth_check(c) < 0)
		return -1;
	if (takes_body(r) && request_read_body(c) < 0)
		return -1;
	if (idempotency_key(c) < 0 || bind_or_prove(c) < 0)
		return -1;
	return run(c);
}

/* ---- the log line ---------------------------------------------------------------- */

static void
log_request(struct ctx *c)
{
	const struct request *r = request_of(c);
	const struct failure *f = &c->failure;
	const char *method = r->head ? "HEAD" : method_name(r->method);
	char why[LOG_VALUE_MAX];
	int64_t us = clock_steady_us() - r->started_us;

	log_line(r->answer.status >= 500 || f->status >= 500 ? LOG_ERROR : LOG_INFO,
	    "method=%s route=%s status=%d ms=%lld.%03lld request_id=%s%s%s%s%s%s%s%s",
	    method ? method : "-", r->route ? r->route->path : "-", r->answer.status,
	    (long long)(us / 1000), (long long)(us % 1000), c->request_id,
	    c->organization_id[0] ? " organization=" : "", c->organization_id,
	    f->err != ERR_NONE ? " error=" : "", f->err != ERR_NONE ? f->code : "",
	    r->replayed ? " replayed=1" : "", f->err != ERR_NONE && f->log ? " why=" : "",
	    f->err != ERR_NONE && f->log ? log_quote(f->log, why, sizeof(why)) : "");
}

/* A program that only says that it lives asks no database, and has nothing to write there. */
static void
time_request(struct ctx *c)
{
	const struct request *r = request_of(c);
	int64_t us = clock_steady_us() - r->started_us;
	char name[TIMING_NAME_MAX], outcome[] = "0xx";

	if (!r->route || server_is_cgi() ||
	    ((r->route->flags & ROUTE_UNLIMITED) && !r->route->query))
		return;
	snprintf(name, sizeof(name), "%s %s", method_name(r->method), r->route->path);
	outcome[0] = (char)('0' + r->answer.status / 100 % 10);
	timing_add(TIMING_REQUEST, name, outcome, us);
	if (us > LATE_US && r->route->access.kind != ACCESS_LOCAL)
		timing_count(TIMING_TIMEOUT, "request", "late");
}

/* ---- all of it ---------------------------------------------------------------------- */

/* What was streamed is out already: it can only be ended, or broken off. */
static void
end_stream(struct ctx *c, int rc)
{
	struct request *r = request_of(c);

	if (rc < 0)
		fcgi_break(r->fcgi);
	else
		(void)fcgi_finish(r->fcgi);
	if (r->answer.gone && !r->head)
		log_line(LOG_DEBUG, "event=peer_gone request_id=%s", c->request_id);
}

static void
send_answer(struct ctx *c, int rc)
{
	struct request *r = request_of(c);

	if (rc < 0)
		reply_failure(c);
	else
		condition_tag(c);
	request_rest(c);
	if (reply_send(c) < 0)
		log_line(LOG_DEBUG, "event=peer_gone request_id=%s", c->request_id);
	(void)fcgi_finish(r->fcgi);
}

void
handle_request(struct ctx *c, struct request *r, const struct route_sql *sql)
{
	int rc;

	rc = request_begin(c, r);
	if (rc == 0)
		rc = respond(c, sql);
	if (rc == 0 && !r->answer.status)
		rc = fail(c, ERR_INTERNAL, "the handler answered nothing");
	/* A handler that said -1 and gave no reason is wrong itself. */
	if (rc < 0 && c->failure.err == ERR_NONE)
		fail(c, ERR_INTERNAL, NULL);
	if (r->answer.streamed)
		end_stream(c, rc);
	else
		send_answer(c, rc);
	log_request(c);
	time_request(c);
	if (rc == 0 && r->route && r->route->after && !r->replayed && r->answer.status >= 200 &&
	    r->answer.status < 300)
		r->route->after(c);
	request_end(c);
}
