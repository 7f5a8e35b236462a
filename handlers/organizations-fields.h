/*
 * organizations-fields.h - what the program organizations is asked for and what it answers (as the
 * *_view functions in sql/functions make it), and the errors that several routes share.
 */
#ifndef HANDLERS_ORGANIZATIONS_FIELDS_H
#define HANDLERS_ORGANIZATIONS_FIELDS_H

#include "web/field.h"

enum { CONCURRENT_MAX = 100000, NUMBERS_MAX = 20, GRACE_MAX = 7 * 24 * 3600 };

/* ---- input ---------------------------------------------------------- */

#define ORGANIZATION_ID                                                                            \
	FIELD(organization_id, PATH, T_UUID, .required = true, .doc = "The organization.")
#define PAGE                                                                                       \
	FIELD(after, QUERY, T_CURSOR, .doc = "next_cursor of the page before."),                   \
	    FIELD(limit, QUERY, T_INT, .min = 1, .max = 100, .dflt = "20", .doc = "Page size.")
#define ROLE                                                                                       \
	FIELD(role, BODY, T_ENUM, VALUES("owner", "admin", "member", "viewer"), .required = true,  \
	    .doc = "What the person may do; only owners make owners.")

static const struct field sms_fields[] = {
	FIELD(enabled, BODY, T_BOOL, .doc = "Whether short messages are sent."),
	FIELD(numbers, BODY, T_ARRAY, ITEMS(T_STR), .max = NUMBERS_MAX,
	    .doc = "To whom: numbers in E.164 form."),
};

static const struct field email_fields[] = {
	FIELD(enabled, BODY, T_BOOL, .doc = "Whether mails are sent."),
	FIELD(addresses, BODY, T_ARRAY, ITEMS(T_STR), .max = NUMBERS_MAX, .doc = "To whom."),
};

static const struct field notification_fields[] = {
	FIELD(sms, BODY, T_OBJECT, MEMBERS(sms_fields), .doc = "Short messages after a call."),
	FIELD(email, BODY, T_OBJECT, MEMBERS(email_fields), .doc = "Mails after a call."),
	FIELD(sms_enabled, BODY, T_BOOL, .doc = "The same as sms.enabled, which wins."),
	FIELD(sms_numbers, BODY, T_ARRAY, ITEMS(T_STR), .max = NUMBERS_MAX,
	    .doc = "The same as sms.numbers, which wins."),
};

static const struct field transfer_fields[] = {
	FIELD(dispatch, BODY, T_E164, .doc = "Where a call for dispatch is transferred to."),
	FIELD(manager, BODY, T_E164, .doc = "Where a call for the manager is transferred to."),
	FIELD(emergency, BODY, T_E164, .doc = "Where an emergency is transferred to."),
};

static const struct field hours_fields[] = {
	FIELD(start, BODY, T_STR, .min = 5, .max = 5, .required = true,
	    .doc = "Not before this time of day: 09:00."),
	FIELD(end, BODY, T_STR, .min = 5, .max = 5, .required = true,
	    .doc = "Not from this time of day on: 20:00, or 24:00."),
	FIELD(timezone, BODY, T_STR, .min = 1, .max = 100, .required = true,
	    .doc = "Whose time: America/New_York."),
	FIELD(days, BODY, T_ARRAY, ITEMS(T_INT), .min = 1, .max = 7,
	    .doc = "Days of the week from 1, Monday, to 7; without it: every day."),
};

#define ASSISTANT_MADE                                                                             \
	FIELD(template, BODY, T_STR, .min = 1, .max = 100,                                         \
	    .doc =                                                                                 \
		"The slug of the template that an assistant is made from where there is none."),   \
	    FIELD(variable_values, BODY, T_OBJECT,                                                 \
		.doc = "Values for its variables; the organization's name need not be given.")

/* A new organization has no assistants that could be named. */
static const struct field new_assistant_fields[] = { ASSISTANT_MADE };

static const struct field assistant_fields[] = {
	ASSISTANT_MADE,
	FIELD(default_id, BODY, T_UUID, .doc = "The assistant that new numbers get."),
};

