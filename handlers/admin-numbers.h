/*
 * admin-numbers.h - what admin takes and answers of phone numbers.  Tables for admin.c alone.
 */
#ifndef HANDLERS_ADMIN_NUMBERS_H
#define HANDLERS_ADMIN_NUMBERS_H

#include "admin-fields.h"

enum { DAYS_MAX = 3650, LISTED_MAX = 10000 };

#define NUMBER_TYPES VALUES("local", "toll-free", "mobile")
#define NUMBER_STATUS                                                                              \
	VALUES("searching", "buying", "linking", "active", "pausing", "paused", "releasing",       \
	    "released", "failed", "lost")
#define NUMBER_LOG_STATUS VALUES("pending", "working", "completed", "skipped", "failed", "noted")

/* ---- the policy ---------------------------------------------------------------- */

static const struct field number_policy_fields[] = {
	FIELD(enabled, BODY, T_BOOL,
	    .doc = "false: nothing is bought, paused or released by itself; what people ask for "
		   "themselves is done."),
	FIELD(share_percent, BODY, T_INT, .min = 0, .max = 100,
	    .doc = "So many of a hundred organizations get numbers by themselves, chosen by their "
		   "ids: who is in at 10 is in at 20, too."),
	FIELD(organizations, BODY, T_ARRAY, ITEMS(T_UUID), .max = LISTED_MAX,
	    .doc = "Those that do whatever the share."),
	FIELD(country_code, BODY, T_STR, .min = 2, .max = 2,
	    .doc = "Where numbers are looked for: US."),
	FIELD(number_type, BODY, T_ENUM, NUMBER_TYPES, .doc = "What kind."),
	FIELD(near_owner, BODY, T_BOOL,
	    .doc = "Look in the owner's own town first, then anywhere in the country."),
	FIELD(template_slug, BODY, T_STR, .min = 1, .max = 100, .nullable = true,
	    .doc = "What an assistant is made from where an organization named no template; null: "
		   "the first that needs nothing but a name."),
	FIELD(grace_days, BODY, T_INT, .min = 0, .max = DAYS_MAX,
	    .doc = "After a cancellation numbers are kept paused for so long."),
	FIELD(paused_days, BODY, T_INT, .min = 0, .max = DAYS_MAX,
	    .doc = "The same for numbers that another plan does not include."),
	FIELD(rest_days, BODY, T_INT, .min = 0, .max = DAYS_MAX,
	    .doc = "A number that was released is not bought again for so long."),
	FIELD(orphans, BODY, T_ENUM, VALUES("show", "release"),
	    .doc = "Numbers that we bought and nobody here owns: only shown, or released."),
	FIELD(drift, BODY, T_ENUM, VALUES("show", "mend"),
	    .doc = "Settings that are not what we set: only shown, or set again."),
};

/* public.admin_number_policy_view */
static const struct field admin_number_policy_out[] = {
	ABOUT("How numbers are given to organizations by themselves."),
	FIELD(enabled, OUT, T_BOOL, .required = true, .doc = "Whether they are."),
	FIELD(ready, OUT, T_BOOL, .required = true,
	    .doc = "Whether numbers can be bought here: Twilio and Vapi can be asked."),
	FIELD(share_percent, OUT, T_INT, .required = true,
	    .doc = "So many of a hundred organizations."),
	FIELD(organizations, OUT, T_ARRAY, ITEMS(T_UUID), .required = true,
	    .doc = "Those that do whatever the share."),
	FIELD(country_code, OUT, T_STR, .required = true, .doc = "Where they are looked for."),
	FIELD(number_type, OUT, T_ENUM, NUMBER_TYPES, .required = true, .doc = "What kind."),
	FIELD(near_owner, OUT, T_BOOL, .required = true,
	    .doc = "Whether the owner's own town is looked in first."),
	FIELD(template_slug, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "What an assistant is made from."),
	FIELD(grace_days, OUT, T_INT, .required = true,
	    .doc = "So long numbers are kept after a cancellation."),
	FIELD(paused_days, OUT, T_INT, .required = true,
	    .doc = "So long those that another plan does not include."),
	FIELD(rest_days, OUT, T_INT, .required = true,
	    .doc = "So long a released number is not bought again."),
	FIELD(orphans, OUT, T_ENUM, VALUES("show", "release"), .required = true,
	    .doc = "What is done with numbers that nobody here owns."),
	FIELD(drift, OUT, T_ENUM, VALUES("show", "mend"), .required = true,
	    .doc = "What is done with settings that are not what we set."),
	FIELD(updated_at, OUT, T_TIME, .required = true, .doc = "Last changed at this time."),
};

