/*
 * db_conn.c - one connection to PostgreSQL: opening it, sending, waiting with a deadline, what it
 * has prepared.
 *
 * Every connection is non-blocking and in pipeline mode from its start to its end.
 */
#include "base/clock.h"
#include "lib/db_private.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

enum { NAMES_MAX = 64 * 1024, PREPARED_FULL = DB_PREPARED_MAX * 3 / 4 };
enum { CONNECT_SECONDS_MIN = 2, CONNECT_SECONDS_MAX = 5 };
/* The statement's result, its end, the Sync's; some to spare. */
enum { SIMPLE_RESULTS = 6 };

/* ---- starting ------------------------------------------------------------ */

int _gnutls_global_init_skip(void);

/* GnuTLS comes along with libpq's LDAP and is never used: it shall not make itself ready whenever
 * a program starts, which takes time and 150 KiB.  Asked by GnuTLS itself. */
int
_gnutls_global_init_skip(void)
{
	return 1;
}

/* ---- opening and closing ------------------------------------------------ */

/* Notices are not passed on: their text may hold what people said.  That one came is all that
 * matters. */
static void
take_notice(void *arg, const PGresult *res UNUSED)
{
	struct db_conn *conn = arg;

	conn->spoken = true;
}

/* What comes before dbname can be changed by the URL, what comes behind it cannot. */
static PGconn *
dial(const struct db *db)
{
	int seconds = db->timeout_ms / 1000;
	char timeout[16];
	const char *words[] = { "application_name", "connect_timeout", "keepalives",
		"keepalives_idle", "keepalives_interval", "keepalives_count",
		"target_session_attrs", "gssencmode", "dbname", "client_encoding", NULL };
	const char *values[] = { program_invocation_short_name, timeout, "1", "30", "10", "3",
		"read-write", "disable", db->url, "UTF8", NULL };

	if (seconds < CONNECT_SECONDS_MIN)
		seconds = CONNECT_SECONDS_MIN;
	if (seconds > CONNECT_SECONDS_MAX)
		seconds = CONNECT_SECONDS_MAX;
	snprintf(timeout, sizeof(timeout), "%d", seconds);
	return PQconnectdbParams(words, values, 1);
}

/* The server's first words about a failed start.  libpq repeats pieces of the URL in other
 * messages, and a password that was not escaped may be taken for a part of the host's name, so
 * those messages are not shown. */
static void
conn_words(const char *message, char why[DB_WORDS_MAX])
{
	static const char prefix[] = "connection to server ", mark[] = " failed: ";
	const char *s = strstr(message, mark);

	if (strncmp(message, "could not translate host name", 29) == 0) {
		snprintf(why, DB_WORDS_MAX, "could not translate the host name");
		return;
	}
	if (strncmp(message, prefix, sizeof(prefix) - 1) != 0 || !s) {
		snprintf(why, DB_WORDS_MAX,
		    "could not connect; check the settings of the connection");
		return;
	}
	s += sizeof(mark) - 1;
	snprintf(why, DB_WORDS_MAX, "%.*s", (int)strcspn(s, "\r\n"), s);
}

/* The server gives up by itself what nobody waits for any more.  A shorter limit of the role or the
 * database stays.
 *
 * Who works under a role runs the same few statements on single rows, all day, over tables that may
 * have been empty when they were planned: such a plan must use the indexes all the same, and must
 * not be made anew each time because a table has partitions. */
const char *const conn_session_sql =
    "select case when $1::text <> '' then set_config('role', $1::text, $3::text::boolean)"
    " || set_config('plan_cache_mode', 'force_generic_plan', $3::text::boolean)"
    " || set_config('enable_seqscan', 'off', $3::text::boolean)"
    " || set_config('jit', 'off', $3::text::boolean) end,"
    " case when extract(epoch from current_setting('statement_timeout')::interval) * 1000"
    " not between 1 and $2::text::bigint"
    " then set_config('statement_timeout', $2::text, $3::text::boolean) end";

static int
set_session(struct db *db, struct db_conn *conn)
{
	char timeout[16];
	const char *params[] = { db->role, timeout, "off" };

	/* Behind a pooler the session is not ours: each transaction says it then. */
	if (!db->prepare)
		return 0;

	snprintf(timeout, sizeof(timeout), "%d", db->timeout_ms);
	return conn_simple(conn, conn_session_sql, params, clock_steady_ms() + db->timeout_ms);
}

