/*
 * run_task.c - steps that act outside: the intent, the request, its answer; and looking up what may
 * have been done.
 *
 * The order is the promise: the intent is committed before the first byte, and an outcome that is
 * not certain is unknown.
 */
#include "work/run.h"

#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/settings.h"

#include <inttypes.h>
#include <string.h>

static const struct db_stmt intent_stmt = { "work_intent",
	"select public.work_intent($1::jsonb, $2::double precision)" };

const struct json *
task_row(const struct run *r, const char *name, bool undo)
{
	const struct json *rows = json_get(r->row, "steps");
	size_t i;

	for (i = 0; i < json_len(rows); i++) {
		const struct json *row = json_at(rows, i);
		const char *step = json_str(row, "step");
		if (step && strcmp(step, name) == 0 && json_bool(row, "undo", false) == undo)
			return row;
	}
	return NULL;
}

/* ---- tasks ------------------------------------------------------------- */

static struct task *
task_new(struct run *r, const struct step *s, const char *name, bool undo)
{
	struct task *t = mem_alloc(r->mem, sizeof(*t));
	const struct json *row = task_row(r, name, undo);
	const char *organization = json_str(r->row, "organization_id");

	if (!t)
		return NULL;
	*t = (struct task){ .run = r, .step = s, .name = name, .undo = undo };
	t->in = (struct step_in){ .run_id = r->id,
		.workflow = r->workflow->name,
		.step = s->name,
		.organization_id = organization ? organization : "",
		.key = json_str(row, "key"),
		.attempt = (int)json_int(row, "attempts", 0),
		.sent_s = -1,
		.input = json_get(r->row, "input"),
		.results = json_get(r->row, "results") };
	r->live++;
	return t;
}

/* Said of a task that was not sent, or not answered. */
static void
task_say(struct work *w, struct task *t, const char *verdict, const char *reason)
{
	item_add(w, t->run,
	    &(struct verdict){ .step = t->name,
		.undo = t->undo,
		.verdict = verdict,
		.reason = reason,
		.looked = t->look });
}

void
task_add(struct work *w, struct run *r, const struct step *s, const char *name, bool undo)
{
	struct task *t = task_new(r, s, name, undo);

	if (!t) {
		r->over = true; /* its lease runs out, and somebody with memory takes it */
		return;
	}
	t->next = w->intents;
	w->intents = t;
}

/* Hands the request to curl; -1 when nothing was sent. */
static int
task_start(struct work *w, struct task *t, struct fetch_request *q)
{
	int longest = (int)setting_int(SET_HOOKSWITCH_STEP_TIMEOUT_MS);

	q->timeout_ms = table_retry(t->step).timeout_ms;
	if (q->timeout_ms > longest)
		q->timeout_ms = longest;
	q->tag = t;
	t->peer = q->peer;
	return fetch_add(w->fetch, q);
}

void
task_look(struct work *w, struct run *r, const struct step *s, const char *name, bool undo)
{
	struct task *t = task_new(r, s, name, undo);
	struct fetch_request q = { 0 };

	if (!t) {
		r->over = true;
		return;
	}
	t->look = true;
	t->in.sent_s = json_int(task_row(r, name, undo), "sent_ms", 0) / 1000;
	if (s->look_ask(r->mem, &t->in, &q) == -1 || task_start(w, t, &q) == -1) {
		r->live--;
		task_say(w, t, "unknown", "look_not_built");
		return;
	}
	w->counts.looked++;
	fetch_step(w->fetch);
	crash_point(work_look_asked);
}

/* ---- the intent ---------------------------------------------------------- */

static void
after_intent_sent(void)
{
	crash_point(work_intent_sent);
}