/* ---- numbers --------------------------------------------------------------------- */

static const struct field admin_numbers_fields[] = {
	FIELD(status, QUERY, T_ENUM, NUMBER_STATUS, .doc = "Only those with this status."),
	FIELD(organization_id, QUERY, T_UUID, .doc = "Only of this organization."),
	PAGE,
};

static const struct field admin_number_fields[] = {
	FIELD(number_id, PATH, T_UUID, .required = true, .doc = "The number."),
};

/* public.admin_number_view */
static const struct field admin_number_out[] = {
	ABOUT("A phone number, as operators see one."),
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The number's own id."),
	FIELD(organization_id, OUT, T_UUID, .required = true, .doc = "Whose."),
	FIELD(user_id, OUT, T_UUID, .required = true, .nullable = true, .doc = "For whom."),
	FIELD(phone_number, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "E.164; null: none was found yet."),
	FIELD(name, OUT, T_STR, .required = true, .nullable = true, .doc = "What it is called."),
	FIELD(status, OUT, T_ENUM, NUMBER_STATUS, .required = true, .doc = "What it is."),
	FIELD(wanted, OUT, T_ENUM, VALUES("active", "paused", "released"), .required = true,
	    .doc = "What it shall be."),
	FIELD(origin, OUT, T_ENUM, VALUES("manual", "automatic", "chosen"), .required = true,
	    .doc = "Written by hand, given with a plan, or asked for by a person."),
	FIELD(number_type, OUT, T_STR, .required = true, .nullable = true, .doc = "What kind."),
	FIELD(country_code, OUT, T_STR, .required = true, .nullable = true, .doc = "Where."),
	FIELD(area_code, OUT, T_STR, .required = true, .nullable = true, .doc = "Its area."),
	FIELD(locality, OUT, T_STR, .required = true, .nullable = true, .doc = "The town."),
	FIELD(region, OUT, T_STR, .required = true, .nullable = true, .doc = "The state."),
	FIELD(assistant_id, OUT, T_UUID, .required = true, .nullable = true,
	    .doc = "Who answers it."),
	FIELD(provider_sid, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "Twilio's id of it."),
	FIELD(voice_number_id, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "Vapi's id of it."),
	FIELD(searches, OUT, T_INT, .required = true, .doc = "How often one was looked for."),
	FIELD(tried, OUT, T_INT, .required = true, .doc = "How many somebody else had."),
	FIELD(run_id, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "The run that is at it; null: none."),
	FIELD(last_error, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "What went wrong last."),
	FIELD(purchased_at, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "Bought at this time."),
	FIELD(linked_at, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "Linked to its assistant at this time."),
	FIELD(paused_at, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "Paused at this time."),
	FIELD(pause_reason, OUT, T_STR, .required = true, .nullable = true, .doc = "Why."),
	FIELD(release_after, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "When it is given back; null: it is not."),
	FIELD(released_at, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "Given back at this time."),
	FIELD(release_reason, OUT, T_STR, .required = true, .nullable = true, .doc = "Why."),
	FIELD(rests_until, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "Not bought again before."),
	FIELD(created_at, OUT, T_TIME, .required = true, .doc = "Asked for at this time."),
	FIELD(updated_at, OUT, T_TIME, .required = true, .doc = "Last changed at this time."),
};

/* ---- what was decided and done ---------------------------------------------------- */

static const struct field admin_number_log_fields[] = {
	FIELD(organization_id, QUERY, T_UUID, .doc = "Only of this organization."),
	FIELD(phone_number_id, QUERY, T_UUID, .doc = "Only of this number."),
	FIELD(status, QUERY, T_ENUM, NUMBER_LOG_STATUS, .doc = "Only with this outcome."),
	PAGE,
};

