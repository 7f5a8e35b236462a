/*
 * json_read.c - json-c's tokener, with what it would let pass refused before and behind it.
 *
 * The grammar and the depth are checked by base/scan, the text by check_text.  A member named twice
 * is found by counting: the text has one colon outside strings for each member, and json-c keeps
 * only one of two with the same name.
 */
#include "lib/json.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/scan.h"
#include "lib/json_inside.h"

enum { SAFE_DIGITS = 18 };

/* At the backslash of a \u escape with left bytes: how many bytes to step over, 0 for NUL and for
 * half pairs. */
static size_t
check_escape_u(const char *s, size_t left)
{
	int u = scan_hex4(s + 2, left - 2), low;

	if (u <= 0 || (u >= 0xdc00 && u <= 0xdfff))
		return 0;
	if (u < 0xd800 || u > 0xdbff)
		return 6;
	if (left < 12 || s[6] != '\\' || s[7] != 'u')
		return 0;
	low = scan_hex4(s + 8, left - 8);
	return low >= 0xdc00 && low <= 0xdfff ? 12 : 0;
}

/* Behind a quote: how many bytes until behind the closing one. */
static enum json_error
check_string(const char *s, size_t left, size_t *ret)
{
	size_t i = 0, step;

	while (i < left && s[i] != '"') {
		if ((unsigned char)s[i] < 0x20)
			return JSON_BAD;
		step = 1;
		if (s[i] == '\\')
			step = s[i + 1] == 'u' ? check_escape_u(s + i, left - i) : 2;
		if (step == 0)
			return JSON_BAD_TEXT;
		i += step;
	}
	*ret = i + 1;
	return JSON_OK;
}

/* At a number: its length.  A whole number that 64 bits cannot hold would be changed by json-c and
 * is refused. */
static enum json_error
check_number(const char *s, size_t left, size_t *ret)
{
	char digits[SAFE_DIGITS + 4];
	size_t n = 0;
	bool whole = true;

	for (; n < left && strchr("+-.0123456789eE", s[n]) && s[n]; n++)
		whole = whole && s[n] != '.' && (s[n] | 0x20) != 'e';
	*ret = n;
	if (!whole || n <= SAFE_DIGITS)
		return JSON_OK;
	if (n >= sizeof(digits))
		return JSON_BAD;

	memcpy(digits, s, n);
	digits[n] = '\0';
	errno = 0;
	if (s[0] == '-')
		strtoll(digits, NULL, 10);
	else
		strtoull(digits, NULL, 10);
	return errno == 0 ? JSON_OK : JSON_BAD;
}

/* Looks at the strings and numbers of a text whose grammar is right, and counts its members. */
static enum json_error
check_text(const char *data, size_t n, size_t *members)
{
	enum json_error e = JSON_OK;
	size_t i = 0, step;

	*members = 0;
	while (i < n && e == JSON_OK) {
		step = 1;
		if (data[i] == '"') {
			e = check_string(data + i + 1, n - i - 1, &step);
			step++;
		} else if (data[i] == '-' || (data[i] >= '0' && data[i] <= '9')) {
			e = check_number(data + i, n - i, &step);
		} else if (data[i] == ':') {
			++*members;
		}
		i += step;
	}
	return e;
}

static size_t count_members(const struct json *j);

static int
count_member(void *arg, const char *name UNUSED, const struct json *value)
{
	size_t *n = arg;

	*n += 1 + count_members(value);
	return 0;
}

static size_t
count_members(const struct json *j)
{
	size_t i, n = 0;

	for (i = 0; json_type(j) == JSON_ARRAY && i < json_len(j); i++)
		n += count_members(json_at(j, i));
	json_each(j, count_member, &n);
	return n;
}

static void
tokener_freep(struct json_tokener **t)
{
	if (*t)
		json_tokener_free(*t);
	*t = NULL;
}

static void
object_put(void *arg)
{
	json_object_put(arg);
}

/* Parses; the caller puts *ret, which may be NULL for null. */
static enum json_error
parse(const char *data, size_t n, int depth, struct json_object **ret)
{
	CLEANUP(tokener_freep) struct json_tokener *t = json_tokener_new_ex(depth + 1);
	struct json_object *o;

	if (!t)
		return JSON_NO_MEMORY;
	json_tokener_set_flags(t, JSON_TOKENER_STRICT);
	o = json_tokener_parse_ex(t, data, (int)n);
	/* A number at the top is over only when something follows it. */
	if (json_tokener_get_error(t) == json_tokener_continue)
		o = json_tokener_parse_ex(t, " ", 1);
	if (json_tokener_get_error(t) != json_tokener_success) {
		json_object_put(o);
		return json_tokener_get_error(t) == json_tokener_error_depth ? JSON_DEEP : JSON_BAD;
	}
	*ret = o;
	return JSON_OK;
}

enum json_error
json_read(struct mem *m, const char *data, size_t n, int depth, const struct json **ret)
{
	enum scan_result scanned = scan_json((struct span){ data, n }, NULL, 0, depth);
	struct json_object *o = NULL;
	enum json_error e;
	size_t members;

	if (scanned != SCAN_OK)
		return scanned == SCAN_TOO_DEEP ? JSON_DEEP : JSON_BAD;
	if (n >= INT_MAX)
		return JSON_NO_MEMORY;
	if (!utf8_valid(data, n))
		return JSON_BAD_TEXT;
	e = check_text(data, n, &members);
	if (e == JSON_OK)
		e = parse(data, n, depth, &o);
	if (e != JSON_OK)
		return e;

	if (count_members(json_wrap(o)) != members) {
		json_object_put(o);
		return JSON_BAD;
	}
	if (o && mem_on_reset(m, object_put, o) != 0) {
		json_object_put(o);
		return JSON_NO_MEMORY;
	}
	*ret = json_wrap(o);
	return JSON_OK;
}
