/*
 * scan.c - one pass over JSON bytes: checks the grammar and remembers where the wanted values lie.
 *
 * While it goes down, a set of bits says which wanted paths the way so far fits.  All of them begin
 * with that same way, so one offset into their paths is enough to compare the next name.  Where the
 * set is empty, the text is only checked.
 */
#include "base/scan.h"

#include <assert.h>
#include <string.h>

enum { NAME_MAX_BYTES = 128 };

struct scan {
	const unsigned char *p;
	const unsigned char *end;
	struct scan_field *fields;
	int max_depth;
	enum scan_result bad; /* what a failure is: SCAN_BAD, or SCAN_TOO_DEEP */
};

/* The wanted paths that a place fits: those that end here, and those that go on below, at offset
 * at. */
struct wanted {
	uint64_t here;
	uint64_t below;
	size_t at;
};

static bool scan_value(struct scan *s, const struct wanted *w, int depth);

/* Not zero when one of the eight bytes of w is b. */
static uint64_t
has_byte(uint64_t w, unsigned char b)
{
	uint64_t x = w ^ (0x0101010101010101u * b);

	return (x - 0x0101010101010101u) & ~x & 0x8080808080808080u;
}

/* The first quote or backslash at or behind p; end when there is none. */
static const unsigned char *
find_special(const unsigned char *p, const unsigned char *end)
{
	uint64_t w;

	while (end - p >= 8) {
		memcpy(&w, p, sizeof(w));
		if (has_byte(w, '"') | has_byte(w, '\\'))
			break;
		p += 8;
	}
	while (p < end && *p != '"' && *p != '\\')
		p++;
	return p;
}

/* At a backslash: steps over the escape. */
static bool
scan_escape(struct scan *s)
{
	static const char simple[] = "\"\\/bfnrt";

	if (s->end - s->p < 2)
		return false;
	if (s->p[1] == 'u') {
		if (scan_hex4((const char *)s->p + 2, (size_t)(s->end - s->p) - 2) < 0)
			return false;
		s->p += 6;
		return true;
	}
	if (s->p[1] == '\0' || !strchr(simple, s->p[1]))
		return false;
	s->p += 2;
	return true;
}

/* At a quote: the string's bytes without its quotes into raw. */
static bool
scan_string(struct scan *s, struct span *raw, bool *escaped)
{
	const unsigned char *from = ++s->p;

	*escaped = false;
	for (;;) {
		s->p = find_special(s->p, s->end);
		if (s->p == s->end)
			return false;
		if (*s->p == '"')
			break;
		*escaped = true;
		if (!scan_escape(s))
			return false;
	}
	*raw = (struct span){ (const char *)from, (size_t)(s->p - from) };
	s->p++;
	return true;
}

static bool
is_digit(const struct scan *s)
{
	return s->p < s->end && *s->p >= '0' && *s->p <= '9';
}

/* One digit or more. */
static bool
scan_digits(struct scan *s)
{
	if (!is_digit(s))
		return false;
	while (is_digit(s))
		s->p++;
	return true;
}

static bool
scan_number(struct scan *s)
{
	if (*s->p == '-')
		s->p++;
	if (s->p < s->end && *s->p == '0')
		s->p++;
	else if (!scan_digits(s))
		return false;

	if (s->p < s->end && *s->p == '.') {
		s->p++;
		if (!scan_digits(s))
			return false;
	}
	if (s->p < s->end && (*s->p | 0x20) == 'e') {
		s->p++;
		if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
			s->p++;
		return scan_digits(s);
	}
	return true;
}

static bool
scan_word(struct scan *s, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0)
		return false;
	s->p += n;
	return true;
}

static void
skip_space(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\r' || *s->p == '\t'))
		s->p++;
}

/* Which of the paths below w go on with this name. */
static void
narrow(const struct scan *s, const struct wanted *w, struct span name, struct wanted *ret)
{
	uint64_t left = w->below;
	const char *path;
	size_t i;

	*ret = (struct wanted){ .at = w->at + name.len + 1 };
	for (i = 0; left != 0; i++, left >>= 1) {
		if (!(left & 1))
			continue;
		path = s->fields[i].path + w->at;
		if (path[0] != name.data[0] || strncmp(path, name.data, name.len) != 0)
			continue;
		if (path[name.len] == '\0')
			ret->here |= (uint64_t)1 << i;
		else if (path[name.len] == '.')
			ret->below |= (uint64_t)1 << i;
	}
}

/* As narrow, for a name as written; an empty name, one with a dot or a NUL in it, or a longer one
 * than any path has, fits nothing. */
static void
narrow_name(const struct scan *s, const struct wanted *w, const struct scan_field *name,
    struct wanted *ret)
{
	char buf[NAME_MAX_BYTES];
	struct span plain = name->raw;

