/*
 * db_plan.c - what a flight takes along: its parameters before, its rows behind, both in the ctx's
 * memory.
 */
#include "lib/db_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct db_stmt db_apart = { "db_apart", "commit and chain" };

struct plan {
	struct db_leg *legs;
	size_t n;
};

static void
clear_legs(void *arg)
{
	struct plan *p = arg;

	for (size_t i = 0; i < p->n; i++) {
		PQclear(p->legs[i].res);
		p->legs[i].res = NULL;
	}
}

static int
copy_params(struct ctx *c, struct db_flight *f, struct db_leg *leg)
{
	const struct db_step *s = leg->step;

	leg->values = mem_alloc(c->mem, (s->nparams + 1) * sizeof(*leg->values));
	if (!leg->values)
		return fail(c, ERR_INTERNAL, NULL);

	for (size_t i = 0; i < s->nparams; i++) {
		struct span p = s->params[i];

		if (!p.data)
			continue;
		/* libpq would cut the text there and keep a lie. */
		if (p.len && memchr(p.data, '\0', p.len)) {
			fail(c, ERR_INTERNAL, NULL);
			fail_log(c, "db_statement=%s db_words=\"parameter %zu holds a NUL\"",
			    s->stmt->name, i + 1);
			return -1;
		}
		leg->values[i] = mem_dup(c->mem, p.data, p.len);
		if (!leg->values[i])
			return fail(c, ERR_INTERNAL, NULL);
		f->bytes += p.len;
	}
	return 0;
}

static int
name_binary(struct ctx *c, struct db_flight *f, struct db_leg *leg)
{
	const struct db_step *s = leg->step;

	leg->values = mem_alloc(c->mem, (s->nparams + 1) * sizeof(*leg->values));
	leg->lengths = mem_alloc(c->mem, (s->nparams + 1) * sizeof(*leg->lengths));
	leg->formats = mem_alloc(c->mem, (s->nparams + 1) * sizeof(*leg->formats));
	if (!leg->values || !leg->lengths || !leg->formats)
		return fail(c, ERR_INTERNAL, NULL);

	for (size_t i = 0; i < s->nparams; i++) {
		leg->values[i] = s->params[i].data;
		leg->lengths[i] = (int)s->params[i].len;
		leg->formats[i] = 1;
		f->bytes += s->params[i].len;
	}
	return 0;
}

int
flight_plan(struct ctx *c, struct db_flight *f, const struct db_step *steps, size_t n)
{
	struct plan *p = mem_alloc(c->mem, sizeof(*p));

	f->nlegs = n;
	f->legs = mem_alloc(c->mem, (n + 1) * sizeof(*f->legs));
	if (!p || !f->legs)
		return fail(c, ERR_INTERNAL, NULL);
	for (size_t i = 0; i < n; i++) {
		f->legs[i].step = &steps[i];
		if (f->binary ? name_binary(c, f, &f->legs[i]) : copy_params(c, f, &f->legs[i]))
			return -1;
	}

	/* Asked for now: after the commit nothing may fail any more. */
	*p = (struct plan){ f->legs, n };
	if (mem_on_reset(c->mem, clear_legs, p))
		return fail(c, ERR_INTERNAL, NULL);
	return 0;
}

static void
land(struct db_flight *f, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct db_leg *leg = &f->legs[i];

		if (leg->step->ret) {
			*leg->step->ret =
			    (struct db_rows){ PQntuples(leg->res), PQnfields(leg->res), leg->res };
			continue;
		}
		PQclear(leg->res);
		leg->res = NULL;
	}
}

void
flight_land(struct db_flight *f)
{
	land(f, f->nlegs);
}

void
flight_land_apart(struct db_flight *f)
{
	for (size_t i = f->nlegs; i-- > 0;) {
		if (f->legs[i].step->stmt == &db_apart && f->legs[i].res) {
			land(f, i);
			return;
		}
	}
}

void
flight_end(struct db_flight *f)
{
	PQclear(f->error);
	f->error = NULL;
}

/* ---- arrays ------------------------------------------------------------- */

static char *
put_int32(char *at, int64_t n)
{
	const uint32_t u = (uint32_t)n;
	const unsigned char bytes[4] = { (unsigned char)(u >> 24), (unsigned char)(u >> 16),
		(unsigned char)(u >> 8), (unsigned char)u };

	memcpy(at, bytes, sizeof(bytes));
	return at + sizeof(bytes);
}

struct span
db_texts(struct mem *m, const struct span *texts, size_t n)
{
	enum { HEAD = 20, TEXT_OID = 25 };
	size_t size = HEAD + 4 * n;
	char *start, *at;

	for (size_t i = 0; i < n; i++)
		size += texts[i].data ? texts[i].len : 0;
	start = at = size <= INT32_MAX ? mem_alloc(m, size) : NULL;
	if (!start)
		return (struct span){ NULL, 0 };

	/* One dimension, nulls allowed, of texts, so many, counted from 1. */
	at = put_int32(put_int32(put_int32(at, 1), 1), TEXT_OID);
	at = put_int32(put_int32(at, (int64_t)n), 1);
	for (size_t i = 0; i < n; i++) {
		at = put_int32(at, texts[i].data ? (int64_t)texts[i].len : -1);
		if (texts[i].data && texts[i].len)
			memcpy(at, texts[i].data, texts[i].len);
		at += texts[i].data ? texts[i].len : 0;
	}
	return (struct span){ start, size };
}

/* ---- rows --------------------------------------------------------------- */

struct span
db_value(const struct db_rows *r, int row, int col)
{
	const PGresult *res = r->handle;

	if (row < 0 || row >= r->n || col < 0 || col >= r->ncols || PQgetisnull(res, row, col))
		return (struct span){ NULL, 0 };
	return (struct span){ PQgetvalue(res, row, col), (size_t)PQgetlength(res, row, col) };
}

const char *
db_str(const struct db_rows *r, int row, int col)
{
	return db_value(r, row, col).data;
}

int64_t
db_int(const struct db_rows *r, int row, int col, int64_t dflt)
{
	const char *s = db_str(r, row, col);
	char *end;
	long long n;

	if (!s || !s[0])
		return dflt;
	errno = 0;
	n = strtoll(s, &end, 10);
	return errno || *end ? dflt : n;
}
