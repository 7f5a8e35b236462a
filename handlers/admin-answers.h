/*
 * admin-answers.h - what admin answers of people, organizations and the queue: tables for
 * admin.c alone.  Of providers: admin-provider-answers.h; of runs:
 * workflow-answers.h.
 */
#ifndef HANDLERS_ADMIN_ANSWERS_H
#define HANDLERS_ADMIN_ANSWERS_H

#include "web/field.h"

#define ORGANIZATION_STATUS                                                                        \
	VALUES("active", "past_due", "read_only", "suspended", "canceled", "disabled")
#define ROLES VALUES("owner", "admin", "member", "viewer")

/* ---- people and organizations --------------------------------------------- */

/* public.admin_person_line */
#define PERSON_MEMBERS                                                                             \
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The person."),                            \
	    FIELD(email, OUT, T_STR, .required = true, .nullable = true, .doc = "The address."),   \
	    FIELD(first_name, OUT, T_STR, .required = true, .nullable = true,                      \
		.doc = "The first name."),                                                         \
	    FIELD(last_name, OUT, T_STR, .required = true, .nullable = true,                       \
		.doc = "The last name."),                                                          \
	    FIELD(status, OUT, T_ENUM, VALUES("active", "inactive"), .required = true,             \
		.doc = "Whether the account is open."),                                            \
	    FIELD(created_at, OUT, T_TIME, .required = true, .doc = "Known since.")

static const struct field admin_person_line_out[] = {
	ABOUT("A person, as operators' lists show one."),
	PERSON_MEMBERS,
};

static const struct field admin_membership_out[] = {
	ABOUT("An organization that a person belongs to."),
	FIELD(organization_id, OUT, T_UUID, .required = true, .doc = "The organization."),
	FIELD(name, OUT, T_STR, .required = true, .doc = "Its name."),
	FIELD(status, OUT, T_ENUM, ORGANIZATION_STATUS, .required = true, .doc = "Its status."),
	FIELD(role, OUT, T_ENUM, ROLES, .required = true, .doc = "What the person may do there."),
	FIELD(is_personal, OUT, T_BOOL, .required = true, .doc = "Whether it is the person's own."),
	FIELD(created_at, OUT, T_TIME, .required = true, .doc = "Member since."),
};

static const struct field admin_person_out[] = {
	ABOUT("A person, as operators see one."),
	PERSON_MEMBERS,
	FIELD(email_confirmed_at, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "When the address was confirmed; null where accounts are somebody else's."),
	FIELD(last_sign_in_at, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "When the person signed in last."),
	FIELD(totp_enabled, OUT, T_BOOL, .required = true,
	    .doc = "Whether one-time codes are switched on."),
	FIELD(is_operator, OUT, T_BOOL, .required = true,
	    .doc = "Whether the account itself says so; the settings may name more."),
	FIELD(sessions, OUT, T_INT, .max = INT64_MAX, .required = true,
	    .doc = "Sessions that are open."),
	FIELD(memberships, OUT, T_ARRAY, MEMBERS(admin_membership_out), .required = true,
	    .doc = "Organizations that the person belongs to."),
};

/* public.admin_organization_line */
#define ORGANIZATION_MEMBERS                                                                       \
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The organization."),                      \
	    FIELD(name, OUT, T_STR, .required = true, .doc = "Its name."),                         \
	    FIELD(status, OUT, T_ENUM, ORGANIZATION_STATUS, .required = true,                      \
		.doc = "Whether it may call, and be entered."),                                    \
	    FIELD(is_personal, OUT, T_BOOL, .required = true,                                      \
		.doc = "Whether it is one person's own."),                                         \
	    FIELD(deleted_after, OUT, T_TIME, .required = true, .nullable = true,                  \
		.doc = "Deleted: it goes then."),                                                  \
	    FIELD(created_at, OUT, T_TIME, .required = true, .doc = "Made at this time.")

static const struct field admin_organization_line_out[] = {
	ABOUT("An organization, as operators' lists show one."),
	ORGANIZATION_MEMBERS,
};

static const struct field admin_member_out[] = {
	ABOUT("Somebody who belongs to an organization."),
	FIELD(user_id, OUT, T_UUID, .required = true, .doc = "The person."),
	FIELD(email, OUT, T_STR, .required = true, .nullable = true, .doc = "The address."),
	FIELD(role, OUT, T_ENUM, ROLES, .required = true, .doc = "What the person may do."),
	FIELD(created_at, OUT, T_TIME, .required = true, .doc = "Member since."),
};

static const struct field admin_plan_out[] = {
	ABOUT("What an organization bought."),
	FIELD(tier, OUT, T_STR, .required = true, .doc = "What was bought."),
	FIELD(status, OUT, T_STR, .required = true, .doc = "How the subscription stands."),
	FIELD(name, OUT, T_STR, .required = true, .nullable = true, .doc = "The plan."),
	FIELD(call_limit, OUT, T_INT, .required = true, .nullable = true,
	    .doc = "Calls a month; null: no limit."),
	FIELD(minutes_limit, OUT, T_INT, .required = true, .nullable = true,
	    .doc = "Minutes a month; null: no limit."),
	FIELD(period_end, OUT, T_TIME, .required = true, .doc = "Until when it is paid."),
};

