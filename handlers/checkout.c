/*
 * checkout.c - pages at Stripe where somebody pays for a plan.
 *
 * What is asked there, and what is on sale, is decided by sql/functions/api_checkout.sql; that it
 * was paid is learnt by stripe-webhook.
 */
#include "web/server.h"

#include "stripe-port.h"

#define READ SCOPE("billing:read")
#define WRITE SCOPE("billing:write")

/* ---- input ---------------------------------------------------------- */

struct create_in {
	const char *success_url;
	const char *cancel_url;
};

static const struct field create_fields[] = {
	FIELD(plan_id, BODY, T_UUID, .required = true, .doc = "The plan to be paid for."),
	FIELD(success_url, BODY, T_STR, INTO(struct create_in, success_url), .max = 2000,
	    .doc = "Where people come back to who paid, below APP_URL or FRONTEND_URL; "
		   "{CHECKOUT_SESSION_ID} in it becomes Stripe's id of the page."),
	FIELD(cancel_url, BODY, T_STR, INTO(struct create_in, cancel_url), .max = 2000,
	    .doc = "Where people come back to who did not."),
};

static const struct field checkout_fields[] = {
	FIELD(checkout_id, PATH, T_STR, .min = 1, .max = 255, .required = true,
	    .doc = "The checkout: its id, or the one that Stripe put into success_url."),
};

/* ---- answers -------------------------------------------------------- */

/* public.checkout_view */
static const struct field checkout_out[] = {
	ABOUT("A page where somebody pays for a plan."),
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The checkout."),
	FIELD(plan_id, OUT, T_UUID, .required = true, .doc = "The plan."),
	FIELD(status, OUT, T_ENUM, VALUES("open", "complete", "expired"), .required = true,
	    .doc = "Whether it can still be paid, was, or ran out."),
	FIELD(payment_status, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "Stripe's word: paid, no_payment_required (a trial), or unpaid while the money "
		   "is on its way."),
	FIELD(url, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "Where people pay, told to those who may make one; null once it is over."),
	FIELD(active, OUT, T_BOOL, .required = true,
	    .doc = "Whether the subscription that it began is the organization's and is good."),
	FIELD(expires_at, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "When the page runs out."),
	FIELD(completed_at, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "When it was paid."),
	FIELD(created_at, OUT, T_TIME, .required = true, .doc = "Made at this time."),
};

/* ---- operations ----------------------------------------------------- */

/* Where people come back to unless the request says otherwise. */
static const char *
usual_places(struct ctx *c)
{
	const char *site = stripe_port_site();

	if (!site)
		return NULL;
	return mem_printf(c->mem,
	    "{\"success_url\":\"%s/subscription/success?session_id={CHECKOUT_SESSION_ID}\","
	    "\"cancel_url\":\"%s/subscription/cancel\"}",
	    site, site);
}

static int
create_checkout(struct ctx *c, const void *arg)
{
	const struct create_in *in = arg;

	if (stripe_port_allow(c, "success_url", in->success_url) < 0 ||
	    stripe_port_allow(c, "cancel_url", in->cancel_url) < 0)
		return -1;
	return outside_run(c, &stripe_port, usual_places(c));
}

/* ---- routes --------------------------------------------------------- */

static const struct route routes[] = {
	{ POST, ROOT "/checkout", WRITE, FIELDS(create_fields), create_checkout, 201,
	    "checkout_create", "Make a page where a plan is paid for.", .after = poke_work,
	    .flags = ROUTE_OUTSIDE | ROUTE_SECRET, .returns = RETURNS(checkout_out),
	    .errors =
		ERRORS(STRIPE_ERRORS, ERR_PLAN_NOT_FOUND, ERR_PLAN_FREE, ERR_SUBSCRIPTION_EXISTS) },
	{ GET, ROOT "/checkout/{checkout_id}", READ, FIELDS(checkout_fields), run_query, 200,
	    "checkout_get", "What became of a checkout.", .returns = RETURNS(checkout_out),
	    .errors = ERRORS(ERR_CHECKOUT_NOT_FOUND) },
};

static const int needs[] = { SET_DATABASE_URL, -1 };

int
main(int argc, char *argv[])
{
	return server_main(argc, argv,
	    &(const struct server){ "checkout", routes, COUNT(routes),
		.about = "Pages where a plan is paid for.", .needs = needs });
}
