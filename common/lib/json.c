/*
 * json.c - looking into values and writing them.  Reading is in json_read.c.
 */
#include "lib/json.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/json_inside.h"

enum { PATH_NAME_MAX = 128, PRINT_MAX = 16 * 1024 * 1024 };

const char json_null_object;

/* ---- looking -------------------------------------------------------- */

enum json_type
json_type(const struct json *j)
{
	switch (json_object_get_type(json_unwrap(j))) {
	case json_type_boolean:
		return JSON_BOOL;
	case json_type_int:
		return JSON_INT;
	case json_type_double:
		return JSON_DOUBLE;
	case json_type_string:
		return JSON_STRING;
	case json_type_array:
		return JSON_ARRAY;
	case json_type_object:
		return JSON_OBJECT;
	default:
		return JSON_NULL;
	}
}

const struct json *
json_get(const struct json *j, const char *name)
{
	struct json_object *found;

	if (json_type(j) != JSON_OBJECT || !json_object_object_get_ex(json_unwrap(j), name, &found))
		return NULL;
	return json_wrap(found);
}

/* The member or element that the first n bytes of name say. */
static const struct json *
step_into(const struct json *j, const char *name, size_t n)
{
	char buf[PATH_NAME_MAX];
	char *end;
	unsigned long i;

	if (n == 0 || n >= sizeof(buf))
		return NULL;
	memcpy(buf, name, n);
	buf[n] = '\0';
	if (json_type(j) != JSON_ARRAY)
		return json_get(j, buf);
	i = strtoul(buf, &end, 10);
	return buf[0] >= '0' && buf[0] <= '9' && *end == '\0' ? json_at(j, i) : NULL;
}

const struct json *
json_path(const struct json *j, const char *path)
{
	size_t n;

	while (j) {
		n = strcspn(path, ".");
		j = step_into(j, path, n);
		if (path[n] == '\0')
			break;
		path += n + 1;
	}
	return j;
}

size_t
json_len(const struct json *j)
{
	if (json_type(j) == JSON_ARRAY)
		return json_object_array_length(json_unwrap(j));
	if (json_type(j) == JSON_OBJECT)
		return (size_t)json_object_object_length(json_unwrap(j));
	return 0;
}

const struct json *
json_at(const struct json *j, size_t i)
{
	if (json_type(j) != JSON_ARRAY || i >= json_len(j))
		return NULL;
	return json_wrap(json_object_array_get_idx(json_unwrap(j), i));
}

int
json_each(const struct json *j, int (*f)(void *, const char *, const struct json *), void *arg)
{
	int stop;

	if (json_type(j) != JSON_OBJECT)
		return 0;
	json_object_object_foreach(json_unwrap(j), name, value)
	{
		stop = f(arg, name, json_wrap(value));
		if (stop != 0)
			return stop;
	}
	return 0;
}

const char *
json_str_of(const struct json *j, size_t *len)
{
	if (json_type(j) != JSON_STRING)
		return NULL;
	if (len)
		*len = (size_t)json_object_get_string_len(json_unwrap(j));
	return json_object_get_string(json_unwrap(j));
}

const char *
json_str(const struct json *j, const char *name)
{
	return json_str_of(json_get(j, name), NULL);
}

int
json_int_of(const struct json *j, int64_t *ret)
{
	enum json_type type = json_type(j);
	double d;

	if (type == JSON_INT) {
		if (json_object_get_uint64(json_unwrap(j)) > INT64_MAX)
			return -1;
		*ret = json_object_get_int64(json_unwrap(j));
		return 0;
	}
	if (type != JSON_DOUBLE)
		return -1;
	d = json_object_get_double(json_unwrap(j));
	/* 2^63 is the first double that does not fit; what is no number is not below it either. */
	if (!(fabs(d) < 9223372036854775808.0) || d != floor(d))
		return -1;
	*ret = (int64_t)d;
	return 0;
}

int64_t
json_int(const struct json *j, const char *name, int64_t dflt)
{
	int64_t v;

	return json_int_of(json_get(j, name), &v) == 0 ? v : dflt;
}

double
json_double(const struct json *j, const char *name, double dflt)
{
	const struct json *v = json_get(j, name);

	if (json_type(v) != JSON_INT && json_type(v) != JSON_DOUBLE)
		return dflt;
	return json_object_get_double(json_unwrap(v));
}

bool
json_bool(const struct json *j, const char *name, bool dflt)
{
	const struct json *v = json_get(j, name);

	return json_type(v) == JSON_BOOL ? json_object_get_boolean(json_unwrap(v)) != 0 : dflt;
}

/* ---- writing -------------------------------------------------------- */

struct writing {
	struct text *t;
	size_t n;
};

static int
write_member(void *arg, const char *name, const struct json *value)
{
	struct writing *w = arg;

	if (w->n++ > 0)
		text_putc(w->t, ',');
	text_json(w->t, name);
	text_putc(w->t, ':');
	json_write(w->t, value);
	return 0;
}

static void
write_array(struct text *t, const struct json *j)
{
	size_t i;

	text_putc(t, '[');
	for (i = 0; i < json_len(j); i++) {
		if (i > 0)
			text_putc(t, ',');
		json_write(t, json_at(j, i));
	}
	text_putc(t, ']');
}

static void
write_number(struct text *t, struct json_object *o)
{
	uint64_t u = json_object_get_uint64(o);
	const char *s;

	if (json_object_is_type(o, json_type_int)) {
		if (u > INT64_MAX)
			text_printf(t, "%llu", (unsigned long long)u);
		else
			text_printf(t, "%lld", (long long)json_object_get_int64(o));
		return;
	}
	/* json-c keeps a fraction as it was written. */
	s = json_object_get_userdata(o);
	if (s)
		text_puts(t, s);
	else
		text_printf(t, "%.17g", json_object_get_double(o));
}

/* Does not use json-c's own printing, which writes into the value: values may be shared by threads
 * that read. */
void
json_write(struct text *t, const struct json *j)
{
	struct writing w = { t, 0 };
	const char *s;
	size_t len = 0;

	switch (json_type(j)) {
	case JSON_NULL:
		text_puts(t, "null");
		break;
	case JSON_BOOL:
		text_puts(t, json_object_get_boolean(json_unwrap(j)) ? "true" : "false");
		break;
	case JSON_INT:
	case JSON_DOUBLE:
		write_number(t, json_unwrap(j));
		break;
	case JSON_STRING:
		s = json_str_of(j, &len);
		text_json_n(t, s, len);
		break;
	case JSON_ARRAY:
		write_array(t, j);
		break;
	case JSON_OBJECT:
		text_putc(t, '{');
		json_each(j, write_member, &w);
		text_putc(t, '}');
		break;
	}
}

const char *
json_print(struct mem *m, const struct json *j)
{
	CLEANUP(text_clear) struct text t = TEXT(PRINT_MAX);

	json_write(&t, j);
	if (!text_ok(&t)) {
		errno = ENOMEM;
		return NULL;
	}
	return mem_dup(m, text_str(&t), t.len);
}
