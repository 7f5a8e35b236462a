/*
 * route.h - the table of routes, and finding the row for a path.
 */
#ifndef WEB_ROUTE_H
#define WEB_ROUTE_H

#include "web/field.h"

enum method { METHOD_OTHER, GET, POST, PUT, PATCH, DELETE, OPTIONS, METHOD_COUNT };

enum access_kind {
	ACCESS_PUBLIC,   /* anybody; what else must be proved is the handler's business (webhooks: a
			    signature) */
	ACCESS_API,      /* a token of a member whose role has the scope, or an API key with it */
	ACCESS_PERSON,   /* a token of a person, in whatever role and organization; no API key */
	ACCESS_OPERATOR, /* a token of a person who looks after the installation; runs as
			    hookswitch_operator */
	ACCESS_LOCAL,    /* loopback, or HOOKSWITCH_INTERNAL_TOKEN */
	ACCESS_INTERNAL  /* loopback, and HOOKSWITCH_INTERNAL_TOKEN where it is set */
};

struct access {
	enum access_kind kind;
	const char *scope; /* ACCESS_API */
};

#define PUBLIC                                                                                     \
	{                                                                                          \
		ACCESS_PUBLIC, NULL                                                                \
	}
#define PERSON                                                                                     \
	{                                                                                          \
		ACCESS_PERSON, NULL                                                                \
	}
#define OPERATOR                                                                                   \
	{                                                                                          \
		ACCESS_OPERATOR, NULL                                                              \
	}
#define LOCAL                                                                                      \
	{                                                                                          \
		ACCESS_LOCAL, NULL                                                                 \
	}
#define INTERNAL                                                                                   \
	{                                                                                          \
		ACCESS_INTERNAL, NULL                                                              \
	}
#define SCOPE(s)                                                                                   \
	{                                                                                          \
		ACCESS_API, (s)                                                                    \
	}

#define FIELDS(t) (t), COUNT(t)
#define NO_FIELDS NULL, 0

enum route_flags {
	/* The handler gets the body's bytes as they came (request_body): nothing is parsed and no
	 * type is asked for; and query fields that are not in the table are let through. */
	ROUTE_RAW = 1,
	/* Fields of the query and of the body that are not in the table are passed over: for routes
	 * that speak as somebody else does. */
	ROUTE_LENIENT = 2,
	/* The answer holds a secret that is shown once: under an Idempotency-Key it is stored
	 * sealed. */
	ROUTE_SECRET = 4,
	/* The body may be of any size: nobody reads it before the handler does, piece by piece
	 * (request_read). */
	ROUTE_STREAM = 64,
	/* The handler asks somebody outside and takes the Idempotency-Key itself, for each step
	 * (outside_run): no transaction is open when it is called. */
	ROUTE_OUTSIDE = 128,
	/* Not counted by any rate limit: webhooks, and what tells of health. */
	ROUTE_UNLIMITED = 32
};

/* What a success answers. */
enum returns_form {
	RETURNS_NOTHING,
	RETURNS_OBJECT, /* members by .fields; RETURNS_EMPTY: none */
	RETURNS_PAGES,  /* {"data":[...],"next_cursor":...}, each item by .fields */
	RETURNS_ITEMS,  /* {"data":[...]}, each item by .fields */
	RETURNS_BYTES   /* of .type */
};

struct returns {
	enum returns_form form;
	const struct field *fields; /* all of place OUT */
	size_t nfields;
	const char *table;           /* what .fields is called, for the description */
	const char *type;            /* "text/csv", or several: "text/csv, application/x-ndjson" */
	const struct returns *other; /* RETURNS_OBJECT: or else this one; NULL: no other */
};

#define RETURNS(t)                                                                                 \
	{                                                                                          \
		RETURNS_OBJECT, (t), COUNT(t), #t, NULL                                            \
	}
