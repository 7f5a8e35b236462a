/*
 * run_upkeep.c - what the engine does beside steps: schedules, old runs, figures.
 */
#include "work/run.h"

#include "base/crash.h"
#include "base/log.h"
#include "base/settings.h"
#include "work/cron.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
	SLOTS_MAX = 500,       /* started at once; more of them in the next round */
	SLOT_GRACE_S = 10 * 60 /* later than that, a slot was missed */
};

static const struct db_stmt known_stmt = { "work_known",
	"select to_json(public.work_known($1::jsonb) is null)" };
static const struct db_stmt schedule_stmt = { "work_schedule",
	"select to_json(public.work_schedule($1::text, $2::text, $3::text, $4::text) is null)" };
static const struct db_stmt due_stmt = { "work_due",
	"select to_json(public.work_due($1::text[]))" };
static const struct db_stmt schedules_stmt = { "work_schedules_due",
	"select public.work_schedules_due($1::text[])" };
static const struct db_stmt fire_stmt = { "work_schedule_fire",
	"select to_json(public.work_schedule_fire($1::text, $2::bigint, $3::bigint[], $4::bigint, "
	"$5::text))" };
static const struct db_stmt prune_stmt = { "work_prune",
	"select to_json(public.work_prune($1::int))" };
static const struct db_stmt read_stmt = { "transcripts_read",
	"select to_json(public.transcripts_read($1::int))" };
static const struct db_stmt fold_stmt = { "usage_fold",
	"select to_json(public.usage_fold($1::int))" };
static const struct db_stmt count_stmt = { "work_count",
	"select public.webhook_count('work', $1::text, $2::bigint)" };

static const char *const missed_names[] = { "skip", "one", "all" };

/* ---- workflows ------------------------------------------------------------ */

static void
put_workflow(struct text *t, const struct workflow *f)
{
	size_t i;

	text_puts(t, "{\"name\":");
	text_json(t, f->name);
	text_puts(t, ",\"doc\":");
	text_json(t, f->doc);
	text_puts(t, ",\"steps\":[");
	for (i = 0; i < f->nsteps; i++) {
		text_puts(t, i > 0 ? "," : "");
		text_json(t, f->steps[i].name);
	}
	text_printf(t, "],\"ready\":%s}", !f->ready || f->ready() ? "true" : "false");
}

int
work_known(struct work *w)
{
	CLEANUP(text_clear) struct text t = TEXT(WORK_JSON_MAX);
	size_t i;

	text_putc(&t, '[');
	for (i = 0; i < w->nworkflows; i++) {
		text_puts(&t, i > 0 ? "," : "");
		put_workflow(&t, w->workflows[i]);
	}
	text_putc(&t, ']');
	if (!text_ok(&t) ||
	    !work_json(w, &known_stmt, (const struct span[]){ { t.data, t.len } }, 1, NULL))
		return -1;
	for (i = 0; i < w->nworkflows; i++) {
		const struct workflow *f = w->workflows[i];
		if (f->cron &&
		    !work_json(w, &schedule_stmt,
			(const struct span[]){ span_of(f->name), span_of(f->name), span_of(f->cron),
			    span_of(missed_names[f->missed]) },
			4, NULL))
			return -1;
	}
	return 0;
}

int
work_due(struct work *w)
{
	const struct json *j =
	    work_json(w, &due_stmt, (const struct span[]){ span_of(w->names) }, 1, NULL);
	const char *text = j ? json_print(w->c.mem, j) : NULL;

	return text ? strcmp(text, "true") == 0 : -1;
}

/* ---- schedules --------------------------------------------------------------- */

/* What one schedule is to start now. */
struct slots {
	struct text list; /* an SQL array */
	int n;
	int64_t next; /* -1: none any more */
};

static void
slot_put(struct slots *s, int64_t slot)
{
	text_printf(&s->list, "%s%" PRId64, s->n > 0 ? "," : "", slot);
	s->n++;
}

/* Slots from `first` to now, by the policy for those that were missed.  The newest one is not
 * missed as long as it is young. */
static void
slots_find(const struct cron *c, const struct json *row, struct slots *ret)
{
	const char *missed = json_str(row, "missed");
	int64_t now = json_int(row, "now", 0), slot = json_int(row, "next", -1), last = -1;
	bool all = missed && strcmp(missed, "all") == 0;

	if (slot == -1) {
		ret->next = cron_next(c, now);
		return;
	}
	for (; slot != -1 && slot <= now && ret->n < SLOTS_MAX; slot = cron_next(c, slot)) {
		last = slot;
		if (all)
			slot_put(ret, slot);
	}
	ret->next = slot;
	if (all || last == -1)
		return;
	if ((missed && strcmp(missed, "one") == 0) || now - last <= SLOT_GRACE_S)
		slot_put(ret, last);
}

