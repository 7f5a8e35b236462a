/*
 * ctx.c - a request's memory and its first failure.
 */
#include "base/ctx.h"

#include <stdarg.h>
#include <string.h>

enum { CODE_MAX = 64 };

int
ctx_init(struct ctx *c, size_t max)
{
	memset(c, 0, sizeof(*c));
	c->mem = mem_new(max);
	return c->mem ? 0 : -1;
}

void
ctx_reset(struct ctx *c)
{
	mem_reset(c->mem);
	fail_clear(c);
	c->request_id[0] = '\0';
	c->organization_id[0] = '\0';
	c->user_id[0] = '\0';
}

void
ctx_free(struct ctx *c)
{
	mem_freep(&c->mem);
	fail_clear(c);
}

/* Takes e's facts as the failure. */
static void
fail_set(struct ctx *c, enum err e)
{
	const struct err_info *info = err_info(e);

	c->failure.err = e;
	c->failure.status = info->status;
	c->failure.code = info->code;
	c->failure.title = info->title;
}

/* A copy, or NULL when s is NULL or memory is out: a failure must be recorded also then. */
static const char *
keep(struct ctx *c, const char *s)
{
	return s ? mem_str(c->mem, s) : NULL;
}

int
fail(struct ctx *c, enum err e, const char *fmt, ...)
{
	va_list ap;

	if (c->failure.err != ERR_NONE)
		return -1;
	fail_set(c, e);
	if (!fmt)
		return -1;

	va_start(ap, fmt);
	c->failure.detail = mem_vprintf(c->mem, fmt, ap);
	va_end(ap);
	return -1;
}

static bool
is_code(const char *s)
{
	size_t n = s ? strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_") : 0;

	return n > 0 && n <= CODE_MAX && s[n] == '\0' && s[0] >= 'a' && s[0] <= 'z';
}

int
fail_sql(struct ctx *c, int status, const char *code, const char *detail)
{
	enum err known;

	if (c->failure.err != ERR_NONE)
		return -1;
	if (!is_code(code) || status < 400 || status > 599) {
		fail_set(c, ERR_INTERNAL);
		fail_log(c, "sql raised status %d with a message that is no code", status);
		return -1;
	}

	known = err_by_code(code);
	if (known != ERR_NONE) {
		fail_set(c, known);
	} else {
		fail_set(c, status < 500 ? ERR_BAD_REQUEST : ERR_INTERNAL);
		c->failure.title = status < 500 ? "The request was refused." : c->failure.title;
		c->failure.code = keep(c, code);
		if (!c->failure.code)
			c->failure.code = err_info(c->failure.err)->code;
	}
	c->failure.status = status;
	c->failure.detail = keep(c, detail);
	return -1;
}

int
fail_field(struct ctx *c, const char *field, const char *code, const char *detail)
{
	return fail_item(c, ERR_BAD_FIELDS, field, code, detail);
}

int
fail_item(struct ctx *c, enum err err, const char *field, const char *code, const char *detail)
{
	struct failure *f = &c->failure;
	struct field_error e;

	if (f->err == ERR_NONE)
		fail_set(c, err);
	if (f->err != err || f->nfields == CTX_ERRORS_MAX)
		return -1;

	e = (struct field_error){ keep(c, field), keep(c, code), keep(c, detail) };
	if (e.field && e.code)
		f->fields[f->nfields++] = e;
	return -1;
}

void
fail_log(struct ctx *c, const char *fmt, ...)
{
	struct failure *f = &c->failure;
	const char *words;
	va_list ap;

	if (f->err == ERR_NONE)
		return;
	va_start(ap, fmt);
	words = mem_vprintf(c->mem, fmt, ap);
	va_end(ap);
	if (words && f->log)
		words = mem_printf(c->mem, "%s; %s", f->log, words);
	if (words)
		f->log = words;
}

void
fail_clear(struct ctx *c)
{
	memset(&c->failure, 0, sizeof(c->failure));
}
