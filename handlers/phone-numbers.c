/*
 * phone-numbers.c - the phone numbers resource: look for numbers, buy, change and give them back,
 * call oneself with one, and prove that a number is one's own.
 *
 * What may be is decided by sql/functions/35_numbers*.sql; buying and linking is done by runs of
 * the workflow phone-number.
 */
#include "base/poke.h"
#include "calls-fields.h"
#include "lib/seal.h"
#include "phone-numbers-fields.h"
#include "twilio-port.h"
#include "web/reply.h"
#include "web/server.h"
#include "work/flow_verify.h"

#define READ SCOPE("numbers:read")
#define WRITE SCOPE("numbers:write")
#define ROOT "/api/v1/phone-numbers"
#define ONE ROOT "/{number_id}"

/* ---- operations ----------------------------------------------------- */

static int
search_numbers(struct ctx *c, const void *arg UNUSED)
{
	return outside_run(c, &twilio_port, NULL);
}

/* A wrong code is counted: the answer is a refusal, and what was written stays. */
static int
refuse_code(struct ctx *c)
{
	fail(c, ERR_CODE_INVALID, NULL);
	if (!request_of(c)->tx)
		return -1;
	reply_failure(c);
	return 0;
}

static int
confirm_number(struct ctx *c, const void *arg)
{
	const struct confirm_in *in = arg;
	const char *right =
	    seal_code_check(VERIFY_PURPOSE, in->verified_number_id, in->code) ? "true" : "false";
	const struct json *view = db_call(c, ARGS(in->verified_number_id, right));
	const char *text;

	if (!view)
		return -1;
	if (!json_str(view, "id"))
		return refuse_code(c);
	text = json_print(c->mem, view);
	if (!text)
		return fail(c, ERR_INTERNAL, "out of memory");
	return reply_json(c, 200, span_of(text));
}

static void
poke_pump(struct ctx *c)
{
	(void)c;
	poke_send("pump");
}

/* What was wanted is a run, or a part of one. */
static void
poke_work(struct ctx *c)
{
	(void)c;
	poke_send("work");
}

/* ---- routes --------------------------------------------------------- */

