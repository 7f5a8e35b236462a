/*
 * trial.c - the engine with a workflow of the tests' own, "trial", against a stand-in provider; for
 * tests only.
 *
 * trial --once [--wait SECONDS]: as workflow-pump.  Where the provider is stands in a run's input:
 * {"url":...}.  It takes keys at /keyed/<step>, and none at /plain/<step>; there one may look.  Its
 * SQL functions are made by tests/trial.py.
 */
#include "base/settings.h"
#include "web/server.h"
#include "work/run.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static const char *const keep_id[] = { "id", NULL };

/* ---- requests ------------------------------------------------------------- */

static const char *
url_of(struct mem *m, const struct step_in *in, const char *kind)
{
	const char *base = json_str(in->input, "url");

	return base ? mem_printf(m, "%s/%s/%s", base, kind, in->step) : NULL;
}

/* Who is meant goes along, so that the stand-in can count effects.  A run whose input says so is
 * the end of whoever works on it: {"ends":<step>}. */
static const char *const *
headers_of(struct mem *m, const struct step_in *in, bool keyed)
{
	const char **h = mem_alloc(m, 6 * sizeof(*h));
	const char *secret = json_str(in->prepared, "secret"), *ends = json_str(in->input, "ends");
	size_t n = 0;

	if (!h)
		return NULL;
	if (ends && strcmp(ends, in->step) == 0)
		raise(SIGKILL);
	h[n++] = mem_printf(m, "X-Run: %s", in->run_id);
	if (keyed)
		h[n++] = mem_printf(m, "Idempotency-Key: %s", in->key);
	if (secret)
		h[n++] = mem_printf(m, "X-Secret: %s", secret);
	return h;
}

static int
ask_keyed(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	ret->method = "POST";
	ret->url = url_of(m, in, "keyed");
	ret->headers = headers_of(m, in, true);
	return ret->url && ret->headers ? 0 : -1;
}

static int
ask_plain(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	ret->method = "POST";
	ret->url = url_of(m, in, "plain");
	ret->headers = headers_of(m, in, false);
	return ret->url && ret->headers ? 0 : -1;
}

static int
look_plain(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	ret->method = "GET";
	ret->url = url_of(m, in, "plain");
	ret->headers = headers_of(m, in, false);
	return ret->url && ret->headers ? 0 : -1;
}

static int
look_keyed(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	ret->method = "GET";
	ret->url = url_of(m, in, "keyed");
	ret->headers = headers_of(m, in, true);
	return ret->url && ret->headers ? 0 : -1;
}

/* ---- answers ---------------------------------------------------------------- */

static void
read_answer(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret)
{
	(void)in;
	ret->retry_after = a->retry_after;
	if (a->outcome == FETCH_NOT_SENT)
		ret->verdict = STEP_RETRY;
	else if (a->outcome != FETCH_ANSWERED || a->status >= 500)
		ret->verdict = STEP_UNKNOWN;
	else if (a->status == 429)
		ret->verdict = STEP_RETRY;
	else if (a->status >= 400)
		ret->verdict = STEP_FAILED;
	else
		ret->result = mem_dup(m, a->body.data, a->body.len);
}

static void
read_look(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret)
{
	(void)in;
	if (a->outcome == FETCH_ANSWERED && a->status == 200)
		ret->result = mem_dup(m, a->body.data, a->body.len);
	else if (a->outcome == FETCH_ANSWERED && a->status == 404)
		ret->verdict = STEP_ABSENT;
	else
		ret->verdict = STEP_UNKNOWN;
}

/* ---- the table --------------------------------------------------------------- */

/* Short, so that a test need not wait: a repetition comes soon.  How long an answer may take is
 * TRIAL_TIMEOUT_MS: long where nobody dies, for a slow machine; short where the next one waits for
 * it.
 */
#define QUICK                                                                                      \
	{                                                                                          \
		.first_ms = 20, .factor = 2, .max_ms = 200, .attempts = 40                         \
	}

static struct step refund = { .name = "refund",
	.ask = ask_keyed,
	.read = read_answer,
	.takes_key = true,
	.retry = QUICK };
static const struct step unnote = { .name = "unnote", .apply = "trial_unnote", .retry = QUICK };
static struct step recall = { .name = "recall",
	.ask = ask_plain,
	.read = read_answer,
	.look_ask = look_plain,
	.look_read = read_look,
	.retry = QUICK };

