/*
 * flow_cycle.c - the workflow "billing-cycle": a period is over.
 *
 * Its input: {"invoice", "subscription", "period_start", "period_end", "seen_at"}; without an
 * invoice (by hand, Paddle) the steps at Stripe are passed over.  The renewal invoice, still a
 * draft, is held; late reports are waited for; the period is closed in our books; what lies beyond
 * the plan has been told to the meter, which is asked whether it counted the same; the invoice goes
 * out and is read; somebody is told; and the item for further minutes gets the price of the plan
 * that holds now.  What is decided is in sql/functions/76_cycle.sql.
 */
#include "work/flow_cycle.h"

#include "base/settings.h"
#include "work/stripe_step.h"

#include <inttypes.h>
#include <string.h>

/* ---- hold ----------------------------------------------------------- */

static int
ask_hold(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	CLEANUP(stripe_form_clear) struct stripe_form f = STRIPE_FORM;
	const char *path = stripe_path(m, "/v1/invoices/", json_str(in->input, "invoice"), "");

	stripe_put_bool(&f, "auto_advance", false);
	return stripe_post(m, path, &f, stripe_step_key(m, in), ret);
}

/* What cannot be held is out already, or gone. */
static void
read_hold(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret)
{
	struct stripe_outcome o;
	const char *status;

	(void)in;
	stripe_step_refused(m, a, &o, ret);
	if (ret->verdict != STEP_DONE)
		return;
	status = o.result == STRIPE_OK ? json_str(o.body, "status") :
	    o.result == STRIPE_ABSENT  ? "gone" :
					 "final";
	ret->result = mem_printf(m, "{\"status\":\"%s\",\"late_minutes\":%" PRId64 "}",
	    status && strcmp(status, "draft") != 0 ?
		(strcmp(status, "gone") == 0 ? "gone" : "final") :
		"draft",
	    setting_int(SET_HOOKSWITCH_BILLING_LATE_MINUTES));
}

/* ---- meter ---------------------------------------------------------- */

static int
ask_meter(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	CLEANUP(stripe_form_clear) struct stripe_form f = STRIPE_FORM;
	const char *path = stripe_path(m, "/v1/billing/meters/", json_str(in->prepared, "meter"),
	    "/event_summaries");

	stripe_put(&f, "customer", json_str(in->prepared, "customer"));
	stripe_put_int(&f, "start_time", json_int(in->prepared, "start", 0));
	stripe_put_int(&f, "end_time", json_int(in->prepared, "end", 0));
	return stripe_get(m, path, &f, ret);
}

static void
read_meter(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret)
{
	struct stripe_outcome o;
	const struct json *data;
	double counted = 0;

	stripe_step(m, a, &o, ret);
	if (o.result == STRIPE_ABSENT)
		ret->verdict = STEP_FAILED;
	if (o.result != STRIPE_OK)
		return;
	data = json_get(o.body, "data");
	for (size_t i = 0; i < json_len(data); i++)
		counted += json_double(json_at(data, i), "aggregated_value", 0);
	ret->result = mem_printf(m, "{\"told\":%" PRId64 ",\"counted\":%.0f}",
	    json_int(in->prepared, "told", 0), counted);
}

/* ---- the invoice ---------------------------------------------------- */

static int
ask_finalize(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	CLEANUP(stripe_form_clear) struct stripe_form f = STRIPE_FORM;
	const char *path =
	    stripe_path(m, "/v1/invoices/", json_str(in->input, "invoice"), "/finalize");

	stripe_put_bool(&f, "auto_advance", true);
	return stripe_post(m, path, &f, stripe_step_key(m, in), ret);
}

/* A refusal is settled by reading the invoice. */
static void
read_finalize(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret)
{
	struct stripe_outcome o;

	(void)in;
	stripe_step_refused(m, a, &o, ret);
}

static int
ask_invoice(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	return stripe_get(m, stripe_path(m, "/v1/invoices/", json_str(in->input, "invoice"), ""),
	    NULL, ret);
}

static void
read_invoice(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret)
{
	struct stripe_outcome o;

	stripe_step_refused(m, a, &o, ret);
	if (o.result != STRIPE_OK)
		return;
	ret->result = stripe_invoice(m, o.body, json_int(in->prepared, "read", 0));
	ret->verdict = ret->result ? STEP_DONE : STEP_UNKNOWN;
}

/* ---- items ---------------------------------------------------------- */

