/*
 * json.h - json-c, wrapped: reading with limits, small typed look-ups.  Memory belongs to a struct
 * mem.
 */
#ifndef LIB_JSON_H
#define LIB_JSON_H

#include "base/ctx.h"
#include "base/text.h"

struct json; /* a value; read only; lives as long as the mem it was read into */

enum json_type {
	JSON_NULL,
	JSON_BOOL,
	JSON_INT,
	JSON_DOUBLE,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT
};
enum json_error { JSON_OK, JSON_BAD, JSON_DEEP, JSON_BAD_TEXT, JSON_NO_MEMORY };

enum { JSON_DEPTH_API = 32, JSON_DEPTH_PROVIDER = 64 };

/* json_read: parses n bytes strictly (RFC 8259, one value, nothing behind it).  Refuses invalid
 * UTF-8, \u0000, lone surrogates (JSON_BAD_TEXT), nesting beyond depth (JSON_DEEP), a member named
 * twice, and a whole number beyond 64 bits (JSON_BAD).  *ret is set only on JSON_OK. */
enum json_error json_read(struct mem *m, const char *data, size_t n, int depth,
    const struct json **ret);

/* json_type: which kind of value it is; NULL is JSON_NULL. */
enum json_type json_type(const struct json *j);
/* json_get: a member, NULL when j is no object or has none (a member that is null is there, of type
 * JSON_NULL). json_path: "a.b.0.c". */
const struct json *json_get(const struct json *j, const char *name);
const struct json *json_path(const struct json *j, const char *path);
/* json_len: how many an array or object holds, else 0.  json_at: element i of an array, else
 * NULL. */
size_t json_len(const struct json *j);
const struct json *json_at(const struct json *j, size_t i);
/* json_each: calls f for each member in order; stops when f returns non-zero and returns that. */
int json_each(const struct json *j, int (*f)(void *arg, const char *name, const struct json *value),
    void *arg);

/* json_str: a member that is a string, else NULL.  json_str_of: the value itself. */
const char *json_str(const struct json *j, const char *name);
const char *json_str_of(const struct json *j, size_t *len);
/* json_int: a member that is a whole number (or a double without fraction), else dflt. */
int64_t json_int(const struct json *j, const char *name, int64_t dflt);
int json_int_of(const struct json *j, int64_t *ret);
/* json_double / json_bool: a member that is a number, or true or false, else dflt. */
double json_double(const struct json *j, const char *name, double dflt);
bool json_bool(const struct json *j, const char *name, bool dflt);
/* json_write: appends the value as compact JSON. */
void json_write(struct text *t, const struct json *j);
/* json_print: the value as compact JSON text in m; NULL with errno ENOMEM. */
const char *json_print(struct mem *m, const struct json *j);

#endif
