/*
 * flow_stripe.c - the workflow "stripe-sync": an event of Stripe's names an object; that one, and
 * what it belongs to, is read anew and applied.  And "subscription-sync", which has that done daily
 * for what no event told of.
 *
 * Its input: {"event", "type", "kind", "id"}.  Which steps ask for something is said by
 * public.stripe_sync_prepare (sql/functions/74_stripe_sync.sql); the others are passed over.
 */
#include "work/flow_stripe.h"

#include "work/stripe_read.h"
#include "work/stripe_step.h"

#include <errno.h>

/* Which invoice a charge has paid: since 2025-03-31.basil the charge does not say. */
static int
ask_payment(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	CLEANUP(stripe_form_clear) struct stripe_form f = STRIPE_FORM;

	stripe_put(&f, "payment[type]", "payment_intent");
	stripe_put(&f, "payment[payment_intent]", json_str(in->prepared, "id"));
	stripe_put_int(&f, "limit", 1);
	return stripe_get(m, "/v1/invoice_payments", &f, ret);
}

static void
read_payment(struct mem *m, const struct step_in *in UNUSED, const struct fetch_answer *a,
    struct step_out *ret)
{
	CLEANUP(text_clear) struct text t = TEXT(4096);
	struct stripe_outcome o;
	const char *invoice;

	stripe_step(m, a, &o, ret);
	if (o.result != STRIPE_OK)
		return;
	invoice = stripe_id(json_path(o.body, "data.0"), "invoice");
	text_puts(&t, "{\"invoice\":");
	text_json(&t, invoice);
	text_putc(&t, '}');
	ret->result = text_ok(&t) ? mem_dup(m, text_str(&t), t.len) : NULL;
}

/* ---- the workflows -------------------------------------------------- */

static const char *const charge[] = { "charge", NULL };
static const char *const invoice[] = { "invoice", NULL };
static const char *const session[] = { "session", NULL };
static const char *const customer[] = { "customer", NULL };
static const char *const subscription[] = { "subscription", NULL };

/* To read twice does no harm: so all of them take a key. */
#define READ(what, kept)                                                                           \
	{                                                                                          \
		.name = #what, .prepare = "stripe_sync_prepare", .ask = ask_##what,                \
		.read = read_##what, .takes_key = true, .keep = kept, .retry = STRIPE_PATIENCE     \
	}

static const struct step steps[] = {
	READ(charge, charge),
	READ(payment, invoice),
	READ(session, session),
	READ(customer, customer),
	READ(invoice, invoice),
	READ(subscription, subscription),
	{ .name = "apply", .apply = "stripe_sync_apply", .retry = STRIPE_PATIENCE },
};

static const struct step daily_steps[] = {
	{ .name = "batch", .apply = "subscription_sync", .retry = { .attempts = 100 } },
};

const struct workflow flow_stripe_sync = {
	.name = "stripe-sync",
	.steps = steps,
	.nsteps = COUNT(steps),
	.doc = "Reads at Stripe what an event has named, and applies it.",
	.ready = stripe_ready,
};

const struct workflow flow_subscription_sync = {
	.name = "subscription-sync",
	.steps = daily_steps,
	.nsteps = COUNT(daily_steps),
	.cron = "20 3 * * *",
	.missed = MISSED_ONE,
	.doc = "Has subscriptions read again that no event has told of for a day.",
	.ready = stripe_ready,
};
