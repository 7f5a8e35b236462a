/*
 * raw.c - pieces of JSON as somebody outside wrote them: values, elements of an array, a form that
 * jsonb takes.
 */
#include "peers/raw.h"

#include "base/clock.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define REPLACEMENT "\\ufffd"

/* 9999-12-31T23:59:59.999Z */
static const double last_ms = 253402300799999.0;

/* ---- values --------------------------------------------------------- */

/* How many bytes of an escaped string fit into max without splitting an escape or a character. */
static size_t
whole_prefix(struct span raw, size_t max)
{
	size_t i = 0, step;

	while (i < raw.len) {
		step = 1;
		if (raw.data[i] == '\\')
			step = i + 1 < raw.len && raw.data[i + 1] == 'u' ? 6 : 2;
		if (i + step > max || i + step > raw.len)
			break;
		i += step;
	}
	while (i > 0 && i < raw.len && ((unsigned char)raw.data[i] & 0xc0) == 0x80)
		i--;
	return i;
}

bool
raw_text(const struct scan_field *f, char *buf, size_t size)
{
	struct scan_field part = *f;
	size_t i, n;
	bool ascii;

	buf[0] = '\0';
	if (f->kind != SCAN_STRING || f->raw.len == 0)
		return false;

	part.raw.len = whole_prefix(f->raw, size - 1);
	if (scan_unescape(&part, buf, size) < 0) {
		buf[0] = '\0';
		return false;
	}
	n = strlen(buf);
	ascii = !utf8_valid(buf, n);
	for (i = 0; i < n; i++) {
		unsigned char c = (unsigned char)buf[i];
		if (c < 0x20 || c == 0x7f || (ascii && c >= 0x80))
			buf[i] = '?';
	}
	return n > 0;
}

bool
raw_id(const struct scan_field *f, char buf[RAW_ID_MAX + 1])
{
	buf[0] = '\0';
	if (f->raw.len > RAW_ID_MAX)
		return false;
	return raw_text(f, buf, RAW_ID_MAX + 1);
}

bool
raw_uuid(const struct scan_field *f, char ret[37])
{
	char lower[37];
	size_t i;

	if (f->kind != SCAN_STRING || f->raw.len != 36)
		return false;

	for (i = 0; i < 36; i++) {
		unsigned char c = (unsigned char)f->raw.data[i];
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		if (dash ? c != '-' : !isxdigit(c))
			return false;
		lower[i] = (char)tolower(c);
	}
	lower[36] = '\0';
	memcpy(ret, lower, sizeof(lower));
	return true;
}

static bool
parse_number(struct span raw, double *ret)
{
	char buf[64], *end;
	double d;

	if (raw.len == 0 || raw.len >= sizeof(buf))
		return false;

	memcpy(buf, raw.data, raw.len);
	buf[raw.len] = '\0';
	if (strspn(buf, "+-.0123456789Ee") != raw.len)
		return false;

	errno = 0;
	d = strtod(buf, &end);
	if (*end != '\0' || errno != 0 || !isfinite(d))
		return false;

	*ret = d;
	return true;
}

bool
raw_number(const struct scan_field *f, double *ret)
{
	return f->kind == SCAN_NUMBER && parse_number(f->raw, ret);
}

bool
raw_time(const struct scan_field *f, int64_t *ret)
{
	double d;

	if (f->kind != SCAN_STRING && f->kind != SCAN_NUMBER)
		return false;
	if (f->kind == SCAN_STRING && clock_parse(f->raw.data, f->raw.len, ret) == 0)
		return true;

	/* No time of ours lies before 2001; a smaller number is something else, seconds perhaps. */
	if (!parse_number(f->raw, &d) || d < 1e12 || d > last_ms)
		return false;

	*ret = (int64_t)d;
	return true;
}

bool
raw_true(const struct scan_field *f)
{
	return f->kind == SCAN_TRUE;
}

/* ---- arrays --------------------------------------------------------- */

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The place behind the string that begins at i. */
static size_t
string_end(struct span s, size_t i)
{
	for (i++; i < s.len && s.data[i] != '"'; i++) {
		if (s.data[i] == '\\')
			i++;
	}
	return i < s.len ? i + 1 : s.len;
}

