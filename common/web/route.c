/*
 * route.c - paths: split, decoded, and compared with the table of routes.
 */
#include "web/route.h"

#include "base/text.h"
#include "web/form.h"

#include <errno.h>
#include <string.h>

/* ---- methods -------------------------------------------------------- */

static const char *const method_names[METHOD_COUNT] = {
	[METHOD_OTHER] = "OTHER",
	[GET] = "GET",
	[POST] = "POST",
	[PUT] = "PUT",
	[PATCH] = "PATCH",
	[DELETE] = "DELETE",
	[OPTIONS] = "OPTIONS",
};

enum method
method_of(const char *name)
{
	int i;

	if (!name)
		return METHOD_OTHER;
	if (strcmp(name, "HEAD") == 0)
		return GET;
	for (i = METHOD_OTHER + 1; i < METHOD_COUNT; i++)
		if (strcmp(name, method_names[i]) == 0)
			return (enum method)i;
	return METHOD_OTHER;
}

const char *
method_name(enum method m)
{
	return method_names[(unsigned)m < METHOD_COUNT ? m : METHOD_OTHER];
}

/* ---- decoding ------------------------------------------------------- */

static int
hex_digit(char ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	if (ch >= 'a' && ch <= 'f')
		return ch - 'a' + 10;
	if (ch >= 'A' && ch <= 'F')
		return ch - 'A' + 10;
	return -1;
}

/* The byte of an escape whose '%' is at s; -1 when it is none. */
static int
escaped_byte(const char *s, size_t left)
{
	int high, low;

	if (left < 3)
		return -1;
	high = hex_digit(s[1]);
	low = hex_digit(s[2]);
	return high < 0 || low < 0 ? -1 : high * 16 + low;
}

const char *
route_decode(struct mem *m, const char *s, size_t n, bool plus)
{
	size_t i, len = 0;
	int byte;
	char *out;

	out = mem_alloc(m, n + 1);
	if (!out)
		return NULL;
	for (i = 0; i < n; i++) {
		byte = (unsigned char)s[i];
		if (s[i] == '+' && plus)
			byte = ' ';
		if (s[i] == '%') {
			byte = escaped_byte(s + i, n - i);
			i += 2;
		}
		if (byte <= 0) {
			errno = EINVAL;
			return NULL;
		}
		out[len++] = (char)byte;
	}
	if (!utf8_valid(out, len)) {
		errno = EINVAL;
		return NULL;
	}
	return out;
}

static bool
has_control(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return true;
	return false;
}

/* One part of a path, decoded; a slash must not come out of an escape, or the path would mean
 * something else to nginx. */
