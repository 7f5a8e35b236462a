/*
 * raw.h - pieces of JSON as somebody outside wrote them: read without building anything, and made
 * fit for the database.
 *
 * The spans come from base/scan and are known to be well-formed JSON, but for bytes that are no
 * UTF-8 and control bytes in strings.
 */
#ifndef PEERS_RAW_H
#define PEERS_RAW_H

#include "base/scan.h"
#include "base/text.h"

enum { RAW_DEPTH = 128, RAW_ID_MAX = 200, RAW_WORD_MAX = 100 };

/* raw_text: the string f into buf of size bytes: cut at a character when it is too long, control
 * bytes and bytes that are no UTF-8 as '?'.  False, and buf empty, when f is no string or an empty
 * one. */
bool raw_text(const struct scan_field *f, char *buf, size_t size);
/* raw_id: as raw_text, but false for a string of more than RAW_ID_MAX bytes: half an id is none. */
bool raw_id(const struct scan_field *f, char buf[RAW_ID_MAX + 1]);
/* raw_uuid: the string f, if it is a UUID, in lower case. */
bool raw_uuid(const struct scan_field *f, char ret[37]);
/* raw_number: f, if it is a number that a double can hold. */
bool raw_number(const struct scan_field *f, double *ret);
/* raw_time: f in milliseconds since 1970: an RFC 3339 string, or milliseconds as a number or in a
 * string. */
bool raw_time(const struct scan_field *f, int64_t *ret);
/* raw_true: f is true. */
bool raw_true(const struct scan_field *f);

/* raw_next: the next element of a JSON array (with its brackets); *pos is 0 at first.  False at its
 * end. */
bool raw_next(struct span array, size_t *pos, struct span *ret);
/* raw_is: the value's first byte is c: '{', '[', '"'. */
bool raw_is(struct span value, char c);

/* raw_clean: appends a JSON value so that PostgreSQL takes it as jsonb: NUL and halves of
 * surrogates become U+FFFD, control bytes and bytes that are no UTF-8 become \u00XX, numbers beyond
 * all use become null. */
void raw_clean(struct text *t, struct span value);
/* raw_clean_string: the same for the inside of a string, which is put in quotes. */
void raw_clean_string(struct text *t, struct span inside);

#endif
