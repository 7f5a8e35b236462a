/*
 * auth.c - accounts: sign up, confirm the address, sign in and out, a forgotten password, one's own
 * profile and sessions, one-time codes.
 *
 * Who may do what is decided by sql/functions/24_auth*.sql; checking passwords and codes, and
 * making tokens, is web/session's.  Supabase's shapes of the same are auth-v1's.
 */
#include "base/clock.h"
#include "base/poke.h"
#include "base/settings.h"
#include "lib/seal.h"
#include "lib/totp.h"
#include "web/reply.h"
#include "web/server.h"
#include "web/session.h"

#include "auth-fields.h"

#include <string.h>

enum { CHALLENGE_SECONDS = 300 };

/* ---- answers ---------------------------------------------------------- */

static int
reply_session(struct ctx *c, const struct session *s)
{
	const char *user = json_print(c->mem, json_get(s->view, "user"));
	struct out *o = reply_open(c, 200);
	char at[CLOCK_TEXT_MAX];

	put_str(o, "access_token", s->access_token);
	put_str(o, "token_type", "bearer");
	put_int(o, "expires_in", setting_int(SET_HOOKSWITCH_TOKEN_SECONDS));
	put_str(o, "expires_at", clock_format(s->expires_at * 1000, at));
	put_str(o, "refresh_token", s->refresh_token);
	put_json(o, "user", span_of(user));
	return reply_close(o);
}

/* What the row's query answers goes out as it is. */
static int
reply_call(struct ctx *c, const char *const *args, size_t n)
{
	const struct json *j = db_call(c, args, n);
	const char *s = j ? json_print(c->mem, j) : NULL;

	return s ? reply_json(c, request_of(c)->route->status, span_of(s)) : -1;
}

/* ---- sign-up ---------------------------------------------------------- */

static int
sign_up(struct ctx *c, const void *arg)
{
	const struct auth_in *in = arg;
	const char *hash;

	if (!setting_bool(SET_HOOKSWITCH_SIGNUP))
		return fail(c, ERR_SIGNUP_DISABLED, NULL);
	hash = session_new_password(c, in->password);
	if (!hash)
		return -1;
	return reply_call(c,
	    ARGS(in->email, hash, in->first_name, in->last_name, in->phone_number));
}

static int
verify_email(struct ctx *c, const void *arg)
{
	static const char *const kinds[] = { "signup", "email_change", NULL };
	const struct auth_in *in = arg;
	struct session_mail mail = { in->token, in->email, in->code };
	const char *kind, *id = session_mailed(c, &mail, kinds, &kind);
	struct session s;

	if (!id)
		return -1;
	if (strcmp(kind, "email_change") == 0)
		return reply_call(c, ARGS(id));
	return session_verify(c, id, kind, &s) < 0 ? -1 : reply_session(c, &s);
}

/* ---- sign-in ------------------------------------------------------------ */

static int
sign_in(struct ctx *c, const void *arg)
{
	const struct auth_in *in = arg;
	const char *challenge;
	struct session s;
	struct out *o;

	switch (session_password(c, in->email, in->password, &s, &challenge)) {
	case SESSION_OPEN:
		return reply_session(c, &s);
	case SESSION_TOTP:
		break;
	case SESSION_FAILED:
		return -1;
	}
	o = reply_open(c, 200);
	put_bool(o, "totp_required", true);
	put_str(o, "challenge", challenge);
	put_int(o, "expires_in", CHALLENGE_SECONDS);
	return reply_close(o);
}

static int
sign_in_totp(struct ctx *c, const void *arg)
{
	const struct auth_in *in = arg;
	struct session s;

	if (!in->code && !in->recovery_code)
		return fail_field(c, "code", "required", "A code or a recovery code is needed.");
	if (session_totp(c, in->challenge, in->code, in->recovery_code, &s) < 0)
		return -1;
	return reply_session(c, &s);
}

static int
refresh(struct ctx *c, const void *arg)
{
	const struct auth_in *in = arg;
	struct session s;

	return session_refresh(c, in->refresh_token, &s) < 0 ? -1 : reply_session(c, &s);
}

/* ---- passwords and the address -------------------------------------------- */

static int
reset_password(struct ctx *c, const void *arg)
{
	static const char *const kinds[] = { "recovery", NULL };
	const struct auth_in *in = arg;
	struct session_mail mail = { in->token, in->email, in->code };
	const char *kind, *id, *hash;

	if (session_weak_password(c, in->password) < 0)
		return -1;
	id = session_mailed(c, &mail, kinds, &kind);
	hash = id ? session_new_password(c, in->password) : NULL;
	return hash ? reply_call(c, ARGS(id, hash)) : -1;
}

static int
change_password(struct ctx *c, const void *arg)
{
	const struct auth_in *in = arg;
	const char *hash = session_new_password(c, in->new_password), *old;

	if (!hash)
		return -1;
	if (session_prove(c, in->password, &old) < 0)
		return session_counted(c);
	return reply_call(c, ARGS(old, hash));
}

