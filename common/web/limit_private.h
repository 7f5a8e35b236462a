/*
 * limit_private.h - what limit.c and limit_redis.c share.
 */
#ifndef WEB_LIMIT_PRIVATE_H
#define WEB_LIMIT_PRIVATE_H

#include "web/limit.h"

/* One more request every interval, burst at once; interval 0: no limit. */
struct limit_rate {
	int64_t interval_us;
	int64_t burst;
};

struct limit_rates {
	struct limit_rate who;
	struct limit_rate organization;
	struct limit_rate address;
};

/* The buckets of a request, as far as they are known without the database. */
struct limit_names {
	const char *who;
	const char *address;
};

enum { LIMIT_NO_REDIS = 1 };

/* limit_names: the names for the request in hand; -1 with the failure recorded. */
int limit_names(struct ctx *c, struct limit_names *ret);
/* limit_refuse: records that it was one too many; returns -1. */
int limit_refuse(struct ctx *c);

/* limit_redis_start: reads REDIS_URL; -1 with the reason on standard error.  limit_redis_stop ends
 * it.  limit_redis_on: whether there is one. */
int limit_redis_start(void);
void limit_redis_stop(void);
bool limit_redis_on(void);
/* limit_by_redis: counts the request there: 0, or -1 with the failure recorded, or LIMIT_NO_REDIS:
 * there is none just now. */
int limit_by_redis(struct ctx *c, const struct limit_rates *rates);

#endif