/* public.admin_usage_of */
#define USAGE_MEMBERS                                                                              \
	FIELD(calls, OUT, T_INT, .max = INT64_MAX, .required = true, .doc = "Calls that ended."),  \
	    FIELD(seconds, OUT, T_INT, .max = INT64_MAX, .required = true,                         \
		.doc = "How long they were."),                                                     \
	    FIELD(minutes, OUT, T_INT, .max = INT64_MAX, .required = true,                         \
		.doc = "The same in minutes, each call rounded up."),                              \
	    FIELD(cost_cents, OUT, T_NUMBER, .required = true,                                     \
		.doc = "What providers charged for them, in US cents.")

static const struct field admin_period_out[] = {
	ABOUT("What was used in a time."),
	USAGE_MEMBERS,
};

static const struct field admin_organization_out[] = {
	ABOUT("An organization, as operators see one."),
	ORGANIZATION_MEMBERS,
	FIELD(max_concurrent_calls, OUT, T_INT, .required = true, .nullable = true,
	    .doc = "Live calls at once at most; null: what the providers allow."),
	FIELD(plan, OUT, T_OBJECT, MEMBERS(admin_plan_out), .required = true, .nullable = true,
	    .doc = "Its subscription; null: none."),
	FIELD(usage, OUT, T_OBJECT, MEMBERS(admin_period_out), .required = true,
	    .doc = "This month (UTC)."),
	FIELD(calls_waiting, OUT, T_INT, .max = INT64_MAX, .required = true,
	    .doc = "Calls that wait."),
	FIELD(calls_live, OUT, T_INT, .max = INT64_MAX, .required = true,
	    .doc = "Calls under way."),
	FIELD(member_count, OUT, T_INT, .max = INT64_MAX, .required = true,
	    .doc = "How many belong to it."),
	FIELD(members, OUT, T_ARRAY, MEMBERS(admin_member_out), .required = true,
	    .doc = "The first hundred of them."),
};

/* ---- the queue ------------------------------------------------------------------ */

static const struct field admin_queue_calls_out[] = {
	ABOUT("Calls that are not over, counted."),
	FIELD(ready, OUT, T_INT, .max = INT64_MAX, .required = true, .doc = "Due, and waiting."),
	FIELD(later, OUT, T_INT, .max = INT64_MAX, .required = true, .doc = "Due at a later time."),
	FIELD(in_progress, OUT, T_INT, .max = INT64_MAX, .required = true, .doc = "Under way."),
};

static const struct field admin_queue_organization_out[] = {
	ABOUT("How many calls of an organization wait."),
	FIELD(organization_id, OUT, T_UUID, .required = true, .doc = "The organization."),
	FIELD(name, OUT, T_STR, .required = true, .doc = "Its name."),
	FIELD(waiting, OUT, T_INT, .max = INT64_MAX, .required = true,
	    .doc = "Its calls that wait."),
	FIELD(in_progress, OUT, T_INT, .max = INT64_MAX, .required = true,
	    .doc = "Its calls under way."),
};

static const struct field admin_queue_out[] = {
	ABOUT("What waits, hangs or failed in the whole installation."),
	FIELD(calls, OUT, T_OBJECT, MEMBERS(admin_queue_calls_out), .required = true,
	    .doc = "Calls that are not over."),
	FIELD(oldest_due_at, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "Since when the oldest of those that are due waits."),
	FIELD(waiting, OUT, T_OBJECT, ITEMS(T_INT, .max = INT64_MAX), .required = true,
	    .doc = "Those that are due, by why they wait."),
	FIELD(organizations, OUT, T_ARRAY, MEMBERS(admin_queue_organization_out), .required = true,
	    .doc = "The twenty with most of them."),
	FIELD(attempts, OUT, T_OBJECT, ITEMS(T_INT, .max = INT64_MAX), .required = true,
	    .doc = "Live attempts by state."),
	FIELD(stuck, OUT, T_INT, .max = INT64_MAX, .required = true,
	    .doc = "Attempts that should have gone on five minutes ago."),
	FIELD(dead_letters, OUT, T_INT, .max = INT64_MAX, .required = true,
	    .doc = "Runs that failed for good."),
	FIELD(webhooks, OUT, T_OBJECT, ITEMS(T_INT, .max = INT64_MAX), .required = true,
	    .doc = "Events that need a look, by state."),
	FIELD(end_reasons_unlisted, OUT, T_INT, .max = INT64_MAX, .required = true,
	    .doc = "End reasons that are in no list."),
};