#define SETTINGS(ASSISTANT)                                                                        \
	FIELD(notifications, BODY, T_OBJECT, MEMBERS(notification_fields), .nullable = true,       \
	    .doc = "Who hears about a call that ended."),                                          \
	    FIELD(transfer_numbers, BODY, T_OBJECT, MEMBERS(transfer_fields), .nullable = true,    \
		.doc = "Where an assistant may transfer a call to."),                              \
	    FIELD(calling_hours, BODY, T_OBJECT, MEMBERS(hours_fields), .nullable = true,          \
		.doc = "When outbound calls are made; without it: at any time."),                  \
	    FIELD(assistant, BODY, T_OBJECT, MEMBERS(ASSISTANT), .nullable = true,                 \
		.doc = "Who answers new numbers; without it: the oldest assistant, or one that "   \
		       "is made."),                                                                \
	    FIELD(max_concurrent_calls, BODY, T_INT, .min = 0, .max = CONCURRENT_MAX,              \
		.nullable = true,                                                                  \
		.doc = "Live calls at once at most; without it: what the providers allow.")

static const struct field new_settings_fields[] = { SETTINGS(new_assistant_fields) };
static const struct field settings_fields[] = { SETTINGS(assistant_fields) };

static const struct field page_fields[] = { PAGE };

static const struct field create_fields[] = {
	FIELD(name, BODY, T_STR, .min = 1, .max = 200, .required = true, .doc = "Its name."),
	FIELD(settings, BODY, T_OBJECT, MEMBERS(new_settings_fields), .doc = "Its settings."),
};

static const struct field one_fields[] = { ORGANIZATION_ID };

static const struct field update_fields[] = {
	ORGANIZATION_ID,
	FIELD(name, BODY, T_STR, .min = 1, .max = 200, .doc = "Its name."),
	FIELD(settings, BODY, T_OBJECT, MEMBERS(settings_fields),
	    .doc = "Each member that is given is replaced as a whole; null clears it."),
	FIELD(is_default, BODY, T_BOOL,
	    .doc = "Whether it is your organization where a request names none."),
};

static const struct field list_fields[] = { ORGANIZATION_ID, PAGE };

static const struct field invite_fields[] = {
	ORGANIZATION_ID,
	FIELD(email, BODY, T_EMAIL, .required = true, .doc = "Who is invited."),
	ROLE,
};

#define USER_ID FIELD(user_id, PATH, T_UUID, .required = true, .doc = "The member.")
static const struct field member_fields[] = { ORGANIZATION_ID, USER_ID };
static const struct field role_fields[] = { ORGANIZATION_ID, USER_ID, ROLE };

static const struct field invitation_fields[] = {
	ORGANIZATION_ID,
	FIELD(invitation_id, PATH, T_UUID, .required = true, .doc = "The invitation."),
};

struct accept_in {
	const char *token;
};

static const struct field accept_fields[] = {
	FIELD(token, BODY, T_STR, INTO(struct accept_in, token), .required = true, .max = 200,
	    .doc = "The token out of the mail."),
};

struct key_in {
	const char *organization_id;
	const char *name;
	const struct json *scopes;
	const char *expires_at;
};

static const struct field key_create_fields[] = {
	FIELD(organization_id, PATH, T_UUID, INTO(struct key_in, organization_id), .required = true,
	    .doc = "The organization."),
	FIELD(name, BODY, T_STR, INTO(struct key_in, name), .min = 1, .max = 100, .required = true,
	    .doc = "What it is for."),
	FIELD(scopes, BODY, T_ARRAY, ITEMS(T_STR), INTO(struct key_in, scopes), .min = 1, .max = 50,
	    .required = true, .doc = "What it may do, such as calls:read; all of it: *."),
	FIELD(expires_at, BODY, T_TIME, INTO(struct key_in, expires_at),
	    .doc = "When it ends; without it: never."),
};

struct rotate_in {
	const char *organization_id;
	const char *key_id;
	int64_t grace_seconds;
	const char *expires_at;
};

static const struct field rotate_fields[] = {
	FIELD(organization_id, PATH, T_UUID, INTO(struct rotate_in, organization_id),
	    .required = true, .doc = "The organization."),
	FIELD(key_id, PATH, T_UUID, INTO(struct rotate_in, key_id), .required = true,
	    .doc = "The key."),
	FIELD(grace_seconds, BODY, T_INT, INTO(struct rotate_in, grace_seconds), .min = 0,
	    .max = GRACE_MAX, .dflt = "86400", .doc = "How long the old key goes on to work."),
	FIELD(expires_at, BODY, T_TIME, INTO(struct rotate_in, expires_at),
	    .doc = "When the new key ends; without it: when the old one would have."),
};

static const struct field key_fields[] = {
	ORGANIZATION_ID,
	FIELD(key_id, PATH, T_UUID, .required = true, .doc = "The key."),
};

