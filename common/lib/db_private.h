/*
 * db_private.h - what the files of lib/db share: the pool, a connection, a flight.  Only lib/db*.c
 * may include it.
 *
 * db_conn.c talks to one connection, db_pool.c keeps them, db_flight.c sends statements and reads
 * their answers, db_fail.c says what an error means, db.c is what others call.
 */
#ifndef LIB_DB_PRIVATE_H
#define LIB_DB_PRIVATE_H

#include "base/ctx.h"
#include "lib/db.h"

#include <libpq-fe.h>
#include <pthread.h>

/* The server is given as long as the setting says and ends a statement cleanly then; we wait a
 * little longer for that. */
enum { DB_PREPARED_MAX = 256, DB_WORDS_MAX = 300, DB_GRACE_MS = 500 };

enum db_conn_state { CONN_NONE, CONN_IDLE, CONN_USED };

struct db_conn {
	enum db_conn_state
	    state; /* under the pool's lock; all else belongs to who uses the connection */
	int64_t idle_since;
	PGconn *pg;
	unsigned generation;
	bool broken;                           /* must not be used again */
	bool late;                             /* broken since no answer came in time */
	bool spoken;                           /* the server said something that nobody asked for */
	struct mem *names;                     /* copies of the prepared statements' names */
	const char *prepared[DB_PREPARED_MAX]; /* hashed by name */
	int nprepared;
};

struct db {
	struct mem *mem;
	const char *url;
	const char *role; /* "": the login role */
	int max;
	int idle_ms;
	int timeout_ms;
	bool prepare; /* off: nothing may be kept in the session, a pooler may change it between two
			 transactions */
	pthread_mutex_t lock;
	pthread_cond_t freed;
	unsigned generation; /* connections of an older one are closed when they come back */
	struct db_conn *conns;
};

/* What came of a flight. */
enum db_verdict {
	DB_DONE,    /* all answers came; committed where that was asked for */
	DB_REFUSED, /* the server answered with an error; nothing was committed, the connection is
		       in step */
	DB_LOST,    /* the connection is gone; certainly nothing was committed */
	DB_UNSURE,  /* the connection is gone or silent; it may have been committed */
	DB_LATE     /* no answer in time; certainly nothing was committed */
};

/* One step on its way.  values are copies that end with a NUL, as libpq wants them; or binary, then
 * they have lengths and formats. */
struct db_leg {
	const struct db_step *step;
	const char **values;
	int *lengths; /* NULL: all are text */
	int *formats;
	PGresult *res;
	bool preparing; /* its preparation is part of this flight */
};

struct db_flight {
	struct db *db;
	struct db_conn *conn;
	struct db_leg *legs;
	size_t nlegs;
	size_t bytes;  /* of all parameters */
	bool begin;    /* begin in front */
	bool isolated; /* that begin is of a repeatable read */
	bool commit;   /* commit behind */
	bool inside;   /* a transaction is open already */
	bool binary;   /* the parameters are */
	int64_t deadline;

	size_t answered; /* legs whose answer came */
	bool may_commit; /* all that a commit needs has left, or may have */
	bool committed;  /* the server said so */
	bool late;
	PGresult *error; /* the server's first error */
};

/* db_conn.c */

/* conn_open: connects and sets the session up.  -1 with words for the log (which hold no secrets)
 * in why. */
int conn_open(struct db *db, struct db_conn *conn, char why[DB_WORDS_MAX]);
void conn_close(struct db_conn *conn);
/* conn_quiet: true when nothing has happened on an idle connection: it is most likely still good.
 */
bool conn_quiet(struct db_conn *conn);
/* conn_flush: sends all that is queued, and reads meanwhile so that neither side waits for the
 * other. -1: lost or late. */
int conn_flush(struct db_conn *conn, int64_t deadline);
/* conn_result: the next result, *ret may be NULL (the end of one statement's results).  -1: no
 * answer in time. */
int conn_result(struct db_conn *conn, int64_t deadline, PGresult **ret);
/* conn_simple: one statement outside of any flight, e.g. rollback; params may be NULL.  -1 when it
 * did not succeed. */
int conn_simple(struct db_conn *conn, const char *sql, const char *const params[3],
    int64_t deadline);
/* conn_knows: whether name is prepared.  conn_learn: it is from now on.  conn_can_learn: whether
 * there is room for more. */
bool conn_knows(const struct db_conn *conn, const char *name);
bool conn_can_learn(const struct db_conn *conn, size_t more);
void conn_learn(struct db_conn *conn, const char *name);
/* Sets role ($1, "": none), answer timeout in ms ($2), for this transaction only ($3: on, off). */
extern const char *const conn_session_sql;

/* db_pool.c */

/* pool_take: a connection that is ready; NULL with the failure recorded.  pool_give: rolls back
 * what is open and gives it back, or closes it when it is broken. */
struct db_conn *pool_take(struct ctx *c, struct db *db);
void pool_give(struct db *db, struct db_conn *conn);

/* db_flight.c */

/* flight_plan (db_plan.c): copies the parameters and makes room for the answers, once for all
 * tries.  -1 with the failure recorded. */
int flight_plan(struct ctx *c, struct db_flight *f, const struct db_step *steps, size_t n);
/* flight_fly: sends all and reads all answers over f->conn, which is in step afterwards or marked
 * broken. */
enum db_verdict flight_fly(struct db_flight *f);
/* flight_land: hands the rows to the steps' callers.  flight_end: forgets the error. */
void flight_land(struct db_flight *f);
/* flight_land_apart: the same for what stands before the last db_apart that was done, when the rest
 * was refused. */
void flight_land_apart(struct db_flight *f);
void flight_end(struct db_flight *f);

/* db_timings.c */

/* flight_time: counts how long it took, the wait for its connection included. */
void flight_time(const struct db_flight *f, enum db_verdict v, int64_t began_us);

/* db_fail.c */

enum db_again { AGAIN_NEVER, AGAIN_CONFLICT, AGAIN_FRESH };

/* fail_again: whether the flight that was refused may be flown again: never, on conflict, or once
 * on a fresh connection. */
enum db_again fail_again(const PGresult *error);
/* fail_refused: records what the server's error means; returns -1. */
int fail_refused(struct ctx *c, const struct db_flight *f);
/* fail_lost: records a verdict that is neither done nor refused; returns -1. */
int fail_lost(struct ctx *c, const struct db_flight *f, enum db_verdict v);
/* fail_unavailable: ERR_UNAVAILABLE with Retry-After and words for the log; returns -1. */
int fail_unavailable(struct ctx *c, const char *words);

#endif
