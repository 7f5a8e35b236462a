/*
 * db_pool.c - the connections that the threads of a program share: opened on need, closed after an
 * idle time.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/settings.h"
#include "base/timing.h"
#include "lib/db_private.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <time.h>

enum { POOL_MEMORY = 1024 * 1024 };

static int
pool_init(struct db *db, const char *url, const char *role)
{
	pthread_condattr_t attr;
	int e;

	db->url = mem_str(db->mem, url);
	db->role = mem_str(db->mem, role ? role : "");
	db->max = (int)setting_int(SET_HOOKSWITCH_DB_CONNECTIONS);
	db->idle_ms = (int)setting_int(SET_HOOKSWITCH_DB_IDLE_SECONDS) * 1000;
	db->timeout_ms = (int)setting_int(SET_HOOKSWITCH_DB_TIMEOUT_MS);
	db->prepare = setting_bool(SET_HOOKSWITCH_DB_PREPARE);
	db->conns = mem_alloc(db->mem, (size_t)db->max * sizeof(*db->conns));
	if (!db->url || !db->role || !db->conns)
		return -1;

	e = pthread_condattr_init(&attr);
	if (!e) {
		pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
		e = pthread_cond_init(&db->freed, &attr);
		pthread_condattr_destroy(&attr);
	}
	if (!e)
		e = pthread_mutex_init(&db->lock, NULL);
	errno = e;
	return e ? -1 : 0;
}

/* libpq's own words about a bad URL repeat it, so only the fact is told. */
static bool
is_url(const char *url)
{
	PQconninfoOption *o = url && url[0] ? PQconninfoParse(url, NULL) : NULL;

	PQconninfoFree(o);
	return o != NULL;
}

struct db *
db_open(const char *url, const char *role)
{
	CLEANUP(mem_freep) struct mem *m = NULL;
	struct db *db;

	if (!is_url(url)) {
		errno = EINVAL;
		return NULL;
	}
	m = mem_new(POOL_MEMORY);
	db = m ? mem_alloc(m, sizeof(*db)) : NULL;
	if (!db)
		return NULL;

	db->mem = m;
	if (pool_init(db, url, role))
		return NULL;
	m = NULL;
	return db;
}

void
db_close(struct db *db)
{
	if (!db)
		return;
	for (int i = 0; i < db->max; i++) {
		assert(db->conns[i].state != CONN_USED);
		conn_close(&db->conns[i]);
		mem_free(db->conns[i].names);
	}
	pthread_cond_destroy(&db->freed);
	pthread_mutex_destroy(&db->lock);
	mem_free(db->mem);
}

/* ---- taking ------------------------------------------------------------- */

/* The idle connection that was used last (so that the others can grow old), else a place for a new
 * one, else NULL.  Takes it. */
static struct db_conn *
pick(struct db *db)
{
	struct db_conn *best = NULL;

	for (int i = 0; i < db->max; i++) {
		struct db_conn *x = &db->conns[i];

		if (x->state == CONN_USED)
			continue;
		if (!best || x->state > best->state ||
		    (x->state == CONN_IDLE && x->idle_since > best->idle_since))
			best = x;
	}
	if (best)
		best->state = CONN_USED;
	return best;
}

/* The clock of the condition variable; clock_steady_ms counts sleep too and may be ahead of it. */
static struct timespec
wait_until(int ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += ms % 1000 * 1000000L;
	if (t.tv_nsec >= 1000000000L) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000L;
	}
	return t;
}

static struct db_conn *
wait_for_place(struct db *db, bool *stale)
{
	struct timespec until = wait_until(db->timeout_ms);
	struct db_conn *conn;
	int e = 0;

	pthread_mutex_lock(&db->lock);
	while (!(conn = pick(db)) && e != ETIMEDOUT)
		e = pthread_cond_timedwait(&db->freed, &db->lock, &until);
	if (conn) {
		*stale = conn->generation != db->generation;
		conn->generation = db->generation;
	}
	pthread_mutex_unlock(&db->lock);
	return conn;
}

struct db_conn *
pool_take(struct ctx *c, struct db *db)
{
	char why[DB_WORDS_MAX], quoted[DB_WORDS_MAX];
	struct db_conn *conn;
	bool stale;

	conn = wait_for_place(db, &stale);
	if (!conn) {
		timing_count(TIMING_TIMEOUT, "pool", "busy");
		fail_unavailable(c, "db=busy");
		return NULL;
	}
	if (conn->pg && !stale && conn_quiet(conn))
		return conn;

	/* When one was closed from the other side the others were too, most likely: this one is
	 * opened anew at once. */
	conn_close(conn);
	if (conn_open(db, conn, why)) {
		pool_give(db, conn);
		timing_count(TIMING_DATABASE, "connect", "failed");
		fail_unavailable(c, "db=no_connection");
		fail_log(c, "db_words=%s", log_quote(why, quoted, sizeof(quoted)));
		return NULL;
	}
	return conn;
}

void
pool_give(struct db *db, struct db_conn *conn)
{
	if (conn->pg && !conn->broken && PQtransactionStatus(conn->pg) != PQTRANS_IDLE)
		conn_simple(conn, "ROLLBACK", NULL, clock_steady_ms() + db->timeout_ms);
	if (conn->pg && (conn->broken || PQtransactionStatus(conn->pg) != PQTRANS_IDLE))
		conn_close(conn);

	pthread_mutex_lock(&db->lock);
	conn->state = conn->pg ? CONN_IDLE : CONN_NONE;
	conn->idle_since = clock_steady_ms();
	pthread_cond_signal(&db->freed);
	pthread_mutex_unlock(&db->lock);
}

void
db_renew(struct db *db)
{
	pthread_mutex_lock(&db->lock);
	db->generation++;
	pthread_mutex_unlock(&db->lock);
}

/* ---- keeping ------------------------------------------------------------ */

/* Takes one that has been idle too long, else NULL and says in *next when the first will have been.
 */
static struct db_conn *
pick_old(struct db *db, int *next)
{
	int64_t now = clock_steady_ms(), left;
	struct db_conn *old = NULL;

	*next = -1;
	pthread_mutex_lock(&db->lock);
	for (int i = 0; i < db->max && !old; i++) {
		struct db_conn *x = &db->conns[i];

		if (x->state != CONN_IDLE)
			continue;
		left = x->idle_since + db->idle_ms - now;
		if (left <= 0)
			old = x;
		else if (*next < 0 || left < *next)
			*next = (int)left;
	}
	if (old)
		old->state = CONN_USED;
	pthread_mutex_unlock(&db->lock);
	return old;
}

int
db_close_idle(struct db *db)
{
	struct db_conn *old;
	int next;

	while ((old = pick_old(db, &next))) {
		conn_close(old);
		pool_give(db, old);
	}
	return next;
}

void
db_counts(struct db *db, int *open, int *used)
{
	*open = *used = 0;
	pthread_mutex_lock(&db->lock);
	for (int i = 0; i < db->max; i++) {
		*open += db->conns[i].state != CONN_NONE;
		*used += db->conns[i].state == CONN_USED;
	}
	pthread_mutex_unlock(&db->lock);
}