/* One object or the other: what one of them must have tells which it is. */
#define RETURNS_EITHER(t, u)                                                                       \
	{                                                                                          \
		RETURNS_OBJECT, (t), COUNT(t), #t, NULL, (const struct returns[])                  \
		{                                                                                  \
			RETURNS(u)                                                                 \
		}                                                                                  \
	}
/* {}: an object without members. */
#define RETURNS_EMPTY                                                                              \
	{                                                                                          \
		RETURNS_OBJECT, NULL, 0, NULL, NULL                                                \
	}
#define RETURNS_LIST(t)                                                                            \
	{                                                                                          \
		RETURNS_PAGES, (t), COUNT(t), #t, NULL                                             \
	}
#define RETURNS_DATA(t)                                                                            \
	{                                                                                          \
		RETURNS_ITEMS, (t), COUNT(t), #t, NULL                                             \
	}
#define RETURNS_FILE(types)                                                                        \
	{                                                                                          \
		RETURNS_BYTES, NULL, 0, NULL, (types)                                              \
	}

/* ERRORS(ERR_X, ...): what this route refuses with besides what every route of its kind does. */
#define ERRORS(...)                                                                                \
	(const enum err[])                                                                         \
	{                                                                                          \
		__VA_ARGS__, ERR_NONE                                                              \
	}

enum { ROUTE_BODY_MAX = 256 * 1024, ROUTE_PARTS_MAX = 16 };

/* A parameter of this name is the active organization of the request; of an operator's it is only
 * what is looked at. */
#define ROUTE_ORGANIZATION "organization_id"

struct route {
	enum method method;
	const char *path; /* "/v1/notes/{note_id}/export" */
	struct access access;
	const struct field *fields;
	size_t nfields;
	/* in: the handler's struct filled through INTO; NULL when no field has one. */
	int (*run)(struct ctx *c, const void *in);
	int status;        /* of success: 2xx, or 3xx for a redirect */
	const char *query; /* function of schema api; NULL: none */
	const char *doc;
	/* What follows is named where it is needed: .body_max = ..., .after = ... */
	size_t body_max;       /* bytes; 0: ROUTE_BODY_MAX */
	const char *body_type; /* of a raw body, for the description; NULL: application/json */
	int flags;
	void (*after)(struct ctx *c); /* after the commit and the answer, when the answer was a 2xx
					 made just now (no replay) */
	struct returns returns;
	const enum err *errors; /* ERR_NONE-ended; NULL: none of its own */
};

/* A path, split at '/' and decoded. */
struct route_path {
	const char *parts[ROUTE_PARTS_MAX];
	size_t n;
};

struct route_match {
	const struct route *route; /* NULL: no row has this path with this method */
	unsigned allow; /* bits 1 << method of the rows that have this path; 0: nothing here */
};

/* route_split: splits and decodes raw (no query).  -1 with ERR_BAD_PATH (%2F, %00, control bytes,
 * broken escapes, invalid UTF-8). */
int route_split(struct ctx *c, const char *raw, struct route_path *ret);
/* route_decode: percent-decodes n bytes into m; plus: '+' is a space.  NULL when an escape is
 * broken, a NUL comes out, or the result is not UTF-8; errno is ENOMEM when memory is out, else
 * EINVAL. */
const char *route_decode(struct mem *m, const char *s, size_t n, bool plus);
/* route_find: the row for a method and a path; literal parts win over parameters, from left to
 * right. */
struct route_match route_find(const struct route *routes, size_t n, enum method m,
    const struct route_path *p);
/* route_param: what stands in p where r's path has {name}; NULL when it has none. */
const char *route_param(const struct route *r, const struct route_path *p, const char *name);
/* route_table_wrong: what is wrong with a table and in which row, NULL when nothing is. */
const char *route_table_wrong(const struct route *routes, size_t n, size_t *at);

enum method method_of(const char *name); /* HEAD is GET */
const char *method_name(enum method m);

#endif
