/*
 * flow_verify.c - the workflow "verify-number": a code is brought to somebody's telephone, by a
 * text message or by a call that says it.
 *
 * Its input: {"verified_number_id","to","channel"}.  The code is made here from the row's id and
 * kept nowhere.  Twilio takes no key: where the outcome is unknown, the text or call is looked for
 * in Twilio's list, and sent again only when it is certainly not there.  What Twilio refuses for
 * good is told to public.verify_sent.
 */
#include "work/flow_verify.h"

#include "base/clock.h"
#include "base/settings.h"
#include "base/text.h"
#include "lib/seal.h"
#include "peers/twilio_call.h"
#include "peers/twilio_message.h"
#include "work/outcome_step.h"

#include <string.h>

enum { TIMEOUT_MS = 15000, TWENTY_SECONDS_MS = 20000, TRIES = 30, WORDS_MAX = 2048 };
/* Then the code is worth nothing any more. */
enum { LIMIT_MS = 10 * 60 * 1000 };
/* Twilio's clock and ours need not agree. */
enum { CLOCKS_APART_MS = 60 * 1000 };

static bool
is_call(const struct step_in *in)
{
	const char *channel = json_str(in->input, "channel");

	return channel && strcmp(channel, "call") == 0;
}

static const char *
code_of(struct mem *m, const struct step_in *in)
{
	const char *id = json_str(in->input, "verified_number_id");

	return id ? seal_code(m, VERIFY_PURPOSE, id) : NULL;
}

static const char *
text_of(struct mem *m, const char *code)
{
	return mem_printf(m,
	    "%s is your code. It shows that this number is yours, and is good for ten minutes. "
	    "If you did not ask for it, nothing need be done.",
	    code);
}

/* Each digit by itself, and all of them twice. */
static const char *
twiml_of(struct mem *m, const char *code)
{
	CLEANUP(text_clear) struct text t = TEXT(WORDS_MAX);

	text_puts(&t, "<Response>");
	for (int i = 0; i < 2; i++) {
		text_printf(&t, "<Pause length=\"1\"/><Say>%s",
		    i == 0 ? "Hello. Your code is:" : "Once more, your code is:");
		for (const char *p = code; *p; p++)
			text_printf(&t, " %c,", *p);
		text_puts(&t, "</Say>");
	}
	text_puts(&t, "<Say>Goodbye.</Say></Response>");
	return text_ok(&t) ? mem_dup(m, text_str(&t), t.len) : NULL;
}

static int64_t
since_of(const struct step_in *in)
{
	return in->sent_s < 0 ? 0 : clock_wall_ms() - in->sent_s * 1000 - CLOCKS_APART_MS;
}

static int
message_of(struct mem *m, const struct step_in *in, struct twilio_message *ret)
{
	const char *code = code_of(m, in);

	*ret = (struct twilio_message){ .to = json_str(in->input, "to"),
		.text = code ? text_of(m, code) : NULL,
		.since_ms = since_of(in),
		.timeout_ms = TIMEOUT_MS };
	return ret->text ? 0 : -1;
}

static int
call_of(struct mem *m, const struct step_in *in, struct twilio_call *ret)
{
	const char *code = code_of(m, in);

	*ret = (struct twilio_call){ .to = json_str(in->input, "to"),
		.twiml = code ? twiml_of(m, code) : NULL,
		.since_ms = since_of(in) };
	return ret->twiml ? 0 : -1;
}

/* ---- the step ------------------------------------------------------------ */

static int
ask(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	struct twilio_message s;
	struct twilio_call c;

	if (is_call(in))
		return call_of(m, in, &c) < 0 ? -1 : twilio_call_make(m, &c, ret);
	return message_of(m, in, &s) < 0 ? -1 : twilio_message_send(m, &s, ret);
}

static int
look(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	struct twilio_message s;
	struct twilio_call c;

	if (is_call(in))
		return call_of(m, in, &c) < 0 ? -1 : twilio_call_look(m, &c, ret);
	return message_of(m, in, &s) < 0 ? -1 : twilio_message_look(m, &s, ret);
}

/* A text's outcome in the words of all others. */
static void
outcome_of(const struct twilio_outcome *o, struct outcome *ret, const char **sid)
{
	static const enum outcome_result results[] = { [TWILIO_SENT] = OUTCOME_OK,
		[TWILIO_RETRY] = OUTCOME_RETRY,
		[TWILIO_UNKNOWN] = OUTCOME_UNKNOWN,
		[TWILIO_FAILED] = OUTCOME_FAILED,
		[TWILIO_ABSENT] = OUTCOME_ABSENT };

	*ret = (struct outcome){ .result = results[o->result],
		.code = o->reason,
		.retry_after = o->retry_after };
	*sid = o->id;
}

static void
say(struct mem *m, const struct outcome *o, const char *sid, struct step_out *ret)
{
	outcome_step(o, ret);
	if (o->result == OUTCOME_OK)
		ret->result = mem_printf(m, "{\"id\":\"%s\"}", sid);
}

static void
read_answer(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret)
{
	struct twilio_outcome t;
	struct outcome o;
	const char *sid;

	if (is_call(in)) {
		twilio_call_made(m, a, &o, &sid);
	} else {
		twilio_message_sent(m, a, &t);
		outcome_of(&t, &o, &sid);
	}
	if (o.result == OUTCOME_FAILED || o.result == OUTCOME_ABSENT)
		outcome_step_refused(m, &o, ret);
	else
		say(m, &o, sid, ret);
}

/* What is not in the list yet may still come into it: that it is absent is believed later. */
static void
read_look(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret)
{
	int64_t wait = setting_int(SET_HOOKSWITCH_SMS_LOOK_SECONDS) - in->sent_s;
	struct twilio_message s;
	struct twilio_outcome t;
	struct twilio_call c;
	struct outcome o = { .result = OUTCOME_UNKNOWN, .code = "no_memory", .retry_after = -1 };
	const char *sid = NULL;

	if (is_call(in) && call_of(m, in, &c) == 0) {
		twilio_call_looked(m, &c, a, &o, &sid);
	} else if (!is_call(in) && message_of(m, in, &s) == 0) {
		twilio_message_looked(m, &s, a, &t);
		outcome_of(&t, &o, &sid);
	}
	if (o.result == OUTCOME_ABSENT && wait > 0)
		o = (struct outcome){ .result = OUTCOME_UNKNOWN,
			.code = "not_listed_yet",
			.retry_after = wait };
	say(m, &o, sid, ret);
}

static const char *const kept[] = { "id", "skipped", "refused", NULL };

static const struct step steps[] = {
	{ .name = "send",
	    .prepare = "verify_prepare",
	    .ask = ask,
	    .read = read_answer,
	    .look_ask = look,
	    .look_read = read_look,
	    .apply = "verify_sent",
	    .keep = kept,
	    .retry = { .first_ms = 1000,
		.factor = 2,
		.max_ms = TWENTY_SECONDS_MS,
		.attempts = TRIES,
		.limit_ms = LIMIT_MS,
		.timeout_ms = TIMEOUT_MS } },
};

const struct workflow flow_verify = {
	.name = "verify-number",
	.steps = steps,
	.nsteps = COUNT(steps),
	.doc = "Brings the code for a person's own number to it, by a text message or a call.",
	.ready = twilio_has_settings,
};
