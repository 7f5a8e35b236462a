/*
 * rounds.h - what every pump's turn has in common: it stays for a while, is woken by a poke, an
 * answer, the end or the next thing that is due, and asks the database.
 */
#ifndef WORK_ROUNDS_H
#define WORK_ROUNDS_H

#include "lib/db.h"
#include "lib/fetch.h"
#include "lib/json.h"

enum { ROUNDS_WORKER_MAX = 64, ROUNDS_FAILED_MS = 500 };

struct rounds {
	const char *name; /* of the poke */
	int64_t end;      /* of the waiting, on the steady clock */
	int64_t gap;      /* ms until the next look after a vain one */
	int64_t
	    rest_at; /* when there was nothing for so long that memory is given back; 0: it was */
	int poke_fd, stop_fd;
	bool stopping;
};

/* rounds_begin: a turn that stays for wait_ms.  False: another turn of this host stays already, so
 * that this one does what is due and is over.  rounds_end gives back what it took. */
bool rounds_begin(struct rounds *r, const char *name, int64_t wait_ms, int stop_fd);
void rounds_end(struct rounds *r);
/* rounds_wait: until something was answered, somebody poked, the program is to end, or until. True:
 * somebody poked. */
bool rounds_wait(struct rounds *r, struct fetch *f, int64_t until);
/* rounds_over: true when the turn may end: its time is over, or the program is to end, and nothing
 * is under way.  kept: something is still to be recorded. */
bool rounds_over(const struct rounds *r, const struct fetch *f, bool kept);
/* rounds_widen: a vain look makes the next one wait longer, up to the quiet interval.
 * rounds_narrow: there was something. */
void rounds_widen(struct rounds *r);
void rounds_narrow(struct rounds *r);

/* rounds_rest: before a wait: once nothing was there for a while, connections begin anew and memory
 * is given back. */
void rounds_rest(struct rounds *r, struct db *db);
/* rounds_rests: whether nothing was there for so long. */
bool rounds_rests(const struct rounds *r);

/* rounds_timings: writes the process's figures down when it is time to; seldom while nothing is
 * there, since the question whether something is there is counted, too. */
void rounds_timings(const struct rounds *r, struct ctx *c, struct db *db);

/* rounds_worker: a name for this worker: process and a random part; -1 with errno. */
int rounds_worker(char ret[ROUNDS_WORKER_MAX]);

/* rounds_run: database steps; -1 is logged.  rounds_json: one statement that answers one JSON
 * value, in the ctx's memory; NULL when it failed. */
int rounds_run(struct ctx *c, struct db *db, int flags, const struct db_step *steps, size_t n);
const struct json *rounds_json(struct ctx *c, struct db *db, const struct db_stmt *stmt,
    const struct span *params, size_t n);

#endif