static struct step trial_steps[] = {
	{ .name = "note", .apply = "trial_note", .keep = keep_id, .retry = QUICK, .undo = &unnote },
	{ .name = "charge",
	    .prepare = "trial_prepare",
	    .ask = ask_keyed,
	    .read = read_answer,
	    .look_ask = look_keyed,
	    .look_read = read_look,
	    .apply = "trial_apply",
	    .takes_key = true,
	    .keep = keep_id,
	    .retry = QUICK,
	    .undo = &refund },
	{ .name = "ship",
	    .ask = ask_plain,
	    .read = read_answer,
	    .look_ask = look_plain,
	    .look_read = read_look,
	    .apply = "trial_apply",
	    .keep = keep_id,
	    .retry = QUICK,
	    .undo = &recall },
	{ .name = "left",
	    .ask = ask_keyed,
	    .read = read_answer,
	    .look_ask = look_keyed,
	    .look_read = read_look,
	    .takes_key = true,
	    .keep = keep_id,
	    .retry = QUICK,
	    .with_next = true },
	{ .name = "right",
	    .ask = ask_plain,
	    .read = read_answer,
	    .look_ask = look_plain,
	    .look_read = read_look,
	    .keep = keep_id,
	    .retry = QUICK },
	{ .name = "turn", .apply = "trial_turn", .retry = QUICK },
	{ .name = "close", .apply = "trial_note", .retry = QUICK },
};

static const struct workflow trial = { .name = "trial",
	.steps = trial_steps,
	.nsteps = COUNT(trial_steps),
	.undo_on_failure = true,
	.doc = "One step of each kind." };

/* No request: what the engine itself can do. */
static const struct step bare_steps[] = {
	{ .name = "one", .apply = "trial_bare", .retry = { .first_ms = 20, .attempts = 3 } },
	{ .name = "two", .apply = "trial_bare", .retry = { .first_ms = 20, .attempts = 3 } },
	{ .name = "three", .apply = "trial_bare", .retry = { .first_ms = 20, .attempts = 3 } },
};
static const struct workflow bare = { .name = "bare",
	.steps = bare_steps,
	.nsteps = COUNT(bare_steps),
	.doc = "Three steps in SQL." };

/* Nobody can say afterwards whether it was done. */
static struct step blind_steps[] = {
	{ .name = "shout", .ask = ask_plain, .read = read_answer, .retry = QUICK },
	{ .name = "whisper", .ask = ask_keyed, .takes_key = true, .retry = QUICK },
};
static const struct workflow blind = {
	.name = "blind",
	.steps = blind_steps,
	.nsteps = COUNT(blind_steps),
	.doc =
	    "A step that can neither be repeated nor looked up, and one without words of its own."
};

/* For ./dev bench: ten steps that do nothing. */
#define NOTHING(n)                                                                                 \
	{                                                                                          \
		.name = n, .apply = "bench_step"                                                   \
	}
static const struct step bench_steps[] = { NOTHING("a"), NOTHING("b"), NOTHING("c"), NOTHING("d"),
	NOTHING("e"), NOTHING("f"), NOTHING("g"), NOTHING("h"), NOTHING("i"), NOTHING("j") };
static const struct workflow bench = { .name = "bench",
	.steps = bench_steps,
	.nsteps = COUNT(bench_steps),
	.doc = "Ten steps that do nothing." };

static const struct workflow *const workflows[] = { &trial, &bare, &blind, &bench, NULL };

/* ---- the program --------------------------------------------------------------- */

static void
set_timeouts(int ms)
{
	size_t i;

	refund.retry.timeout_ms = recall.retry.timeout_ms = ms;
	for (i = 0; i < COUNT(trial_steps); i++)
		trial_steps[i].retry.timeout_ms = ms;
	for (i = 0; i < COUNT(blind_steps); i++)
		blind_steps[i].retry.timeout_ms = ms;
}

static bool
run_once(int argc, char *argv[], int *ret)
{
	return work_once(argc, argv, workflows, ret);
}

static const int needs[] = { SET_DATABASE_URL, -1 };

int
main(int argc, char *argv[])
{
	const char *ms = getenv("TRIAL_TIMEOUT_MS");

	set_timeouts(ms ? (int)strtol(ms, NULL, 10) : 20000);
	return server_main(argc, argv,
	    &(const struct server){ "trial", NULL, 0, .db_role = "hookswitch_pump", .needs = needs,
		.option = run_once });
}
