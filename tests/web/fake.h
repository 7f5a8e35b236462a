/*
 * fake.h - for the tests of web/: a request that nobody sent, made from CGI variables.
 */
#ifndef TESTS_WEB_FAKE_H
#define TESTS_WEB_FAKE_H

#include "web/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

/* cmocka's macro of that name hides the function of base/ctx; fail_msg is built on it. */
#undef fail
#define fake_fail(...) (print_error(__VA_ARGS__), print_error("\n"), _fail(__FILE__, __LINE__))

enum { FAKE_MEM = 16 * 1024 * 1024 };

struct fake {
	struct ctx c;
	struct request r;
	const struct route *route;
};

static inline void
fake_open(struct fake *f)
{
	memset(f, 0, sizeof(*f));
	assert_int_equal(ctx_init(&f->c, FAKE_MEM), 0);
	f->c.owner = &f->r;
	f->r.path = f->r.query = "";
}

static inline void
fake_close(struct fake *f)
{
	if (f->c.owner)
		request_end(&f->c);
	ctx_free(&f->c);
}

/* The next request: "NAME=value"..., NULL-ended; it stays valid until the next one. */
static inline int
fake_request(struct fake *f, const char *const *variables)
{
	if (f->c.owner)
		request_end(&f->c);
	ctx_reset(&f->c);
	f->r = (struct request){ .variables = variables };
	return request_begin(&f->c, &f->r);
}

/* As if the route had been found and the body had been read. */
static inline void
fake_route(struct fake *f, const struct route *route, const char *body)
{
	f->r.route = route;
	f->r.body = (struct span){ body ? body : "", body ? strlen(body) : 0 };
}

/* True when the failure names the field with that code. */
static inline bool
fake_names(const struct ctx *c, const char *field, const char *code)
{
	size_t i;

	for (i = 0; i < c->failure.nfields; i++)
		if (strcmp(c->failure.fields[i].field, field) == 0 &&
		    strcmp(c->failure.fields[i].code, code) == 0)
			return true;
	return false;
}

#endif
