/*
 * billing.c - an organization's money: plans on sale, its subscription, what was used, invoices;
 * and changing the plan, ending it, taking that back.
 *
 * What may be done, and what Stripe is asked, is decided by sql/functions; what holds is what
 * Stripe says afterwards.
 */
#include "web/server.h"

#include "billing-fields.h"
#include "stripe-port.h"

#define USAGE SCOPE("usage:read")
#define READ SCOPE("billing:read")
#define WRITE SCOPE("billing:write")

/* ---- operations ----------------------------------------------------- */

static int
ask_stripe(struct ctx *c, const void *in)
{
	(void)in;
	return outside_run(c, &stripe_port, NULL);
}

static int
open_portal(struct ctx *c, const void *arg)
{
	const struct portal_in *in = arg;
	const char *site = stripe_port_site();

	if (stripe_port_allow(c, "return_url", in->return_url) < 0)
		return -1;
	return outside_run(c, &stripe_port,
	    site ? mem_printf(c->mem, "{\"return_url\":\"%s/\"}", site) : NULL);
}

/* ---- routes --------------------------------------------------------- */

#define CHANGE_ERRORS STRIPE_ERRORS, ERR_SUBSCRIPTION_ELSEWHERE, ERR_SUBSCRIPTION_OVER
#define PLAN_ERRORS                                                                                \
	CHANGE_ERRORS, ERR_PLAN_NOT_FOUND, ERR_CHECKOUT_NEEDED, ERR_PLAN_CHANGE_WAITING,           \
	    ERR_PLAN_INTERVAL

static const struct route routes[] = {
	{ GET, ROOT, USAGE, NO_FIELDS, run_query, 200, "billing_overview",
	    "Plan, subscription, what was used and what is left.",
	    .returns = RETURNS(billing_out) },
	{ GET, ROOT "/plans", USAGE, NO_FIELDS, run_query, 200, "billing_plans",
	    "Plans on sale, and the one that you have.",
	    .returns = RETURNS_LIST(plan_on_sale_out) },
	{ GET, ROOT "/usage", USAGE, FIELDS(usage_fields), run_query, 200, "billing_usage",
	    "What was used, by day or by kind.", .returns = RETURNS(usage_out),
	    .errors = ERRORS(ERR_PERIOD_INVALID) },
	{ GET, ROOT "/usage/calls", USAGE, FIELDS(usage_calls_fields), run_query, 200,
	    "billing_usage_calls", "The calls behind the sums, the newest first.",
	    .returns = RETURNS_LIST(usage_call_out), .errors = ERRORS(ERR_PERIOD_INVALID) },
	{ GET, ROOT "/invoices", READ, FIELDS(invoices_fields), run_query, 200, "billing_invoices",
	    "Invoices, the newest first.", .returns = RETURNS_LIST(invoice_line_out) },
	{ GET, ROOT "/invoices/{invoice_id}", READ, FIELDS(invoice_fields), run_query, 200,
	    "billing_invoice", "One invoice, with its lines.", .returns = RETURNS(invoice_out),
	    .errors = ERRORS(ERR_INVOICE_NOT_FOUND) },
	{ GET, ROOT "/events", READ, FIELDS(events_fields), run_query, 200, "billing_events",
	    "What happened with the money, the newest first.",
	    .returns = RETURNS_LIST(billing_event_out) },
	{ POST, ROOT "/portal", WRITE, FIELDS(portal_fields), open_portal, 200, "billing_portal",
	    "An address at Stripe where cards, addresses and invoices are looked after.",
	    .after = poke_work, .flags = ROUTE_OUTSIDE | ROUTE_SECRET,
	    .returns = RETURNS(portal_out), .errors = ERRORS(STRIPE_ERRORS) },
	{ POST, ROOT "/plan/preview", WRITE, FIELDS(preview_fields), ask_stripe, 200,
	    "billing_plan_preview", "What another plan would cost, to the cent.",
	    .flags = ROUTE_OUTSIDE, .returns = RETURNS(plan_preview_out),
	    .errors = ERRORS(PLAN_ERRORS) },
	{ POST, ROOT "/plan", WRITE, FIELDS(plan_fields), ask_stripe, 200, "billing_plan_change",
	    "Take a greater plan now, a smaller one when the period ends, or take that back.",
	    .after = poke_work, .flags = ROUTE_OUTSIDE, .returns = RETURNS(billing_out),
	    .errors = ERRORS(PLAN_ERRORS, ERR_PAYMENT_FAILED, ERR_PREVIEW_OLD) },
	{ POST, ROOT "/cancel", WRITE, FIELDS(cancel_fields), ask_stripe, 200, "billing_cancel",
	    "End the subscription, when its period ends or at once.", .after = poke_work,
	    .flags = ROUTE_OUTSIDE, .returns = RETURNS(billing_out),
	    .errors = ERRORS(CHANGE_ERRORS, ERR_SUBSCRIPTION_FREE) },
	{ POST, ROOT "/resume", WRITE, NO_FIELDS, ask_stripe, 200, "billing_resume",
	    "Let a subscription go on that was to end, or that rests.", .after = poke_work,
	    .flags = ROUTE_OUTSIDE, .returns = RETURNS(billing_out),
	    .errors = ERRORS(CHANGE_ERRORS) },
};

static const int needs[] = { SET_DATABASE_URL, -1 };

int
main(int argc, char *argv[])
{
	return server_main(argc, argv,
	    &(const struct server){ "billing", routes, COUNT(routes),
		.about = "An organization's plan, usage and invoices.", .needs = needs });
}
