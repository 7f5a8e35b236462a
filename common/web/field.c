/*
 * field.c - checks values against rows of field tables.
 */
#include "web/field.h"

#include "base/clock.h"
#include "base/text.h"
#include "web/form.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	TEXT_MAX = 8 * 1024 * 1024,
	EMAIL_MAX = 254,
	EMAIL_LOCAL_MAX = 64,
	NUMBER_MAX = 400,
	EXPONENT_MAX = 308
};

#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* What a type is called, also as the code of its error; what the error says; how text is checked
 * (NULL: as JSON). */
struct type {
	const char *name;
	const char *detail;
	size_t size; /* of the member that INTO names */
	int (*check)(struct ctx *c, const struct field *f, const char *where, const char *s,
	    struct value *v);
};

static const struct type types[];

const char *
field_type_name(enum field_type t)
{
	return types[t].name;
}

size_t
field_type_size(enum field_type t)
{
	return types[t].size;
}

/* ---- errors ---------------------------------------------------------- */

static int
wrong_type(struct ctx *c, const struct field *f, const char *where)
{
	return fail_field(c, where, types[f->type].name, types[f->type].detail);
}

static int
wrong_size(struct ctx *c, const char *where, const char *code, int64_t min, int64_t max)
{
	const char *unit = strcmp(code, "length") == 0 ? " long" : "";

	return fail_field(c, where, code,
	    mem_printf(c->mem, "must be %lld to %lld%s", (long long)min, (long long)max, unit));
}

static int
no_memory(struct ctx *c)
{
	return fail(c, ERR_TOO_LARGE, "the request needs too much memory");
}

/* ---- text ------------------------------------------------------------ */

static int
keep_text(struct ctx *c, const char *s, struct value *v)
{
	s = s ? mem_str(c->mem, s) : NULL;
	if (!s)
		return no_memory(c);
	v->text = span_of(s);
	v->given = true;
	return 0;
}

static int64_t
characters(const char *s)
{
	int64_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static int
check_str(struct ctx *c, const struct field *f, const char *where, const char *s, struct value *v)
{
	int64_t n = characters(s), max = f->max ? f->max : FIELD_STR_MAX;

	if (n < f->min || n > max)
		return wrong_size(c, where, "length", f->min, max);
	return keep_text(c, s, v);
}

static int
check_uuid(struct ctx *c, const struct field *f, const char *where, const char *s, struct value *v)
{
	char low[37];
	size_t i;

	if (strlen(s) != 36)
		return wrong_type(c, f, where);
	for (i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? s[i] != '-' : !strchr(DIGITS "abcdefABCDEF", s[i]))
			return wrong_type(c, f, where);
		low[i] = s[i] >= 'A' && s[i] <= 'F' ? (char)(s[i] - 'A' + 'a') : s[i];
	}
	low[36] = '\0';
	return keep_text(c, low, v);
}

static int
check_time(struct ctx *c, const struct field *f, const char *where, const char *s, struct value *v)
{
	const int64_t year_10000 = 253402300800000;
	char buf[CLOCK_TEXT_MAX];
	int64_t ms;

	if (clock_parse(s, strlen(s), &ms) < 0 || ms < 0 || ms >= year_10000)
		return wrong_type(c, f, where);
	return keep_text(c, clock_format(ms, buf), v);
}

static int
check_e164(struct ctx *c, const struct field *f, const char *where, const char *s, struct value *v)
{
	size_t digits = *s == '+' ? strspn(s + 1, DIGITS) : 0;

	if (digits < 8 || digits > 15 || s[1] == '0' || s[1 + digits])
		return wrong_type(c, f, where);
	return keep_text(c, s, v);
}

static bool
is_domain(const char *s)
{
	size_t n, dots = 0;

	for (;; s++, dots++) {
		n = strspn(s, LETTERS DIGITS "-");
		if (n == 0 || n > 63 || s[0] == '-' || s[n - 1] == '-')
			return false;
		s += n;
		if (*s != '.')
			return !*s && dots > 0;
	}
}