int
conn_open(struct db *db, struct db_conn *conn, char why[DB_WORDS_MAX])
{
	conn->broken = false;
	conn->late = false;
	if (!conn->names)
		conn->names = mem_new(NAMES_MAX);
	conn->pg = conn->names ? dial(db) : NULL;
	if (!conn->pg || PQstatus(conn->pg) != CONNECTION_OK) {
		conn_words(conn->pg ? PQerrorMessage(conn->pg) : "", why);
		conn_close(conn);
		return -1;
	}

	PQsetNoticeReceiver(conn->pg, take_notice, conn);
	if (PQsetnonblocking(conn->pg, 1) || !PQenterPipelineMode(conn->pg) ||
	    set_session(db, conn)) {
		snprintf(why, DB_WORDS_MAX,
		    "could not set up the session; is the login role a member of role %s?",
		    db->role[0] ? db->role : "(none)");
		conn_close(conn);
		return -1;
	}
	return 0;
}

void
conn_close(struct db_conn *conn)
{
	PQfinish(conn->pg);
	conn->pg = NULL;
	conn->nprepared = 0;
	memset(conn->prepared, 0, sizeof(conn->prepared));
	if (conn->names)
		mem_empty(conn->names);
}

/* ---- sending and waiting ------------------------------------------------ */

/* Waits until the socket can be read (or written).  -1: not in time, or there is no socket any
 * more. */
static int
conn_wait(struct db_conn *conn, short events, int64_t deadline)
{
	struct pollfd p = { .fd = PQsocket(conn->pg), .events = events };
	int64_t left;
	int n;

	if (p.fd < 0)
		return 0;
	do {
		left = deadline - clock_steady_ms();
		n = left > 0 ? poll(&p, 1, (int)left) : 0;
	} while (n < 0 && errno == EINTR);

	if (n > 0)
		return 0;
	conn->late = true;
	conn->broken = true;
	return -1;
}

int
conn_flush(struct db_conn *conn, int64_t deadline)
{
	int n;

	while ((n = PQflush(conn->pg)) > 0) {
		/* A server whose answers nobody reads stops reading too. */
		if (conn_wait(conn, POLLIN | POLLOUT, deadline) || !PQconsumeInput(conn->pg))
			return -1;
	}
	return n;
}

int
conn_result(struct db_conn *conn, int64_t deadline, PGresult **ret)
{
	while (PQisBusy(conn->pg) && PQsocket(conn->pg) >= 0) {
		if (conn_wait(conn, POLLIN, deadline))
			return -1;
		/* What came before the end is still to be read. */
		if (!PQconsumeInput(conn->pg))
			break;
	}
	*ret = PQgetResult(conn->pg);
	return 0;
}

int
conn_simple(struct db_conn *conn, const char *sql, const char *const params[3], int64_t deadline)
{
	bool good = false;
	ExecStatusType status = PGRES_COMMAND_OK;
	PGresult *res;

	if (!PQsendQueryParams(conn->pg, sql, params ? 3 : 0, NULL, params, NULL, NULL, 0) ||
	    !PQpipelineSync(conn->pg) || conn_flush(conn, deadline))
		return -1;

	for (int i = 0; i < SIMPLE_RESULTS && status != PGRES_PIPELINE_SYNC; i++) {
		if (conn_result(conn, deadline, &res))
			return -1;
		if (!res)
			continue;
		status = PQresultStatus(res);
		good = good || status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
		PQclear(res);
	}
	return good && status == PGRES_PIPELINE_SYNC ? 0 : -1;
}

bool
conn_quiet(struct db_conn *conn)
{
	struct pollfd p = { .fd = PQsocket(conn->pg), .events = POLLIN };

	if (PQstatus(conn->pg) != CONNECTION_OK || p.fd < 0)
		return false;
	if (poll(&p, 1, 0) == 0)
		return true;

	/* Unasked words are mostly a farewell.  (TLS has some of its own, which are none of the
	 * server's.) */
	conn->spoken = false;
	return PQconsumeInput(conn->pg) && !PQisBusy(conn->pg) && !conn->spoken &&
	    PQstatus(conn->pg) == CONNECTION_OK;
}

/* ---- what is prepared --------------------------------------------------- */

/* The place of name, or the free place where it belongs. */
static int
find_name(const struct db_conn *conn, const char *name)
{
	uint32_t h = 2166136261u;
	int i;

	for (const char *s = name; *s; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	i = (int)(h % DB_PREPARED_MAX);
	while (conn->prepared[i] && strcmp(conn->prepared[i], name) != 0)
		i = (i + 1) % DB_PREPARED_MAX;
	return i;
}

bool
conn_knows(const struct db_conn *conn, const char *name)
{
	return conn->prepared[find_name(conn, name)] != NULL;
}

bool
conn_can_learn(const struct db_conn *conn, size_t more)
{
	return (size_t)conn->nprepared + more < PREPARED_FULL;
}

void
conn_learn(struct db_conn *conn, const char *name)
{
	int i = find_name(conn, name);

	if (conn->prepared[i])
		return;
	conn->prepared[i] = mem_str(conn->names, name);
	/* Prepared but not remembered would be prepared again, which the server refuses. */
	if (conn->prepared[i])
		conn->nprepared++;
	else
		conn->broken = true;
}
