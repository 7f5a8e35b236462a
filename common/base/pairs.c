/*
 * pairs.c - cuts a form's body at its ampersands and decodes what lies between.
 */
#include "base/pairs.h"

#include <errno.h>
#include <string.h>

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool
decode(struct mem *m, struct span s, struct span *ret)
{
	char *to = mem_alloc(m, s.len + 1);
	size_t i, n = 0;

	if (!to)
		return false;
	for (i = 0; i < s.len; i++) {
		char c = s.data[i];

		if (c == '%' && i + 2 < s.len && digit(s.data[i + 1]) >= 0 &&
		    digit(s.data[i + 2]) >= 0) {
			c = (char)(digit(s.data[i + 1]) << 4 | digit(s.data[i + 2]));
			i += 2;
		} else if (c == '+') {
			c = ' ';
		}
		to[n++] = c;
	}
	*ret = (struct span){ to, n };
	return true;
}

/* Where the part that begins at s ends. */
static size_t
until(const char *s, size_t n, char stop)
{
	const char *found = n > 0 ? memchr(s, stop, n) : NULL;

	return found ? (size_t)(found - s) : n;
}

static bool
read_pair(struct mem *m, const char *s, size_t n, struct pair *ret)
{
	size_t name = until(s, n, '='), value = name < n ? name + 1 : n;

	return decode(m, (struct span){ s, name }, &ret->name) &&
	    decode(m, (struct span){ s + value, n - value }, &ret->value);
}

static size_t
count(struct span body)
{
	size_t i, n = 1;

	for (i = 0; i < body.len; i++)
		n += body.data[i] == '&';
	return n;
}

int
pairs_read(struct mem *m, struct span body, struct pairs *ret)
{
	size_t most = count(body), i = 0, len, n = 0;
	struct pair *items;

	if (most > PAIRS_MAX) {
		errno = E2BIG;
		return -1;
	}
	items = mem_alloc(m, most * sizeof(*items));
	if (!items)
		return -1;
	for (; i < body.len; i += len + 1) {
		len = until(body.data + i, body.len - i, '&');
		if (len > 0 && !read_pair(m, body.data + i, len, &items[n++]))
			return -1;
	}
	*ret = (struct pairs){ items, n };
	return 0;
}

const char *
pairs_find(const struct pairs *p, const char *name)
{
	struct span wanted = span_of(name);
	size_t i;

	for (i = 0; i < p->n; i++) {
		if (p->items[i].name.len == wanted.len &&
		    memcmp(p->items[i].name.data, wanted.data, wanted.len) == 0)
			return p->items[i].value.data;
	}
	return NULL;
}
