/*
 * clock.h - times: wall clock in milliseconds, a steady clock that also counts sleep, RFC 3339
 * text.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/base.h"

enum { CLOCK_TEXT_MAX = 32 };

/* clock_wall_ms: milliseconds since 1970 UTC. */
int64_t clock_wall_ms(void);
/* clock_steady_ms / _us: never goes back and counts suspended time (CLOCK_BOOTTIME). */
int64_t clock_steady_ms(void);
int64_t clock_steady_us(void);
/* clock_format: "2026-09-21T13:31:30.000Z" into buf of CLOCK_TEXT_MAX bytes; returns buf. */
char *clock_format(int64_t wall_ms, char *buf);
/* clock_parse: an RFC 3339 time (with Z or offset, any number of fraction digits) to milliseconds;
 * -1 when it is none. */
int clock_parse(const char *s, size_t n, int64_t *ret);
/* clock_parse_http_date: RFC 9110 IMF-fixdate ("Mon, 21 Sep 2026 13:33:20 GMT") to milliseconds; -1
 * when it is none. */
int clock_parse_http_date(const char *s, int64_t *ret);

#endif