static int
check_email(struct ctx *c, const struct field *f, const char *where, const char *s, struct value *v)
{
	size_t n = strspn(s, LETTERS DIGITS ".!#$%&'*+/=?^_`{|}~-");

	if (n == 0 || n > EMAIL_LOCAL_MAX || s[n] != '@' || strlen(s) > EMAIL_MAX || s[0] == '.' ||
	    s[n - 1] == '.' || strstr(s, "..") || !is_domain(s + n + 1))
		return wrong_type(c, f, where);
	return keep_text(c, s, v);
}

static int
check_enum(struct ctx *c, const struct field *f, const char *where, const char *s, struct value *v)
{
	CLEANUP(text_clear) struct text list = TEXT(1024);
	size_t i;

	for (i = 0; f->values[i]; i++) {
		if (strcmp(f->values[i], s) == 0)
			return keep_text(c, s, v);
		text_printf(&list, "%s%s", i ? ", " : "must be one of ", f->values[i]);
	}
	return fail_field(c, where, "enum", mem_str(c->mem, text_str(&list)));
}

static int
check_cursor(struct ctx *c, const struct field *f, const char *where, const char *s,
    struct value *v)
{
	size_t n = strspn(s, LETTERS DIGITS "-_=+/.:");

	(void)f;
	(void)where;
	if (n == 0 || n > FIELD_CURSOR_MAX || s[n])
		return fail(c, ERR_BAD_CURSOR, "use next_cursor as it was given");
	return keep_text(c, s, v);
}

static const struct type types[] = {
	[T_STR] = { "string", "must be text", sizeof(const char *), check_str },
	[T_INT] = { "int", "must be a whole number", sizeof(int64_t), NULL },
	[T_NUMBER] = { "number", "must be a number", sizeof(double), NULL },
	[T_BOOL] = { "bool", "must be true or false", sizeof(bool), NULL },
	[T_UUID] = { "uuid", "must be a UUID", sizeof(const char *), check_uuid },
	[T_TIME] = { "time", "must be a time like 2026-09-21T13:30:00Z, with Z or an offset",
	    sizeof(const char *), check_time },
	[T_E164] = { "e164", "must be a phone number like +12025550123", sizeof(const char *),
	    check_e164 },
	[T_EMAIL] = { "email", "must be an e-mail address", sizeof(const char *), check_email },
	[T_ENUM] = { "enum", "must be one of the values allowed", sizeof(const char *),
	    check_enum },
	[T_OBJECT] = { "object", "must be a JSON object", sizeof(const struct json *), NULL },
	[T_ARRAY] = { "array", "must be a JSON array", sizeof(const struct json *), NULL },
	[T_CURSOR] = { "cursor", "must be a cursor", sizeof(const char *), check_cursor },
	[T_ANY] = { "any", "must be JSON", sizeof(const struct json *), NULL },
};

int
field_from_text(struct ctx *c, const struct field *f, const char *where, const char *s,
    struct value *ret)
{
	const struct json *j;
	size_t n = strlen(s);

	if (types[f->type].check)
		return types[f->type].check(c, f, where, s, ret);
	/* Numbers and the like are written as in JSON: no sign +, no leading zeros, and nothing
	 * around them. */
	if (!n || strchr(" \t\r\n", s[0]) || strchr(" \t\r\n", s[n - 1]) ||
	    json_read(c->mem, s, n, JSON_DEPTH_API, &j) != JSON_OK)
		return wrong_type(c, f, where);
	return field_from_json(c, f, where, j, ret);
}

/* ---- JSON ------------------------------------------------------------ */

static int
take_int(struct ctx *c, const struct field *f, const char *where, const struct json *j,
    struct value *v)
{
	int64_t min = f->min, max = f->max;
	enum json_type t = json_type(j);

	if (max == 0 && min >= 0) {
		min = min ? min : INT32_MIN;
		max = INT32_MAX;
	}
	if ((t != JSON_INT && t != JSON_DOUBLE) || json_int_of(j, &v->number) < 0)
		return wrong_type(c, f, where);
	if (v->number < min || v->number > max)
		return wrong_size(c, where, "range", min, max);
	return keep_text(c, mem_printf(c->mem, "%lld", (long long)v->number), v);
}

static int
take_number(struct ctx *c, const struct field *f, const char *where, const struct json *j,
    struct value *v)
{
	const char *s;

