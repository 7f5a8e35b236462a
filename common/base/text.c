/*
 * text.c - a buffer that grows up to its maximum; JSON, URL and UTF-8 forms of text.
 */
#include "base/text.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_FIRST = 256 };

/* Room for n more bytes and the NUL; false marks the text as failed. */
static bool
text_room(struct text *t, size_t n)
{
	size_t cap = t->cap ? t->cap : TEXT_FIRST;
	char *data;

	if (t->failed)
		return false;
	if (n > t->max || t->len > t->max - n) {
		t->failed = true;
		return false;
	}
	if (t->data && t->len + n < t->cap)
		return true;

	while (cap <= t->len + n)
		cap *= 2;
	/* Never more than the maximum and its NUL, however the doubling falls. */
	if (cap - 1 > t->max)
		cap = t->max + 1;
	data = realloc(t->data, cap);
	if (!data) {
		t->failed = true;
		return false;
	}
	t->data = data;
	t->cap = cap;
	return true;
}

void
text_put(struct text *t, const char *data, size_t n)
{
	if (!text_room(t, n))
		return;
	if (n > 0)
		memcpy(t->data + t->len, data, n);
	t->len += n;
	t->data[t->len] = '\0';
}

void
text_puts(struct text *t, const char *s)
{
	text_put(t, s, strlen(s));
}

void
text_putc(struct text *t, char c)
{
	text_put(t, &c, 1);
}

void
text_printf(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		t->failed = true;
	if (n < 0 || !text_room(t, (size_t)n))
		return;

	va_start(ap, fmt);
	vsnprintf(t->data + t->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	t->len += (size_t)n;
}

static bool
is_tail(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

/* The length of the well-formed UTF-8 sequence at s (RFC 3629, table of section 4); 0 when there is
 * none. */
static size_t
utf8_len(const unsigned char *s, size_t n)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t len, i;

	if (s[0] < 0x80)
		return s[0] != 0;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (n < len)
		return 0;

	/* The second byte's range shuts out overlong forms, surrogates, and what lies above
	 * U+10FFFF. */
	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	if (s[1] < low || s[1] > high)
		return 0;
	for (i = 2; i < len; i++) {
		if (!is_tail(s[i]))
			return 0;
	}
	return len;
}

/* True when the eight bytes at s are all ASCII and none is NUL. */
static bool
eight_plain(const unsigned char *s)
{
	uint64_t w;

	memcpy(&w, s, sizeof(w));
	return ((w | (w - 0x0101010101010101u)) & 0x8080808080808080u) == 0;
}

bool
utf8_valid(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t len;

	while (n > 0) {
		if (n >= 8 && eight_plain(p)) {
			p += 8;
			n -= 8;
			continue;
		}
		len = utf8_len(p, n);
		if (len == 0)
			return false;
		p += len;
		n -= len;
	}
	return true;
}

/* The length of the run at s that stands in a JSON string as it is. */
static size_t
json_plain_run(const unsigned char *s, size_t n)
{
	size_t i = 0, len;

	while (i < n) {
		if (s[i] < 0x20 || s[i] == '"' || s[i] == '\\')
			break;
		len = s[i] < 0x80 ? 1 : utf8_len(s + i, n - i);
		if (len == 0)
			break;
		i += len;
	}
	return i;
}

static void
json_escape(struct text *t, unsigned char c)
{
	static const char from[] = "\"\\\n\r\t\b\f";
	static const char to[] = "\"\\nrtbf";
	const char *at = c ? strchr(from, c) : NULL;

	if (at) {
		text_putc(t, '\\');
		text_putc(t, to[at - from]);
	} else {
		text_printf(t, "\\u%04x", (unsigned)c);
	}
}

void
text_json_n(struct text *t, const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t run;

	if (!s) {
		text_puts(t, "null");
		return;
	}
	text_putc(t, '"');
	while (n > 0 && !t->failed) {
		run = json_plain_run(p, n);
		text_put(t, (const char *)p, run);
		p += run;
		n -= run;
		if (n > 0) {
			json_escape(t, *p++);
			n--;
		}
	}
	text_putc(t, '"');
}

void
text_json(struct text *t, const char *s)
{
	text_json_n(t, s, s ? strlen(s) : 0);
}

void
text_url(struct text *t, const char *s)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~";

	for (; *s; s++) {
		if (strchr(plain, *s))
			text_putc(t, *s);
		else
			text_printf(t, "%%%02X", (unsigned)(unsigned char)*s);
	}
}

bool
text_ok(const struct text *t)
{
	return !t->failed;
}

const char *
text_str(const struct text *t)
{
	return t->data ? t->data : "";
}

void
text_empty(struct text *t)
{
	t->len = 0;
	t->failed = false;
	if (t->data)
		t->data[0] = '\0';
}

void
text_clear(struct text *t)
{
	free(t->data);
	*t = TEXT(t->max);
}
