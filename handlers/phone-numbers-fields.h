/*
 * phone-numbers-fields.h - what comes to phone-numbers.c and what it answers, field by field.
 */
#ifndef HANDLERS_PHONE_NUMBERS_FIELDS_H
#define HANDLERS_PHONE_NUMBERS_FIELDS_H

#include "web/route.h"

/* ---- input ---------------------------------------------------------- */

#define NUMBER_STATUS                                                                              \
	VALUES("searching", "buying", "linking", "active", "pausing", "paused", "releasing",       \
	    "released", "failed", "lost")
#define NUMBER_TYPES VALUES("local", "toll-free", "mobile")
#define FORWARD_WHEN VALUES("never", "down", "always")
#define SMS_MODES VALUES("keep", "forward", "ignore")
#define CHANNELS VALUES("sms", "call")

#define PAGE                                                                                       \
	FIELD(after, QUERY, T_CURSOR, .doc = "next_cursor of the page before."),                   \
	    FIELD(limit, QUERY, T_INT, .min = 1, .max = 100, .dflt = "20", .doc = "Page size.")
#define NUMBER_ID FIELD(number_id, PATH, T_UUID, .required = true, .doc = "The number.")

static const struct field list_fields[] = {
	FIELD(status, QUERY, T_ENUM, NUMBER_STATUS, .doc = "Only those in this status."),
	FIELD(assistant_id, QUERY, T_UUID, .doc = "Only those that this assistant answers."),
	PAGE,
};

/* Where a number is to be. */
#define PLACE                                                                                      \
	FIELD(number_type, BODY, T_ENUM, NUMBER_TYPES,                                             \
	    .doc = "Of which kind; without it: the installation's usual one."),                    \
	    FIELD(area_code, BODY, T_STR, .min = 2, .max = 5, .doc = "Its area code: digits."),    \
	    FIELD(contains, BODY, T_STR, .min = 2, .max = 16,                                      \
		.doc = "Digits or letters that it holds; * is any one, % any run at an end."),     \
	    FIELD(region, BODY, T_STR, .min = 1, .max = 64, .doc = "State or province: CA."),      \
	    FIELD(locality, BODY, T_STR, .min = 1, .max = 128, .doc = "Town.")

static const struct field search_fields[] = {
	FIELD(country, BODY, T_STR, .min = 2, .max = 2,
	    .doc = "Two capital letters: US; without it: the installation's usual country."),
	PLACE,
	FIELD(sms, BODY, T_BOOL, .doc = "Whether it takes text messages."),
	FIELD(voice, BODY, T_BOOL, .doc = "Whether it takes calls."),
	FIELD(mms, BODY, T_BOOL, .doc = "Whether it takes messages with pictures."),
	FIELD(limit, BODY, T_INT, .min = 1, .max = 50, .dflt = "20",
	    .doc = "Page size; of these, numbers that somebody has are left out."),
	FIELD(after, BODY, T_CURSOR, .doc = "next_cursor of the page before."),
};

static const struct field buy_fields[] = {
	FIELD(phone_number, BODY, T_E164,
	    .doc = "This very number; all that follows about its place is passed over then."),
	FIELD(country_code, BODY, T_STR, .min = 2, .max = 2,
	    .doc = "Any number of this country, US for one; without it: the installation's usual "
		   "country."),
	PLACE,
	FIELD(name, BODY, T_STR, .max = 100, .doc = "What you call it."),
	FIELD(assistant_id, BODY, T_UUID,
	    .doc = "Who answers it; without it: the organization's usual assistant."),
};

static const struct field one_fields[] = { NUMBER_ID };
static const struct field log_fields[] = { NUMBER_ID, PAGE };

static const struct field update_fields[] = {
	NUMBER_ID,
	FIELD(name, BODY, T_STR, .max = 100, .nullable = true, .doc = "What you call it."),
	FIELD(assistant_id, BODY, T_UUID, .nullable = true,
	    .doc = "Who answers it; null: the organization's usual assistant."),
	FIELD(forward_to, BODY, T_E164, .nullable = true,
	    .doc = "Where callers are put through to: a verified number of the organization."),
	FIELD(forward_when, BODY, T_ENUM, FORWARD_WHEN,
	    .doc = "When they are: never, while the assistant cannot answer, or always."),
	FIELD(sms_mode, BODY, T_ENUM, SMS_MODES,
	    .doc = "Text messages to it are kept, kept and sent on, or not taken."),
	FIELD(sms_forward_to, BODY, T_E164, .nullable = true,
	    .doc = "Where text messages are sent on to: a verified number of the organization."),
};