	if (json_type(j) != JSON_INT && json_type(j) != JSON_DOUBLE)
		return wrong_type(c, f, where);
	s = json_print(c->mem, j);
	if (!s)
		return no_memory(c);
	v->real = strtod(s, NULL);
	if (!isfinite(v->real))
		return wrong_type(c, f, where);
	if ((f->min || f->max) && (v->real < (double)f->min || v->real > (double)f->max))
		return wrong_size(c, where, "range", f->min, f->max);
	return keep_text(c, mem_printf(c->mem, "%.17g", v->real), v);
}

static int
take_bool(struct ctx *c, const struct field *f, const char *where, const struct json *j,
    struct value *v)
{
	const char *s;

	if (json_type(j) != JSON_BOOL)
		return wrong_type(c, f, where);
	s = json_print(c->mem, j);
	v->truth = s && *s == 't';
	return keep_text(c, s, v);
}

/* The length of the number at s; 0 when the database could not hold it (it knows no bounds that
 * JSON knows, but some), or would write it out in more digits than 64 bits hold, which nobody here
 * reads again. */
static size_t
number_length(const char *s)
{
	size_t n = strspn(s, DIGITS "+-.eE"), e = strcspn(s, "eE");

	if (n > NUMBER_MAX)
		return 0;
	if (e < n && labs(strtol(s + e + 1, NULL, 10)) > EXPONENT_MAX)
		return 0;
	if (e < n && fabs(strtod(s, NULL)) >= 0x1p63)
		return 0;
	return n;
}

/* True when all numbers in compact JSON text are such that the database can hold them. */
static bool
numbers_fit(const char *s)
{
	bool inside = false;
	size_t n;

	for (; *s; s++) {
		if (inside && *s == '\\' && s[1])
			s++;
		else if (*s == '"')
			inside = !inside;
		else if (!inside && strchr(DIGITS "-", *s)) {
			n = number_length(s);
			if (n == 0)
				return false;
			s += n - 1;
		}
	}
	return true;
}

/* What no table describes is kept as it came. */
static int
take_json(struct ctx *c, const struct field *f, const char *where, const struct json *j,
    struct value *v)
{
	const char *s;

	if (f->items && form_items(c, f, where, j) < 0)
		return -1;
	s = json_print(c->mem, j);
	if (!s)
		return no_memory(c);
	if (!numbers_fit(s))
		return fail_field(c, where, "number",
		    "holds a number that is too large or too fine");
	v->json = j;
	v->text = span_of(s);
	v->given = true;
	return 0;
}

static int
take_array(struct ctx *c, const struct field *f, const char *where, const struct json *j,
    struct value *v)
{
	int64_t n, max = f->max ? f->max : FIELD_ITEMS_MAX;

	if (json_type(j) != JSON_ARRAY)
		return wrong_type(c, f, where);
	n = (int64_t)json_len(j);
	if (n < f->min || n > max)
		return wrong_size(c, where, "length", f->min, max);
	return f->fields ? form_nested(c, f, where, j, v) : take_json(c, f, where, j, v);
}

static int
take_object(struct ctx *c, const struct field *f, const char *where, const struct json *j,
    struct value *v)
{
	if (json_type(j) != JSON_OBJECT)
		return wrong_type(c, f, where);
	return f->fields ? form_nested(c, f, where, j, v) : take_json(c, f, where, j, v);
}

int
field_from_json(struct ctx *c, const struct field *f, const char *where, const struct json *j,
    struct value *ret)
{
	switch (f->type) {
	case T_INT:
		return take_int(c, f, where, j, ret);
	case T_NUMBER:
		return take_number(c, f, where, j, ret);
	case T_BOOL:
		return take_bool(c, f, where, j, ret);
	case T_ARRAY:
		return take_array(c, f, where, j, ret);
	case T_OBJECT:
		return take_object(c, f, where, j, ret);
	case T_ANY:
		return take_json(c, f, where, j, ret);
	default:
		if (json_type(j) != JSON_STRING)
			return wrong_type(c, f, where);
		return types[f->type].check(c, f, where, json_str_of(j, NULL), ret);
	}
}