static const struct json *
intents_write(struct work *w, const struct task *first)
{
	CLEANUP(text_clear) struct text t = TEXT(WORK_JSON_MAX);
	const struct task *k;

	text_putc(&t, '[');
	for (k = first; k; k = k->next) {
		text_puts(&t, t.len > 1 ? ",{\"run\":" : "{\"run\":");
		text_json(&t, k->run->id);
		text_printf(&t, ",\"fence\":%" PRId64 ",\"undo\":%s,\"step\":", k->run->fence,
		    k->undo ? "true" : "false");
		text_json(&t, k->name);
		text_puts(&t, ",\"prepare\":");
		text_json(&t, k->step->prepare);
		/* Nobody could say what was done before: it is sent again only by order. */
		text_puts(&t, k->step->takes_key || k->step->look_ask ? "}" : ",\"blind\":true}");
	}
	text_putc(&t, ']');
	if (!text_ok(&t))
		return NULL;
	return work_json(w, &intent_stmt, (const struct span[]){ { t.data, t.len }, work_lease(w) },
	    2, after_intent_sent);
}

static const struct json *
intent_answer(const struct json *answers, const struct task *t)
{
	size_t i;

	for (i = 0; i < json_len(answers); i++) {
		const struct json *a = json_at(answers, i);
		const char *run = json_str(a, "run"), *step = json_str(a, "step");
		if (run && step && strcmp(run, t->run->id) == 0 && strcmp(step, t->name) == 0 &&
		    json_bool(a, "undo", false) == t->undo)
			return a;
	}
	return NULL;
}

/* A copy that lives as long as the task: the answer is forgotten with the round. */
static const struct json *
json_keep(struct mem *m, const struct json *j)
{
	const struct json *ret = NULL;
	const char *text;

	if (json_type(j) == JSON_NULL)
		return NULL;
	text = json_print(m, j);
	if (!text || json_read(m, text, strlen(text), JSON_DEPTH_PROVIDER, &ret) != JSON_OK)
		return NULL;
	return ret;
}

/* Prepared in SQL, and there was nothing to be sent; or preparing failed. */
static void
task_settled(struct work *w, struct task *t, const struct json *answer)
{
	const struct json *directive = json_get(answer, "directive");

	item_add(w, t->run,
	    &(struct verdict){ .step = t->name,
		.undo = t->undo,
		.verdict = json_str(answer, "verdict"),
		.directive = directive ? json_print(t->run->mem, directive) : NULL,
		.reason = json_str(answer, "reason"),
		.sql = true });
}

static void
task_send(struct work *w, struct task *t, const struct json *answer, bool late)
{
	struct fetch_request q = { 0 };

	if (!answer || json_str(answer, "verdict")) {
		t->run->live--;
		if (answer)
			task_settled(w, t, answer);
		else
			item_add(w, t->run, &(struct verdict){ 0 }); /* not ours any more, or
									to be canceled */
		return;
	}
	t->in.key = mem_str(t->run->mem, json_str(answer, "key"));
	t->in.attempt = (int)json_int(answer, "attempt", 1);
	t->in.prepared = json_keep(t->run->mem, json_get(answer, "prepared"));
	if (late || !t->in.key) {
		t->run->live--;
		task_say(w, t, "retry", "held_up");
	} else if (t->step->ask(t->run->mem, &t->in, &q) == -1) {
		t->run->live--;
		task_say(w, t, "failed", "not_built");
	} else if (task_start(w, t, &q) == -1) {
		t->run->live--;
		task_say(w, t, "retry", "not_started");
	} else {
		w->counts.sent++;
	}
}

/* A process that was held up for longer than a lease may take sends nothing: somebody else has the
 * run by then. */
void
tasks_send(struct work *w)
{
	int64_t began = clock_steady_ms();
	struct task *t = w->intents, *next;
	const struct json *answers;
	bool late;

	if (!t)
		return;
	crash_point(work_intent_before);
	answers = intents_write(w, t);
	w->intents = NULL;
	if (answers)
		crash_point(work_intended);
	late = clock_steady_ms() - began > setting_int(SET_HOOKSWITCH_WORK_LEASE_SECONDS) * 1000;
	for (; t; t = next) {
		next = t->next;
		if (answers) {
			task_send(w, t, intent_answer(answers, t), late);
		} else {
			/* Perhaps the intent is there: the lease runs out, and its successor asks.
			 */
			t->run->live--;
			t->run->over = true;
		}
	}
	fetch_step(w->fetch);
	crash_point(work_asked);
}

/* ---- the answer ------------------------------------------------------------- */

