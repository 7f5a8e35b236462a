/*
 * log.h - key=value lines on standard error, one write each.  No numbers of people, no keys, no
 * transcripts.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/base.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* log_open: sets the program's name and the lowest level that is written. */
void log_open(const char *program, enum log_level lowest);
/* log_level_by_name: the level that a setting names, -1 when there is none. */
int log_level_by_name(const char *name);
/* log_line: "ts=... level=... program=... " and then the given text, which is key=value pairs
 * already. */
void log_line(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* log_quote: s as a value that is safe in a log line (quoted when needed, control bytes escaped,
 * cut at size), into buf. */
const char *log_quote(const char *s, char *buf, size_t size);

#endif
