/*
 * flight.h - a request's way through the database: begin, identity, query, commit in one flight.
 */
#ifndef WEB_FLIGHT_H
#define WEB_FLIGHT_H

#include "lib/db.h"
#include "lib/json.h"
#include "web/route.h"

enum { FLIGHT_ARGS_MAX = 16 };

/* The statements of one route, made once at start. */
struct route_sql {
	struct db_stmt run;                       /* by name: p_a => $1, ...: all declared fields */
	struct db_stmt call[FLIGHT_ARGS_MAX + 1]; /* by position, for db_call */
};

#define ARGS(...)                                                                                  \
	(const char *const[]){ __VA_ARGS__ },                                                      \
	    sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *)

/* run_query: a route's handler that answers with what the route's function of schema api returns;
 * all declared fields are its named arguments (p_<field>); in a PATCH all BODY fields that were
 * given go as one argument p_changes. */
int run_query(struct ctx *c, const void *in);

/* db_call: calls the function named in the route's row with these arguments, in order, as who asks;
 * what it returns. NULL with the failure recorded. */
const struct json *db_call(struct ctx *c, const char *const *args, size_t n);

/* db_ask: steps of the handler's own, as who asks, in one transaction. */
int db_ask(struct ctx *c, const struct db_step *steps, size_t n);

/* flight_prove: asks the database who asks, and does nothing else: an error of the identity comes
 * before others. */
int flight_prove(struct ctx *c);

/* flight_sql: makes the statements of each route, in m (at least one place); NULL with errno. */
const struct route_sql *flight_sql(struct mem *m, const struct route *routes, size_t n);

#endif
