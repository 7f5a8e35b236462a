/*
 * run.c - the rounds of the engine's turn: settle what came back, plan, intend and send, record,
 * take what is due, wait for the next of these.
 */
#include "work/run.h"

#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/poke.h"
#include "base/settings.h"

#include <errno.h>
#include <inttypes.h>

enum {
	ROUND_MEM_MAX = 128 * 1024 * 1024,
	TURN_MEM_MAX = 64 * 1024,
	ENGINE_MEM_MAX = 4 * 1024 * 1024,
	UPKEEP_MS = 10000,
	SCHEDULES_MS = 1000,
	TURN_MS = 60000 /* a turn that does not stay takes nothing new after this time */
};

static const char poke_name[] = "work";

/* When what is done next, on the steady clock. */
struct plan {
	struct rounds rounds;
	int64_t claim_at, renew_at, upkeep_at, schedules_at;
	int64_t until; /* nothing new is begun after it */
};

static int64_t
earliest(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* ---- the engine ------------------------------------------------------------ */

static int
tables_make(struct work *w)
{
	CLEANUP(text_clear) struct text names = TEXT(65536);
	const char *wrong;
	size_t i;

	w->tables = mem_alloc(w->mem, (w->nworkflows + 1) * sizeof(*w->tables));
	text_putc(&names, '{');
	for (i = 0; w->tables && i < w->nworkflows; i++) {
		wrong = table_wrong(w->workflows[i]);
		if (wrong) {
			log_line(LOG_ERROR, "event=workflow_wrong name=%s why=\"%s\"",
			    w->workflows[i]->name ? w->workflows[i]->name : "", wrong);
			errno = EINVAL;
			return -1;
		}
		w->tables[i] = table_json(w->mem, w->workflows[i]);
		if (w->workflows[i]->ready && !w->workflows[i]->ready()) {
			w->unready = w->workflows[i]->name;
			continue;
		}
		text_puts(&names, names.len > 1 ? "," : "");
		text_json(&names, w->workflows[i]->name);
	}
	text_putc(&names, '}');
	w->names = text_ok(&names) ? mem_str(w->mem, names.data) : NULL;
	return w->tables && w->names ? 0 : -1;
}

int
work_open(struct work *w, struct db *db, const struct workflow *const *workflows)
{
	*w = (struct work){ .db = db, .workflows = workflows };
	w->items_end = &w->items;
	while (workflows[w->nworkflows])
		w->nworkflows++;
	if (ctx_init(&w->c, ROUND_MEM_MAX) == -1)
		return -1;
	w->mem = mem_new(ENGINE_MEM_MAX);
	w->turn = mem_new(TURN_MEM_MAX);
	w->fetch = fetch_new(WORK_LIVE_MAX);
	if (!w->mem || !w->turn || !w->fetch || rounds_worker(w->worker) == -1 ||
	    tables_make(w) == -1) {
		int why = errno;
		work_close(w);
		errno = why;
		return -1;
	}
	return 0;
}

void
work_close(struct work *w)
{
	struct run *r, *next;

	fetch_free(w->fetch);
	for (r = w->runs; r; r = next) {
		next = r->next;
		mem_free(r->mem);
	}
	mem_free(w->turn);
	mem_free(w->mem);
	ctx_free(&w->c);
}

void
work_poke(void)
{
	poke_send(poke_name);
}

const struct json *
work_json(struct work *w, const struct db_stmt *stmt, const struct span *params, size_t n,
    void (*after_send)(void))
{
	const struct json *j;

	db_after_send(after_send);
	j = rounds_json(&w->c, w->db, stmt, params, n);
	db_after_send(NULL);
	if (!j)
		w->counts.failures++;
	return j;
}

struct span
work_lease(struct work *w)
{
	return span_of(
	    mem_printf(w->c.mem, "%" PRId64, setting_int(SET_HOOKSWITCH_WORK_LEASE_SECONDS)));
}

/* ---- a round --------------------------------------------------------------- */

/* Answers become results, runs become tasks and results, results become rows.  True when there was
 * something to do. */
static bool
round_work(struct work *w)
{
	struct fetch_answer a;
	struct run *r;
	bool any = false;

	while (fetch_next(w->fetch, &a)) {
		task_answered(w, &a);
		any = true;
	}
	for (r = w->runs; r; r = r->next) {
		any = any || r->todo;
		if (r->todo)
			plan_run(w, r);
	}
	tasks_send(w);
	items_record(w);
	run_sweep(w);
	return any;
}

static void
round_renew(struct work *w, struct plan *p, int64_t now)
{
	if (now < p->renew_at)
		return;
	run_renew(w);
	p->renew_at = now + setting_int(SET_HOOKSWITCH_WORK_LEASE_SECONDS) * 1000 / 3;
}

/* What gathers between the turns: more at once where there is more of it. */
static int
round_gathered(struct work *w, struct plan *p, int64_t now)
{
	int read = work_read(w), folded = read == -1 ? -1 : work_fold(w);

	if (folded == -1)
		return -1;
	if (read == WORK_READ_MAX || folded >= WORK_FOLD_MAX)
		p->schedules_at = now;
	return read + folded;
}

/* 1 when there is more to do at once, -1 when the database failed. */
static int
round_upkeep(struct work *w, struct plan *p, int64_t now)
{
	int n = 0, gathered;

	if (w->stopping)
		return 0;
	if (now >= p->upkeep_at) {
		p->upkeep_at = now + UPKEEP_MS;
		n = work_known(w);
		if (n == 0)
			n = work_prune(w);
		if (n != -1 && work_outcomes(w) == -1)
			n = -1;
		work_count(w);
		/* Runs may end faster than so many in so long a time. */
		if (n >= WORK_PRUNE_MAX)
			p->upkeep_at = now;
	}
	if (n != -1 && now >= p->schedules_at) {
		p->schedules_at = now + SCHEDULES_MS;
		n = work_schedules(w);
		gathered = n == -1 ? -1 : round_gathered(w, p, now);
		n = gathered == -1 ? -1 : n + gathered;
	}
	if (n == -1)
		p->schedules_at = p->upkeep_at = now + ROUNDS_FAILED_MS;
	return n > 0;
}

/* A vain try makes the next one wait longer, up to the quiet interval: somebody pokes when there is
 * news. */
static int
round_claim(struct work *w, struct plan *p, int64_t now)
{
	int n;

	if (w->stopping || now < p->claim_at)
		return 0;
	/* One cheap question while nothing is due.  Somebody who pokes is believed. */
	n = p->claim_at == 0 ? 1 : work_due(w);
	if (n > 0)
		n = run_claim(w);
	if (n > 0) {
		rounds_narrow(&p->rounds);
		p->claim_at = now;
		return n;
	}
	rounds_widen(&p->rounds);
	p->claim_at = now + (n == -1 ? ROUNDS_FAILED_MS : p->rounds.gap);
	return n;
}

/* One round; false when the turn is over. */
static bool
turn_round(struct work *w, struct plan *p)
{
	int64_t now = clock_steady_ms();
	bool worked, more;

	w->stopping = p->rounds.stopping || now >= p->until;
	round_renew(w, p, now);
	worked = round_work(w);
	rounds_timings(&p->rounds, &w->c, w->db);
	more = round_upkeep(w, p, now) > 0;
	more = round_claim(w, p, now) > 0 || more;
	ctx_reset(&w->c);
	if (worked || more) {
		/* Whoever has work all the time hears of the end, too. */
		if (!w->stopping && rounds_wait(&p->rounds, w->fetch, 0))
			p->claim_at = p->schedules_at = 0;
		return true;
	}
	/* Results that the database does not take are tried again, not all the time. */
	if (w->items)
		p->claim_at = now + ROUNDS_FAILED_MS;
	if (rounds_over(&p->rounds, w->fetch, w->items != NULL))
		return false;
	rounds_rest(&p->rounds, w->db);
	if (rounds_wait(&p->rounds, w->fetch,
		earliest(earliest(p->claim_at, p->renew_at),
		    earliest(p->upkeep_at, p->schedules_at))))
		p->claim_at = p->schedules_at = 0;
	return true;
}

/* ---- a turn ------------------------------------------------------------------ */

static const char *
turn_note(struct work *w)
{
	if (w->counts.failures > 0)
		return "The database did not answer as it should; see the log.";
	if (w->unready)
		return mem_printf(w->turn, "Runs of %s wait for settings.", w->unready);
	return w->counts.claimed > 0 ? "Runs were worked on." : "No runs were due.";
}

static const char *
turn_summary(struct work *w, const char *note, int64_t began)
{
	const struct work_counts *n = &w->counts;

	return mem_printf(w->turn,
	    "{\"claimed\":%" PRId64 ",\"rescued\":%" PRId64 ",\"sent\":%" PRId64
	    ",\"looked\":%" PRId64 ",\"done\":%" PRId64 ",\"retried\":%" PRId64
	    ",\"unknown\":%" PRId64 ",\"failed\":%" PRId64 ",\"finished\":%" PRId64
	    ",\"dead\":%" PRId64 ",\"scheduled\":%" PRId64 ",\"pruned\":%" PRId64
	    ",\"transcripts_read\":%" PRId64 ",\"usage_counted\":%" PRId64 ",\"failures\":%" PRId64
	    ",\"message\":\"%s\",\"seconds\":%.3f}",
	    n->claimed, n->rescued, n->sent, n->looked, n->done, n->retried, n->unknown, n->failed,
	    n->finished, n->dead, n->scheduled, n->pruned, n->read, n->folded, n->failures, note,
	    (double)(clock_steady_ms() - began) / 1000);
}

const char *
work_turn(struct work *w, int64_t wait_ms, int stop_fd)
{
	int64_t began = clock_steady_ms();
	struct plan p = { .until = began + (wait_ms > 0 ? wait_ms : TURN_MS) };
	const char *note = NULL;

	mem_reset(w->turn);
	w->counts = (struct work_counts){ .turns = 1 };
	w->counted = (struct work_counts){ 0 };
	if (!rounds_begin(&p.rounds, poke_name, wait_ms, stop_fd))
		note = "Another turn waits on this host; this one did what was due.";
	while (turn_round(w, &p))
		;
	crash_point(work_turn_end);
	work_count(w);
	db_timings(&w->c, w->db);
	rounds_end(&p.rounds);
	ctx_reset(&w->c);
	return turn_summary(w, note ? note : turn_note(w), began);
}
