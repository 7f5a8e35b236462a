/*
 * organizations.c - organizations: their settings, members and invitations, API keys, and the log
 * of who changed what.
 *
 * Who may do what is decided by sql/functions; mails and deletions are workflow-pump's.
 */
#include "base/poke.h"
#include "base/settings.h"
#include "lib/crypto.h"
#include "lib/seal.h"
#include "web/auth_key.h"
#include "web/reply.h"
#include "web/server.h"
#include "web/stream_query.h"

#include <string.h>

#define READ SCOPE("organization:read")
#define WRITE SCOPE("organization:write")
#define DELETE_SCOPE SCOPE("organization:delete")
#define MEMBERS_READ SCOPE("members:read")
#define MEMBERS_WRITE SCOPE("members:write")
#define KEYS_READ SCOPE("keys:read")
#define KEYS_WRITE SCOPE("keys:write")
#define AUDIT_READ SCOPE("audit:read")

#define ROOT "/api/v1/organizations"
#define ONE ROOT "/{organization_id}"

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
	FIELD(numbers, BODY, T_ARRAY, .max = NUMBERS_MAX, .doc = "To whom: numbers in E.164 form."),
};

static const struct field email_fields[] = {
	FIELD(enabled, BODY, T_BOOL, .doc = "Whether mails are sent."),
	FIELD(addresses, BODY, T_ARRAY, .max = NUMBERS_MAX, .doc = "To whom."),
};