	*ret = (struct wanted){ 0 };
	if (w->below == 0)
		return;
	if (name->escaped) {
		if (scan_unescape(name, buf, sizeof(buf)) != 0)
			return;
		plain = span_of(buf);
	}
	if (plain.len == 0 || plain.len >= NAME_MAX_BYTES || memchr(plain.data, '.', plain.len) ||
	    memchr(plain.data, '\0', plain.len))
		return;
	narrow(s, w, plain, ret);
}

/* True when c comes next, behind white space; then steps over it. */
static bool
scan_byte(struct scan *s, unsigned char c)
{
	skip_space(s);
	if (s->p == s->end || *s->p != c)
		return false;
	s->p++;
	return true;
}

static bool
scan_member(struct scan *s, const struct wanted *w, int depth)
{
	struct scan_field name = { .kind = SCAN_STRING };
	struct wanted in;

	skip_space(s);
	if (s->p == s->end || *s->p != '"' || !scan_string(s, &name.raw, &name.escaped))
		return false;
	if (!scan_byte(s, ':'))
		return false;
	narrow_name(s, w, &name, &in);
	return scan_value(s, &in, depth);
}

static bool
scan_object(struct scan *s, const struct wanted *w, int depth)
{
	if (depth > s->max_depth) {
		s->bad = SCAN_TOO_DEEP;
		return false;
	}
	s->p++;
	if (scan_byte(s, '}'))
		return true;
	do {
		if (!scan_member(s, w, depth))
			return false;
	} while (scan_byte(s, ','));
	return scan_byte(s, '}');
}

static bool
scan_element(struct scan *s, const struct wanted *w, size_t i, int depth)
{
	struct wanted in = { 0 };
	char number[24];

	if (w->below != 0) {
		snprintf(number, sizeof(number), "%zu", i);
		narrow(s, w, span_of(number), &in);
	}
	return scan_value(s, &in, depth);
}

static bool
scan_array(struct scan *s, const struct wanted *w, int depth)
{
	size_t i = 0;

	if (depth > s->max_depth) {
		s->bad = SCAN_TOO_DEEP;
		return false;
	}
	s->p++;
	if (scan_byte(s, ']'))
		return true;
	do {
		if (!scan_element(s, w, i++, depth))
			return false;
	} while (scan_byte(s, ','));
	return scan_byte(s, ']');
}

/* Steps over one value of any kind; which kind it was, SCAN_NONE when it is wrong. */
static enum scan_kind
scan_any(struct scan *s, const struct wanted *w, int depth, struct scan_field *found)
{
	switch (*s->p) {
	case '"':
		return scan_string(s, &found->raw, &found->escaped) ? SCAN_STRING : SCAN_NONE;
	case '{':
		return scan_object(s, w, depth + 1) ? SCAN_OBJECT : SCAN_NONE;
	case '[':
		return scan_array(s, w, depth + 1) ? SCAN_ARRAY : SCAN_NONE;
	case 't':
		return scan_word(s, "true") ? SCAN_TRUE : SCAN_NONE;
	case 'f':
		return scan_word(s, "false") ? SCAN_FALSE : SCAN_NONE;
	case 'n':
		return scan_word(s, "null") ? SCAN_NULL : SCAN_NONE;
	default:
		return scan_number(s) ? SCAN_NUMBER : SCAN_NONE;
	}
}

static void
keep_found(struct scan *s, uint64_t here, const struct scan_field *found)
{
	size_t i;

	for (i = 0; here != 0; i++, here >>= 1) {
		if (!(here & 1) || s->fields[i].kind != SCAN_NONE)
			continue;
		s->fields[i].kind = found->kind;
		s->fields[i].raw = found->raw;
		s->fields[i].escaped = found->escaped;
	}
}

static bool
scan_value(struct scan *s, const struct wanted *w, int depth)
{
	struct scan_field found = { 0 };
	const unsigned char *from;

	skip_space(s);
	if (s->p == s->end)
		return false;
	from = s->p;
	found.kind = scan_any(s, w, depth, &found);
	if (found.kind == SCAN_NONE)
		return false;

	if (found.kind != SCAN_STRING)
		found.raw = (struct span){ (const char *)from, (size_t)(s->p - from) };
	keep_found(s, w->here, &found);
	return true;
}

enum scan_result
scan_json(struct span body, struct scan_field *fields, size_t n, int max_depth)
{
	struct scan s = { .fields = fields, .max_depth = max_depth, .bad = SCAN_BAD };
	struct wanted w = { 0 };
	size_t i;

	assert(n <= SCAN_FIELDS_MAX);
	for (i = 0; i < n; i++) {
		fields[i].kind = SCAN_NONE;
		fields[i].raw = (struct span){ NULL, 0 };
		fields[i].escaped = false;
		if (fields[i].path[0] == '\0')
			w.here |= (uint64_t)1 << i;
		else
			w.below |= (uint64_t)1 << i;
	}
	if (body.len == 0)
		return SCAN_BAD;

	s.p = (const unsigned char *)body.data;
	s.end = s.p + body.len;
	if (!scan_value(&s, &w, 0))
		return s.bad;
	skip_space(&s);
	return s.p == s.end ? SCAN_OK : SCAN_BAD;
}
