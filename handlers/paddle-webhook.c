/*
 * paddle-webhook.c - takes Paddle's events.
 *
 * An event is proved, kept, deduplicated and applied in one statement before it is answered: it
 * holds the whole object, and says when that was so.
 */
#include "peers/money_event.h"
#include "web/reply.h"
#include "web/server.h"
#include "web/webhook.h"

/* ---- operations ----------------------------------------------------- */

static const struct webhook paddle = { .provider = "paddle",
	.secrets = SET_PADDLE_WEBHOOK_SECRET,
	.plans = signature_paddle,
	.nplans = SIGNATURE_PADDLE_PLANS,
	.tolerance = SET_HOOKSWITCH_PADDLE_TOLERANCE_SECONDS };

static int
receive_event(struct ctx *c, const void *arg)
{
	struct money_event e;

	(void)arg;
	if (webhook_prove(c, &paddle, request_body(c)) < 0)
		return -1;

	switch (paddle_event(c->mem, request_body(c), &e)) {
	case MONEY_EVENT_NOT_JSON:
		return fail(c, ERR_BAD_JSON, "The event is not JSON.");
	case MONEY_EVENT_NO_MEMORY:
		return fail(c, ERR_UNAVAILABLE, "out of memory");
	case MONEY_EVENT_OK:
		break;
	}
	return webhook_take_money(c, &paddle,
	    &(const struct webhook_money){ e.id, e.type, e.object });
}

/* ---- routes --------------------------------------------------------- */

static const struct route routes[] = {
	{ POST, "/api/webhooks/paddle", PUBLIC, NO_FIELDS, receive_event, 200, NULL,
	    "Take an event of Paddle.", .body_max = WEBHOOK_BODY_MAX,
	    .flags = ROUTE_RAW | ROUTE_UNLIMITED, .after = webhook_answered,
	    .returns = RETURNS_EMPTY, .errors = ERRORS(ERR_BAD_JSON, ERR_SIGNATURE_INVALID) },
};

static const int needs[] = { SET_DATABASE_URL, -1 };

int
main(int argc, char *argv[])
{
	return server_main(argc, argv,
	    &(const struct server){ "paddle-webhook", routes, COUNT(routes),
		.about = "Takes Paddle's events.", .db_role = "hookswitch_webhook", .needs = needs,
		.quiet = webhook_flush, .stop = webhook_flush });
}