static int
ask_items(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	return stripe_get(m,
	    stripe_path(m, "/v1/subscriptions/", json_str(in->input, "subscription"), ""), NULL,
	    ret);
}

static void
read_items(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret)
{
	struct stripe_outcome o;

	(void)in;
	stripe_step_refused(m, a, &o, ret);
	if (o.result != STRIPE_OK)
		return;
	ret->result = stripe_subscription(m, o.body, 0);
	ret->verdict = ret->result ? STEP_DONE : STEP_UNKNOWN;
}

/* The item with another price, a new one, or none any more. */
static int
ask_align(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	CLEANUP(stripe_form_clear) struct stripe_form f = STRIPE_FORM;
	const char *price = json_str(in->prepared, "price");
	const char *path =
	    stripe_path(m, "/v1/subscriptions/", json_str(in->prepared, "subscription"), "");

	stripe_put(&f, "items[0][id]", json_str(in->prepared, "item"));
	stripe_put(&f, "items[0][price]", price);
	if (!price)
		stripe_put_bool(&f, "items[0][deleted]", true);
	/* What was told of the old price since the period began is billed at that. */
	stripe_put(&f, "proration_behavior", "create_prorations");
	return stripe_post(m, path, &f, stripe_step_key(m, in), ret);
}

/* ---- the table ------------------------------------------------------ */

static const char *const kept_hold[] = { "status", "late_minutes", NULL };
static const char *const kept_close[] = { "period_start", "calls", "seconds", "billable_seconds",
	"overage_seconds", "at", NULL };
static const char *const kept_meter[] = { "told", "counted", NULL };
static const char *const kept_refused[] = { "refused", NULL };
static const char *const kept_invoice[] = { "status", "number", "currency", "total", "lines",
	"refused", NULL };
static const char *const kept_items[] = { "status", "items", "refused", NULL };

/* Nobody else can do it: it is tried again until it is done. */
#define RETRY .retry = { .first_ms = 1000, .factor = 2, .max_ms = 10 * 60 * 1000, .attempts = 6000 }

static const struct step steps[] = {
	{ .name = "hold",
	    .prepare = "cycle_hold",
	    .ask = ask_hold,
	    .read = read_hold,
	    .takes_key = true,
	    .keep = kept_hold,
	    RETRY },
	{ .name = "wait", .apply = "cycle_wait", RETRY },
	{ .name = "close", .apply = "cycle_close", .keep = kept_close, RETRY },
	{ .name = "reports", .apply = "cycle_reports", RETRY },
	{ .name = "meter",
	    .prepare = "cycle_meter",
	    .ask = ask_meter,
	    .read = read_meter,
	    .apply = "cycle_metered",
	    .takes_key = true,
	    .keep = kept_meter,
	    RETRY },
	{ .name = "finalize",
	    .prepare = "cycle_finalize",
	    .ask = ask_finalize,
	    .read = read_finalize,
	    .takes_key = true,
	    .keep = kept_refused,
	    RETRY },
	{ .name = "invoice",
	    .prepare = "cycle_invoice",
	    .ask = ask_invoice,
	    .read = read_invoice,
	    .apply = "cycle_invoiced",
	    .takes_key = true,
	    .keep = kept_invoice,
	    RETRY },
	{ .name = "tell", .apply = "cycle_tell", RETRY },
	{ .name = "items",
	    .prepare = "cycle_items",
	    .ask = ask_items,
	    .read = read_items,
	    .takes_key = true,
	    .keep = kept_items,
	    RETRY },
	{ .name = "align",
	    .prepare = "cycle_align",
	    .ask = ask_align,
	    .read = read_finalize,
	    .apply = "cycle_aligned",
	    .takes_key = true,
	    .keep = kept_refused,
	    RETRY },
};

const struct workflow flow_cycle = {
	.name = "billing-cycle",
	.steps = steps,
	.nsteps = COUNT(steps),
	.doc = "Closes a period: final usage, the meter, the invoice, a summary.",
};

static const char *const kept_periods[] = { "rolled", "begun", NULL };

static const struct step periods_steps[] = {
	{ .name = "find", .apply = "cycle_clock", .keep = kept_periods },
};

const struct workflow flow_periods = {
	.name = "billing-periods",
	.steps = periods_steps,
	.nsteps = COUNT(periods_steps),
	.cron = "*/10 * * * *",
	.missed = MISSED_ONE,
	.doc = "Finds periods that are over, and subscriptions by hand that end.",
};