static const struct field test_fields[] = {
	NUMBER_ID,
	FIELD(verified_number_id, BODY, T_UUID, .required = true,
	    .doc = "Who is called: a verified number of the organization."),
};

static const struct field usage_fields[] = {
	NUMBER_ID,
	FIELD(from, QUERY, T_TIME,
	    .doc = "From this time on; without it: from the beginning of the plan's period."),
	FIELD(to, QUERY, T_TIME, .doc = "Before this time; without it: to the period's end."),
};

static const struct field verify_fields[] = {
	FIELD(phone_number, BODY, T_E164, .required = true, .doc = "Your own number."),
	FIELD(channel, BODY, T_ENUM, CHANNELS, .dflt = "sms",
	    .doc = "The code comes by a text message, or by a call that says it."),
};

struct confirm_in {
	const char *verified_number_id, *code;
};

static const struct field confirm_fields[] = {
	FIELD(verified_number_id, PATH, T_UUID, INTO(struct confirm_in, verified_number_id),
	    .required = true, .doc = "What POST /api/v1/phone-numbers/verify answered."),
	FIELD(code, BODY, T_STR, INTO(struct confirm_in, code), .min = 6, .max = 6,
	    .required = true, .doc = "The six digits that came."),
};

static const struct field verified_list_fields[] = { PAGE };

static const struct field verified_fields[] = {
	FIELD(verified_number_id, PATH, T_UUID, .required = true, .doc = "The verified number."),
};

/* ---- output --------------------------------------------------------- */

static const struct field capabilities_out[] = {
	ABOUT("What a number takes."),
	FIELD(voice, OUT, T_BOOL, .doc = "Calls."),
	FIELD(sms, OUT, T_BOOL, .doc = "Text messages."),
	FIELD(mms, OUT, T_BOOL, .doc = "Messages with pictures."),
};

/* public.number_view */
static const struct field phone_number_out[] = {
	ABOUT("A phone number of an organization."),
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The number."),
	FIELD(organization_id, OUT, T_UUID, .required = true, .doc = "Whose it is."),
	FIELD(phone_number, OUT, T_E164, .required = true, .nullable = true,
	    .doc = "The number itself; null while one is looked for."),
	FIELD(name, OUT, T_STR, .required = true, .nullable = true, .doc = "What you call it."),
	FIELD(status, OUT, T_ENUM, NUMBER_STATUS, .required = true,
	    .doc = "searching, buying, linking: on the way; active: it can be called; pausing, "
		   "paused: kept, nobody answers; releasing, released: given back; failed: it was "
		   "never had; lost: the phone provider has it no more."),
	FIELD(wanted, OUT, T_ENUM, VALUES("active", "paused", "released"), .required = true,
	    .doc = "What it is brought to."),
	FIELD(origin, OUT, T_ENUM, VALUES("manual", "automatic", "chosen"), .required = true,
	    .doc = "Written by hand, given with a plan, or asked for by somebody."),
	FIELD(number_type, OUT, T_ENUM, NUMBER_TYPES, .required = true, .nullable = true,
	    .doc = "Of which kind it is."),
	FIELD(country_code, OUT, T_STR, .required = true, .nullable = true, .doc = "US for one."),
	FIELD(area_code, OUT, T_STR, .required = true, .nullable = true, .doc = "Its area code."),
	FIELD(locality, OUT, T_STR, .required = true, .nullable = true, .doc = "Its town."),
	FIELD(region, OUT, T_STR, .required = true, .nullable = true, .doc = "Its state."),
	FIELD(capabilities, OUT, T_OBJECT, MEMBERS(capabilities_out), .required = true,
	    .doc = "What it takes, as far as it is known."),
	FIELD(assistant_id, OUT, T_UUID, .required = true, .nullable = true,
	    .doc = "The assistant that answers it, or will in a moment."),
	FIELD(forward_to, OUT, T_E164, .required = true, .nullable = true,
	    .doc = "Where callers are put through to."),
	FIELD(forward_when, OUT, T_ENUM, FORWARD_WHEN, .required = true,
	    .doc = "When they are: never, while the assistant cannot answer, or always."),
	FIELD(sms_mode, OUT, T_ENUM, SMS_MODES, .required = true,
	    .doc = "Text messages to it are kept, kept and sent on, or not taken."),
	FIELD(sms_forward_to, OUT, T_E164, .required = true, .nullable = true,
	    .doc = "Where text messages are sent on to."),
	FIELD(provider_sid, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "The phone provider's name for it."),
	FIELD(voice_number_id, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "The voice provider's name for it."),
	FIELD(purchased_at, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "When it was bought."),
	FIELD(linked_at, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "When its assistant answered first."),
	FIELD(paused_at, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "Since when nobody answers."),
	FIELD(pause_reason, OUT, T_STR, .required = true, .nullable = true, .doc = "Why."),
	FIELD(release_after, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "When a paused number is given back; null: it is not."),
	FIELD(released_at, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "When it was given back."),
	FIELD(release_reason, OUT, T_STR, .required = true, .nullable = true, .doc = "Why."),
	FIELD(last_error, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "What went wrong last, as a code."),
	FIELD(created_at, OUT, T_TIME, .required = true, .doc = "When it was asked for."),
	FIELD(updated_at, OUT, T_TIME, .required = true, .doc = "When it changed last."),
};

