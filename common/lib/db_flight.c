/*
 * db_flight.c - several statements in one trip: all are sent, then all answers are read, up to the
 * Sync.
 *
 * The hard part is to know, when the connection breaks, whether the commit may have happened
 * (db_verdict).
 */
#include "base/clock.h"
#include "lib/db_private.h"

#include <poll.h>
#include <string.h>

/* A flight larger than this is sent in full before its commit (or the Sync that commits) is queued,
 * so that a break on the way is no doubt about it. */
enum { FLUSH_FIRST = 8 * 1024 };
/* Between the last answer and the Sync: a late error, its end; some to spare. */
enum { SYNC_RESULTS = 6 };

static _Thread_local void (*after_send)(void);

void
db_after_send(void (*f)(void))
{
	after_send = f;
}

/* ---- sending ------------------------------------------------------------ */

static int
send_text(struct db_conn *conn, const char *sql)
{
	return PQsendQueryParams(conn->pg, sql, 0, NULL, NULL, NULL, NULL, 0) ? 0 : -1;
}

static bool
prepared_earlier(const struct db_flight *f, size_t before, const char *name)
{
	for (size_t i = 0; i < before; i++) {
		if (f->legs[i].preparing && strcmp(f->legs[i].step->stmt->name, name) == 0)
			return true;
	}
	return false;
}

static int
send_leg(struct db_flight *f, size_t i)
{
	struct db_leg *leg = &f->legs[i];
	const struct db_stmt *s = leg->step->stmt;
	const int n = (int)leg->step->nparams, *lengths = leg->lengths, *formats = leg->formats;
	PGconn *pg = f->conn->pg;
	bool known;
	int sent;

	known = f->db->prepare && (conn_knows(f->conn, s->name) || prepared_earlier(f, i, s->name));
	leg->preparing = f->db->prepare && !known && conn_can_learn(f->conn, f->nlegs);
	if (leg->preparing && !PQsendPrepare(pg, s->name, s->sql, 0, NULL))
		return -1;
	if (known || leg->preparing)
		sent = PQsendQueryPrepared(pg, s->name, n, leg->values, lengths, formats, 0);
	else
		sent = PQsendQueryParams(pg, s->sql, n, NULL, leg->values, lengths, formats, 0);
	return sent ? 0 : -1;
}

static int
send_session(struct db_flight *f)
{
	char timeout[16];
	const char *params[] = { f->db->role, timeout, "on" };

	snprintf(timeout, sizeof(timeout), "%d", f->db->timeout_ms);
	return PQsendQueryParams(f->conn->pg, conn_session_sql, 3, NULL, params, NULL, NULL, 0) ?
	    0 :
	    -1;
}

static bool
says_session(const struct db_flight *f)
{
	return f->begin && !f->db->prepare;
}

/* libpq says that a write went well also when the peer was gone, and tells of it with the next
 * read: so the connection is asked once more. */
static bool
sent_in_full(struct db_flight *f)
{
	struct pollfd p = { .fd = PQsocket(f->conn->pg), .events = POLLIN };

	if (conn_flush(f->conn, f->deadline) || p.fd < 0)
		return false;
	return poll(&p, 1, 0) == 0 ||
	    (PQconsumeInput(f->conn->pg) && PQstatus(f->conn->pg) == CONNECTION_OK);
}

/* What was said for one transaction only is said again for the next. */
static bool
says_session_after(const struct db_flight *f, size_t leg)
{
	return says_session(f) && f->legs[leg].step->stmt == &db_apart;
}

static int
send_all(struct db_flight *f)
{
	bool implicit = !f->begin && !f->inside;

	if (f->begin &&
	    send_text(f->conn, f->isolated ? "BEGIN ISOLATION LEVEL REPEATABLE READ" : "BEGIN"))
		return -1;
	if (says_session(f) && send_session(f))
		return -1;
	for (size_t i = 0; i < f->nlegs; i++) {
		if (send_leg(f, i) || (says_session_after(f, i) && send_session(f)))
			return -1;
	}

	if ((f->commit || implicit) && f->bytes > FLUSH_FIRST && !sent_in_full(f))
		return -1;
	/* From here on a break may come after the commit. */
	f->may_commit = f->commit;
	if (f->commit && send_text(f->conn, "COMMIT"))
		return -1;
	if (!PQpipelineSync(f->conn->pg) || conn_flush(f->conn, f->deadline))
		return -1;
	/* Without a begin it is the Sync's last byte that commits. */
	f->may_commit = f->commit || implicit;
	return 0;
}

/* ---- reading ------------------------------------------------------------ */

static bool
is_fatal(const PGresult *error)
{
	const char *severity = PQresultErrorField(error, PG_DIAG_SEVERITY_NONLOCALIZED);

	return severity && strcmp(severity, "ERROR") != 0;
}

/* Keeps the first error.  -1 when nothing more will come: the server has said farewell, or libpq
 * noticed the break itself. */
static int
take_error(struct db_flight *f, PGresult *res)
{
	bool end = !PQresultErrorField(res, PG_DIAG_SQLSTATE) || is_fatal(res);

	if (!f->error && PQresultErrorField(res, PG_DIAG_SQLSTATE))
		f->error = res;
	else
		PQclear(res);
	return end ? -1 : 0;
}

