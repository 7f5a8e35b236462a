/*
 * outside.h - an operation that asks somebody outside: the route's function of schema api decides
 * what is asked and what follows from each answer, and no transaction is open meanwhile.
 *
 * The function takes the route's fields in their order, then p_state and p_answer (at first
 * {"request":"...","known":{...}} and null), and returns one of
 *
 *   {"ask":{...},"state":{...}}   what is asked next; the state comes back with what came of it
 *   {"view":{...}}                the answer to the request
 *
 * Each step is a transaction of its own.  Under an Idempotency-Key it takes the key first: another
 * request that was done under it meanwhile is answered again, and the last step's effect and answer
 * are kept together.  A program that dies in between has done what its steps committed: they must
 * bear being taken again.
 */
#ifndef WEB_OUTSIDE_H
#define WEB_OUTSIDE_H

#include "lib/fetch.h"
#include "lib/json.h"
#include "web/request.h"

struct outside_answer {
	const char *json;    /* for p_answer */
	int64_t retry_after; /* seconds; below 1: none */
	bool busy;       /* somebody else does the same just now: it is asked again in a moment */
	const char *log; /* words for the log, should the step be refused; NULL: none */
};

/* Who is asked. */
struct outside {
	bool (*ready)(void); /* whether the settings are there */
	enum err missing;    /* when they are not */
	/* What is asked, as a request; -1 with errno. */
	int (*build)(struct mem *m, const struct json *ask, struct fetch_request *ret);
	/* What came of it; -1 with errno. */
	int (*read)(struct mem *m, const struct json *ask, const struct fetch_answer *a,
	    struct outside_answer *ret);
};

/* outside_run: runs a route of ROUTE_OUTSIDE to its end, as its handler.  known: JSON of what the
 * program knows and the function needs, "known" of the first state; NULL: nothing. */
int outside_run(struct ctx *c, const struct outside *to, const char *known);

#endif
