/*
 * flow_sms.c - the workflow "sms": one text message, sent once.
 *
 * Its input: {"to", "text", "from"}; without from it is TWILIO_SMS_FROM.  Before each try
 * public.sms_prepare (sql/functions/85_sms.sql) says whether the number may be texted.  Twilio takes
 * no key: where the outcome is unknown it is looked for in Twilio's list, and sent again only when it
 * is certainly not there.  What Twilio tells later of its delivery finds it by the SID that
 * public.sms_sent keeps.
 */
#include "work/flow_sms.h"

#include "base/clock.h"
#include "base/settings.h"
#include "base/text.h"
#include "peers/twilio_message.h"

enum { TIMEOUT_MS = 30000, TEN_MINUTES_MS = 10 * 60 * 1000, TRIES = 110 };
/* A text that is a day old surprises more than it helps. */
#define DAY_MS (INT64_C(24) * 3600 * 1000)
/* Twilio's clock and ours need not agree. */
enum { CLOCKS_APART_MS = 5 * 60 * 1000 };

static struct twilio_message
message_of(const struct step_in *in)
{
	struct twilio_message s = { .to = json_str(in->input, "to"),
		.from = json_str(in->input, "from"),
		.text = json_str(in->input, "text"),
		.timeout_ms = TIMEOUT_MS };

	if (in->sent_s >= 0)
		s.since_ms = clock_wall_ms() - in->sent_s * 1000 - CLOCKS_APART_MS;
	return s;
}

static int
ask(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	struct twilio_message s = message_of(in);

	return twilio_message_send(m, &s, ret);
}

static int
look(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	struct twilio_message s = message_of(in);

	return twilio_message_look(m, &s, ret);
}

/* Twilio's id is all that is kept of its answer. */
static const char *
result_of(struct mem *m, const struct twilio_outcome *o)
{
	CLEANUP(text_clear) struct text t = TEXT(4096);

	text_puts(&t, "{\"id\":");
	text_json(&t, o->id);
	text_puts(&t, ",\"status\":");
	text_json(&t, o->status);
	text_putc(&t, '}');
	return text_ok(&t) ? mem_dup(m, text_str(&t), t.len) : NULL;
}

static struct step_out
said(struct mem *m, const struct twilio_outcome *o)
{
	static const enum step_verdict verdicts[] = { [TWILIO_SENT] = STEP_DONE,
		[TWILIO_RETRY] = STEP_RETRY,
		[TWILIO_UNKNOWN] = STEP_UNKNOWN,
		[TWILIO_FAILED] = STEP_FAILED,
		[TWILIO_ABSENT] = STEP_ABSENT };

	return (struct step_out){ .verdict = verdicts[o->result],
		.reason = o->reason,
		.retry_after = o->retry_after,
		.result = o->result == TWILIO_SENT ? result_of(m, o) : NULL };
}

static void
read_answer(struct mem *m, const struct step_in *in UNUSED, const struct fetch_answer *a,
    struct step_out *ret)
{
	struct twilio_outcome o;

	twilio_message_sent(m, a, &o);
	*ret = said(m, &o);
}

/* What is not in the list yet may still come into it: that it is absent is believed later. */
static void
read_look(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret)
{
	int64_t wait = setting_int(SET_HOOKSWITCH_SMS_LOOK_SECONDS) - in->sent_s;
	struct twilio_message s = message_of(in);
	struct twilio_outcome o;

	twilio_message_looked(m, &s, a, &o);
	if (o.result == TWILIO_ABSENT && wait > 0)
		o = (struct twilio_outcome){ .result = TWILIO_UNKNOWN,
			.reason = "not_listed_yet",
			.retry_after = wait };
	*ret = said(m, &o);
}

static const char *const kept[] = { "id", "status", "skipped", NULL };

static const struct step steps[] = {
	{ .name = "send",
	    .prepare = "sms_prepare",
	    .ask = ask,
	    .read = read_answer,
	    .look_ask = look,
	    .look_read = read_look,
	    .apply = "sms_sent",
	    .keep = kept,
	    .retry = { .first_ms = 2000,
		.factor = 2,
		.max_ms = TEN_MINUTES_MS,
		.attempts = TRIES,
		.limit_ms = DAY_MS,
		.timeout_ms = TIMEOUT_MS } },
};

const struct workflow flow_sms = {
	.name = "sms",
	.steps = steps,
	.nsteps = COUNT(steps),
	.doc = "Sends one text message.",
	.ready = twilio_has_settings,
};
