/*
 * idempotency.h - a POST with an Idempotency-Key: its answer is kept in the same transaction as its
 * effect, and given again.
 */
#ifndef WEB_IDEMPOTENCY_H
#define WEB_IDEMPOTENCY_H

#include "web/request.h"

enum idempotency { IDEMPOTENCY_FAILED = -1, IDEMPOTENCY_RUN, IDEMPOTENCY_REPLAYED };

/* idempotency_key: reads and checks the header of a POST by somebody; r->idempotency_key stays NULL
 * when there is none. */
int idempotency_key(struct ctx *c);
/* idempotency_begin: opens the transaction as who asks and takes the key: RUN: go on, then
 * idempotency_end; REPLAYED: the first answer is the answer. */
enum idempotency idempotency_begin(struct ctx *c);
/* idempotency_pause: commits what was done since idempotency_begin and lets go of the key, without
 * an answer; 0 when nothing is open. */
int idempotency_pause(struct ctx *c);
/* idempotency_end: keeps a 2xx answer and commits; rolls back when rc is not 0.  Returns rc, or -1
 * when that failed. */
int idempotency_end(struct ctx *c, int rc);

#endif