struct audit_in {
	const char *organization_id, *format;
	const char *action, *actor_id, *target_type, *target_id, *from, *to;
};

#define AUDIT_TARGETS                                                                              \
	VALUES("organization", "member", "invitation", "api_key", "call", "do_not_call",           \
	    "subscription", "assistant", "number")
#define AUDIT_FILTER                                                                               \
	FIELD(action, QUERY, T_STR, INTO(struct audit_in, action), .max = 100,                     \
	    .doc = "Only this action: member.added."),                                             \
	    FIELD(actor_id, QUERY, T_UUID, INTO(struct audit_in, actor_id),                        \
		.doc = "Only what this person or key did."),                                       \
	    FIELD(target_type, QUERY, T_ENUM, INTO(struct audit_in, target_type), AUDIT_TARGETS,   \
		.doc = "Only what was done to such things."),                                      \
	    FIELD(target_id, QUERY, T_UUID, INTO(struct audit_in, target_id),                      \
		.doc = "Only what was done to this one."),                                         \
	    FIELD(from, QUERY, T_TIME, INTO(struct audit_in, from),                                \
		.doc = "Only what was done at this time or later."),                               \
	    FIELD(to, QUERY, T_TIME, INTO(struct audit_in, to),                                    \
		.doc = "Only what was done before this time.")

static const struct field audit_fields[] = { ORGANIZATION_ID, AUDIT_FILTER, PAGE };

static const struct field export_fields[] = {
	FIELD(organization_id, PATH, T_UUID, INTO(struct audit_in, organization_id),
	    .required = true, .doc = "The organization."),
	FIELD(format, QUERY, T_ENUM, INTO(struct audit_in, format), VALUES("csv", "ndjson"),
	    .dflt = "ndjson", .doc = "A table, or an object in each line."),
	AUDIT_FILTER,
};

#define ROLES VALUES("owner", "admin", "member", "viewer")

/* ---- an organization ------------------------------------------------------ */

static const struct field sms_notifications_out[] = {
	ABOUT("Short messages after a call."),
	FIELD(enabled, OUT, T_BOOL, .required = true, .doc = "Whether short messages are sent."),
	FIELD(numbers, OUT, T_ARRAY, ITEMS(T_E164), .required = true, .doc = "To whom."),
};

static const struct field email_notifications_out[] = {
	ABOUT("Mails after a call."),
	FIELD(enabled, OUT, T_BOOL, .required = true, .doc = "Whether mails are sent."),
	FIELD(addresses, OUT, T_ARRAY, ITEMS(T_EMAIL), .required = true, .doc = "To whom."),
};

static const struct field notifications_out[] = {
	ABOUT("Who hears about a call that ended."),
	FIELD(sms, OUT, T_OBJECT, MEMBERS(sms_notifications_out), .required = true,
	    .doc = "Short messages after a call."),
	FIELD(email, OUT, T_OBJECT, MEMBERS(email_notifications_out), .required = true,
	    .doc = "Mails after a call."),
	FIELD(sms_enabled, OUT, T_BOOL, .required = true, .doc = "The same as sms.enabled."),
	FIELD(sms_numbers, OUT, T_ARRAY, ITEMS(T_E164), .required = true,
	    .doc = "The same as sms.numbers."),
};

/* Only those that are set. */
static const struct field transfer_numbers_out[] = {
	ABOUT("Where an assistant may transfer a call to; only those that are set."),
	FIELD(dispatch, OUT, T_E164, .doc = "Where a call for dispatch is transferred to."),
	FIELD(manager, OUT, T_E164, .doc = "Where a call for the manager is transferred to."),
	FIELD(emergency, OUT, T_E164, .doc = "Where an emergency is transferred to."),
};

static const struct field calling_hours_out[] = {
	ABOUT("When outbound calls are made."),
	FIELD(start, OUT, T_STR, .required = true, .doc = "Not before this time of day: 09:00."),
	FIELD(end, OUT, T_STR, .required = true,
	    .doc = "Not from this time of day on: 20:00, or 24:00."),
	FIELD(timezone, OUT, T_STR, .required = true, .doc = "Whose time: America/New_York."),
	FIELD(days, OUT, T_ARRAY, ITEMS(T_INT, .min = 1, .max = 7), .required = true,
	    .doc = "Days of the week from 1, Monday, to 7, in order."),
};

