/*
 * field.h - what one field of a request may look like: a row of a table, and the check of one value
 * against it.  Rows of place OUT tell what a member of an answer looks like.
 *
 * Which fields a request holds, and where they are taken from, is bind.h's business.
 */
#ifndef WEB_FIELD_H
#define WEB_FIELD_H

#include "base/ctx.h"
#include "lib/json.h"

/* A row of a table names what is special about it; all the rest is zero, and that is meant. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

enum field_place { PATH, QUERY, BODY, OUT };

/* What a handler's struct holds for it (INTO), and what SQL gets:
 *   T_STR T_UUID T_TIME T_E164 T_EMAIL T_ENUM T_CURSOR   const char *        text
 *   T_INT                                                int64_t             number
 *   T_NUMBER                                             double              number
 *   T_BOOL                                               bool                boolean
 *   T_OBJECT T_ARRAY T_ANY                               const struct json * jsonb */
enum field_type {
	T_STR,    /* min..max characters; max 0: FIELD_STR_MAX */
	T_INT,    /* min..max; both 0: what fits SQL's int */
	T_NUMBER, /* min..max; both 0: any finite number */
	T_BOOL,
	T_UUID, /* handed on in lower case */
	T_TIME, /* RFC 3339 with Z or offset, 1970 to 9999; handed on in UTC, kept to the
		   millisecond */
	T_E164, /* + and 8 to 15 digits, the first not 0 */
	T_EMAIL,
	T_ENUM,   /* one of .values */
	T_OBJECT, /* with .fields: members by that table; with .items: of any name, each of them
		     such a value; without both: any object */
	T_ARRAY,  /* min..max items (max 0: FIELD_ITEMS_MAX); with .fields: objects by that table;
		     with .items: such values; without both: any values */
	T_CURSOR, /* what a list gave as next_cursor */
	T_ANY     /* any JSON value */
};

enum { FIELD_STR_MAX = 4096, FIELD_ITEMS_MAX = 1000, FIELD_NAME_MAX = 200, FIELD_CURSOR_MAX = 512 };

struct field {
	const char *name;
	enum field_place place;
	enum field_type type;
	bool required; /* OUT: it is always there */
	bool nullable; /* null is a value of its own (in a PATCH: it clears); else null is the same
			  as absent.  OUT: it may be null */
	int64_t min;
	int64_t max;
	const char *dflt;          /* in the form of a query value */
	const char *const *values; /* T_ENUM: NULL-ended */
	const struct field *fields;
	size_t nfields;
	const char *table; /* what .fields is called, for the description */
	const struct field *items;
	bool apart;       /* T_ARRAY with .fields: an item that is wrong is not the request's error;
			     {"errors":[{field,code,detail}]} is handed on in its place */
	size_t into;      /* 1 + offset in the handler's struct; 0: not wanted there */
	size_t into_size; /* of that member */
	size_t in_size;   /* of the whole struct */
	const char *doc;
};

/* FIELD(name, PATH|QUERY|BODY|OUT, type, .what = is special, .doc = "One sentence.") */
#define FIELD(n, p, t, ...)                                                                        \
	{                                                                                          \
		.name = #n, .place = (p), .type = (t), __VA_ARGS__                                 \
	}
/* ABOUT("What it is."): the first row of a table of place OUT, for the description; it is no
 * member. */
#define ABOUT(s)                                                                                   \
	{                                                                                          \
		.name = "", .place = OUT, .type = T_ANY, .doc = (s)                                \
	}
/* INTO(struct in, member): the checked value is put there for the handler. */
#define INTO(s, m)                                                                                 \
	.into = offsetof(s, m) + 1, .into_size = sizeof(((s *)0)->m), .in_size = sizeof(s)
/* VALUES("a", "b"): for T_ENUM.  For T_OBJECT and T_ARRAY: MEMBERS(table), or ITEMS(type, .what =
 * is special). */
#define VALUES(...)                                                                                \
	.values = (const char *const[])                                                            \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}
#define MEMBERS(t) .fields = (t), .nfields = COUNT(t), .table = #t
#define ITEMS(...)                                                                                 \
	.items = &(const struct field)                                                             \
	{                                                                                          \
		.type = __VA_ARGS__                                                                \
	}

/* One checked value.  All of it lives in the request's memory. */
struct value {
	bool given;       /* by the request or by its default */
	bool null;        /* given as null */
	struct span text; /* as SQL wants it (NUL-terminated too); data NULL when absent or null */
	const struct json *json; /* T_OBJECT, T_ARRAY, T_ANY */
	int64_t number;          /* T_INT */
	double real;             /* T_NUMBER */
	bool truth;              /* T_BOOL */
};

/* field_from_text: checks s (from the path, the query or a default) as f; where is its name in
 * errors.  -1 with the field's error recorded. */
int field_from_text(struct ctx *c, const struct field *f, const char *where, const char *s,
    struct value *ret);
/* field_from_json: the same for a JSON value that is not null; nested tables are followed. */
int field_from_json(struct ctx *c, const struct field *f, const char *where, const struct json *j,
    struct value *ret);
/* field_type_name: "uuid", "time", ... for the description. */
const char *field_type_name(enum field_type t);
/* field_type_size: of the member that INTO names. */
size_t field_type_size(enum field_type t);

#endif
