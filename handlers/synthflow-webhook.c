/*
 * synthflow-webhook.c - takes SynthFlow's events.
 *
 * Only a call's id is signed, so an event never says more than: look at this call now.
 */
#include "lib/seal.h"
#include "peers/voice.h"
#include "web/reply.h"
#include "web/server.h"
#include "web/webhook.h"

/* ---- operations ----------------------------------------------------- */

static const struct webhook synthflow = { .provider = "synthflow",
	.secrets = SET_SYNTHFLOW_WEBHOOK_SECRET,
	.plans = signature_synthflow,
	.nplans = SIGNATURE_SYNTHFLOW_PLANS };

static int
receive_event(struct ctx *c, const void *arg)
{
	const struct webhook_in *in = arg;
	struct webhook_proof proof;
	struct voice_event e;

	/* What is signed stands inside the body, so it has to be found before it is proved. */
	switch (synthflow_event(c->mem, request_body(c), &e)) {
	case EVENT_NO_MEMORY:
		return fail(c, ERR_UNAVAILABLE, "out of memory");
	case EVENT_NOT_JSON:
		return fail(c, ERR_BAD_JSON, "The event is not JSON.");
	case EVENT_OK:
		break;
	}
	if (!e.provider_call_id)
		return fail(c, ERR_SIGNATURE_INVALID,
		    "The event names no call, so nothing is signed.");
	if (webhook_verify(c, &synthflow, in->organization_id, span_of(e.provider_call_id),
		&proof) < 0)
		return -1;

	return webhook_take(c, &synthflow, &proof,
	    &(const struct webhook_event){ voice_class_name(e.class), e.type, e.key,
		e.assignment_id, e.provider_call_id, e.report, e.reply });
}

/* ---- routes --------------------------------------------------------- */

static const struct route routes[] = {
	{ POST, "/api/webhooks/synthflow/{organization_id}", PUBLIC, FIELDS(webhook_fields),
	    receive_event, 200, NULL, "Take an event of SynthFlow.", .body_max = WEBHOOK_BODY_MAX,
	    .flags = ROUTE_RAW | ROUTE_UNLIMITED, .after = webhook_answered,
	    .returns = RETURNS_EMPTY, .errors = ERRORS(ERR_BAD_JSON, ERR_SIGNATURE_INVALID) },
};

static const int needs[] = { SET_DATABASE_URL, SET_HOOKSWITCH_SECRET_KEY, -1 };

int
main(int argc, char *argv[])
{
	return server_main(argc, argv,
	    &(const struct server){ "synthflow-webhook", routes, COUNT(routes),
		.about = "Takes SynthFlow's events.", .db_role = "hookswitch_webhook",
		.needs = needs, .start = seal_ready, .quiet = webhook_flush,
		.stop = webhook_flush });
}
