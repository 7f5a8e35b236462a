/*
 * run_plan.c - what is to be done for a run now, from its row and its workflow's table.
 *
 * What was perhaps done is not simply done again: it is repeated under its key while the provider
 * still knows that, else it is looked up, else it is given up.
 */
#include "work/run.h"

#include "base/log.h"

#include <string.h>

/* A request that this process, or its predecessor, may still have under way is not looked for. */
enum { STILL_GOING_MS = 1000 };

static bool
is_state(const struct json *row, const char *state)
{
	const char *s = json_str(row, "state");

	return s && strcmp(s, state) == 0;
}

static void
say(struct work *w, struct run *r, const struct verdict *v)
{
	item_add(w, r, v);
}

/* Perhaps it is done. */
static void
plan_unsure(struct work *w, struct run *r, const struct step *s, const struct json *row, bool undo)
{
	const char *name = json_str(row, "step");
	bool known = s->takes_key && !json_bool(row, "look_first", false) &&
	    json_int(row, "key_s", 0) < (int64_t)WORK_KEY_HOURS * 3600;
	int64_t early = table_retry(s).timeout_ms + STILL_GOING_MS - json_int(row, "sent_ms", 0);

	if (known)
		task_add(w, r, s, name, undo);
	else if (s->look_ask && early > 0 && is_state(row, "sent"))
		say(w, r,
		    &(struct verdict){ .step = name,
			.undo = undo,
			.verdict = "unknown",
			.reason = "lease_ran_out",
			.retry_ms = early });
	else if (s->look_ask)
		task_look(w, r, s, name, undo);
	else if (json_int(row, "tries", 1) == 0)
		task_add(w, r, s, name, undo); /* somebody has redriven it and knows better */
	else
		say(w, r,
		    &(struct verdict){ .step = name,
			.undo = undo,
			.verdict = "failed",
			.reason = "outcome_unknown" });
}

static void
plan_step(struct work *w, struct run *r, const struct step *s, const char *name, bool undo)
{
	const struct json *row = task_row(r, name, undo);

	if (is_state(row, "done") || is_state(row, "failed") || json_int(row, "due_ms", 0) > 0)
		return;
	if (is_state(row, "answered"))
		say(w, r, &(struct verdict){ .step = name, .undo = undo, .verdict = "apply" });
	else if (!s->ask)
		say(w, r,
		    &(struct verdict){ .step = name,
			.undo = undo,
			.verdict = "done",
			.sql = true });
	else if (is_state(row, "sent") || is_state(row, "unknown"))
		plan_unsure(w, r, s, row, undo);
	else
		task_add(w, r, s, name, undo);
}

/* ---- undoing --------------------------------------------------------------- */

/* What may have been done, and still has to be undone. */
static bool
is_to_undo(const struct run *r, const struct step *s)
{
	const struct json *row = task_row(r, s->name, false);

	if (!s->undo || is_state(task_row(r, s->name, true), "done"))
		return false;
	return is_state(row, "done") || is_state(row, "answered") ||
	    json_bool(row, "unsure", false);
}

/* First it is found out what was done; then that is undone, the last thing first. */
static void
plan_undo(struct work *w, struct run *r)
{
	const struct workflow *f = r->workflow;
	size_t i;
	bool open = false;

	for (i = 0; i < f->nsteps; i++) {
		const struct json *row = task_row(r, f->steps[i].name, false);
		if (!is_state(row, "sent") && !is_state(row, "unknown"))
			continue;
		open = true;
		plan_step(w, r, &f->steps[i], f->steps[i].name, false);
	}
	if (open)
		return;
	for (i = f->nsteps; i > 0; i--) {
		if (!is_to_undo(r, &f->steps[i - 1]))
			continue;
		plan_step(w, r, f->steps[i - 1].undo, f->steps[i - 1].name, true);
		return;
	}
	say(w, r, &(struct verdict){ .verdict = "undone" });
}

/* ---- forward ------------------------------------------------------------------ */

static void
plan_forward(struct work *w, struct run *r)
{
	const char *step = json_str(r->row, "step");
	size_t first, last;

	if (!step)
		step = r->workflow->steps[0].name;
	if (!step[0])
		return; /* behind the last one */
	if (!table_group(r->workflow, step, &first, &last)) {
		log_line(LOG_ERROR, "event=step_unknown workflow=%s", r->workflow->name);
		say(w, r, &(struct verdict){ .verdict = "strange" });
		return;
	}
	for (; first <= last; first++)
		plan_step(w, r, &r->workflow->steps[first], r->workflow->steps[first].name, false);
}

void
plan_run(struct work *w, struct run *r)
{
	r->todo = false;
	if (json_str(r->row, "undo_to"))
		plan_undo(w, r);
	else if (!json_bool(r->row, "cancel", false))
		plan_forward(w, r);
	/* Nothing to be done now: the database says when, or what comes instead. */
	if (r->live == 0 && r->items == 0)
		say(w, r, &(struct verdict){ 0 });
}
