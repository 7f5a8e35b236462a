/*
 * db.h - libpq, wrapped: a small pool of connections shared by threads, and flights of statements
 * in one pipeline.
 *
 * A connection is held for one flight or one transaction only.  Connections are opened on first
 * need and closed after an idle time.  Statements are prepared on first use in a connection, in the
 * same flight (unless HOOKSWITCH_DB_PREPARE is off).
 */
#ifndef LIB_DB_H
#define LIB_DB_H

#include "base/ctx.h"

struct db;    /* the pool */
struct db_tx; /* an open transaction and the connection that it holds */

/* A statement: static, one for each text.  name is unique in the program and the prepared
 * statement's name. */
struct db_stmt {
	const char *name;
	const char *sql;
};

/* A parameter in text form; data NULL is SQL null.  Bytes need not be terminated. */
struct db_rows {
	int n; /* rows */
	int ncols;
	void *handle; /* belongs to the ctx's memory: valid until ctx_reset */
};

struct db_step {
	const struct db_stmt *stmt;
	const struct span *params;
	size_t nparams;
	struct db_rows *ret; /* may be NULL: the rows are not wanted */
};

/* A step of this statement commits what stands before it and begins anew, in the same trip: what
 * stands before it stays, and its rows are handed over, also when the rest is refused.  Only in a
 * transaction that db_run or db_begin opens. */
extern const struct db_stmt db_apart;

enum db_flags {
	DB_REPEATABLE =
	    1, /* doing it twice does no harm: after a connection lost at commit it is done again */
	DB_TRANSACTION = 2, /* begin and commit around the steps (a single step without it is its
			       own transaction) */
	DB_BINARY = 4       /* see below */
};

/* db_open: a pool for url; connects to nothing yet.  role: set by every connection at its start (""
 * or NULL: the login role). max connections, idle seconds, answer timeout in ms come from the
 * settings.  NULL with errno. */
struct db *db_open(const char *url, const char *role);
void db_close(struct db *db);
/* db_close_idle: closes connections that were unused too long; returns ms until it should be asked
 * again, -1: never. */
int db_close_idle(struct db *db);
/* db_renew: each connection is opened anew before its next use, so that the server gives back what
 * it gathered for it. */
void db_renew(struct db *db);

/* db_run: all steps in one flight.  0, or -1 with the failure recorded:
 *   SQLSTATE PTnnn -> that status and the message as code, DETAIL as detail (nothing was
 * committed); deadlock or serialization failure -> the flight is repeated up to 3 times, then
 * ERR_UNAVAILABLE; lost before anything could be committed -> one clean retry, then
 * ERR_UNAVAILABLE; lost after the commit was sent -> retried when DB_REPEATABLE, else
 * ERR_OUTCOME_UNKNOWN; no connection to be had, time-out, too many connections, shutting down ->
 * ERR_UNAVAILABLE; all else -> ERR_INTERNAL (with words for the log). */
int db_run(struct ctx *c, struct db *db, int flags, const struct db_step *steps, size_t n);

/* db_begin: begin and the steps in one flight, the transaction stays open.  db_more: more steps in
 * it.  db_commit / db_rollback end it and give the connection back; both must be reached exactly
 * once after db_begin succeeded (also after db_more failed: rollback). */
int db_begin(struct ctx *c, struct db *db, const struct db_step *steps, size_t n,
    struct db_tx **ret);
/* db_begin_isolated: the same, but all that the transaction reads is from one moment, and a row
 * that somebody changed since then cannot be changed in it.  db_conflicted: true when a step or the
 * commit was refused for that; also asked after the end. */
int db_begin_isolated(struct ctx *c, struct db *db, const struct db_step *steps, size_t n,
    struct db_tx **ret);
bool db_conflicted(const struct db_tx *tx);
int db_more(struct ctx *c, struct db_tx *tx, const struct db_step *steps, size_t n);
int db_commit(struct ctx *c, struct db_tx *tx, const struct db_step *steps, size_t n);
void db_rollback(struct ctx *c, struct db_tx *tx);

/* With DB_BINARY all parameters are in PostgreSQL's binary form, and are not copied: they must stay
 * until the call returns.  A text is its bytes.  db_texts: a text[]; an element without data is
 * null.  data NULL when m is full. */
struct span db_texts(struct mem *m, const struct span *texts, size_t n);

/* db_value: the bytes of one field; data NULL when it is SQL null.  Valid as long as the rows. */
struct span db_value(const struct db_rows *r, int row, int col);
/* db_str: the same as a C string (NULL when null).  db_int: as a number, dflt when null. */
const char *db_str(const struct db_rows *r, int row, int col);
int64_t db_int(const struct db_rows *r, int row, int col, int64_t dflt);

/* db_ping: one trip to the database; -1 when it does not answer (for /readyz). */
int db_ping(struct ctx *c, struct db *db);
/* db_counts: connections open and in use now. */
void db_counts(struct db *db, int *open, int *used);

/* db_timings: writes down what base/timing.h has gathered; what could not be is kept for the next
 * time, and is no failure. */
void db_timings(struct ctx *c, struct db *db);

/* A hook for crash tests: called after a flight's bytes were sent and before its answer is read,
 * when set for this thread. */
void db_after_send(void (*f)(void));

#endif