static int
change_email(struct ctx *c, const void *arg)
{
	const struct auth_in *in = arg;
	const char *hash;

	if (session_prove(c, in->password, &hash) < 0)
		return session_counted(c);
	return reply_call(c, ARGS(in->email));
}

/* ---- one-time codes ---------------------------------------------------------- */

static int
enrol_totp(struct ctx *c, const void *arg)
{
	const struct auth_in *in = arg;
	const char *secret = totp_secret(c->mem), *sealed, *hash;
	const struct json *factor;
	struct out *o;

	if (session_prove(c, in->password, &hash) < 0)
		return session_counted(c);
	sealed = secret ? seal_close(c->mem, SESSION_SEAL_TOTP, secret) : NULL;
	if (!sealed)
		return fail(c, ERR_INTERNAL, "a secret could not be made");
	factor = db_call(c, ARGS(sealed));
	if (!factor)
		return -1;
	o = reply_open(c, 201);
	put_str(o, "secret", secret);
	put_str(o, "uri",
	    totp_uri(c->mem, setting_str(SET_HOOKSWITCH_TOTP_ISSUER), json_str(factor, "email"),
		secret));
	return reply_close(o);
}

static int
reply_codes(struct ctx *c, const struct session_codes *codes)
{
	struct out *o = reply_open(c, 200);
	size_t i;

	put_array(o, "recovery_codes");
	for (i = 0; i < SESSION_CODES; i++)
		put_str(o, NULL, codes->plain[i]);
	put_end(o);
	return reply_close(o);
}

static int
confirm_totp(struct ctx *c, const void *arg)
{
	static const struct db_stmt ask = { "totp_ask", "select api.totp_ask()" };
	const struct auth_in *in = arg;
	const struct json *asked = session_call(c, &ask, NULL, 0);
	struct session_codes codes;
	const char *step;

	if (!asked || session_codes(c, &codes) < 0)
		return -1;
	step = session_factor(c, asked, in->code);
	if (!step)
		return session_counted(c);
	if (!db_call(c, ARGS(json_str(asked, "factor_id"), step, codes.hashes)))
		return -1;
	return reply_codes(c, &codes);
}

static int
disable_totp(struct ctx *c, const void *arg)
{
	const struct auth_in *in = arg;
	const char *hash;

	if (session_prove(c, in->password, &hash) < 0)
		return session_counted(c);
	return db_call(c, NULL, 0) ? reply_empty(c, 204) : -1;
}

static int
renew_recovery_codes(struct ctx *c, const void *arg)
{
	const struct auth_in *in = arg;
	struct session_codes codes;
	const char *hash;

	if (session_prove(c, in->password, &hash) < 0)
		return session_counted(c);
	if (session_codes(c, &codes) < 0 || !db_call(c, ARGS(codes.hashes)))
		return -1;
	return reply_codes(c, &codes);
}

/* ---- routes --------------------------------------------------------- */

/* A mail waits to be sent. */
static void
poke_work(struct ctx *c)
{
	(void)c;
	poke_send("work");
}

#define AUTH "/api/v1/auth"

