/*
 * twilio-webhook.c - takes what Twilio tells of calls and messages, and says what shall be done
 * with a call that its assistant could not take.
 *
 * An event is proved, kept, deduplicated and applied in one statement before it is answered.  What
 * is signed is the address as Twilio was told it, by our settings, and each field of the form.
 */
#include "peers/twilio_event.h"
#include "peers/twilio_url.h"
#include "peers/twiml.h"
#include "web/reply.h"
#include "web/server.h"
#include "web/webhook.h"

#include <string.h>

enum { BODY_MAX = 256 * 1024 };

static const struct webhook twilio = { .provider = "twilio",
	.secrets = SET_TWILIO_AUTH_TOKEN,
	.plans = signature_twilio,
	.nplans = SIGNATURE_TWILIO_PLANS,
	.below = TWILIO_WEBHOOK_PATH,
	.told = SET_TWILIO_WEBHOOK_URL };

/* ---- operations ----------------------------------------------------- */

/* What another account tells is nothing to us, even where one token is good for both. */
static bool
is_our_account(const char *account)
{
	const char *ours = setting_str(SET_TWILIO_ACCOUNT_SID);

	return account && ours && strcmp(account, ours) == 0;
}

/* ret: what the database answers; NULL: nothing. */
static int
take(struct ctx *c, enum twilio_event_kind kind, const struct json **ret)
{
	struct twilio_event e;

	if (webhook_prove(c, &twilio, request_body(c)) < 0)
		return -1;
	if (twilio_event(c->mem, kind, request_body(c), &e) < 0)
		return fail(c, ERR_UNAVAILABLE, "out of memory");
	if (!is_our_account(e.account))
		return fail(c, ERR_SIGNATURE_INVALID, "It is not about our account.");
	return webhook_take_twilio(c, &twilio,
	    &(const struct webhook_twilio){ e.key, e.type, e.facts }, ret);
}

static int
take_call(struct ctx *c, const void *arg UNUSED)
{
	const struct json *answer;

	return take(c, TWILIO_CALL, &answer) < 0 ? -1 : reply_empty(c, 204);
}

static int
take_message(struct ctx *c, const void *arg UNUSED)
{
	const struct json *answer;

	return take(c, TWILIO_MESSAGE, &answer) < 0 ? -1 : reply_empty(c, 204);
}

/* Twilio answers STOP, START and HELP by itself. */
static int
take_sms(struct ctx *c, const void *arg UNUSED)
{
	const struct json *answer;

	if (take(c, TWILIO_SMS, &answer) < 0)
		return -1;
	return reply_raw(c, 200, TWIML_TYPE, SPAN(TWIML_EMPTY));
}

static int
answer_voice(struct ctx *c, const void *arg UNUSED)
{
	const struct json *answer;
	const char *twiml;

	if (take(c, TWILIO_VOICE, &answer) < 0)
		return -1;
	twiml = twiml_voice(c->mem, answer);
	if (!twiml)
		return fail(c, ERR_UNAVAILABLE, "out of memory");
	return reply_raw(c, 200, TWIML_TYPE, span_of(twiml));
}

static int
take_recording(struct ctx *c, const void *arg UNUSED)
{
	const struct json *answer;

	if (take(c, TWILIO_RECORDING, &answer) < 0)
		return -1;
	return reply_raw(c, 200, TWIML_TYPE, SPAN(TWIML_EMPTY));
}

/* ---- routes --------------------------------------------------------- */

#define FORM "application/x-www-form-urlencoded"
#define TWILIO_ROUTE                                                                               \
	.body_max = BODY_MAX, .body_type = FORM, .flags = ROUTE_RAW | ROUTE_UNLIMITED,             \
	.after = webhook_answered, .errors = ERRORS(ERR_SIGNATURE_INVALID)

static const struct route routes[] = {
	{ POST, TWILIO_WEBHOOK_PATH "/status", PUBLIC, NO_FIELDS, take_call, 204, NULL,
	    "Take the end of a call to a number.", TWILIO_ROUTE },
	{ POST, TWILIO_WEBHOOK_PATH "/message", PUBLIC, NO_FIELDS, take_message, 204, NULL,
	    "Take what became of a text message.", TWILIO_ROUTE },
	{ POST, TWILIO_WEBHOOK_PATH "/sms", PUBLIC, NO_FIELDS, take_sms, 200, NULL,
	    "Take a text message to a number.", TWILIO_ROUTE, .returns = RETURNS_FILE(TWIML_TYPE) },
	{ POST, TWILIO_WEBHOOK_PATH "/voice", PUBLIC, NO_FIELDS, answer_voice, 200, NULL,
	    "Say what to do with a call that its assistant could not take.", TWILIO_ROUTE,
	    .returns = RETURNS_FILE(TWIML_TYPE) },
	{ POST, TWILIO_WEBHOOK_PATH "/voice/recording", PUBLIC, NO_FIELDS, take_recording, 200,
	    NULL, "Take a message that a caller left.", TWILIO_ROUTE,
	    .returns = RETURNS_FILE(TWIML_TYPE) },
};

static const int needs[] = { SET_DATABASE_URL, -1 };

int
main(int argc, char *argv[])
{
	return server_main(argc, argv,
	    &(const struct server){ "twilio-webhook", routes, COUNT(routes),
		.about = "Takes what Twilio tells, and answers calls in need.",
		.db_role = "hookswitch_webhook", .needs = needs, .quiet = webhook_flush,
		.stop = webhook_flush });
}
