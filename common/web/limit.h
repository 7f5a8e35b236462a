/*
 * limit.h - how often somebody may ask: one token bucket each for a key or person, an organization,
 * and a client address.
 *
 * A request is counted once, before anything else is asked of the database for it.  In the usual
 * case that is the first, small transaction of the request's only trip; with Redis, behind a
 * transaction pooler, and for handlers that do more than ask the database it is a trip of its own.
 */
#ifndef WEB_LIMIT_H
#define WEB_LIMIT_H

#include "base/text.h"
#include "lib/db.h"

enum { LIMIT_ADDRESS_MAX = 64 };

/* What a request's bucket said; part of struct request. */
struct limit {
	bool counted;
	bool known;
	bool refused;
	int64_t size, remaining, reset_s, retry_s;
};

enum { LIMIT_HEAD_MAX = 3 };

/* The first steps of a request's transaction, and where their rows go. */
struct limit_head {
	struct db_step steps[LIMIT_HEAD_MAX];
	size_t n;
	struct db_rows admitted, who;
};

/* limit_start: reads the settings and opens what they ask for; -1 with the reason on standard
 * error. limit_stop ends it. */
int limit_start(void);
void limit_stop(void);

/* limit_due: whether the request in hand is still to be counted. */
bool limit_due(const struct ctx *c);
/* limit_now: counts it in a trip of its own, if it is due; -1 with the failure recorded: it was one
 * too many, or nobody could count it. */
int limit_now(struct ctx *c);
/* limit_head: the steps that a transaction of the request begins with: the count, if it is due, and
 * who asks.  -1 with the failure recorded.  limit_tail: what they found; called whatever became of
 * the flight (rc). */
int limit_head(struct ctx *c, struct limit_head *ret);
void limit_tail(struct ctx *c, const struct limit_head *h, int rc);
/* limit_write: the headers RateLimit-* of an answer's head. */
void limit_write(const struct ctx *c, struct text *t);

/* limit_address: whom an address stands for: itself, or the /64 of an IPv6 address. */
void limit_address(const char *address, char ret[LIMIT_ADDRESS_MAX]);
/* limit_redis_state: "off", "ok" or "unavailable", asked just now. */
const char *limit_redis_state(void);

#endif
