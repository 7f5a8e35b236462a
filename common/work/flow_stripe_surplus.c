/*
 * flow_stripe_surplus.c - the workflow "stripe-surplus": an organization has a second subscription
 * that is paid for.  Both are read anew; if it is so, the second one is cancelled, and all that was
 * paid for it is paid back, one invoice after the other.  And "stripe-expire": a page where a
 * second one could be bought is closed.  And "stripe-end": the subscription of an organization that
 * was deleted ends, and goes on when it is restored.
 *
 * Input: {"subscription", "customer", "at"}, {"session"}, {"subscription"}.  What is to be done is
 * decided in sql/functions/74_stripe_surplus.sql and 26_organizations_money.sql.
 */
#include "work/flow_stripe_surplus.h"

#include "work/stripe_read.h"
#include "work/stripe_step.h"

#include <string.h>

/* An object with one text; NULL when memory is out. */
static const char *
result_of(struct mem *m, const char *name, const char *value)
{
	CLEANUP(text_clear) struct text t = TEXT(4096);

	text_putc(&t, '{');
	text_json(&t, name);
	text_putc(&t, ':');
	text_json(&t, value);
	text_putc(&t, '}');
	return text_ok(&t) ? mem_dup(m, text_str(&t), t.len) : NULL;
}

/* These do no harm twice, and Stripe keeps a failure of its own under a key: each try has another
 * one. */
static const char *
key_of(struct mem *m, const struct step_in *in)
{
	return mem_printf(m, "%s:%d", in->key, in->attempt);
}

/* ---- cancel --------------------------------------------------------- */

static int
ask_cancel(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	CLEANUP(stripe_form_clear) struct stripe_form f = STRIPE_FORM;

	stripe_put_bool(&f, "invoice_now", false);
	stripe_put_bool(&f, "prorate", false);
	return stripe_delete(m,
	    stripe_path(m, "/v1/subscriptions/", json_str(in->prepared, "id"), ""), &f,
	    key_of(m, in), ret);
}

/* What Stripe does not have any more is cancelled. */
static void
read_cancel(struct mem *m, const struct step_in *in UNUSED, const struct fetch_answer *a,
    struct step_out *ret)
{
	struct stripe_outcome o;

	stripe_step(m, a, &o, ret);
	if (o.result == STRIPE_ABSENT)
		*ret = (struct step_out){ .retry_after = -1 };
}

/* ---- what it paid --------------------------------------------------- */

static int
ask_invoices(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	CLEANUP(stripe_form_clear) struct stripe_form f = STRIPE_FORM;

	stripe_put(&f, "subscription", json_str(in->prepared, "id"));
	stripe_put_int(&f, "limit", 100);
	return stripe_get(m, "/v1/invoices", &f, ret);
}

/* Those that were paid with money, and those that somebody could pay still. */
static bool
matters(const struct json *invoice)
{
	const char *status = json_str(invoice, "status");

	if (status && strcmp(status, "paid") == 0)
		return json_int(invoice, "amount_paid", 0) > 0;
	return status && strcmp(status, "open") == 0;
}

static void
read_invoices(struct mem *m, const struct step_in *in UNUSED, const struct fetch_answer *a,
    struct step_out *ret)
{
	CLEANUP(text_clear) struct text t = TEXT(64 * 1024);
	const struct json *list, *one;
	struct stripe_outcome o;

	stripe_step(m, a, &o, ret);
	if (o.result != STRIPE_OK)
		return;
	list = json_get(o.body, "data");
	text_puts(&t, "{\"invoices\":[");
	for (size_t i = 0; i < json_len(list); i++) {
		one = json_at(list, i);
		if (!matters(one))
			continue;
		if (t.data[t.len - 1] == '}')
			text_putc(&t, ',');
		text_puts(&t, "{\"id\":");
		text_json(&t, json_str(one, "id"));
		text_puts(&t, ",\"status\":");
		text_json(&t, json_str(one, "status"));
		text_putc(&t, '}');
	}
	text_puts(&t, "]}");
	ret->result = text_ok(&t) ? mem_dup(m, text_str(&t), t.len) : NULL;
}

static int
ask_payment(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	CLEANUP(stripe_form_clear) struct stripe_form f = STRIPE_FORM;

	stripe_put(&f, "invoice", json_str(in->prepared, "id"));
	stripe_put(&f, "status", "paid");
	stripe_put_int(&f, "limit", 1);
	return stripe_get(m, "/v1/invoice_payments", &f, ret);
}

static void
read_payment(struct mem *m, const struct step_in *in UNUSED, const struct fetch_answer *a,
    struct step_out *ret)
{
	struct stripe_outcome o;
	const char *intent;

	stripe_step(m, a, &o, ret);
	if (o.result != STRIPE_OK)
		return;
	intent = stripe_id(json_path(o.body, "data.0.payment"), "payment_intent");
	ret->result = result_of(m, "payment_intent", intent);
}

/* ---- giving it back --------------------------------------------------- */

static int
ask_refund(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	CLEANUP(stripe_form_clear) struct stripe_form f = STRIPE_FORM;

	stripe_put(&f, "payment_intent", json_str(in->prepared, "id"));
	stripe_put(&f, "reason", "duplicate");
	return stripe_post(m, "/v1/refunds", &f, in->key, ret);
}

static void
read_refund(struct mem *m, const struct step_in *in UNUSED, const struct fetch_answer *a,
    struct step_out *ret)
{
	struct stripe_outcome o;

	stripe_step(m, a, &o, ret);
	if (o.result == STRIPE_OK)
		ret->result = result_of(m, "charge", stripe_id(o.body, "charge"));
	else if (o.code && strcmp(o.code, "charge_already_refunded") == 0)
		*ret = (struct step_out){ .retry_after = -1 };
}

