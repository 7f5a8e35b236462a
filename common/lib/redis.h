/*
 * redis.h - hiredis, wrapped: one Lua script over a few connections shared by threads, with short
 * time-outs.
 *
 * SIGPIPE must be ignored.  While Redis does not answer it is left alone but for one try a second,
 * so that nobody waits for it in vain.
 */
#ifndef LIB_REDIS_H
#define LIB_REDIS_H

#include "base/base.h"

enum { REDIS_ARGS_MAX = 16, REDIS_NUMBERS_MAX = 8 };

struct redis;

/* redis_open: for redis://[[user]:password@]host[:port][/database] or unix:///path[?db=n]; connects
 * to nothing yet.  NULL with errno (EINVAL: the URL is none of these).  redis_close ends it. */
struct redis *redis_open(const char *url, int timeout_ms, const char *script);
void redis_close(struct redis *r);
/* redis_run: runs the script with n arguments (the first nkeys are keys); the numbers that it
 * returned, up to REDIS_NUMBERS_MAX.  How many, or -1 when Redis cannot be had just now. */
int redis_run(struct redis *r, const struct span *args, size_t nkeys, size_t n,
    int64_t ret[REDIS_NUMBERS_MAX]);
/* redis_ping: whether it answers now, however it was before. */
bool redis_ping(struct redis *r);
/* redis_turned: true once for each change between answering and not; *up is how it stands, *why
 * (may be "") why. */
bool redis_turned(struct redis *r, bool *up, char why[128]);

#endif
