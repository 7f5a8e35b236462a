/*
 * intake.c - reads a body in pieces, parts it into records, and sums up what was read.
 */
#include "web/intake.h"

#include "base/clock.h"
#include "web/request.h"

#include <string.h>

enum { PIECE = 32 * 1024, LEAST = 32 * 1024 };

static void
free_sum(void *sum)
{
	crypto_sum_free(sum);
}

int
intake_open(struct ctx *c, struct intake *t, int patience)
{
	char *record = mem_alloc(c->mem, INTAKE_RECORD_MAX);

	*t = (struct intake){ .piece = mem_alloc(c->mem, PIECE), .patience = patience };
	request_patience(c, patience);
	t->sum = crypto_sum_new();
	if (!t->sum || mem_on_reset(c->mem, free_sum, t->sum) < 0 || !t->piece || !record)
		return fail(c, ERR_INTERNAL, "out of memory");
	csv_begin(&t->csv, record, INTAKE_RECORD_MAX, 1);
	return 0;
}

static int
sum_up(struct ctx *c, struct intake *t, size_t n)
{
	if (crypto_sum_add(t->sum, (struct span){ t->unsummed.data, n }) < 0)
		return fail(c, ERR_INTERNAL, "no sum");
	t->bytes += (int64_t)n;
	t->unsummed.data += n;
	t->unsummed.len -= n;
	return 0;
}

/* Reads, and looks at how fast it comes.  Only waiting counts, not what is done in between. */
static int
read_piece(struct ctx *c, struct intake *t, size_t max)
{
	int64_t began = clock_steady_us();
	int n = request_read(c, t->piece, max);

	if (n <= 0)
		return n;
	t->arrived += n;
	t->waited_us += clock_steady_us() - began;
	if (t->waited_us < 2 * (int64_t)t->patience * 1000000)
		return n;
	if (t->arrived < LEAST)
		return fail(c, ERR_BODY_SLOW, "too little came for too long");
	t->waited_us = t->arrived = 0;
	return n;
}

/* The next piece, of at most max bytes: 1; 0 at the end, -1 with the failure recorded. */
static int
refill(struct ctx *c, struct intake *t, size_t max)
{
	int n;

	if (sum_up(c, t, t->unsummed.len) < 0)
		return -1;
	if (t->ended)
		return 0;
	n = read_piece(c, t, max < PIECE ? max : PIECE);
	if (n <= 0) {
		t->ended = true;
		return n;
	}
	t->rest = t->unsummed = (struct span){ t->piece, (size_t)n };
	return 1;
}

static int
differs(struct ctx *c)
{
	return fail(c, ERR_IMPORT_FILE_DIFFERS, "what was taken before stands otherwise in it");
}

static int
make_digest(struct ctx *c, const struct intake *t, char ret[INTAKE_DIGEST_MAX])
{
	unsigned char sum[SHA256_LEN];

	if (crypto_sum_of(t->sum, sum) < 0)
		return fail(c, ERR_INTERNAL, "no sum");
	crypto_hex(sum, sizeof(sum), ret);
	return 0;
}

int
intake_skip(struct ctx *c, struct intake *t, const struct intake_place *place)
{
	char digest[INTAKE_DIGEST_MAX];
	int64_t left;
	int rc;

	for (left = place->bytes; left > 0; left -= (int64_t)t->rest.len) {
		rc = refill(c, t, (size_t)(left < PIECE ? left : PIECE));
		if (rc < 0)
			return -1;
		if (rc == 0)
			return differs(c);
	}
	t->rest.len = 0;
	if (sum_up(c, t, t->unsummed.len) < 0 || make_digest(c, t, digest) < 0)
		return -1;
	if (place->bytes > 0 && strcmp(digest, place->digest) != 0)
		return differs(c);
	csv_begin(&t->csv, t->csv.buf, t->csv.size, place->line);
	return 0;
}

int
intake_over(struct ctx *c, struct intake *t)
{
	int rc = refill(c, t, PIECE);

	return rc > 0 ? differs(c) : rc;
}

int
intake_next(struct ctx *c, struct intake *t)
{
	int rc;

	for (;;) {
		if (t->rest.len > 0 && csv_feed(&t->csv, &t->rest))
			return 1;
		rc = refill(c, t, PIECE);
		if (rc < 0)
			return -1;
		if (rc == 0)
			return csv_end(&t->csv);
	}
}

int
intake_place(struct ctx *c, struct intake *t, struct intake_place *ret)
{
	if (sum_up(c, t, t->unsummed.len - t->rest.len) < 0)
		return -1;
	ret->bytes = t->bytes;
	ret->line = t->csv.line;
	return make_digest(c, t, ret->digest);
}