static const struct route routes[] = {
	{ GET, ROOT, READ, FIELDS(list_fields), run_query, 200, "number_list",
	    "List phone numbers, newest first.", .returns = RETURNS_LIST(phone_number_out) },
	{ POST, ROOT, WRITE, FIELDS(buy_fields), run_query, 202, "number_buy",
	    "Buy a number: a chosen one, one of an area, or any.", .after = poke_work,
	    .returns = RETURNS(phone_number_out),
	    .errors = ERRORS(ERR_ORGANIZATION_INACTIVE, ERR_SUBSCRIPTION_INACTIVE,
		ERR_NUMBER_LIMIT_REACHED, ERR_NUMBER_TAKEN, ERR_NUMBER_RESTING,
		ERR_NUMBERS_NOT_CONFIGURED, ERR_ASSISTANT_NOT_FOUND, ERR_NUMBER_PLACE_INVALID) },
	{ POST, ROOT "/search", READ, FIELDS(search_fields), search_numbers, 200, "number_search",
	    "Look for numbers that can be bought.", .flags = ROUTE_OUTSIDE,
	    .returns = RETURNS_LIST(number_offer_out),
	    .errors = ERRORS(ERR_BAD_CURSOR, ERR_NUMBERS_NOT_CONFIGURED, ERR_NUMBER_PLACE_INVALID,
		ERR_NUMBER_SEARCH_REFUSED, ERR_UNAVAILABLE) },
	{ POST, ROOT "/verify", WRITE, FIELDS(verify_fields), run_query, 202, "number_verify",
	    "Have a code sent to your own number.", .after = poke_work,
	    .returns = RETURNS(verified_number_out),
	    .errors = ERRORS(ERR_ORGANIZATION_INACTIVE, ERR_NUMBER_VERIFIED, ERR_NUMBER_INVALID,
		ERR_NUMBER_DO_NOT_CALL, ERR_NUMBERS_NOT_CONFIGURED, ERR_SUBSCRIPTION_INACTIVE,
		ERR_NUMBER_LIMIT_REACHED, ERR_TRIES) },
	{ POST, ROOT "/verify/{verified_number_id}/confirm", WRITE, FIELDS(confirm_fields),
	    confirm_number, 200, "number_verify_confirm", "Prove with the code that it is yours.",
	    .returns = RETURNS(verified_number_out),
	    .errors = ERRORS(ERR_ORGANIZATION_INACTIVE, ERR_VERIFIED_NUMBER_NOT_FOUND,
		ERR_CODE_INVALID) },
	{ GET, ROOT "/verified", READ, FIELDS(verified_list_fields), run_query, 200,
	    "number_verified_list", "List people's own numbers, newest first.",
	    .returns = RETURNS_LIST(verified_number_out) },
	{ DELETE, ROOT "/verified/{verified_number_id}", WRITE, FIELDS(verified_fields), run_query,
	    204, "number_verified_delete", "Forget a number of somebody's.",
	    .errors = ERRORS(ERR_ORGANIZATION_INACTIVE, ERR_VERIFIED_NUMBER_NOT_FOUND,
		ERR_VERIFIED_NUMBER_IN_USE) },
	{ GET, ONE, READ, FIELDS(one_fields), run_query, 200, "number_get", "One phone number.",
	    .returns = RETURNS(phone_number_out), .errors = ERRORS(ERR_NUMBER_NOT_FOUND) },
	{ PATCH, ONE, WRITE, FIELDS(update_fields), run_query, 200, "number_update",
	    "Change a number: its name, who answers it, where callers and texts go.",
	    .after = poke_work, .returns = RETURNS(phone_number_out),
	    .errors = ERRORS(ERR_ORGANIZATION_INACTIVE, ERR_NUMBER_NOT_FOUND, ERR_NUMBER_RELEASED,
		ERR_ASSISTANT_NOT_FOUND, ERR_NUMBER_NOT_VERIFIED, ERR_FORWARD_TARGET_MISSING) },
	{ DELETE, ONE, WRITE, FIELDS(one_fields), run_query, 202, "number_release",
	    "Give a number back; twice is once.", .after = poke_work,
	    .returns = RETURNS(phone_number_out),
	    .errors = ERRORS(ERR_ORGANIZATION_INACTIVE, ERR_NUMBER_NOT_FOUND) },
	{ GET, ONE "/log", READ, FIELDS(log_fields), run_query, 200, "number_log_list",
	    "What was decided of a number and done with it, newest first.",
	    .returns = RETURNS_LIST(phone_number_log_out), .errors = ERRORS(ERR_NUMBER_NOT_FOUND) },
	{ POST, ONE "/test", WRITE, FIELDS(test_fields), run_query, 202, "number_test",
	    "Be called from a number by its assistant.", .after = poke_pump,
	    .returns = RETURNS(call_out),
	    .errors =
		ERRORS(ERR_NUMBER_NOT_FOUND, ERR_VERIFIED_NUMBER_NOT_FOUND, ERR_NUMBER_NOT_VERIFIED,
		    ERR_NUMBER_NOT_ACTIVE, ERR_NUMBER_DO_NOT_CALL, ERR_PLAN_CALLS, ERR_PLAN_MINUTES,
		    ERR_SUBSCRIPTION_INACTIVE, ERR_ORGANIZATION_INACTIVE) },
	{ GET, ONE "/usage", READ, FIELDS(usage_fields), run_query, 200, "number_usage",
	    "What went over a number in a time.", .returns = RETURNS(number_usage_out),
	    .errors = ERRORS(ERR_NUMBER_NOT_FOUND, ERR_PERIOD_INVALID) },
};

static const int needs[] = { SET_DATABASE_URL, SET_HOOKSWITCH_SECRET_KEY, -1 };

int
main(int argc, char *argv[])
{
	return server_main(argc, argv,
	    &(const struct server){ "phone-numbers", routes, COUNT(routes),
		.about = "Phone numbers: found, bought, linked, given back; people's own ones.",
		.needs = needs, .start = seal_ready });
}
