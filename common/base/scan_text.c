/*
 * scan_text.c - the text that a string of scan.h stands for.
 */
#include "base/scan.h"

#include <string.h>

static int
hex_value(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int
scan_hex4(const char *s, size_t n)
{
	int value = 0, digit, i;

	if (n < 4)
		return -1;
	for (i = 0; i < 4; i++) {
		digit = hex_value((unsigned char)s[i]);
		if (digit < 0)
			return -1;
		value = value << 4 | digit;
	}
	return value;
}

static int
hex_at(const unsigned char *p, const unsigned char *end)
{
	return p < end ? scan_hex4((const char *)p, (size_t)(end - p)) : -1;
}

/* The code point of the \u escape at p, two together where they are a pair; U+FFFD for NUL and for
 * half pairs. */
static const unsigned char *
unescape_u(const unsigned char *p, const unsigned char *end, unsigned *ret)
{
	int high = hex_at(p + 2, end), low;

	p += 6;
	*ret = high > 0 ? (unsigned)high : 0xfffd;
	if (high < 0xd800 || high > 0xdfff)
		return p;

	*ret = 0xfffd;
	if (high > 0xdbff || end - p < 6 || p[0] != '\\' || p[1] != 'u')
		return p;
	low = hex_at(p + 2, end);
	if (low < 0xdc00 || low > 0xdfff)
		return p;
	*ret = 0x10000u + ((unsigned)(high - 0xd800) << 10) + (unsigned)(low - 0xdc00);
	return p + 6;
}

/* The code point as UTF-8 into piece; its length. */
static size_t
to_utf8(unsigned u, unsigned char piece[4])
{
	if (u < 0x80) {
		piece[0] = (unsigned char)u;
		return 1;
	}
	if (u < 0x800) {
		piece[0] = (unsigned char)(0xc0 | u >> 6);
		piece[1] = (unsigned char)(0x80 | (u & 0x3f));
		return 2;
	}
	if (u < 0x10000) {
		piece[0] = (unsigned char)(0xe0 | u >> 12);
		piece[1] = (unsigned char)(0x80 | (u >> 6 & 0x3f));
		piece[2] = (unsigned char)(0x80 | (u & 0x3f));
		return 3;
	}
	piece[0] = (unsigned char)(0xf0 | u >> 18);
	piece[1] = (unsigned char)(0x80 | (u >> 12 & 0x3f));
	piece[2] = (unsigned char)(0x80 | (u >> 6 & 0x3f));
	piece[3] = (unsigned char)(0x80 | (u & 0x3f));
	return 4;
}

/* One byte or escape at p into piece; what lies behind it. */
static const unsigned char *
unescape_one(const unsigned char *p, const unsigned char *end, unsigned char piece[4], size_t *len)
{
	static const char from[] = "bfnrt";
	static const char to[] = "\b\f\n\r\t";
	const char *at;
	unsigned u;

	*len = 1;
	if (*p != '\\') {
		*len = *p ? 1 : to_utf8(0xfffd, piece);
		if (*p)
			piece[0] = *p;
		return p + 1;
	}
	if (p[1] == 'u') {
		p = unescape_u(p, end, &u);
		*len = to_utf8(u, piece);
		return p;
	}
	at = strchr(from, p[1]);
	piece[0] = at ? (unsigned char)to[at - from] : p[1];
	return p + 2;
}

int
scan_unescape(const struct scan_field *f, char *buf, size_t size)
{
	const unsigned char *p = (const unsigned char *)f->raw.data, *end;
	unsigned char piece[4];
	size_t n = 0, len = 0;

	if (f->kind != SCAN_STRING)
		return -1;
	end = p + f->raw.len;
	if (!f->escaped && !memchr(p, '\0', f->raw.len)) {
		if (f->raw.len >= size)
			return -1;
		memcpy(buf, p, f->raw.len);
		buf[f->raw.len] = '\0';
		return 0;
	}
	while (p < end) {
		p = unescape_one(p, end, piece, &len);
		if (n + len >= size)
			return -1;
		memcpy(buf + n, piece, len);
		n += len;
	}
	if (n >= size)
		return -1;
	buf[n] = '\0';
	return 0;
}
