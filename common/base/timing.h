/*
 * timing.h - how often and how long, counted in the process: requests, database flights, steps of
 * workflows, requests to others.  Written down now and then (db_timings), read from there by
 * /metrics.
 *
 * A fixed table: what finds no room is lost, as is what a dying process had gathered.
 */
#ifndef BASE_TIMING_H
#define BASE_TIMING_H

#include "base/mem.h"

enum {
	TIMING_NAME_MAX = 96,
	TIMING_OUTCOME_MAX = 32,
	TIMING_BUCKETS = 14, /* as public.timing_bounds() says, and beyond */
	TIMING_SLOTS = 96,
	TIMING_EVERY_MS = 5000 /* written down so often at most, unless the table fills */
};

/* Kinds, as they stand in public.timings. */
#define TIMING_STEP "step"         /* <workflow>.<step> */
#define TIMING_PROVIDER "provider" /* <system>.<operation> */
#define TIMING_REQUEST "request"   /* <METHOD> <path of the route> */
#define TIMING_QUERY "query"       /* the last statement of a flight */
#define TIMING_DATABASE "database" /* connect: none was to be had */
#define TIMING_TIMEOUT "timeout"   /* request, database, pool */

struct timing {
	const char *kind; /* NULL: free */
	char name[TIMING_NAME_MAX];
	char outcome[TIMING_OUTCOME_MAX];
	int64_t n, us;
	uint32_t buckets[TIMING_BUCKETS];
};

/* timing_add: something of this kind took so long; name and outcome are copied.  An outcome that is
 * no code of lower-case letters, digits and _ counts as "other". */
void timing_add(const char *kind, const char *name, const char *outcome, int64_t us);
/* timing_count: the same of what has no length. */
void timing_count(const char *kind, const char *name, const char *outcome);

/* timing_due: whether something was gathered and the last writing is every_ms past, or the table is
 * nearly full.  timing_take: takes all, into m, and the time begins anew; how many.
 * timing_give_back: what could not be written down. */
bool timing_due(int64_t every_ms);
size_t timing_take(struct mem *m, struct timing **ret);
void timing_give_back(const struct timing *t, size_t n);

#endif