/* Whether it was given back: what a stored failure hides. */
static int
ask_refunds(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	CLEANUP(stripe_form_clear) struct stripe_form f = STRIPE_FORM;

	stripe_put(&f, "payment_intent",
	    json_str(json_get(in->results, "payment"), "payment_intent"));
	stripe_put_int(&f, "limit", 1);
	return stripe_get(m, "/v1/refunds", &f, ret);
}

static void
read_refunds(struct mem *m, const struct step_in *in UNUSED, const struct fetch_answer *a,
    struct step_out *ret)
{
	const struct json *refund;
	struct stripe_outcome o;

	stripe_step(m, a, &o, ret);
	if (o.result != STRIPE_OK)
		return;
	refund = json_path(o.body, "data.0");
	if (refund)
		ret->result = result_of(m, "charge", stripe_id(refund, "charge"));
	else
		ret->verdict = STEP_ABSENT;
}

static int
ask_void(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	return stripe_post(m,
	    stripe_path(m, "/v1/invoices/", json_str(in->prepared, "id"), "/void"), NULL,
	    key_of(m, in), ret);
}

/* ---- a page ----------------------------------------------------------- */

static int
ask_expire(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	return stripe_post(m,
	    stripe_path(m, "/v1/checkout/sessions/", json_str(in->input, "session"), "/expire"),
	    NULL, key_of(m, in), ret);
}

/* What is refused was paid, or is closed already: the next step has it read. */
static void
read_over(struct mem *m, const struct step_in *in UNUSED, const struct fetch_answer *a,
    struct step_out *ret)
{
	struct stripe_outcome o;

	stripe_step_refused(m, a, &o, ret);
}

/* ---- an organization that was deleted ---------------------------------- */

/* It ends with its period, or does not any more; the mark says that it was we who ended it. */
static int
ask_end(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	CLEANUP(stripe_form_clear) struct stripe_form f = STRIPE_FORM;

	stripe_put_bool(&f, "cancel_at_period_end", json_bool(in->prepared, "end", false));
	stripe_put(&f, "metadata[organization_deleted]", json_str(in->prepared, "mark"));
	return stripe_post(m,
	    stripe_path(m, "/v1/subscriptions/", json_str(in->prepared, "id"), ""), &f,
	    key_of(m, in), ret);
}

/* ---- the workflows -------------------------------------------------- */

static const char *const subscription[] = { "subscription", NULL };
static const char *const invoices[] = { "invoices", NULL };
static const char *const intent[] = { "payment_intent", NULL };
static const char *const charge[] = { "charge", NULL };

#define STEP(what, asks, reads, kept)                                                              \
	.name = what, .prepare = "stripe_surplus_prepare", .ask = asks, .read = reads,             \
	.takes_key = true, .keep = kept, .retry = STRIPE_PATIENCE

static const struct step surplus_steps[] = {
	{ STEP("first", ask_subscription, read_subscription, subscription) },
	{ STEP("second", ask_subscription, read_subscription, subscription) },
	{ .name = "decide", .apply = "stripe_surplus_decide", .retry = STRIPE_PATIENCE },
	{ STEP("cancel", ask_cancel, read_cancel, NULL) },
	{ STEP("invoices", ask_invoices, read_invoices, invoices) },
	{ STEP("void", ask_void, read_over, NULL) },
	{ STEP("payment", ask_payment, read_payment, intent) },
	{ STEP("refund", ask_refund, read_refund, charge), .look_ask = ask_refunds,
	    .look_read = read_refunds },
	{ .name = "more", .apply = "stripe_surplus_more", .retry = STRIPE_PATIENCE },
};

static const struct step expire_steps[] = {
	{ .name = "expire",
	    .ask = ask_expire,
	    .read = read_over,
	    .takes_key = true,
	    .retry = STRIPE_PATIENCE },
	{ .name = "read", .apply = "stripe_expire_done", .retry = STRIPE_PATIENCE },
};

static const char *const refused[] = { "refused", NULL };

static const struct step end_steps[] = {
	{ .name = "subscription",
	    .prepare = "stripe_end_read",
	    .ask = ask_subscription,
	    .read = read_subscription,
	    .takes_key = true,
	    .keep = subscription,
	    .retry = STRIPE_PATIENCE },
	{ .name = "change",
	    .prepare = "stripe_end_change",
	    .ask = ask_end,
	    .read = read_over,
	    .apply = "stripe_end_changed",
	    .takes_key = true,
	    .keep = refused,
	    .retry = STRIPE_PATIENCE },
	{ .name = "cancel",
	    .prepare = "stripe_end_cancel",
	    .ask = ask_cancel,
	    .read = read_over,
	    .apply = "stripe_end_changed",
	    .takes_key = true,
	    .keep = refused,
	    .retry = STRIPE_PATIENCE },
};

const struct workflow flow_stripe_surplus = {
	.name = "stripe-surplus",
	.steps = surplus_steps,
	.nsteps = COUNT(surplus_steps),
	.doc = "Cancels a second subscription of one organization, and pays it back.",
	.ready = stripe_ready,
};

const struct workflow flow_stripe_expire = {
	.name = "stripe-expire",
	.steps = expire_steps,
	.nsteps = COUNT(expire_steps),
	.doc = "Closes a page where a second subscription could be bought.",
	.ready = stripe_ready,
};

const struct workflow flow_stripe_end = {
	.name = "stripe-end",
	.steps = end_steps,
	.nsteps = COUNT(end_steps),
	.doc = "Ends the subscription of an organization that was deleted.",
	.ready = stripe_ready,
};
