/*
 * ctx.h - what one request (or one turn of a pump) carries along: its memory, its first failure,
 * its names.
 *
 * A ctx belongs to one thread.  What is got through it lives until ctx_reset.
 */
#ifndef BASE_CTX_H
#define BASE_CTX_H

#include "base/base.h"
#include "base/errors.h"
#include "base/mem.h"

enum { CTX_ERRORS_MAX = 20, CTX_ID_MAX = 64 };

/* One wrong field of a request, for the "errors" member of the answer. */
struct field_error {
	const char *field;
	const char *code;
	const char *detail;
};

struct failure {
	enum err err; /* ERR_NONE: no failure yet */
	int status; /* the HTTP status; SQL may raise one with a code that errors.def does not know
		     */
	const char *code;
	const char *title;
	const char *detail; /* for people outside: never holds secrets, numbers of people or SQL */
	const char *log;    /* for the log line only; may be NULL */
	int retry_after;    /* seconds; 0: none */
	struct field_error fields[CTX_ERRORS_MAX];
	size_t nfields;
};

struct ctx {
	struct mem *mem;
	struct failure failure;
	char request_id[CTX_ID_MAX];
	char organization_id[37]; /* "" until somebody is known */
	char user_id[37];
	void *owner; /* what runs this ctx: the web server's request, or a pump's turn */
};

/* ctx_init: a ctx with its own memory of at most max bytes; -1 with errno.  ctx_free gives all
 * back. */
int ctx_init(struct ctx *c, size_t max);
void ctx_reset(struct ctx *c);
void ctx_free(struct ctx *c);

/* fail: records the first failure and returns -1; later ones are kept out (the first reason is the
 * true one). */
int fail(struct ctx *c, enum err e, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* fail_sql: as fail, from an SQLSTATE PTnnn and its message; code must look like a code, else it is
 * ERR_INTERNAL. */
int fail_sql(struct ctx *c, int status, const char *code, const char *detail);
/* fail_field: adds one wrong field and makes the failure ERR_BAD_FIELDS; returns -1. */
int fail_field(struct ctx *c, const char *field, const char *code, const char *detail);
/* fail_item: the same under another error. */
int fail_item(struct ctx *c, enum err err, const char *field, const char *code, const char *detail);
/* fail_log: adds words for the log line to the failure that is there. */
void fail_log(struct ctx *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* fail_clear: forgets the failure (a retry begins). */
void fail_clear(struct ctx *c);

#endif