/* The place behind the value that begins at i. */
static size_t
value_end(struct span s, size_t i)
{
	size_t depth = 0;

	while (i < s.len) {
		char c = s.data[i];
		if (c == '"') {
			i = string_end(s, i);
			continue;
		}
		if (depth == 0 && (c == ',' || c == ']' || c == '}' || is_blank(c)))
			break;
		if (c == '{' || c == '[')
			depth++;
		else if (c == '}' || c == ']')
			depth--;
		i++;
	}
	return i;
}

bool
raw_next(struct span array, size_t *pos, struct span *ret)
{
	size_t i = *pos, end;

	if (i == 0 && raw_is(array, '['))
		i = (size_t)((const char *)memchr(array.data, '[', array.len) - array.data) + 1;
	else if (i == 0)
		return false;

	while (i < array.len && (is_blank(array.data[i]) || array.data[i] == ','))
		i++;
	end = value_end(array, i);
	if (end == i)
		return false;

	*ret = (struct span){ array.data + i, end - i };
	*pos = end;
	return true;
}

bool
raw_is(struct span value, char c)
{
	size_t i = 0;

	while (i < value.len && is_blank(value.data[i]))
		i++;
	return i < value.len && value.data[i] == c;
}

/* ---- cleaning ------------------------------------------------------- */

/* The number of the \uXXXX at i, -1 when there is none. */
static int
unicode_escape(struct span s, size_t i)
{
	if (i + 6 > s.len || s.data[i] != '\\' || s.data[i + 1] != 'u')
		return -1;
	return scan_hex4(s.data + i + 2, s.len - i - 2);
}

/* Appends the escape at i; returns how long it was. */
static size_t
clean_escape(struct text *t, struct span s, size_t i)
{
	int code, low;
	size_t n = 2;

	code = unicode_escape(s, i);
	if (code < 0) {
		n = i + 2 <= s.len ? 2 : 1;
		text_put(t, s.data + i, n);
		return n;
	}
	low = unicode_escape(s, i + 6);
	if (code >= 0xd800 && code <= 0xdbff && low >= 0xdc00 && low <= 0xdfff)
		n = 12;
	else if (code != 0 && (code < 0xd800 || code > 0xdfff))
		n = 6;
	if (n == 2) {
		text_puts(t, REPLACEMENT);
		return 6;
	}
	text_put(t, s.data + i, n);
	return n;
}

/* How many bytes the character at i has; 0 when it is no UTF-8. */
static size_t
character_len(struct span s, size_t i)
{
	size_t n;

	for (n = 2; n <= 4 && i + n <= s.len; n++) {
		if (utf8_valid(s.data + i, n))
			return n;
	}
	return 0;
}

/* Appends the character at i, which is none of the harmless ones; returns how long it was. */
static size_t
clean_character(struct text *t, struct span s, size_t i)
{
	unsigned char c = (unsigned char)s.data[i];
	size_t n;

	if (c == '\\')
		return clean_escape(t, s, i);
	if (c == 0) {
		text_puts(t, REPLACEMENT);
		return 1;
	}
	n = c >= 0x80 ? character_len(s, i) : 0;
	if (n > 0) {
		text_put(t, s.data + i, n);
		return n;
	}
	text_printf(t, "\\u%04x", c);
	return 1;
}

void
raw_clean_string(struct text *t, struct span inside)
{
	size_t i = 0, from;

	text_putc(t, '"');
	while (i < inside.len) {
		for (from = i; i < inside.len; i++) {
			unsigned char c = (unsigned char)inside.data[i];
			if (c < 0x20 || c >= 0x80 || c == '\\')
				break;
		}
		text_put(t, inside.data + from, i - from);
		if (i < inside.len)
			i += clean_character(t, inside, i);
	}
	text_putc(t, '"');
}

/* A number beyond a double is of no use to anybody, and one of jsonb's beyond 131072 digits is an
 * error. */
static void
clean_number(struct text *t, struct span number)
{
	double d;

	if (parse_number(number, &d))
		text_put(t, number.data, number.len);
	else
		text_puts(t, "null");
}

void
raw_clean(struct text *t, struct span value)
{
	size_t i = 0, end;

	while (i < value.len) {
		char c = value.data[i];
		if (c == '"') {
			end = string_end(value, i);
			raw_clean_string(t, (struct span){ value.data + i + 1, end - i - 2 });
			i = end;
		} else if (c == '-' || isdigit((unsigned char)c)) {
			end = value_end(value, i);
			clean_number(t, (struct span){ value.data + i, end - i });
			i = end;
		} else {
			text_putc(t, c);
			i++;
		}
	}
}