/* What an answer means where a step does not say. */
static void
read_default(const struct fetch_answer *a, struct step_out *ret)
{
	ret->retry_after = a->retry_after;
	if (a->outcome == FETCH_NOT_SENT)
		ret->verdict = STEP_RETRY;
	else if (a->outcome != FETCH_ANSWERED || a->status >= 500 || a->status < 200)
		ret->verdict = STEP_UNKNOWN;
	else if (a->status < 300)
		ret->verdict = STEP_DONE;
	else
		ret->verdict = a->status == 429 ? STEP_RETRY : STEP_FAILED;
}

static const char *
reason_of(struct task *t, const struct step_out *o, const struct fetch_answer *a)
{
	if (o->reason || o->verdict == STEP_DONE)
		return o->reason;
	if (a->outcome == FETCH_ANSWERED)
		return mem_printf(t->run->mem, "http_%d", a->status);
	return a->outcome == FETCH_NOT_SENT ? "not_sent" :
	    a->outcome == FETCH_LOST        ? "no_answer" :
					      "answer_too_large";
}

/* A result that is no JSON object is a fault of the step; what it did is done. */
static const char *
result_of(struct task *t, const struct step_out *o)
{
	const struct json *j = NULL;

	if (!o->result)
		return NULL;
	if (json_read(t->run->mem, o->result, strlen(o->result), JSON_DEPTH_API, &j) == JSON_OK &&
	    json_type(j) == JSON_OBJECT)
		return o->result;
	log_line(LOG_ERROR, "event=step_result_unreadable workflow=%s step=%s",
	    t->run->workflow->name, t->name);
	return NULL;
}

static const char *
verdict_name(const struct task *t, enum step_verdict v)
{
	static const char *const names[] = { "done", "retry", "unknown", "failed", "absent" };

	/* A look that may not say "absent" for certain says "unknown"; one that finds it refused
	 * has found that it is not there. */
	if (t->look)
		return v == STEP_RETRY ? "unknown" : names[v];
	if (v == STEP_ABSENT)
		return "retry";
	/* Nobody can ever say. */
	if (v == STEP_UNKNOWN && !t->step->takes_key && !t->step->look_ask)
		return "failed";
	return names[v];
}

static void
task_verdict(struct work *w, struct task *t, const struct step_out *o, const struct fetch_answer *a)
{
	const char *verdict = verdict_name(t, o->verdict);
	bool lost = o->verdict == STEP_UNKNOWN && strcmp(verdict, "failed") == 0;
	const char *reason = reason_of(t, o, a);

	task_time(t, verdict, o->verdict == STEP_ABSENT ? "absent" : reason, a->ms);
	item_add(w, t->run,
	    &(struct verdict){ .step = t->name,
		.undo = t->undo,
		.verdict = verdict,
		.result = result_of(t, o),
		.reason = lost ? "outcome_unknown" : reason,
		.retry_ms = o->retry_after > 0 ? o->retry_after * 1000 : 0,
		.looked = t->look,
		/* It has stored this failure under the key, perhaps. */
		.stored = !t->look && o->verdict == STEP_UNKNOWN && t->step->takes_key &&
		    t->step->look_ask && a->outcome == FETCH_ANSWERED && a->status >= 500,
		.suffix = t->look && t->step->takes_key });
}

void
task_answered(struct work *w, const struct fetch_answer *a)
{
	struct task *t = a->tag;
	struct step_out o = { .retry_after = -1 };
	void (*read)(struct mem *, const struct step_in *, const struct fetch_answer *,
	    struct step_out *) = t->look ? t->step->look_read : t->step->read;

	t->run->live--;
	if (read)
		read(t->run->mem, &t->in, a, &o);
	else
		read_default(a, &o);
	if (t->look)
		crash_point(work_looked);
	else
		crash_point(work_answered);
	log_line(o.verdict == STEP_DONE ? LOG_DEBUG : LOG_INFO,
	    "event=step workflow=%s step=%s%s verdict=%s status=%d ms=%" PRId64,
	    t->run->workflow->name, t->step->name, t->look ? " look=1" : "",
	    verdict_name(t, o.verdict), a->status, a->ms);
	task_verdict(w, t, &o, a);
}
