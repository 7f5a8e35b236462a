/*
 * json_inside.h - what json.c and json_read.c share; nobody else includes it.
 */
#ifndef LIB_JSON_INSIDE_H
#define LIB_JSON_INSIDE_H

/* json-c has a type json_bool and an enum json_type of its own, and they are not needed here. */
#define json_bool json_c_bool
#define json_type json_c_type
#include <json-c/json.h>
#undef json_bool
#undef json_type

#include "lib/json.h"

/* json-c has no object for null; ours has an address, so that a null member can be told from a
 * missing one. */
extern const char json_null_object;

/* What json-c says is a value (NULL: null) as one of ours. */
static inline const struct json *
json_wrap(const struct json_object *o)
{
	return o ? (const struct json *)o : (const struct json *)&json_null_object;
}

/* json-c's object; NULL for null and for nothing. */
static inline struct json_object *
json_unwrap(const struct json *j)
{
	if (!j || j == (const struct json *)&json_null_object)
		return NULL;
	return (struct json_object *)(uintptr_t)j;
}

#endif
