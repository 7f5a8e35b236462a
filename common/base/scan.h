/*
 * scan.h - finds a few fields in JSON bytes without building anything, and checks the whole text on
 * the way.
 *
 * For webhooks: one pass over the raw body, no allocation.  Everything else uses lib/json.
 */
#ifndef BASE_SCAN_H
#define BASE_SCAN_H

#include "base/base.h"

enum scan_kind {
	SCAN_NONE,
	SCAN_STRING,
	SCAN_NUMBER,
	SCAN_TRUE,
	SCAN_FALSE,
	SCAN_NULL,
	SCAN_OBJECT,
	SCAN_ARRAY
};

/* One wanted value: path like "message.call.id" (object members only; array elements by number:
 * "results.0.id"; "" is the whole). The first occurrence wins.  raw is the value as written (a
 * string without its quotes, still escaped). */
struct scan_field {
	const char *path;
	enum scan_kind kind; /* result; SCAN_NONE: not there */
	struct span raw;     /* result */
	bool escaped;        /* result: the string holds a backslash */
};

enum scan_result { SCAN_OK, SCAN_BAD, SCAN_TOO_DEEP };

enum { SCAN_FIELDS_MAX = 64 };

/* scan_json: reads all of body (RFC 8259; bytes above 0x7f are not checked for UTF-8 and raw
 * control bytes in strings are let through, since callers keep such bodies escaped); nesting deeper
 * than max_depth is SCAN_TOO_DEEP.  Fields not found get SCAN_NONE. At most SCAN_FIELDS_MAX fields.
 */
enum scan_result scan_json(struct span body, struct scan_field *fields, size_t n, int max_depth);

/* scan_unescape: the string value of f into buf of size bytes, NUL-terminated; \u0000 and broken
 * surrogates become U+FFFD, and so does a raw NUL.  -1 when f is no string or does not fit. */
int scan_unescape(const struct scan_field *f, char *buf, size_t size);

/* scan_hex4: the four hex digits at the front of the n bytes at s as a number; -1 when they are
 * none. */
int scan_hex4(const char *s, size_t n);

#endif