static const struct field notification_fields[] = {
	FIELD(sms, BODY, T_OBJECT, MEMBERS(sms_fields), .doc = "Short messages after a call."),
	FIELD(email, BODY, T_OBJECT, MEMBERS(email_fields), .doc = "Mails after a call."),
	FIELD(sms_enabled, BODY, T_BOOL, .doc = "The same as sms.enabled, which wins."),
	FIELD(sms_numbers, BODY, T_ARRAY, .max = NUMBERS_MAX,
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
	FIELD(days, BODY, T_ARRAY, .min = 1, .max = 7,
	    .doc = "Days of the week from 1, Monday, to 7; without it: every day."),
};

static const struct field settings_fields[] = {
	FIELD(notifications, BODY, T_OBJECT, MEMBERS(notification_fields), .nullable = true,
	    .doc = "Who hears about a call that ended."),
	FIELD(transfer_numbers, BODY, T_OBJECT, MEMBERS(transfer_fields), .nullable = true,
	    .doc = "Where an assistant may transfer a call to."),
	FIELD(calling_hours, BODY, T_OBJECT, MEMBERS(hours_fields), .nullable = true,
	    .doc = "When outbound calls are made; without it: at any time."),
	FIELD(max_concurrent_calls, BODY, T_INT, .min = 0, .max = CONCURRENT_MAX, .nullable = true,
	    .doc = "Live calls at once at most; without it: what the providers allow."),
};

static const struct field page_fields[] = { PAGE };

static const struct field create_fields[] = {
	FIELD(name, BODY, T_STR, .min = 1, .max = 200, .required = true, .doc = "Its name."),
	FIELD(settings, BODY, T_OBJECT, MEMBERS(settings_fields), .doc = "Its settings."),
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
	FIELD(scopes, BODY, T_ARRAY, INTO(struct key_in, scopes), .min = 1, .max = 50,
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

#define AUDIT_FILTER                                                                               \
	FIELD(action, QUERY, T_STR, INTO(struct audit_in, action), .max = 100,                     \
	    .doc = "Only this action: member.added."),                                             \
	    FIELD(actor_id, QUERY, T_UUID, INTO(struct audit_in, actor_id),                        \
		.doc = "Only what this person or key did."),                                       \
	    FIELD(target_type, QUERY, T_ENUM, INTO(struct audit_in, target_type),                  \
		VALUES("organization", "member", "invitation", "api_key"),                         \
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

/* ---- answers -------------------------------------------------------- */

struct copying {
	struct ctx *c;
	struct out *o;
};

static int
copy_member(void *arg, const char *name, const struct json *value)
{
	const struct copying *to = arg;

	put_json(to->o, name, span_of(json_print(to->c->mem, value)));
	return 0;
}

/* The key's view, and the key itself: this once. */
static int
reply_key(struct ctx *c, const struct json *view, struct api_key *key)
{
	struct copying to = { c, reply_open(c, 201) };

	(void)json_each(view, copy_member, &to);
	put_str(to.o, "key", key->text);
	crypto_forget(key, sizeof(*key));
	return reply_close(to.o);
}

/* ---- operations ----------------------------------------------------- */

static int
create_key(struct ctx *c, const void *arg)
{
	const struct key_in *in = arg;
	const struct json *view;
	struct api_key key;

	if (api_key_make(c, &key) < 0)
		return -1;

	view = db_call(c,
	    ARGS(in->organization_id, in->name, json_print(c->mem, in->scopes), in->expires_at,
		key.hash, key.prefix));
	return view ? reply_key(c, view, &key) : -1;
}

static int
rotate_key(struct ctx *c, const void *arg)
{
	const struct rotate_in *in = arg;
	const struct json *view;
	struct api_key key;

	if (api_key_make(c, &key) < 0)
		return -1;

	view = db_call(c,
	    ARGS(in->organization_id, in->key_id,
		mem_printf(c->mem, "%lld", (long long)in->grace_seconds), in->expires_at, key.hash,
		key.prefix));
	return view ? reply_key(c, view, &key) : -1;
}

static int
export_audit(struct ctx *c, const void *arg)
{
	const struct audit_in *in = arg;
	bool csv = strcmp(in->format, "csv") == 0;

	return stream_query(c, csv ? "text/csv; charset=utf-8" : "application/x-ndjson",
	    csv ? "audit-log.csv" : "audit-log.ndjson",
	    ARGS(in->organization_id, in->format, in->action, in->actor_id, in->target_type,
		in->target_id, in->from, in->to));
}

/* Only the mail held the token: whoever has it may look at the invitation, and no more. */
static int
accept_invitation(struct ctx *c, const void *arg)
{
	const struct accept_in *in = arg;
	const struct json *view;
	char id[37];

	if (!seal_token_check("invitation", in->token, id))
		return fail(c, ERR_INVITATION_NOT_FOUND, "the token is not ours");

	view = db_call(c, ARGS(id));
	if (!view)
		return -1;
	return reply_json(c, 200, span_of(json_print(c->mem, view)));
}

/* A waiting pump of this host need not wait for its next look. */
static void
poke_pump(struct ctx *c)
{
	(void)c;
	poke_send("work");
}

/* ---- routes --------------------------------------------------------- */

static const struct route routes[] = {
	{ GET, ROOT, READ, FIELDS(page_fields), run_query, 200, "organization_list",
	    "Your organizations, newest first; with a key its own." },
	{ POST, ROOT, PERSON, FIELDS(create_fields), run_query, 201, "organization_create",
	    "Make an organization and be its owner." },
	{ POST, ROOT "/invitations/accept", PERSON, FIELDS(accept_fields), accept_invitation, 200,
	    "invitation_accept", "Join the organization that invited you." },
	{ GET, ONE, READ, FIELDS(one_fields), run_query, 200, "organization_get",
	    "One organization." },
	{ PATCH, ONE, WRITE, FIELDS(update_fields), run_query, 200, "organization_update",
	    "Change its name and settings, or whether it is your default." },
	{ DELETE, ONE, DELETE_SCOPE, FIELDS(one_fields), run_query, 200, "organization_delete",
	    "Delete it: calls end at once, the rest goes after 30 days.", .after = poke_pump },
	{ POST, ONE "/restore", DELETE_SCOPE, FIELDS(one_fields), run_query, 200,
	    "organization_restore", "Take a deletion back while the 30 days last." },
	{ POST, ONE "/default", READ, FIELDS(one_fields), run_query, 200, "organization_default",
	    "Make it your organization where a request names none." },
	{ GET, ONE "/members", MEMBERS_READ, FIELDS(list_fields), run_query, 200, "member_list",
	    "Who belongs to it, the first ones first." },
	{ POST, ONE "/members", MEMBERS_WRITE, FIELDS(invite_fields), run_query, 201,
	    "member_invite", "Invite a person by mail.", .after = poke_pump },
	{ DELETE, ONE "/members/me", MEMBERS_READ, FIELDS(one_fields), run_query, 204,
	    "member_leave", "Leave the organization." },
	{ PATCH, ONE "/members/{user_id}", MEMBERS_WRITE, FIELDS(role_fields), run_query, 200,
	    "member_update", "Give a member another role." },
	{ DELETE, ONE "/members/{user_id}", MEMBERS_WRITE, FIELDS(member_fields), run_query, 204,
	    "member_remove", "Take a member out of it." },
	{ GET, ONE "/invitations", MEMBERS_READ, FIELDS(list_fields), run_query, 200,
	    "invitation_list", "Who was invited, newest first." },
	{ POST, ONE "/invitations/{invitation_id}/resend", MEMBERS_WRITE, FIELDS(invitation_fields),
	    run_query, 200, "invitation_resend", "Send the mail again.", .after = poke_pump },
	{ DELETE, ONE "/invitations/{invitation_id}", MEMBERS_WRITE, FIELDS(invitation_fields),
	    run_query, 204, "invitation_revoke", "Take an invitation back." },
	{ GET, ONE "/api-keys", KEYS_READ, FIELDS(list_fields), run_query, 200, "api_key_list",
	    "Its API keys, newest first." },
	{ POST, ONE "/api-keys", KEYS_WRITE, FIELDS(key_create_fields), create_key, 201,
	    "api_key_create", "Make an API key; it is shown this once.", .flags = ROUTE_SECRET },
	{ GET, ONE "/api-keys/{key_id}", KEYS_READ, FIELDS(key_fields), run_query, 200,
	    "api_key_get", "One API key, without the key itself." },
	{ POST, ONE "/api-keys/{key_id}/rotate", KEYS_WRITE, FIELDS(rotate_fields), rotate_key, 201,
	    "api_key_rotate", "Make a key that replaces this one, which ends after a grace.",
	    .flags = ROUTE_SECRET },
	{ DELETE, ONE "/api-keys/{key_id}", KEYS_WRITE, FIELDS(key_fields), run_query, 204,
	    "api_key_revoke", "End an API key at once." },
	{ GET, ONE "/audit-log", AUDIT_READ, FIELDS(audit_fields), run_query, 200, "audit_list",
	    "Who changed what, newest first." },
	{ GET, ONE "/audit-log/export", AUDIT_READ, FIELDS(export_fields), export_audit, 200,
	    "audit_export", "The whole log in one answer, newest first." },
};

static const int needs[] = { SET_DATABASE_URL, -1 };

/* Without the key all but invitations works; a wrong one is told at once. */
static int
start(void)
{
	return setting_str(SET_HOOKSWITCH_SECRET_KEY) ? seal_ready() : 0;
}

int
main(int argc, char *argv[])
{
	return server_main(argc, argv,
	    &(const struct server){ "organizations", routes, COUNT(routes), .needs = needs,
		.start = start });
}