static const struct field assistant_setting_out[] = {
	ABOUT("Who answers an organization's new numbers; only what is set."),
	FIELD(template, OUT, T_STR, .doc = "What an assistant is made from where there is none."),
	FIELD(variable_values, OUT, T_OBJECT, ITEMS(T_ANY), .doc = "Values for its variables."),
	FIELD(default_id, OUT, T_UUID, .doc = "The assistant that new numbers get."),
};

static const struct field organization_settings_out[] = {
	ABOUT("An organization's settings."),
	FIELD(notifications, OUT, T_OBJECT, MEMBERS(notifications_out), .required = true,
	    .nullable = true, .doc = "Who hears about a call that ended; null: nobody."),
	FIELD(transfer_numbers, OUT, T_OBJECT, MEMBERS(transfer_numbers_out), .required = true,
	    .nullable = true, .doc = "Where an assistant may transfer a call to; null: nowhere."),
	FIELD(calling_hours, OUT, T_OBJECT, MEMBERS(calling_hours_out), .required = true,
	    .nullable = true, .doc = "When outbound calls are made; null: at any time."),
	FIELD(assistant, OUT, T_OBJECT, MEMBERS(assistant_setting_out), .required = true,
	    .nullable = true,
	    .doc = "Who answers new numbers; null: the oldest assistant, or one that is made."),
	FIELD(max_concurrent_calls, OUT, T_INT, .required = true, .nullable = true,
	    .doc = "Live calls at once at most; null: what the providers allow."),
};

static const struct field organization_out[] = {
	ABOUT("An organization: calls, contacts, templates and keys are an organization's."),
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The organization."),
	FIELD(name, OUT, T_STR, .required = true, .doc = "Its name."),
	FIELD(status, OUT, T_ENUM,
	    VALUES("active", "past_due", "read_only", "suspended", "canceled", "disabled"),
	    .required = true, .doc = "Whether it may work; canceled: it was deleted."),
	FIELD(is_personal, OUT, T_BOOL, .required = true,
	    .doc = "Whether it is the own one of a person."),
	FIELD(role, OUT, T_ENUM, ROLES, .required = true, .nullable = true,
	    .doc = "What whoever asks is there; null for a key."),
	FIELD(is_default, OUT, T_BOOL, .required = true,
	    .doc = "Whether it is yours where a request names none."),
	FIELD(settings, OUT, T_OBJECT, MEMBERS(organization_settings_out), .required = true,
	    .doc = "Its settings; null: not set."),
	FIELD(deleted_after, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "When all of it goes; null: it was not deleted."),
	FIELD(created_at, OUT, T_TIME, .required = true, .doc = "When it was made."),
	FIELD(updated_at, OUT, T_TIME, .required = true, .doc = "When it was last changed."),
};

#define SETTINGS_ERRORS                                                                            \
	ERR_NUMBER_INVALID, ERR_EMAIL_INVALID, ERR_CALLING_HOURS_INVALID, ERR_TIMEZONE_UNKNOWN,    \
	    ERR_ASSISTANT_NOT_FOUND, ERR_ASSISTANT_TEMPLATE_NOT_FOUND, ERR_VARIABLE_MISSING,       \
	    ERR_VARIABLE_UNKNOWN, ERR_VARIABLE_INVALID

/* ---- people ------------------------------------------------------------------ */

static const struct field member_out[] = {
	ABOUT("Somebody who belongs to an organization."),
	FIELD(user_id, OUT, T_UUID, .required = true, .doc = "The person."),
	FIELD(role, OUT, T_ENUM, ROLES, .required = true, .doc = "What the person may do."),
	FIELD(email, OUT, T_EMAIL, .required = true, .nullable = true,
	    .doc = "The e-mail address, where it is known."),
	FIELD(first_name, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "The person's name."),
	FIELD(last_name, OUT, T_STR, .required = true, .nullable = true, .doc = "The family name."),
	FIELD(created_at, OUT, T_TIME, .required = true, .doc = "Since when."),
};

/* Who may give a role, and whom it may be taken from. */
#define ROLE_ERRORS ERR_OWNER_NEEDED, ERR_RIGHTS_EXCEEDED
#define MEMBER_ERRORS ERR_MEMBER_NOT_FOUND, ERR_ORGANIZATION_PERSONAL, ERR_LAST_OWNER

