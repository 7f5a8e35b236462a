/*
 * redis_url.c - takes the address of a Redis apart.
 */
#include "lib/redis_url.h"

#include <stdlib.h>
#include <string.h>

enum { DATABASE_MAX = 1000, PORT = 6379 };

static int
hex_value(char ch)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = ch ? strchr(digits, ch | 0x20) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* A piece of the URL, percent-decoded; NULL when it is broken. */
static const char *
piece(struct mem *m, const char *s, size_t n)
{
	char *out = mem_alloc(m, n + 1);
	size_t i, len = 0;
	int byte;

	for (i = 0; out && i < n; i++) {
		byte = (unsigned char)s[i];
		if (s[i] == '%') {
			byte = i + 2 < n && hex_value(s[i + 1]) >= 0 ?
			    hex_value(s[i + 1]) * 16 + hex_value(s[i + 2]) :
			    0;
			i += 2;
		}
		if (byte <= 0)
			return NULL;
		out[len++] = (char)byte;
	}
	return out;
}

static int
number(const char *s, int max, int *ret)
{
	char *end;
	long n = strtol(s, &end, 10);

	if (end == s || *end || n < 0 || n > max)
		return -1;
	*ret = (int)n;
	return 0;
}

static int
read_login(struct mem *m, struct redis_url *r, const char *s, size_t n)
{
	const char *colon = memchr(s, ':', n);
	size_t user = colon ? (size_t)(colon - s) : 0;

	r->user = user ? piece(m, s, user) : NULL;
	r->password = colon ? piece(m, colon + 1, n - user - 1) : piece(m, s, n);
	return (user && !r->user) || !r->password ? -1 : 0;
}

static int
read_host(struct mem *m, struct redis_url *r, const char *s, size_t n)
{
	const char *end = s + n, *close = s[0] == '[' ? memchr(s, ']', n) : NULL;
	const char *colon = memchr(close ? close : s, ':', (size_t)(end - (close ? close : s)));
	size_t host = colon ? (size_t)(colon - s) : n;
	const char *port;

	if (s[0] == '[' && (!close || host < 3))
		return -1;
	r->host = close ? piece(m, s + 1, (size_t)(close - s - 1)) : piece(m, s, host);
	r->port = PORT;
	port = colon ? piece(m, colon + 1, n - host - 1) : NULL;
	if (colon && (!port || number(port, UINT16_MAX, &r->port) < 0))
		return -1;
	return r->host && r->host[0] ? 0 : -1;
}

static int
read_tcp(struct mem *m, struct redis_url *r, const char *s)
{
	size_t n = strcspn(s, "/?");
	const char *at = NULL, *p;

	for (p = s; p < s + n; p++)
		at = *p == '@' ? p : at;
	if (at && read_login(m, r, s, (size_t)(at - s)) < 0)
		return -1;
	if (read_host(m, r, at ? at + 1 : s, at ? n - (size_t)(at + 1 - s) : n) < 0)
		return -1;
	s += n;
	if (!*s || (*s == '/' && !s[1]))
		return 0;
	return *s == '/' ? number(s + 1, DATABASE_MAX, &r->database) : -1;
}

static int
read_unix(struct mem *m, struct redis_url *r, const char *s)
{
	size_t n = strcspn(s, "?");

	r->path = piece(m, s, n);
	if (!r->path || r->path[0] != '/')
		return -1;
	if (!s[n])
		return 0;
	return strncmp(s + n, "?db=", 4) == 0 ? number(s + n + 4, DATABASE_MAX, &r->database) : -1;
}

int
redis_url_read(struct mem *m, const char *url, struct redis_url *ret)
{
	struct redis_url r = { .port = PORT };
	int rc = -1;

	if (strncmp(url, "redis://", 8) == 0)
		rc = read_tcp(m, &r, url + 8);
	else if (strncmp(url, "unix://", 7) == 0)
		rc = read_unix(m, &r, url + 7);
	if (rc == 0)
		*ret = r;
	return rc;
}
