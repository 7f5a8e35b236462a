/*
 * text.h - a buffer that grows up to a maximum that it has from birth.
 *
 * Appending never fails half-way: the first failure sticks, and one looks once, at the end
 * (text_ok).
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/base.h"

struct text {
	char *data; /* NUL-terminated whenever it is not NULL */
	size_t len;
	size_t cap;
	size_t max;
	bool failed;
};

#define TEXT(maximum) ((struct text){ .max = (maximum) })

/* text_put / _puts / _putc / _printf: append bytes, a string, a byte, formatted text. */
void text_put(struct text *t, const char *data, size_t n);
void text_puts(struct text *t, const char *s);
void text_putc(struct text *t, char c);
void text_printf(struct text *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* text_json: s as a JSON string in quotes, escaped; invalid UTF-8 bytes become \u00XX; NULL becomes
 * null. */
void text_json(struct text *t, const char *s);
void text_json_n(struct text *t, const char *s, size_t n);
/* text_url: s percent-encoded for a query value. */
void text_url(struct text *t, const char *s);
/* text_ok: true when everything so far is in the buffer. */
bool text_ok(const struct text *t);
/* text_str: the content as a C string, "" when empty. */
const char *text_str(const struct text *t);
/* text_empty: forgets the content, keeps the memory. */
void text_empty(struct text *t);
/* text_clear: gives the memory back; safe on zeroed and half-made ones. */
void text_clear(struct text *t);

/* utf8_valid: true when the n bytes are well-formed UTF-8 without NUL (RFC 3629: no surrogates, no
 * overlong forms). */
bool utf8_valid(const char *s, size_t n);

#endif