/* public.admin_attempt_view */
static const struct field admin_attempt_out[] = {
	ABOUT("An attempt to make a call that needs a look: stuck, or unknown."),
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The attempt, our mark at the provider."),
	FIELD(call_id, OUT, T_UUID, .required = true, .doc = "Its call."),
	FIELD(organization_id, OUT, T_UUID, .required = true, .doc = "Whose call it is."),
	FIELD(provider_id, OUT, T_UUID, .required = true, .nullable = true,
	    .doc = "Where it was made; null: that provider is gone."),
	FIELD(provider_type, OUT, T_STR, .required = true, .doc = "The provider's kind."),
	FIELD(provider_call_id, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "The call's id there."),
	FIELD(attempt, OUT, T_INT, .required = true, .doc = "Which try of its call it is."),
	FIELD(state, OUT, T_ENUM,
	    VALUES("leased", "sent", "accepted", "ended", "refused", "absent", "unknown"),
	    .required = true, .doc = "What is known of it."),
	FIELD(progress, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "What the provider last told."),
	FIELD(reason, OUT, T_STR, .required = true, .nullable = true, .doc = "Why it is so."),
	FIELD(looks, OUT, T_INT, .required = true, .doc = "How often the provider was asked."),
	FIELD(lease_until, OUT, T_TIME, .required = true, .doc = "Until when a pump holds it."),
	FIELD(sent_at, OUT, T_TIME, .required = true, .nullable = true, .doc = "When it was sent."),
	FIELD(accepted_at, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "When the provider took it."),
	FIELD(ended_at, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "When it ended there."),
	FIELD(next_look_at, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "When the provider is asked next."),
	FIELD(created_at, OUT, T_TIME, .required = true, .doc = "When it was claimed."),
	FIELD(updated_at, OUT, T_TIME, .required = true, .doc = "When it last changed."),
};

static const struct field admin_canceled_out[] = {
	ABOUT("A call that an operator canceled."),
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The call."),
	FIELD(organization_id, OUT, T_UUID, .required = true, .doc = "Whose it is."),
	FIELD(status, OUT, T_STR, .required = true, .doc = "What became of it."),
	FIELD(cancel_requested_at, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "It is being hung up since then."),
};

/* public.admin_webhook_view */
static const struct field admin_webhook_out[] = {
	ABOUT("A kept event of a provider, without its body."),
	FIELD(id, OUT, T_INT, .max = INT64_MAX, .required = true, .doc = "The event."),
	FIELD(received_at, OUT, T_TIME, .required = true, .doc = "When it came."),
	FIELD(provider, OUT, T_STR, .required = true, .doc = "From whom."),
	FIELD(organization_id, OUT, T_UUID, .required = true, .nullable = true,
	    .doc = "To whom; null: not known yet (an event about money)."),
	FIELD(signer, OUT, T_STR, .required = true, .doc = "Whose secret it was signed with."),
	FIELD(type, OUT, T_STR, .required = true, .doc = "What it is called."),
	FIELD(assignment_id, OUT, T_UUID, .required = true, .nullable = true,
	    .doc = "The attempt that it names."),
	FIELD(provider_call_id, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "The provider's call that it names."),
	FIELD(state, OUT, T_STR, .required = true, .doc = "What became of it."),
	FIELD(error, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "Why it could not be applied, without numbers."),
	FIELD(tries, OUT, T_INT, .required = true, .doc = "How often that was tried again."),
	FIELD(try_at, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "When it is tried next."),
};

static const struct field admin_end_reason_out[] = {
	ABOUT("An end reason that a provider gave and no list knows."),
	FIELD(provider_type, OUT, T_STR, .required = true, .doc = "The provider's kind."),
	FIELD(reason, OUT, T_STR, .required = true, .doc = "What it said."),
	FIELD(seen, OUT, T_INT, .max = INT64_MAX, .required = true, .doc = "How often."),
	FIELD(first_seen_at, OUT, T_TIME, .required = true, .doc = "First at this time."),
	FIELD(last_seen_at, OUT, T_TIME, .required = true, .doc = "Last at this time."),
};

/* ---- usage, the log ------------------------------------------------------------ */

static const struct field admin_usage_out[] = {
	ABOUT("What an organization used."),
	FIELD(organization_id, OUT, T_UUID, .required = true, .doc = "The organization."),
	FIELD(name, OUT, T_STR, .required = true, .doc = "Its name."),
	USAGE_MEMBERS,
};

static const struct field admin_log_entry_out[] = {
	ABOUT("What an operator did."),
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The entry."),
	FIELD(created_at, OUT, T_TIME, .required = true, .doc = "When it was done."),
	FIELD(organization_id, OUT, T_UUID, .required = true, .nullable = true,
	    .doc = "In whose log it stands too; null: in no other."),
	FIELD(actor_type, OUT, T_STR, .required = true,
	    .doc = "Who did it: operator, or who else may."),
	FIELD(actor_id, OUT, T_UUID, .required = true, .nullable = true, .doc = "Which one."),
	FIELD(action, OUT, T_STR, .required = true, .doc = "What was done: provider.updated."),
	FIELD(target_type, OUT, T_STR, .required = true, .doc = "To what kind of thing."),
	FIELD(target_id, OUT, T_UUID, .required = true, .nullable = true,
	    .doc = "Which one; null: details name it."),
	FIELD(details, OUT, T_OBJECT, .required = true, .doc = "More of it, by the action."),
	FIELD(request_id, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "The request, as in its X-Request-Id."),
	FIELD(address, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "Where it came from."),
};

#endif
