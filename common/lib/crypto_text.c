/*
 * crypto_text.c - hex, base64 and base64url.  The decoders take one spelling for each value and
 * nothing else.
 */
#include "lib/crypto.h"

#include <string.h>

static const char base64_plain[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void
crypto_hex(const unsigned char *data, size_t n, char *ret)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < n; i++) {
		ret[2 * i] = digits[data[i] >> 4];
		ret[2 * i + 1] = digits[data[i] & 15];
	}
	ret[2 * n] = '\0';
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int
crypto_unhex(struct span s, unsigned char *ret, size_t size)
{
	size_t i, n = s.len / 2;
	int high, low;

	if (s.len % 2 != 0 || n > size || n > INT32_MAX)
		return -1;
	for (i = 0; i < n; i++) {
		high = hex_digit(s.data[2 * i]);
		low = hex_digit(s.data[2 * i + 1]);
		if (high < 0 || low < 0)
			return -1;
		ret[i] = (unsigned char)(high << 4 | low);
	}
	return (int)n;
}

static int
encode(const char *alphabet, struct span in, char *ret, size_t size, bool pad)
{
	const unsigned char *p = (const unsigned char *)in.data;
	size_t whole = in.len / 3, rest = in.len % 3, i, n = 0;
	size_t need = whole * 4 + (rest == 0 ? 0 : pad ? 4 : rest + 1);
	unsigned w;

	if (in.len > INT32_MAX / 2 || need >= size)
		return -1;
	for (i = 0; i < in.len; i += 3) {
		w = (unsigned)p[i] << 16;
		if (i + 1 < in.len)
			w |= (unsigned)p[i + 1] << 8;
		if (i + 2 < in.len)
			w |= p[i + 2];
		ret[n++] = alphabet[w >> 18];
		ret[n++] = alphabet[w >> 12 & 63];
		if (i + 1 < in.len)
			ret[n++] = alphabet[w >> 6 & 63];
		if (i + 2 < in.len)
			ret[n++] = alphabet[w & 63];
	}
	while (n < need)
		ret[n++] = '=';
	ret[n] = '\0';
	return (int)n;
}

static int
base64_digit(char c, char c62, char c63)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == c62 ? 62 : c == c63 ? 63 : -1;
}

/* s holds digits only, without padding. */
static int
decode(const char *alphabet, struct span s, unsigned char *ret, size_t size)
{
	size_t i, n = 0, need = s.len / 4 * 3 + (s.len % 4 ? s.len % 4 - 1 : 0);
	unsigned w = 0;
	int digit, bits = 0;

	if (s.len % 4 == 1 || need > size || s.len > INT32_MAX / 2)
		return -1;
	for (i = 0; i < s.len; i++) {
		digit = base64_digit(s.data[i], alphabet[62], alphabet[63]);
		if (digit < 0)
			return -1;
		w = w << 6 | (unsigned)digit;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			ret[n++] = (unsigned char)(w >> bits & 0xff);
		}
	}
	/* Bits left over must be zero, else two spellings would mean the same bytes. */
	return (w & ((1u << bits) - 1)) == 0 ? (int)n : -1;
}

int
crypto_base64(const unsigned char *data, size_t n, char *ret, size_t size)
{
	return encode(base64_plain, (struct span){ (const char *)data, n }, ret, size, true);
}

int
crypto_base64url(const unsigned char *data, size_t n, char *ret, size_t size)
{
	return encode(base64_url, (struct span){ (const char *)data, n }, ret, size, false);
}

int
crypto_unbase64(struct span s, unsigned char *ret, size_t size)
{
	if (s.len % 4 != 0)
		return -1;
	if (s.len > 0 && s.data[s.len - 1] == '=')
		s.len -= s.data[s.len - 2] == '=' ? 2 : 1;
	return decode(base64_plain, s, ret, size);
}

int
crypto_unbase64url(struct span s, unsigned char *ret, size_t size)
{
	return decode(base64_url, s, ret, size);
}