/* One statement's answer; *ret stays NULL when it was refused, or skipped after an error.  -1:
 * nothing more will come. */
static int
read_answer(struct db_flight *f, PGresult **ret)
{
	PGresult *res, *end = NULL;

	*ret = NULL;
	if (conn_result(f->conn, f->deadline, &res) || !res)
		return -1;
	switch (PQresultStatus(res)) {
	case PGRES_COMMAND_OK:
	case PGRES_TUPLES_OK:
		*ret = res;
		break;
	case PGRES_PIPELINE_ABORTED:
		PQclear(res);
		break;
	case PGRES_FATAL_ERROR:
		if (take_error(f, res))
			return -1;
		break;
	default:
		PQclear(res);
		return -1;
	}

	if (conn_result(f->conn, f->deadline, &end) == 0 && !end)
		return 0;
	PQclear(end);
	return -1;
}

static int
skip_answer(struct db_flight *f)
{
	PGresult *res;
	int e = read_answer(f, &res);

	PQclear(res);
	return e;
}

static int
read_leg(struct db_flight *f, struct db_leg *leg)
{
	PGresult *res;
	int e;

	if (leg->preparing) {
		e = read_answer(f, &res);
		/* Only what the server has confirmed: after an error it skips preparations too. */
		if (res)
			conn_learn(f->conn, leg->step->stmt->name);
		PQclear(res);
		if (e)
			return -1;
	}
	e = read_answer(f, &leg->res);
	f->answered += leg->res != NULL;
	return e;
}

static int
read_commit(struct db_flight *f)
{
	PGresult *res;
	int e = read_answer(f, &res);

	/* In a transaction that has failed, commit answers ROLLBACK and is no error. */
	f->committed = res && strcmp(PQcmdStatus(res), "COMMIT") == 0;
	PQclear(res);
	return e;
}

/* What a commit at the Sync finds wrong (a deferred constraint) comes in front of it. */
static int
read_sync(struct db_flight *f)
{
	PGresult *res;

	for (int i = 0; i < SYNC_RESULTS; i++) {
		if (conn_result(f->conn, f->deadline, &res))
			return -1;
		if (PQresultStatus(res) == PGRES_FATAL_ERROR && res) {
			if (take_error(f, res))
				return -1;
			continue;
		}
		if (res && PQresultStatus(res) == PGRES_PIPELINE_SYNC) {
			PQclear(res);
			return 0;
		}
		PQclear(res);
	}
	return -1;
}

static int
read_all(struct db_flight *f)
{
	if (f->begin && skip_answer(f))
		return -1;
	if (says_session(f) && skip_answer(f))
		return -1;
	for (size_t i = 0; i < f->nlegs; i++) {
		if (read_leg(f, &f->legs[i]) || (says_session_after(f, i) && skip_answer(f)))
			return -1;
	}
	if (f->commit && read_commit(f))
		return -1;
	return read_sync(f);
}

/* ---- concluding --------------------------------------------------------- */

/* The server ended the session before the commit was done: these words come only where nothing is
 * half-way.  For a commit at the Sync they prove it only while an answer is still owed. */
static bool
ended_before_commit(const struct db_flight *f)
{
	static const char *const farewells[] = { "57P01", "57P04", "57P05", "25P03" };
	const char *state = f->error ? PQresultErrorField(f->error, PG_DIAG_SQLSTATE) : "";

	if (!f->commit && f->answered == f->nlegs)
		return false;
	for (size_t i = 0; i < COUNT(farewells); i++) {
		if (strcmp(state, farewells[i]) == 0)
			return true;
	}
	return false;
}

static enum db_verdict
conclude_broken(struct db_flight *f)
{
	f->conn->broken = true;
	f->late = f->conn->late;
	if (f->committed)
		return DB_DONE;
	/* An error that is no farewell has undone all, whatever came after it. */
	if (f->error && !is_fatal(f->error))
		return DB_REFUSED;
	if (f->may_commit && !ended_before_commit(f))
		return DB_UNSURE;
	return f->late ? DB_LATE : DB_LOST;
}

static void
forget_last_try(struct db_flight *f)
{
	for (size_t i = 0; i < f->nlegs; i++) {
		PQclear(f->legs[i].res);
		f->legs[i].res = NULL;
		f->legs[i].preparing = false;
	}
	PQclear(f->error);
	f->error = NULL;
	f->answered = 0;
	f->may_commit = f->committed = f->late = false;
}

enum db_verdict
flight_fly(struct db_flight *f)
{
	int e;

	forget_last_try(f);
	f->deadline = clock_steady_ms() + f->db->timeout_ms + DB_GRACE_MS;
	e = send_all(f);
	if (!e && after_send)
		after_send();
	/* What the server said before it closed the connection can still be read. */
	if (!e || PQstatus(f->conn->pg) == CONNECTION_BAD)
		e = read_all(f) || e;
	if (e)
		return conclude_broken(f);
	if (f->error || (f->commit && !f->committed))
		return DB_REFUSED;
	return DB_DONE;
}