static const struct field invitation_out[] = {
	ABOUT("An invitation into an organization."),
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The invitation."),
	FIELD(email, OUT, T_EMAIL, .required = true, .doc = "Who is invited."),
	FIELD(role, OUT, T_ENUM, ROLES, .required = true, .doc = "What the person will be."),
	FIELD(state, OUT, T_ENUM, VALUES("pending", "accepted", "revoked", "expired"),
	    .required = true, .doc = "Only a pending one can be accepted."),
	FIELD(invited_by, OUT, T_UUID, .required = true, .nullable = true,
	    .doc = "The person who invites; null: a key did."),
	FIELD(accepted_by, OUT, T_UUID, .required = true, .nullable = true,
	    .doc = "The person who accepted; null: nobody yet."),
	FIELD(expires_at, OUT, T_TIME, .required = true, .doc = "How long it can be accepted."),
	FIELD(sent_at, OUT, T_TIME, .required = true, .doc = "When its mail was last sent."),
	FIELD(created_at, OUT, T_TIME, .required = true, .doc = "When it was made."),
};

#define INVITATION_ERRORS                                                                          \
	ERR_INVITATION_NOT_FOUND, ERR_INVITATION_USED, ERR_INVITATION_REVOKED,                     \
	    ERR_INVITATION_EXPIRED

/* ---- API keys ------------------------------------------------------------------ */

#define API_KEY_OUT                                                                                \
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The key's id."),                          \
	    FIELD(name, OUT, T_STR, .required = true, .doc = "What it is for."),                   \
	    FIELD(prefix, OUT, T_STR, .required = true,                                            \
		.doc = "Its first characters, to tell it by."),                                    \
	    FIELD(scopes, OUT, T_ARRAY, ITEMS(T_STR), .required = true,                            \
		.doc = "What it may do; all of it: *."),                                           \
	    FIELD(state, OUT, T_ENUM, VALUES("active", "expired", "revoked"), .required = true,    \
		.doc = "Only an active one opens anything."),                                      \
	    FIELD(replaces, OUT, T_UUID, .required = true, .nullable = true,                       \
		.doc = "The key that was rotated into this one."),                                 \
	    FIELD(replaced_by, OUT, T_UUID, .required = true, .nullable = true,                    \
		.doc = "The key that this one was rotated into."),                                 \
	    FIELD(created_by, OUT, T_UUID, .required = true, .nullable = true,                     \
		.doc = "The person who made it; null: a key did."),                                \
	    FIELD(created_at, OUT, T_TIME, .required = true, .doc = "When it was made."),          \
	    FIELD(expires_at, OUT, T_TIME, .required = true, .nullable = true,                     \
		.doc = "When it ends; null: never."),                                              \
	    FIELD(revoked_at, OUT, T_TIME, .required = true, .nullable = true,                     \
		.doc = "When somebody ended it."),                                                 \
	    FIELD(last_used_at, OUT, T_TIME, .required = true, .nullable = true,                   \
		.doc = "When it was last used, to the minute.")

static const struct field api_key_out[] = {
	ABOUT("An API key, without the key itself."),
	API_KEY_OUT,
};

static const struct field new_api_key_out[] = {
	ABOUT("An API key that was just made, with the key itself."),
	API_KEY_OUT,
	FIELD(key, OUT, T_STR, .required = true, .doc = "The key itself: it is shown this once."),
};

#define KEY_ERRORS ERR_RIGHTS_EXCEEDED, ERR_SCOPE_UNKNOWN, ERR_EXPIRES_IN_PAST

/* ---- the audit log --------------------------------------------------------------- */

static const struct field audit_entry_out[] = {
	ABOUT("Who changed what, and when."),
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The entry."),
	FIELD(created_at, OUT, T_TIME, .required = true, .doc = "When it was done."),
	FIELD(actor_type, OUT, T_ENUM, VALUES("user", "key", "service", "operator", "system"),
	    .required = true,
	    .doc = "Whether a person, a key, the application, an operator or the system did it."),
	FIELD(actor_id, OUT, T_UUID, .required = true, .nullable = true,
	    .doc = "That person or key."),
	FIELD(action, OUT, T_STR, .required = true, .doc = "What was done: member.added."),
	FIELD(target_type, OUT, T_ENUM, AUDIT_TARGETS, .required = true,
	    .doc = "What kind of thing it was done to."),
	FIELD(target_id, OUT, T_UUID, .required = true, .doc = "That thing."),
	FIELD(details, OUT, T_OBJECT, .required = true,
	    .doc = "More of it, by the action: roles, names of what was changed."),
	FIELD(request_id, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "The request, as in its X-Request-Id."),
	FIELD(address, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "The network address that it came from."),
};

#endif
