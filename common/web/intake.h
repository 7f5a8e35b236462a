/*
 * intake.h - a request's body as rows: CSV of any length, read while it comes, in a memory that
 * stays as it is.
 *
 *	if (intake_open(c, &t) < 0 || intake_skip(c, &t, place) < 0)
 *		return -1;
 *	while ((rc = intake_next(c, &t)) > 0)
 *		... t.csv.record ...; intake_place(c, &t, &place) says what was read so far.
 *
 * For routes with ROUTE_STREAM.  It belongs to the request that opened it, but may be read with
 * another ctx of that request (reply_stream_pages).
 */
#ifndef WEB_INTAKE_H
#define WEB_INTAKE_H

#include "base/csv.h"
#include "lib/crypto.h"

struct ctx;

enum { INTAKE_RECORD_MAX = 128 * 1024, INTAKE_DIGEST_MAX = 2 * SHA256_LEN + 1 };

/* What stands before a place in a body: so many bytes with this SHA-256, and the next line. */
struct intake_place {
	int64_t bytes;
	int64_t line;
	char digest[INTAKE_DIGEST_MAX];
};

/* A body being read; its members are intake.c's own, but for csv.record. */
struct intake {
	struct csv csv;
	char *piece;
	struct span rest, unsummed; /* of the piece: not read yet; not in the sum yet */
	int64_t bytes;              /* in the sum */
	struct crypto_sum *sum;
	bool ended;
	int patience;               /* seconds */
	int64_t waited_us, arrived; /* in the span in which its speed is looked at */
};

/* intake_open: a reader of c's body, in c's memory.  It gives up with ERR_BODY_SLOW when nothing
 * comes for so many seconds, or less than 32 KiB in twice as many.  -1 with the failure recorded.
 */
int intake_open(struct ctx *c, struct intake *t, int patience);
/* intake_skip: reads what stands before the place; -1 with ERR_IMPORT_FILE_DIFFERS when it is
 * something else.  intake_over: the same failure when anything stands behind it. */
int intake_skip(struct ctx *c, struct intake *t, const struct intake_place *place);
int intake_over(struct ctx *c, struct intake *t);
/* intake_next: 1: a record is in t->csv.record, good until the next call; 0: there is none any
 * more; -1 with the failure recorded: the body broke off. */
int intake_next(struct ctx *c, struct intake *t);
/* intake_place: the place behind the record in hand, or at the end. */
int intake_place(struct ctx *c, struct intake *t, struct intake_place *ret);

#endif