static const struct route routes[] = {
	{ POST, AUTH "/signup", PUBLIC, FIELDS(signup_fields), sign_up, 202, "auth_signup",
	    "Make an account; a mail asks to confirm the address.", .after = poke_work,
	    .returns = RETURNS(signed_up_out),
	    .errors = ERRORS(TRY_ERRORS, ERR_SIGNUP_DISABLED, ERR_PASSWORD_WEAK) },
	{ POST, AUTH "/verify-email", PUBLIC, FIELDS(verify_fields), verify_email, 200,
	    "auth_email_take", "Confirm an address, by the mail's link or code.",
	    .after = poke_work, .returns = RETURNS_EITHER(session_tokens_out, email_changed_out),
	    .errors = ERRORS(TRY_ERRORS, ERR_CODE_INVALID, ERR_EMAIL_TAKEN, ERR_ACCOUNT_INACTIVE) },
	{ POST, AUTH "/resend-verification", PUBLIC, FIELDS(email_fields), run_query, 202,
	    "auth_resend", "Send the mail once more.", .after = poke_work,
	    .returns = RETURNS(accepted_out), .errors = ERRORS(TRY_ERRORS) },
	{ POST, AUTH "/signin", PUBLIC, FIELDS(signin_fields), sign_in, 200, NULL,
	    "Sign in; may ask for a second step.",
	    .returns = RETURNS_EITHER(session_tokens_out, totp_challenge_out),
	    .errors = ERRORS(TRY_ERRORS, ERR_CREDENTIALS_INVALID, ERR_EMAIL_NOT_CONFIRMED,
		ERR_ACCOUNT_INACTIVE) },
	{ POST, AUTH "/signin/totp", PUBLIC, FIELDS(totp_signin_fields), sign_in_totp, 200, NULL,
	    "The second step: a one-time code, or a recovery code.",
	    .returns = RETURNS(session_tokens_out),
	    .errors = ERRORS(TRY_ERRORS, ERR_CODE_INVALID, ERR_ACCOUNT_INACTIVE) },
	{ POST, AUTH "/refresh", PUBLIC, FIELDS(refresh_fields), refresh, 200, NULL,
	    "A new access token, and a new refresh token.", .returns = RETURNS(session_tokens_out),
	    .errors = ERRORS(ERR_AUTH_EXTERNAL, ERR_REFRESH_TOKEN_INVALID, ERR_REFRESH_TOKEN_REUSED,
		ERR_ACCOUNT_INACTIVE) },
	{ POST, AUTH "/forgot-password", PUBLIC, FIELDS(email_fields), run_query, 202,
	    "auth_forgot", "Have a link for a new password mailed.", .after = poke_work,
	    .returns = RETURNS(accepted_out), .errors = ERRORS(TRY_ERRORS) },
	{ POST, AUTH "/reset-password", PUBLIC, FIELDS(reset_fields), reset_password, 200,
	    "auth_reset", "Set a new password, by the mail's link or code; all sessions end.",
	    .after = poke_work, .returns = RETURNS(password_changed_out),
	    .errors = ERRORS(TRY_ERRORS, ERR_CODE_INVALID, ERR_PASSWORD_WEAK) },
	{ POST, AUTH "/signout", PERSON, FIELDS(signout_fields), run_query, 204, "auth_signout",
	    "End this session, all, or all others." },
	{ POST, AUTH "/change-password", PERSON, FIELDS(change_fields), change_password, 200,
	    "auth_password_change", "Set a new password; other sessions end.", .after = poke_work,
	    .returns = RETURNS(password_changed_out),
	    .errors = ERRORS(PROOF_ERRORS, ERR_PASSWORD_WEAK) },
	{ POST, AUTH "/change-email", PERSON, FIELDS(change_email_fields), change_email, 202,
	    "auth_email_change", "Have a link mailed to a new address.", .after = poke_work,
	    .returns = RETURNS(accepted_out), .errors = ERRORS(PROOF_ERRORS) },
	{ GET, AUTH "/me", PERSON, NO_FIELDS, run_query, 200, "auth_me", "Who one is.",
	    .returns = RETURNS(profile_out) },
	{ PATCH, AUTH "/me", PERSON, FIELDS(me_fields), run_query, 200, "auth_me_update",
	    "Change one's own profile; null clears.", .returns = RETURNS(profile_out) },
	{ GET, AUTH "/sessions", PERSON, NO_FIELDS, run_query, 200, "session_list",
	    "Where one is signed in.", .returns = RETURNS_LIST(open_session_out) },
	{ DELETE, AUTH "/sessions/{session_id}", PERSON, FIELDS(session_fields), run_query, 204,
	    "session_revoke", "End one of one's sessions.",
	    .errors = ERRORS(ERR_SESSION_NOT_FOUND) },
	{ POST, AUTH "/totp", PERSON, FIELDS(proof_fields), enrol_totp, 201, "totp_enrol",
	    "Begin with one-time codes: a secret for an app.", .flags = ROUTE_SECRET,
	    .returns = RETURNS(totp_enrolment_out),
	    .errors = ERRORS(PROOF_ERRORS, ERR_TOTP_ENROLLED) },
	{ POST, AUTH "/totp/verify", PERSON, FIELDS(totp_fields), confirm_totp, 200, "totp_confirm",
	    "Switch one-time codes on, by a first code; answers recovery codes.",
	    .flags = ROUTE_SECRET, .returns = RETURNS(recovery_codes_out),
	    .errors = ERRORS(TRY_ERRORS, ERR_CODE_INVALID, ERR_TOTP_ENROLLED) },
	{ POST, AUTH "/totp/disable", PERSON, FIELDS(proof_fields), disable_totp, 204,
	    "totp_disable", "Switch one-time codes off.",
	    .errors = ERRORS(PROOF_ERRORS, ERR_TOTP_NOT_ENROLLED) },
	{ POST, AUTH "/recovery-codes", PERSON, FIELDS(proof_fields), renew_recovery_codes, 200,
	    "recovery_codes_renew", "New recovery codes; the old ones are worth nothing.",
	    .flags = ROUTE_SECRET, .returns = RETURNS(recovery_codes_out),
	    .errors = ERRORS(PROOF_ERRORS, ERR_TOTP_NOT_ENROLLED) },
};

static const int needs[] = { SET_DATABASE_URL, SET_HOOKSWITCH_SECRET_KEY, -1 };

int
main(int argc, char *argv[])
{
	return server_main(argc, argv,
	    &(const struct server){ "auth", routes, COUNT(routes),
		.about = "Accounts: sign-up, sign-in, sessions, passwords, one-time codes.",
		.db_role = "hookswitch_api", .needs = needs, .start = session_ready });
}