/* public.number_offers */
static const struct field number_offer_out[] = {
	ABOUT("A number that can be bought."),
	FIELD(phone_number, OUT, T_E164, .required = true, .doc = "The number."),
	FIELD(friendly_name, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "The same as people write it."),
	FIELD(locality, OUT, T_STR, .required = true, .nullable = true, .doc = "Its town."),
	FIELD(region, OUT, T_STR, .required = true, .nullable = true, .doc = "Its state."),
	FIELD(postal_code, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "Its postal code."),
	FIELD(country_code, OUT, T_STR, .required = true, .nullable = true, .doc = "US for one."),
	FIELD(number_type, OUT, T_ENUM, NUMBER_TYPES, .required = true,
	    .doc = "Of which kind it is."),
	FIELD(capabilities, OUT, T_OBJECT, MEMBERS(capabilities_out), .required = true,
	    .doc = "What it takes."),
	FIELD(address_requirements, OUT, T_STR, .required = true,
	    .doc = "Which address its owner must have: none, any, local or foreign."),
};

/* public.number_log_view */
static const struct field phone_number_log_out[] = {
	ABOUT("What was decided of a number, or done with it."),
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The line."),
	FIELD(action, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "What: search, buy, link, pause, release, ..."),
	FIELD(status, OUT, T_STR, .required = true,
	    .doc = "pending, working: not over; completed, failed, skipped; noted: a step."),
	FIELD(reason, OUT, T_STR, .required = true, .nullable = true, .doc = "Why, as a code."),
	FIELD(duration_ms, OUT, T_INT, .required = true, .nullable = true,
	    .doc = "How long it took."),
	FIELD(created_at, OUT, T_TIME, .required = true, .doc = "When it began."),
	FIELD(finished_at, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "When it was over."),
};

/* public.number_used */
static const struct field number_usage_out[] = {
	ABOUT("What went over a number in a time."),
	FIELD(from, OUT, T_TIME, .required = true, .doc = "From this time on."),
	FIELD(to, OUT, T_TIME, .required = true, .doc = "Before this time."),
	FIELD(calls_in, OUT, T_INT, .required = true, .doc = "Calls that came."),
	FIELD(calls_out, OUT, T_INT, .required = true, .doc = "Calls that went from it."),
	FIELD(seconds_in, OUT, T_INT, .required = true, .doc = "Time talked in those that came."),
	FIELD(seconds_out, OUT, T_INT, .required = true,
	    .doc = "Time talked in those that went from it."),
	FIELD(minutes, OUT, T_INT, .required = true,
	    .doc = "Of both, each call begun minute by minute."),
	FIELD(messages_in, OUT, T_INT, .required = true, .doc = "Text messages that came."),
	FIELD(messages_out, OUT, T_INT, .required = true,
	    .doc = "Text messages that went from it."),
};

/* public.verified_number_view */
static const struct field verified_number_out[] = {
	ABOUT("A number of the organization's people, proved by a code."),
	FIELD(id, OUT, T_UUID, .required = true,
	    .doc = "The number; another one with each code that is sent."),
	FIELD(phone_number, OUT, T_E164, .required = true, .doc = "The number itself."),
	FIELD(channel, OUT, T_ENUM, CHANNELS, .required = true, .doc = "How the code came."),
	FIELD(status, OUT, T_ENUM, VALUES("pending", "verified", "expired", "failed"),
	    .required = true,
	    .doc = "pending: a code is on its way; failed: it was wrong too often, or could not "
		   "be sent."),
	FIELD(expires_at, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "The code is good until then."),
	FIELD(verified_at, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "When it was proved."),
	FIELD(created_at, OUT, T_TIME, .required = true, .doc = "When it was asked for first."),
};

#endif
