/*
 * flow_usage_report.c - the workflow "usage-report": one call's further seconds are told to
 * Stripe's meter, or taken back.
 *
 * Its input: {"identifier"}, a row of usage_reports, and "cancel" where it is to be taken back;
 * what is told and when is decided in sql/functions/76_cycle_reports.sql.  The identifier makes a
 * meter event one, however often it is sent.
 */
#include "work/flow_usage_report.h"

#include "work/stripe_step.h"

static int
ask_tell(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	CLEANUP(stripe_form_clear) struct stripe_form f = STRIPE_FORM;

	stripe_put(&f, "event_name", json_str(in->prepared, "event_name"));
	stripe_put(&f, "payload[stripe_customer_id]", json_str(in->prepared, "customer"));
	stripe_put_int(&f, "payload[value]", json_int(in->prepared, "value", 0));
	stripe_put(&f, "identifier", json_str(in->input, "identifier"));
	stripe_put_int(&f, "timestamp", json_int(in->prepared, "timestamp", 0));
	return stripe_post(m, "/v1/billing/meter_events", &f, stripe_step_key(m, in), ret);
}

static int
ask_cancel(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	CLEANUP(stripe_form_clear) struct stripe_form f = STRIPE_FORM;

	stripe_put(&f, "event_name", json_str(in->prepared, "event_name"));
	stripe_put(&f, "type", "cancel");
	stripe_put(&f, "cancel[identifier]", json_str(in->input, "identifier"));
	return stripe_post(m, "/v1/billing/meter_event_adjustments", &f, stripe_step_key(m, in),
	    ret);
}

static void
read_answer(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret)
{
	struct stripe_outcome o;

	(void)in;
	stripe_step_refused(m, a, &o, ret);
}

static const char *const kept[] = { "refused", NULL };

/* Money hangs on it: it is tried for as long as the meter takes it. */
#define RETRY                                                                                      \
	{                                                                                          \
		.first_ms = 1000, .factor = 2, .max_ms = 10 * 60 * 1000, .attempts = 6000,         \
		.limit_ms = INT64_C(34) * 24 * 3600 * 1000                                         \
	}

/* takes_key: of the same identifier one counts, under whatever key. */
static const struct step steps[] = {
	{ .name = "tell",
	    .prepare = "usage_report_prepare",
	    .ask = ask_tell,
	    .read = read_answer,
	    .apply = "usage_report_told",
	    .takes_key = true,
	    .keep = kept,
	    .retry = RETRY },
	{ .name = "cancel",
	    .prepare = "usage_cancel_prepare",
	    .ask = ask_cancel,
	    .read = read_answer,
	    .apply = "usage_canceled",
	    .takes_key = true,
	    .keep = kept,
	    .retry = RETRY },
};

const struct workflow flow_usage_report = {
	.name = "usage-report",
	.steps = steps,
	.nsteps = COUNT(steps),
	.doc = "Tells Stripe's meter what one call used beyond the plan, or takes it back.",
	.ready = stripe_ready,
};
