/*
 * rounds.c - the frame of a pump's turn: staying, waking, asking the database.
 */
#include "work/rounds.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/poke.h"
#include "base/settings.h"
#include "base/timing.h"
#include "lib/crypto.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Between two writings of figures while nothing is there. */
enum { TIMINGS_REST_MS = 60000 };

/* Listens for pokes; without them the turn finds by itself what is due.  False when another turn of
 * this host listens: this one need not stay then. */
static bool
listen_for_pokes(struct rounds *r)
{
	char words[100];

	r->poke_fd = poke_open(r->name);
	if (r->poke_fd != -1 || errno == EADDRINUSE)
		return r->poke_fd != -1;
	log_line(LOG_WARN, "event=poke_unheard why=%s",
	    log_quote(strerror(errno), words, sizeof(words)));
	return true;
}

bool
rounds_begin(struct rounds *r, const char *name, int64_t wait_ms, int stop_fd)
{
	int64_t now = clock_steady_ms();

	*r = (struct rounds){ .name = name,
		.end = now + wait_ms,
		.poke_fd = -1,
		.stop_fd = stop_fd };
	rounds_narrow(r);
	if (wait_ms <= 0 || listen_for_pokes(r))
		return true;
	r->end = now;
	return false;
}

void
rounds_end(struct rounds *r)
{
	if (r->poke_fd != -1)
		poke_close(r->name, r->poke_fd);
	r->poke_fd = -1;
}

bool
rounds_wait(struct rounds *r, struct fetch *f, int64_t until)
{
	int fds[2] = { r->poke_fd, r->stopping ? -1 : r->stop_fd };
	int64_t now = clock_steady_ms();
	bool ready[2] = { false, false };
	size_t n = 0, at_poke = 2, at_stop = 2;
	int list[2];

	if (r->stopping)
		until = now + 1000;
	else if (r->end > now && r->end < until)
		until = r->end;
	if (fds[0] != -1) {
		at_poke = n;
		list[n++] = fds[0];
	}
	if (fds[1] != -1) {
		at_stop = n;
		list[n++] = fds[1];
	}
	fetch_wait(f, until > now ? (int)(until - now) : 0, list, n, ready);
	if (at_stop < n && ready[at_stop])
		r->stopping = true;
	if (at_poke >= n || !ready[at_poke])
		return false;
	poke_drain(r->poke_fd);
	rounds_narrow(r);
	return true;
}

/* Without a database a turn that is to end does not insist: its successor tries again. */
bool
rounds_over(const struct rounds *r, const struct fetch *f, bool kept)
{
	if (fetch_live(f) > 0)
		return false;
	return r->stopping || (!kept && clock_steady_ms() >= r->end);
}

void
rounds_widen(struct rounds *r)
{
	int64_t quiet = setting_int(SET_HOOKSWITCH_PUMP_QUIET_MS);

	r->gap = r->gap * 2 < quiet ? r->gap * 2 : quiet;
}

void
rounds_narrow(struct rounds *r)
{
	r->gap = setting_int(SET_HOOKSWITCH_PUMP_BUSY_MS);
	r->rest_at = clock_steady_ms() + setting_int(SET_HOOKSWITCH_DB_IDLE_SECONDS) * 1000;
}

void
rounds_rest(struct rounds *r, struct db *db)
{
	if (r->rest_at == 0 || clock_steady_ms() < r->rest_at)
		return;
	r->rest_at = 0;
	db_renew(db);
	mem_give_back();
}

bool
rounds_rests(const struct rounds *r)
{
	return r->rest_at == 0;
}

void
rounds_timings(const struct rounds *r, struct ctx *c, struct db *db)
{
	if (timing_due(rounds_rests(r) ? TIMINGS_REST_MS : TIMING_EVERY_MS))
		db_timings(c, db);
}

int
rounds_worker(char ret[ROUNDS_WORKER_MAX])
{
	char id[37] = "";

	if (crypto_uuid(id) == -1)
		return -1;
	snprintf(ret, ROUNDS_WORKER_MAX, "%ld-%.8s", (long)getpid(), id);
	return 0;
}

/* ---- the database --------------------------------------------------------- */

int
rounds_run(struct ctx *c, struct db *db, int flags, const struct db_step *steps, size_t n)
{
	char words[256];

	fail_clear(c);
	if (db_run(c, db, flags, steps, n) == 0)
		return 0;
	log_line(LOG_ERROR, "event=db_failed stmt=%s code=%s why=%s", steps[0].stmt->name,
	    c->failure.code,
	    log_quote(c->failure.log ? c->failure.log : c->failure.detail, words, sizeof(words)));
	return -1;
}

const struct json *
rounds_json(struct ctx *c, struct db *db, const struct db_stmt *stmt, const struct span *params,
    size_t n)
{
	struct db_rows rows = { 0 };
	struct db_step step = { stmt, params, n, &rows };
	const struct json *j = NULL;
	struct span text;

	if (rounds_run(c, db, DB_REPEATABLE, &step, 1) == -1)
		return NULL;
	text = db_value(&rows, 0, 0);
	if (text.data && json_read(c->mem, text.data, text.len, JSON_DEPTH_PROVIDER, &j) == JSON_OK)
		return j;
	log_line(LOG_ERROR, "event=db_answer_unreadable stmt=%s", stmt->name);
	return NULL;
}
