/*
 * db.c - flights and transactions as others call them: what is tried again, and when that is safe.
 */
#include "base/clock.h"
#include "lib/db_private.h"

#include <poll.h>

/* A conflict is tried again this often, a lost connection once. */
enum { CONFLICTS_MAX = 3, LOSSES_MAX = 1, PAUSE_MS = 5 };

struct db_tx {
	struct db *db;
	struct db_conn *conn;
	bool conflicted;
};

struct tries {
	int flags;
	int conflicts;
	int losses;
};

/* ---- one flight, as often as is safe ------------------------------------ */

/* Two that met once shall not meet again: the pause grows, and differs between threads. */
static void
pause_after_conflict(int conflicts)
{
	int ms = PAUSE_MS << (2 * conflicts);

	poll(NULL, 0, ms / 2 + (int)(clock_steady_us() % ms));
}

static bool
may_repeat_refused(struct db_flight *f, struct tries *t)
{
	switch (fail_again(f->error)) {
	case AGAIN_CONFLICT:
		if (t->conflicts >= CONFLICTS_MAX)
			return false;
		pause_after_conflict(t->conflicts++);
		return true;
	case AGAIN_FRESH:
		db_renew(f->db);
		return t->losses++ < LOSSES_MAX;
	case AGAIN_NEVER:
		break;
	}
	return false;
}

static bool
may_repeat(struct db_flight *f, enum db_verdict v, struct tries *t)
{
	switch (v) {
	case DB_REFUSED:
		return may_repeat_refused(f, t);
	case DB_LOST:
		return t->losses++ < LOSSES_MAX;
	case DB_UNSURE:
		/* Who has waited as long as is allowed does not wait once more. */
		return (t->flags & DB_REPEATABLE) && !f->late && t->losses++ < LOSSES_MAX;
	case DB_LATE:
	case DB_DONE:
		break;
	}
	return false;
}

static int
fail_flight(struct ctx *c, const struct db_flight *f, enum db_verdict v, int flags)
{
	if (v == DB_REFUSED)
		return fail_refused(c, f);
	/* Where repeating does no harm there is no doubt to tell of: ask again. */
	if (v == DB_UNSURE && (flags & DB_REPEATABLE))
		v = DB_LOST;
	return fail_lost(c, f, v);
}

/* Flies f over connections of the pool.  After success f->conn is still held. */
static int
fly(struct ctx *c, struct db_flight *f, int flags)
{
	struct tries t = { .flags = flags };
	enum db_verdict v;

	for (;;) {
		int64_t began_us = clock_steady_us();

		f->conn = pool_take(c, f->db);
		if (!f->conn)
			return -1;
		v = flight_fly(f);
		flight_time(f, v, began_us);
		if (v == DB_DONE)
			return 0;
		pool_give(f->db, f->conn);
		f->conn = NULL;
		if (!may_repeat(f, v, &t)) {
			flight_land_apart(f);
			return fail_flight(c, f, v, flags);
		}
	}
}

int
db_run(struct ctx *c, struct db *db, int flags, const struct db_step *steps, size_t n)
{
	/* Behind a pooler role and limit are said inside of a transaction. */
	bool tx = (flags & DB_TRANSACTION) || !db->prepare;
	CLEANUP(flight_end)
	struct db_flight f = { .db = db, .begin = tx, .commit = tx, .binary = flags & DB_BINARY };

	if (flight_plan(c, &f, steps, n) || fly(c, &f, flags))
		return -1;
	pool_give(db, f.conn);
	flight_land(&f);
	return 0;
}

/* ---- a transaction in several flights ----------------------------------- */

static int
begin(struct ctx *c, struct db_flight *f, const struct db_step *steps, size_t n, struct db_tx **ret)
{
	struct db_tx *tx = mem_alloc(c->mem, sizeof(*tx));

	if (!tx)
		return fail(c, ERR_INTERNAL, NULL);
	if (flight_plan(c, f, steps, n) || fly(c, f, 0))
		return -1;

	flight_land(f);
	*tx = (struct db_tx){ .db = f->db, .conn = f->conn };
	*ret = tx;
	return 0;
}

int
db_begin(struct ctx *c, struct db *db, const struct db_step *steps, size_t n, struct db_tx **ret)
{
	CLEANUP(flight_end) struct db_flight f = { .db = db, .begin = true };

	return begin(c, &f, steps, n, ret);
}

int
db_begin_isolated(struct ctx *c, struct db *db, const struct db_step *steps, size_t n,
    struct db_tx **ret)
{
	CLEANUP(flight_end) struct db_flight f = { .db = db, .begin = true, .isolated = true };

	return begin(c, &f, steps, n, ret);
}

bool
db_conflicted(const struct db_tx *tx)
{
	return tx->conflicted;
}

static int
go_on(struct ctx *c, struct db_tx *tx, struct db_flight *f, const struct db_step *steps, size_t n)
{
	int64_t began_us = clock_steady_us();
	enum db_verdict v;

	f->db = tx->db;
	f->conn = tx->conn;
	f->inside = true;
	if (flight_plan(c, f, steps, n))
		return -1;
	/* After a break there is no transaction any more: the rest of it must not run by itself. */
	if (tx->conn->broken)
		return fail_lost(c, f, DB_LOST);

	v = flight_fly(f);
	flight_time(f, v, began_us);
	if (v == DB_DONE) {
		flight_land(f);
		return 0;
	}
	tx->conflicted = v == DB_REFUSED && fail_again(f->error) == AGAIN_CONFLICT;
	if (v == DB_REFUSED && fail_again(f->error) == AGAIN_FRESH) {
		db_renew(tx->db);
		return fail_lost(c, f, DB_LOST);
	}
	return fail_flight(c, f, v, 0);
}

int
db_more(struct ctx *c, struct db_tx *tx, const struct db_step *steps, size_t n)
{
	CLEANUP(flight_end) struct db_flight f = { .commit = false };

	return go_on(c, tx, &f, steps, n);
}

int
db_commit(struct ctx *c, struct db_tx *tx, const struct db_step *steps, size_t n)
{
	CLEANUP(flight_end) struct db_flight f = { .commit = true };
	int e = go_on(c, tx, &f, steps, n);

	pool_give(tx->db, tx->conn);
	tx->conn = NULL;
	return e;
}

void
db_rollback(struct ctx *c UNUSED, struct db_tx *tx)
{
	pool_give(tx->db, tx->conn);
	tx->conn = NULL;
}

/* ---- asking whether it is there ----------------------------------------- */

int
db_ping(struct ctx *c, struct db *db)
{
	static const struct db_stmt ping = { "db_ping", "select 1" };
	const struct db_step step = { .stmt = &ping };

	return db_run(c, db, DB_REPEATABLE, &step, 1);
}