static const char *
decode_part(struct ctx *c, const char *s, size_t n)
{
	const char *part;

	part = route_decode(c->mem, s, n, false);
	if (!part && errno == ENOMEM) {
		fail(c, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	if (!part || strchr(part, '/') || has_control(part)) {
		fail(c, ERR_BAD_PATH, "a part of the path cannot be decoded");
		return NULL;
	}
	return part;
}

int
route_split(struct ctx *c, const char *raw, struct route_path *ret)
{
	struct route_path p = { .n = 0 };
	const char *part;
	size_t n;

	if (!raw || *raw != '/')
		return fail(c, ERR_BAD_PATH, "the path does not begin with a slash");
	while (*raw == '/') {
		n = strcspn(++raw, "/");
		part = decode_part(c, raw, n);
		if (!part)
			return -1;
		if (p.n < ROUTE_PARTS_MAX)
			p.parts[p.n] = part;
		p.n++;
		raw += n;
	}
	*ret = p;
	return 0;
}

/* ---- matching ------------------------------------------------------- */

/* The next part of a row's path; false at its end. */
static bool
next_part(const char **at, struct span *ret)
{
	if (**at != '/')
		return false;
	(*at)++;
	*ret = (struct span){ *at, strcspn(*at, "/") };
	*at += ret->len;
	return true;
}

static bool
is_parameter(struct span part)
{
	return part.len > 2 && part.data[0] == '{' && part.data[part.len - 1] == '}';
}

static bool
path_fits(const char *pattern, const struct route_path *p)
{
	struct span part;
	size_t i = 0;

	if (p->n > ROUTE_PARTS_MAX)
		return false;
	for (; next_part(&pattern, &part); i++) {
		if (i >= p->n)
			return false;
		if (is_parameter(part) && !*p->parts[i])
			return false;
		if (!is_parameter(part) && !span_equal(part, span_of(p->parts[i])))
			return false;
	}
	return i == p->n;
}

/* Of two patterns that fit the same path: below 0 when a is the more literal one, 0 when they are
 * alike. */
static int
compare_patterns(const char *a, const char *b)
{
	struct span pa, pb;

	while (next_part(&a, &pa) && next_part(&b, &pb))
		if (is_parameter(pa) != is_parameter(pb))
			return is_parameter(pa) ? 1 : -1;
	return 0;
}

struct route_match
route_find(const struct route *routes, size_t n, enum method m, const struct route_path *p)
{
	struct route_match found = { NULL, 0 };
	const char *best = NULL;
	size_t i;

	for (i = 0; i < n; i++)
		if (path_fits(routes[i].path, p))
			if (!best || compare_patterns(routes[i].path, best) < 0)
				best = routes[i].path;
	for (i = 0; best && i < n; i++) {
		if (!path_fits(routes[i].path, p) || compare_patterns(routes[i].path, best) != 0)
			continue;
		found.allow |= 1u << routes[i].method;
		if (routes[i].method == m)
			found.route = &routes[i];
	}
	return found;
}

/* Which part of a row's path is {name}; -1 when none is. */
static int
parameter_index(const char *pattern, const char *name)
{
	struct span part;
	int i;

	for (i = 0; next_part(&pattern, &part); i++)
		if (is_parameter(part) && strlen(name) == part.len - 2 &&
		    memcmp(part.data + 1, name, part.len - 2) == 0)
			return i;
	return -1;
}

const char *
route_param(const struct route *r, const struct route_path *p, const char *name)
{
	int i;

	i = parameter_index(r->path, name);
	return i < 0 || (size_t)i >= p->n || i >= ROUTE_PARTS_MAX ? NULL : p->parts[i];
}

/* ---- the table itself ------------------------------------------------ */

static bool
same_path(const char *a, const char *b)
{
	struct span pa, pb;
	bool more_a, more_b;

	for (;;) {
		more_a = next_part(&a, &pa);
		more_b = next_part(&b, &pb);
		if (!more_a || !more_b)
			return more_a == more_b;
		if (is_parameter(pa) != is_parameter(pb))
			return false;
		if (!is_parameter(pa) && !span_equal(pa, pb))
			return false;
	}
}

static const char *
path_wrong(const char *path)
{
	struct span part;
	size_t n = 0;

	if (!path || *path != '/')
		return "the path does not begin with a slash";
	for (; next_part(&path, &part); n++)
		if (!is_parameter(part) && memchr(part.data, '{', part.len))
			return "the path has a broken parameter";
	return n > ROUTE_PARTS_MAX ? "the path has too many parts" : NULL;
}

static const char *
fields_wrong(const struct route *r)
{
	size_t i;

	for (i = 0; i < r->nfields; i++) {
		if (r->fields[i].place == OUT)
			return "an OUT field among those of the request";
		if (r->fields[i].place == PATH && parameter_index(r->path, r->fields[i].name) < 0)
			return "a PATH field is not in the path";
		if (r->fields[i].place == BODY && (r->method == GET || r->flags & ROUTE_RAW))
			return "a BODY field where no JSON body is read";
	}
	return form_wrong(r->fields, r->nfields);
}

static const char *
answer_wrong(const struct returns *a)
{
	size_t i;

	for (i = 0; i < a->nfields; i++)
		if (a->fields[i].place != OUT)
			return "what is returned must be of place OUT";
	return form_wrong(a->fields, a->nfields);
}

static const char *
returns_wrong(const struct route *r)
{
	const char *wrong = r->returns.other ? answer_wrong(r->returns.other) : NULL;
	size_t i;

	if (wrong)
		return wrong;
	if ((r->status == 204 || r->status > 299) && r->returns.form != RETURNS_NOTHING)
		return "a 204 or a redirect returns nothing";
	for (i = 0; r->errors && r->errors[i] != ERR_NONE; i++)
		if (r->errors[i] < ERR_NONE || r->errors[i] >= ERR_COUNT)
			return "an error that does not exist";
	return answer_wrong(&r->returns);
}

static const char *
row_wrong(const struct route *r)
{
	const char *wrong;

	wrong = path_wrong(r->path);
	if (wrong)
		return wrong;
	if (r->method <= METHOD_OTHER || r->method >= OPTIONS)
		return "the method is none that a row can have";
	if (!r->run)
		return "nothing is run";
	if (r->status < 200 || r->status > 399)
		return "the status is none of success";
	if (r->access.kind == ACCESS_API && !r->access.scope)
		return "the scope is missing";
	if (!r->doc)
		return "the sentence is missing";
	wrong = fields_wrong(r);
	return wrong ? wrong : returns_wrong(r);
}

const char *
route_table_wrong(const struct route *routes, size_t n, size_t *at)
{
	const char *wrong;
	size_t i, k;

	for (i = 0; i < n; i++) {
		*at = i;
		wrong = row_wrong(&routes[i]);
		if (wrong)
			return wrong;
		for (k = 0; k < i; k++)
			if (routes[k].method == routes[i].method &&
			    same_path(routes[k].path, routes[i].path))
				return "another row has the same method and path";
	}
	return NULL;
}
