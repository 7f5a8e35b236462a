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

#include "organizations-fields.h"

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
	    "Your organizations, newest first; with a key its own.",
	    .returns = RETURNS_LIST(organization_out) },
	{ POST, ROOT, PERSON, FIELDS(create_fields), run_query, 201, "organization_create",
	    "Make an organization and be its owner.", .returns = RETURNS(organization_out),
	    .errors = ERRORS(SETTINGS_ERRORS, ERR_LIMIT_REACHED) },
	{ POST, ROOT "/invitations/accept", PERSON, FIELDS(accept_fields), accept_invitation, 200,
	    "invitation_accept", "Join the organization that invited you.",
	    .returns = RETURNS(organization_out),
	    .errors = ERRORS(INVITATION_ERRORS, ERR_INVITATION_OTHER_ADDRESS, ERR_MEMBER_EXISTS) },
	{ GET, ONE, READ, FIELDS(one_fields), run_query, 200, "organization_get",
	    "One organization.", .returns = RETURNS(organization_out) },
	{ PATCH, ONE, WRITE, FIELDS(update_fields), run_query, 200, "organization_update",
	    "Change its name and settings, or whether it is your default.",
	    .returns = RETURNS(organization_out),
	    .errors = ERRORS(SETTINGS_ERRORS, ERR_PERSON_NEEDED) },
	{ DELETE, ONE, DELETE_SCOPE, FIELDS(one_fields), run_query, 200, "organization_delete",
	    "Delete it: calls end at once, the rest goes after 30 days.", .after = poke_pump,
	    .returns = RETURNS(organization_out),
	    .errors = ERRORS(ERR_ORGANIZATION_PERSONAL, ERR_ORGANIZATION_DELETED) },
	{ POST, ONE "/restore", DELETE_SCOPE, FIELDS(one_fields), run_query, 200,
	    "organization_restore", "Take a deletion back while the 30 days last.",
	    .returns = RETURNS(organization_out),
	    .errors = ERRORS(ERR_ORGANIZATION_NOT_DELETED, ERR_RESTORE_TOO_LATE) },
	{ POST, ONE "/default", READ, FIELDS(one_fields), run_query, 200, "organization_default",
	    "Make it your organization where a request names none.",
	    .returns = RETURNS(organization_out), .errors = ERRORS(ERR_PERSON_NEEDED) },
	{ GET, ONE "/members", MEMBERS_READ, FIELDS(list_fields), run_query, 200, "member_list",
	    "Who belongs to it, the first ones first.", .returns = RETURNS_LIST(member_out) },
	{ POST, ONE "/members", MEMBERS_WRITE, FIELDS(invite_fields), run_query, 201,
	    "member_invite", "Invite a person by mail.", .after = poke_pump,
	    .returns = RETURNS(invitation_out),
	    .errors =
		ERRORS(ROLE_ERRORS, ERR_MEMBER_EXISTS, ERR_INVITATION_EXISTS, ERR_LIMIT_REACHED) },
	{ DELETE, ONE "/members/me", MEMBERS_READ, FIELDS(one_fields), run_query, 204,
	    "member_leave", "Leave the organization.",
	    .errors = ERRORS(ERR_PERSON_NEEDED, MEMBER_ERRORS) },
	{ PATCH, ONE "/members/{user_id}", MEMBERS_WRITE, FIELDS(role_fields), run_query, 200,
	    "member_update", "Give a member another role.", .returns = RETURNS(member_out),
	    .errors = ERRORS(ROLE_ERRORS, MEMBER_ERRORS) },
	{ DELETE, ONE "/members/{user_id}", MEMBERS_WRITE, FIELDS(member_fields), run_query, 204,
	    "member_remove", "Take a member out of it.",
	    .errors = ERRORS(ERR_OWNER_NEEDED, MEMBER_ERRORS) },
	{ GET, ONE "/invitations", MEMBERS_READ, FIELDS(list_fields), run_query, 200,
	    "invitation_list", "Who was invited, newest first.",
	    .returns = RETURNS_LIST(invitation_out) },
	{ POST, ONE "/invitations/{invitation_id}/resend", MEMBERS_WRITE, FIELDS(invitation_fields),
	    run_query, 200, "invitation_resend", "Send the mail again.", .after = poke_pump,
	    .returns = RETURNS(invitation_out),
	    .errors = ERRORS(INVITATION_ERRORS, ROLE_ERRORS, ERR_LIMIT_REACHED) },
	{ DELETE, ONE "/invitations/{invitation_id}", MEMBERS_WRITE, FIELDS(invitation_fields),
	    run_query, 204, "invitation_revoke", "Take an invitation back.",
	    .errors = ERRORS(INVITATION_ERRORS) },
	{ GET, ONE "/api-keys", KEYS_READ, FIELDS(list_fields), run_query, 200, "api_key_list",
	    "Its API keys, newest first.", .returns = RETURNS_LIST(api_key_out) },
	{ POST, ONE "/api-keys", KEYS_WRITE, FIELDS(key_create_fields), create_key, 201,
	    "api_key_create", "Make an API key; it is shown this once.", .flags = ROUTE_SECRET,
	    .returns = RETURNS(new_api_key_out), .errors = ERRORS(KEY_ERRORS, ERR_LIMIT_REACHED) },
	{ GET, ONE "/api-keys/{key_id}", KEYS_READ, FIELDS(key_fields), run_query, 200,
	    "api_key_get", "One API key, without the key itself.", .returns = RETURNS(api_key_out),
	    .errors = ERRORS(ERR_API_KEY_NOT_FOUND) },
	{ POST, ONE "/api-keys/{key_id}/rotate", KEYS_WRITE, FIELDS(rotate_fields), rotate_key, 201,
	    "api_key_rotate", "Make a key that replaces this one, which ends after a grace.",
	    .flags = ROUTE_SECRET, .returns = RETURNS(new_api_key_out),
	    .errors =
		ERRORS(KEY_ERRORS, ERR_API_KEY_NOT_FOUND, ERR_API_KEY_ENDED, ERR_API_KEY_ROTATED) },
	{ DELETE, ONE "/api-keys/{key_id}", KEYS_WRITE, FIELDS(key_fields), run_query, 204,
	    "api_key_revoke", "End an API key at once.",
	    .errors = ERRORS(ERR_API_KEY_NOT_FOUND, ERR_API_KEY_ENDED) },
	{ GET, ONE "/audit-log", AUDIT_READ, FIELDS(audit_fields), run_query, 200, "audit_list",
	    "Who changed what, newest first.", .returns = RETURNS_LIST(audit_entry_out) },
	{ GET, ONE "/audit-log/export", AUDIT_READ, FIELDS(export_fields), export_audit, 200,
	    "audit_export", "The whole log in one answer, newest first.",
	    .returns = RETURNS_FILE("text/csv, application/x-ndjson") },
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
	    &(const struct server){ "organizations", routes, COUNT(routes),
		.about = "Settings, members, invitations, API keys, the audit log.", .needs = needs,
		.start = start });
}
