/*
 * stripe-webhook.c - takes Stripe's events.
 *
 * An event is proved, kept and deduplicated before it is answered; which object it is about is read
 * anew at Stripe by a run that is started in the same statement, so neither the order of events nor
 * the copy that they bring along matters.
 */
#include "peers/money_event.h"
#include "web/reply.h"
#include "web/server.h"
#include "web/webhook.h"

/* ---- operations ----------------------------------------------------- */

static const struct webhook stripe = { .provider = "stripe",
	.secrets = SET_STRIPE_WEBHOOK_SECRET,
	.plans = signature_stripe,
	.nplans = SIGNATURE_STRIPE_PLANS };

static int
receive_event(struct ctx *c, const void *arg)
{
	struct money_event e;

	(void)arg;
	if (webhook_prove(c, &stripe, request_body(c)) < 0)
		return -1;

	switch (stripe_event(c->mem, request_body(c), &e)) {
	case MONEY_EVENT_NOT_JSON:
		return fail(c, ERR_BAD_JSON, "The event is not JSON.");
	case MONEY_EVENT_NO_MEMORY:
		return fail(c, ERR_UNAVAILABLE, "out of memory");
	case MONEY_EVENT_OK:
		break;
	}
	return webhook_take_money(c, &stripe,
	    &(const struct webhook_money){ e.id, e.type, e.object });
}

/* ---- routes --------------------------------------------------------- */

static const struct route routes[] = {
	{ POST, "/api/webhooks/stripe", PUBLIC, NO_FIELDS, receive_event, 200, NULL,
	    "Take an event of Stripe.", .body_max = WEBHOOK_BODY_MAX,
	    .flags = ROUTE_RAW | ROUTE_UNLIMITED, .after = webhook_answered,
	    .returns = RETURNS_EMPTY, .errors = ERRORS(ERR_BAD_JSON, ERR_SIGNATURE_INVALID) },
};

static const int needs[] = { SET_DATABASE_URL, -1 };

int
main(int argc, char *argv[])
{
	return server_main(argc, argv,
	    &(const struct server){ "stripe-webhook", routes, COUNT(routes),
		.about = "Takes Stripe's events.", .db_role = "hookswitch_webhook", .needs = needs,
		.quiet = webhook_flush, .stop = webhook_flush });
}