static const struct field admin_number_differences_fields[] = {
	FIELD(state, QUERY, T_ENUM, VALUES("open", "resolved", "all"), .dflt = "open",
	    .doc = "Those that still differ, those that agree again, or all."),
	FIELD(kind, QUERY, T_ENUM, VALUES("orphan", "stranger", "lost", "drift", "double"),
	    .doc = "Only of this kind."),
	FIELD(organization_id, QUERY, T_UUID, .doc = "Only of this organization."),
	PAGE,
};

/* public.admin_number_log_view */
static const struct field admin_number_log_out[] = {
	ABOUT("A decision about numbers, or a step on the way to one."),
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The line."),
	FIELD(organization_id, OUT, T_UUID, .required = true, .nullable = true, .doc = "Whose."),
	FIELD(user_id, OUT, T_UUID, .required = true, .nullable = true, .doc = "For whom."),
	FIELD(subscription_id, OUT, T_UUID, .required = true, .nullable = true,
	    .doc = "The subscription that changed."),
	FIELD(tier_type, OUT, T_STR, .required = true, .nullable = true, .doc = "What it gives."),
	FIELD(subscription_status, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "How it stood."),
	FIELD(trigger_action, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "insert, update, organization, policy, ready, catchup, again: what led to it; "
		   "else what was done."),
	FIELD(response_id, OUT, T_INT, .max = INT64_MAX, .required = true, .nullable = true,
	    .doc = "Lines in the order in which they were written."),
	FIELD(status, OUT, T_ENUM, NUMBER_LOG_STATUS, .required = true,
	    .doc = "pending, working: not over; noted: a step on the way."),
	FIELD(reason, OUT, T_STR, .required = true, .nullable = true, .doc = "Why; a code."),
	FIELD(error_message, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "What went wrong."),
	FIELD(phone_number_id, OUT, T_UUID, .required = true, .nullable = true,
	    .doc = "The number."),
	FIELD(run_id, OUT, T_STR, .required = true, .nullable = true, .doc = "The run."),
	FIELD(step, OUT, T_STR, .required = true, .nullable = true, .doc = "Its step."),
	FIELD(detail, OUT, T_OBJECT, .required = true, .doc = "More of it."),
	FIELD(duration_ms, OUT, T_INT, .max = INT64_MAX, .required = true, .nullable = true,
	    .doc = "How long, from the change on; of a step: how long it took."),
	FIELD(began_at, OUT, T_TIME, .required = true, .nullable = true, .doc = "It began."),
	FIELD(finished_at, OUT, T_TIME, .required = true, .nullable = true, .doc = "It was over."),
	FIELD(created_at, OUT, T_TIME, .required = true, .doc = "Written at this time."),
};

/* public.admin_number_difference_view */
static const struct field admin_number_difference_out[] = {
	ABOUT("Where our numbers and assistants and a provider's do not agree."),
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The difference."),
	FIELD(provider, OUT, T_ENUM, VALUES("twilio", "vapi"), .required = true, .doc = "Whose."),
	FIELD(kind, OUT, T_STR, .required = true,
	    .doc = "orphan: nobody here owns it; stranger: we did not make it; lost: it is not "
		   "there; drift: set otherwise; double."),
	FIELD(external_id, OUT, T_STR, .required = true, .doc = "The provider's id of the thing."),
	FIELD(phone_number, OUT, T_STR, .required = true, .nullable = true, .doc = "E.164."),
	FIELD(phone_number_id, OUT, T_UUID, .required = true, .nullable = true,
	    .doc = "Our number, where there is or was one."),
	FIELD(organization_id, OUT, T_UUID, .required = true, .nullable = true,
	    .doc = "Whose it is, where that is known."),
	FIELD(ours, OUT, T_OBJECT, .required = true, .nullable = true,
	    .doc = "What we had; null: nothing."),
	FIELD(theirs, OUT, T_OBJECT, .required = true, .nullable = true,
	    .doc = "What the provider has; null: nothing."),
	FIELD(seen, OUT, T_INT, .required = true, .doc = "How often it was found."),
	FIELD(action, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "What was begun to mend it; null: nothing."),
	FIELD(first_seen_at, OUT, T_TIME, .required = true, .doc = "First at this time."),
	FIELD(last_seen_at, OUT, T_TIME, .required = true, .doc = "Last at this time."),
	FIELD(resolved_at, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "Agreed again at this time; null: it still differs."),
};

#endif
