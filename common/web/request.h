/*
 * request.h - the request in hand: what came, who it is, what will be answered.
 *
 * Handlers ask through the functions; the struct's members are for web/ itself.
 */
#ifndef WEB_REQUEST_H
#define WEB_REQUEST_H

#include "lib/db.h"
#include "lib/fcgi.h"
#include "web/form.h"
#include "web/limit.h"
#include "web/reply.h"
#include "web/route.h"

struct server;
struct route_sql;

enum identity_kind { IDENTITY_NONE, IDENTITY_TOKEN, IDENTITY_KEY };

/* Who asks, as far as it can be told without the database. */
struct identity {
	enum identity_kind kind;
	const char *claims;       /* of a token that was verified: JSON text */
	const char *subject;      /* of a token: whose it is; NULL: nobody's (a service key) */
	const char *key_hash;     /* of an API key: SHA-256 in hex */
	const char *organization; /* the path's, or X-Organization-Id's; NULL: neither names one */
	bool in_path;             /* it is the path's */
};

struct request {
	const struct server *server;
	struct fcgi *fcgi;            /* NULL in tests */
	const char *const *variables; /* "NAME=value", NULL-ended */
	enum method method;           /* HEAD is GET here */
	bool head;
	const char *path;  /* raw, as it came, without the query */
	const char *query; /* raw; "" when there is none */
	struct route_path parts;
	const struct route *route; /* NULL until it is found */
	const struct route_sql *sql;
	unsigned allow;
	struct span body;
	struct text stream; /* owns a body that came without a length */
	struct form form;   /* the route's fields and their values */
	const void *in;     /* the handler's struct */
	struct identity identity;
	const char *idempotency_key; /* NULL: none */
	struct db_tx *tx;            /* open only under an Idempotency-Key or If-Match */
	struct limit limit;
	struct answer answer;
	bool replayed;
	int64_t started_us;
};

/* request_of: the request that c belongs to. */
struct request *request_of(const struct ctx *c);
/* request_header: a header of the request by its name in any case ("X-Vapi-Secret"); NULL when it
 * is not there. */
const char *request_header(const struct ctx *c, const char *name);
/* request_variable: a CGI variable ("REMOTE_ADDR"); NULL when it is not there. */
const char *request_variable(const struct ctx *c, const char *name);
/* request_param: a parameter of the path, decoded (checked, if it is in the route's fields); NULL
 * when the route has none of that name. */
const char *request_param(const struct ctx *c, const char *name);
/* request_value: the checked value of a field of the route; NULL when the table has no such field.
 */
const struct value *request_value(const struct ctx *c, const char *name);
/* request_body: the raw bytes of the body (also NUL-terminated). */
struct span request_body(const struct ctx *c);
/* request_read: the next bytes of the body of a ROUTE_STREAM route, at most n of them into buf: how
 * many, 0 at its end, -1 with the failure recorded when it broke off. */
int request_read(struct ctx *c, char *buf, size_t n);
/* request_rest: of a ROUTE_STREAM route: reads past what is left of a body that is short and comes
 * soon, so that the web server, too, is done with it and keeps the client's connection. */
void request_rest(struct ctx *c);
/* request_patience: from now on request_read fails with ERR_BODY_SLOW when nothing comes for so
 * long. */
void request_patience(struct ctx *c, int seconds);
/* request_path: the raw path without the query.  request_query: the raw query, "" when there is
 * none. */
const char *request_path(const struct ctx *c);
const char *request_query(const struct ctx *c);
/* request_loopback: true when the peer is this host (REMOTE_ADDR; missing means: straight to the
 * program's own socket). */
bool request_loopback(const struct ctx *c);
/* request_address: the client's address as nginx saw it, "" when it is not known. */
const char *request_address(const struct ctx *c);

/* For the server: request_begin takes the head from r->variables (id, method, path, query); r->fcgi
 * and r->server are set before.  request_read_body reads the body within the route's limit.  -1
 * with the failure recorded. */
int request_begin(struct ctx *c, struct request *r);
int request_read_body(struct ctx *c);
/* request_end: gives back what the request holds outside of the ctx's memory. */
void request_end(struct ctx *c);

#endif