static int
schedule_fire(struct work *w, const struct json *row)
{
	CLEANUP(text_clear) struct text from = TEXT(32);
	CLEANUP(text_clear) struct text next = TEXT(32);
	struct slots s = { .list = TEXT(65536), .next = -1 };
	struct cron c;
	const struct json *started;
	int64_t n = 0;
	bool good = cron_read(json_str(row, "cron"), &c) == 0;

	text_putc(&s.list, '{');
	if (good)
		slots_find(&c, row, &s);
	text_putc(&s.list, '}');
	if (json_int(row, "next", -1) != -1)
		text_printf(&from, "%" PRId64, json_int(row, "next", -1));
	if (s.next != -1)
		text_printf(&next, "%" PRId64, s.next);
	crash_point(work_schedule_before);
	started = work_json(w, &fire_stmt,
	    (const struct span[]){ span_of(json_str(row, "id")), { from.data, from.len },
		{ s.list.data, s.list.len }, { next.data, next.len },
		span_of(good ? NULL : "cron_invalid") },
	    5, NULL);
	crash_point(work_schedule_after);
	text_clear(&s.list);
	if (!good)
		log_line(LOG_ERROR, "event=cron_invalid schedule=%s", json_str(row, "id"));
	if (!started)
		return -1;
	return json_int_of(started, &n) == 0 ? (int)n : 0;
}

int
work_schedules(struct work *w)
{
	const struct json *rows =
	    work_json(w, &schedules_stmt, (const struct span[]){ span_of(w->names) }, 1, NULL);
	size_t i;
	int n = 0, all = 0;

	if (!rows)
		return -1;
	for (i = 0; i < json_len(rows) && n != -1; i++) {
		n = schedule_fire(w, json_at(rows, i));
		all += n > 0 ? n : 0;
	}
	w->counts.scheduled += all;
	return n == -1 ? -1 : all;
}

/* ---- order --------------------------------------------------------------------- */

int
work_prune(struct work *w)
{
	const char *days =
	    mem_printf(w->c.mem, "%" PRId64, setting_int(SET_HOOKSWITCH_WORK_KEEP_DAYS));
	const struct json *pruned = days ?
	    work_json(w, &prune_stmt, (const struct span[]){ span_of(days) }, 1, NULL) :
	    NULL;
	int64_t n = 0;

	if (!pruned || json_int_of(pruned, &n) == -1)
		return -1;
	w->counts.pruned += n;
	return (int)n;
}

/* A batch of what gathers between the turns; how many, -1 when the database failed. */
static int
upkeep_some(struct work *w, const struct db_stmt *stmt, int most, int64_t *count)
{
	const char *number = mem_printf(w->c.mem, "%d", most);
	const struct json *done =
	    number ? work_json(w, stmt, (const struct span[]){ span_of(number) }, 1, NULL) : NULL;
	int64_t n = 0;

	if (!done || json_int_of(done, &n) == -1)
		return -1;
	*count += n;
	return (int)n;
}

int
work_read(struct work *w)
{
	return upkeep_some(w, &read_stmt, WORK_READ_MAX, &w->counts.read);
}

int
work_fold(struct work *w)
{
	return upkeep_some(w, &fold_stmt, WORK_FOLD_MAX, &w->counts.folded);
}

static void
count_write(struct work *w, const char *what, int64_t n, int64_t *counted)
{
	const char *number = mem_printf(w->c.mem, "%" PRId64, n - *counted);
	struct span params[2] = { span_of(what), span_of(number) };
	struct db_step step = { &count_stmt, params, 2, NULL };

	/* What could not be written is written with the next. */
	if (n > *counted && number && rounds_run(&w->c, w->db, 0, &step, 1) == 0)
		*counted = n;
}

void
work_count(struct work *w)
{
	const struct work_counts *n = &w->counts;
	struct work_counts *c = &w->counted;

	count_write(w, "turns", n->turns, &c->turns);
	count_write(w, "claimed", n->claimed, &c->claimed);
	count_write(w, "rescued", n->rescued, &c->rescued);
	count_write(w, "steps_sent", n->sent, &c->sent);
	count_write(w, "steps_looked_up", n->looked, &c->looked);
	count_write(w, "steps_done", n->done, &c->done);
	count_write(w, "steps_retried", n->retried, &c->retried);
	count_write(w, "steps_unknown", n->unknown, &c->unknown);
	count_write(w, "steps_failed", n->failed, &c->failed);
	count_write(w, "finished", n->finished, &c->finished);
	count_write(w, "dead", n->dead, &c->dead);
	count_write(w, "scheduled", n->scheduled, &c->scheduled);
	count_write(w, "pruned", n->pruned, &c->pruned);
	count_write(w, "transcripts_read", n->read, &c->read);
	count_write(w, "usage_counted", n->folded, &c->folded);
}
