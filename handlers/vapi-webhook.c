/*
 * vapi-webhook.c - takes Vapi's events.
 *
 * An event is proved, kept, deduplicated and applied before it is answered; what it does to a call
 * is decided in sql/functions.
 */
#include "lib/seal.h"
#include "peers/voice.h"
#include "web/reply.h"
#include "web/server.h"
#include "web/webhook.h"

/* ---- operations ----------------------------------------------------- */

static const struct webhook vapi = { .provider = "vapi",
	.secrets = SET_VAPI_WEBHOOK_SECRET,
	.plans = signature_vapi,
	.nplans = SIGNATURE_VAPI_PLANS,
	.token_header = "X-Vapi-Secret",
	.token_purpose = SEAL_INBOUND };

static int
receive_event(struct ctx *c, const void *arg)
{
	const struct webhook_in *in = arg;
	struct webhook_proof proof;
	struct voice_event e;

	if (webhook_verify(c, &vapi, in->organization_id, request_body(c), &proof) < 0)
		return -1;

	switch (vapi_event(c->mem, request_body(c), &e)) {
	case EVENT_NOT_JSON:
		return fail(c, ERR_BAD_JSON, "The event is not JSON.");
	case EVENT_NO_MEMORY:
		return fail(c, ERR_UNAVAILABLE, "out of memory");
	case EVENT_OK:
		break;
	}
	return webhook_take(c, &vapi, &proof,
	    &(const struct webhook_event){ voice_class_name(e.class), e.type, e.key,
		e.assignment_id, e.provider_call_id, e.report, e.reply });
}

/* ---- answers --------------------------------------------------------- */

static const struct field vapi_tool_out[] = {
	ABOUT("The answer to one tool call."),
	FIELD(toolCallId, OUT, T_STR, .required = true, .doc = "The tool call."),
	FIELD(name, OUT, T_STR, .doc = "The function's name, where one was given."),
	FIELD(error, OUT, T_STR, .required = true, .doc = "Why it is not done."),
};

static const struct field vapi_destination_out[] = {
	ABOUT("Where a caller is put through to."),
	FIELD(type, OUT, T_STR, .required = true, .doc = "number."),
	FIELD(number, OUT, T_STR, .required = true, .doc = "The number, in E.164 form."),
};

static const struct field vapi_event_out[] = {
	ABOUT("What Vapi is answered; empty where it wants no answer."),
	FIELD(results, OUT, T_ARRAY, MEMBERS(vapi_tool_out), .doc = "To tool calls."),
	FIELD(result, OUT, T_STR, .doc = "To a call of a function, as older assistants make them."),
	FIELD(assistantId, OUT, T_STR, .doc = "Who takes an inbound call: an assistant."),
	FIELD(destination, OUT, T_OBJECT, MEMBERS(vapi_destination_out),
	    .doc = "Who takes an inbound call: a person."),
	FIELD(error, OUT, T_STR, .doc = "To what asks for something that is not there."),
};

/* ---- routes --------------------------------------------------------- */

static const struct route routes[] = {
	{ POST, "/api/webhooks/vapi/{organization_id}", PUBLIC, FIELDS(webhook_fields),
	    receive_event, 200, NULL, "Take an event of Vapi.", .body_max = WEBHOOK_BODY_MAX,
	    .flags = ROUTE_RAW | ROUTE_UNLIMITED, .after = webhook_answered,
	    .returns = RETURNS(vapi_event_out),
	    .errors = ERRORS(ERR_BAD_JSON, ERR_SIGNATURE_INVALID) },
};

static const int needs[] = { SET_DATABASE_URL, SET_HOOKSWITCH_SECRET_KEY, -1 };

int
main(int argc, char *argv[])
{
	return server_main(argc, argv,
	    &(const struct server){ "vapi-webhook", routes, COUNT(routes),
		.about = "Takes Vapi's events.", .db_role = "hookswitch_webhook", .needs = needs,
		.start = seal_ready, .quiet = webhook_flush, .stop = webhook_flush });
}
