/*
 * pump.c - the rounds of a turn: settle what came back, take what is due, wait for the next of
 * both.
 */
#include "work/pump.h"

#include "base/clock.h"
#include "base/crash.h"
#include "base/settings.h"

#include <inttypes.h>
#include <string.h>

enum {
	ROUND_MEM_MAX = 64 * 1024 * 1024,
	TURN_MEM_MAX = 1024 * 1024,
	UPKEEP_MS = 1000,
	UPKEEP_REST_MS = 15000,
	UPKEEP_FULL_MS = 60000
};

/* When what is looked at next, on the steady clock. */
struct plan {
	struct rounds rounds;
	int64_t claim_at, look_at, upkeep_at, full_at;
	int64_t kept_at; /* the last upkeep */
	bool due;        /* as far as the last look saw */
};

static int64_t
earliest(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int
pump_open(struct pump *p, struct db *db)
{
	*p = (struct pump){ .db = db,
		.results = TEXT(PUMP_JSON_MAX),
		.findings = TEXT(PUMP_JSON_MAX),
		.waiting = TEXT(65536),
		.hangups = TEXT(65536) };
	if (ctx_init(&p->c, ROUND_MEM_MAX) == -1)
		return -1;
	p->turn = mem_new(TURN_MEM_MAX);
	p->fetch = fetch_new(PUMP_LIVE_MAX + PUMP_LOOKS_MAX);
	if (!p->turn || !p->fetch || rounds_worker(p->worker) == -1) {
		pump_close(p);
		return -1;
	}
	return 0;
}

void
pump_close(struct pump *p)
{
	fetch_free(p->fetch);
	mem_free(p->turn);
	text_clear(&p->results);
	text_clear(&p->findings);
	text_clear(&p->waiting);
	text_clear(&p->hangups);
	ctx_free(&p->c);
}

int
pump_run(struct pump *p, int flags, const struct db_step *steps, size_t n)
{
	if (rounds_run(&p->c, p->db, flags, steps, n) == 0)
		return 0;
	p->counts.failures++;
	return -1;
}

const struct json *
pump_json(struct pump *p, const struct db_stmt *stmt, const struct span *params, size_t n)
{
	const struct json *j = rounds_json(&p->c, p->db, stmt, params, n);

	if (!j)
		p->counts.failures++;
	return j;
}

/* ---- a round ------------------------------------------------------------ */

/* Reads all that was answered and records it.  True when something came back. */
static bool
round_settle(struct pump *p)
{
	struct fetch_answer a;
	bool any = false;

	while (fetch_next(p->fetch, &a)) {
		struct job *j = a.tag;
		any = true;
		job_time(j, &a);
		if (j->kind == JOB_DIAL)
			dial_answered(p, j, &a);
		else if (j->kind == JOB_LOOK)
			look_answered(p, j, &a);
		else
			hangup_answered(p, j, &a);
	}
	dial_record(p);
	look_record(p);
	hangup_record(p);
	return any;
}

/* Takes calls as long as there are some.  A vain try makes the next one wait longer, up to the
 * quiet interval: somebody pokes when there is news. */
static int
round_claim(struct pump *p, struct plan *r, int64_t now)
{
	int n;

	if (r->rounds.stopping || now < r->claim_at)
		return 0;
	n = dial_claim(p);
	dial_record(p);
	if (n > 0) {
		rounds_narrow(&r->rounds);
		r->claim_at = now;
		return n;
	}
	rounds_widen(&r->rounds);
	r->claim_at = now + (n == -1 ? ROUNDS_FAILED_MS : r->rounds.gap);
	return n;
}

static int
round_look(struct pump *p, struct plan *r, int64_t now)
{
	int n, h;

	if (r->rounds.stopping || now < r->look_at)
		return 0;
	n = look_claim(p);
	h = hangup_claim(p);
	look_record(p);
	r->look_at = now + (n > 0 || h > 0 ? 0 : setting_int(SET_HOOKSWITCH_PUMP_QUIET_MS));
	return n == -1 || h == -1 ? -1 : n + h;
}

/* 1 when there is more to do at once.  A pump at rest does it seldom, and then forgets the
 * connection that has grown with it: round_rest sees what cannot wait. */
static int
round_upkeep(struct pump *p, struct plan *r, int64_t now)
{
	bool full = now >= r->full_at, rests = rounds_rests(&r->rounds) && !r->due;
	int more;

	if (r->rounds.stopping || now < r->upkeep_at)
		return 0;
	r->kept_at = now;
	r->upkeep_at = now + (rests ? UPKEEP_REST_MS : UPKEEP_MS);
	if (full)
		r->full_at = now + UPKEEP_FULL_MS;
	more = upkeep_run(p, full);
	if (more == 1)
		r->upkeep_at = now;
	else if (rests)
		db_renew(p->db);
	return more;
}

/* One cheap question saves all others while nothing is due.  Somebody who pokes is believed. */
static void
round_rest(struct pump *p, struct plan *r, int64_t now)
{
	if (r->rounds.stopping || r->claim_at == 0 || now < earliest(r->claim_at, r->look_at))
		return;
	r->due = upkeep_due(p) != 0;
	if (r->due) {
		r->upkeep_at = earliest(r->upkeep_at, r->kept_at + UPKEEP_MS);
		return;
	}
	rounds_widen(&r->rounds);
	r->claim_at = r->look_at = now + r->rounds.gap;
}

/* ---- a turn --------------------------------------------------------------- */

static void
turn_wait(struct pump *p, struct plan *r)
{
	rounds_rest(&r->rounds, p->db);
	if (rounds_wait(&r->rounds, p->fetch,
		earliest(earliest(r->claim_at, r->look_at), r->upkeep_at)))
		r->claim_at = r->look_at = 0;
}

/* One round; false when the turn is over. */
static bool
turn_round(struct pump *p, struct plan *r)
{
	int64_t now = clock_steady_ms();
	bool settled = round_settle(p);
	int kept, claimed, looked;

	if (settled)
		r->claim_at = earliest(r->claim_at, now);
	rounds_timings(&r->rounds, &p->c, p->db);
	kept = round_upkeep(p, r, now);
	if (kept == -1)
		r->upkeep_at = now + ROUNDS_FAILED_MS;
	round_rest(p, r, now);
	looked = round_look(p, r, now);
	claimed = round_claim(p, r, now);
	ctx_reset(&p->c);
	if (claimed > 0 || looked > 0 || kept > 0)
		return true;
	if (rounds_over(&r->rounds, p->fetch, p->done != NULL))
		return false;
	turn_wait(p, r);
	return true;
}

static const char *
turn_summary(struct pump *p, const char *note, int64_t began)
{
	const struct pump_counts *n = &p->counts;

	return mem_printf(p->turn,
	    "{\"claimed\":%" PRId64 ",\"accepted\":%" PRId64 ",\"refused\":%" PRId64
	    ",\"unknown\":%" PRId64 ",\"looked\":%" PRId64 ",\"hung_up\":%" PRId64
	    ",\"expired\":%" PRId64 ",\"swept\":%" PRId64 ",\"sealed\":%" PRId64
	    ",\"failures\":%" PRId64
	    ",\"waiting\":%s,\"message\":\"%s\",\"seconds\":%.3f,\"results\":[%s]}",
	    n->claimed, n->accepted, n->refused, n->unknown, n->looked, n->hung_up, n->expired,
	    n->swept, n->sealed, n->failures, p->waiting.len > 0 ? p->waiting.data : "{}", note,
	    (double)(clock_steady_ms() - began) / 1000, text_str(&p->results));
}

/* Why a turn did nothing, in words. */
static const char *
turn_note(const struct pump *p)
{
	if (p->counts.claimed > 0)
		return "Calls were dialled.";
	if (p->counts.failures > 0)
		return "The database did not answer as it should; see the log.";
	if (p->waiting.len > 0 && strstr(p->waiting.data, "capacity"))
		return "Maximum concurrent calls reached.";
	if (p->waiting.len > 0 && strcmp(p->waiting.data, "{}") != 0)
		return "Calls are waiting; see waiting.";
	return "No calls to process.";
}

const char *
pump_turn(struct pump *p, int64_t wait_ms, int stop_fd)
{
	int64_t began = clock_steady_ms();
	struct plan r = { 0 };
	const char *note = NULL;

	mem_reset(p->turn);
	p->counts = (struct pump_counts){ .turns = 1 };
	p->counted = (struct pump_counts){ 0 };
	p->nresults = 0;
	text_empty(&p->waiting);
	text_empty(&p->results);
	if (!rounds_begin(&r.rounds, "pump", wait_ms, stop_fd))
		note = "Another turn waits on this host; this one did what was due.";
	while (turn_round(p, &r))
		;
	crash_point(turn_end);
	upkeep_count(p);
	db_timings(&p->c, p->db);
	rounds_end(&r.rounds);
	ctx_reset(&p->c);
	return turn_summary(p, note ? note : turn_note(p), began);
}
