/*
 * auth-v1.c - accounts as Supabase Auth has them: its paths, its fields, its answers and errors, so
 * that its clients work here unchanged.
 *
 * Unknown fields are ignored and errors have another shape than everywhere else: both are
 * Supabase's.  What holds is decided by sql/functions/24_auth*.sql and 25_auth_v1.sql, as for the
 * program auth.
 */
#include "base/poke.h"
#include "base/settings.h"
#include "web/reply.h"
#include "web/request.h"
#include "web/server.h"
#include "web/supabase.h"

#include "auth-v1-fields.h"

#include <string.h>

enum { BODY_MAX = 64 * 1024 };

/* ---- without a session ------------------------------------------------ */

static int
recover(struct ctx *c, const void *arg)
{
	const struct supabase_in *in = arg;

	if (supabase_need_email(c, in) < 0)
		return -1;
	return supabase_reply_call(c, ARGS(in->email, supabase_more(c, in)));
}

static int
resend(struct ctx *c, const void *arg)
{
	const struct supabase_in *in = arg;

	if (supabase_need_email(c, in) < 0)
		return -1;
	if (strcmp(in->type, "sms") == 0 || strcmp(in->type, "phone_change") == 0)
		return supabase_refuse(c, ERR_PHONE_PROVIDER_DISABLED);
	return supabase_reply_call(c, ARGS(in->email, in->type, supabase_more(c, in)));
}

static int
send_link(struct ctx *c, const void *arg)
{
	const struct supabase_in *in = arg;
	bool create = in->create_user && setting_bool(SET_HOOKSWITCH_SIGNUP);

	if (supabase_need_email(c, in) < 0)
		return -1;
	return supabase_reply_call(c,
	    ARGS(in->email, create ? "true" : "false", supabase_object(c, in->data),
		supabase_more(c, in)));
}

/* All other ways to sign in are off. */
static int
show_settings(struct ctx *c, const void *arg UNUSED)
{
	struct out *o;

	if (supabase_refuse(c, ERR_NONE) < 0)
		return -1;
	o = reply_open(c, 200);
	put_object(o, "external");
	put_bool(o, "email", true);
	put_bool(o, "phone", false);
	put_bool(o, "anonymous_users", false);
	put_end(o);
	put_bool(o, "disable_signup", !setting_bool(SET_HOOKSWITCH_SIGNUP));
	put_bool(o, "mailer_autoconfirm", !setting_bool(SET_HOOKSWITCH_SIGNUP_CONFIRM));
	put_bool(o, "phone_autoconfirm", false);
	put_str(o, "sms_provider", "");
	put_bool(o, "saml_enabled", false);
	return reply_close(o);
}

static int
show_health(struct ctx *c, const void *arg UNUSED)
{
	struct out *o;

	if (supabase_refuse(c, ERR_NONE) < 0)
		return -1;
	o = reply_open(c, 200);
	put_str(o, "version", PACKAGE_VERSION);
	put_str(o, "name", "Hookswitch");
	put_str(o, "description", "Accounts in the form of Supabase Auth");
	return reply_close(o);
}

/* ---- with a session ----------------------------------------------------- */

static int
show_user(struct ctx *c, const void *arg UNUSED)
{
	const char *claims = supabase_person(c);

	return claims ? supabase_reply_call(c, ARGS(claims)) : -1;
}

static int
log_out(struct ctx *c, const void *arg)
{
	const struct supabase_in *in = arg;
	const char *claims = supabase_person(c);

	return claims && db_call(c, ARGS(claims, in->scope)) ? reply_empty(c, 204) : -1;
}

/* A challenge for a factor, or its end. */
static int
use_factor(struct ctx *c, const void *arg)
{
	const struct supabase_in *in = arg;
	const char *claims = supabase_person(c);

	return claims ? supabase_reply_call(c, ARGS(claims, in->factor_id)) : -1;
}

/* A person shown, or taken away. */
static int
use_user(struct ctx *c, const void *arg)
{
	const struct supabase_in *in = arg;
	const char *claims = supabase_service(c);

	return claims ? supabase_reply_call(c, ARGS(claims, in->user_id)) : -1;
}

/* ---- routes --------------------------------------------------------- */

/* A mail waits to be sent. */
static void
poke_work(struct ctx *c UNUSED)
{
	poke_send("work");
}

/* Whoever must show a token is judged by the operation: the answer is another than elsewhere. */
#define ROUTE(m, path, fields, run, status, query, doc, errs, ...)                                 \
	{                                                                                          \
		m, "/auth/v1" path, PUBLIC, fields, run, status, query, doc,                       \
		    .body_max = BODY_MAX, .flags = ROUTE_LENIENT, .after = poke_work,              \
		    .errors = errs, ##__VA_ARGS__                                                  \
	}

static const struct route routes[] = {
	ROUTE(POST, "/signup", FIELDS(signup_fields), supabase_sign_up, 200, "auth_v1_signup",
	    "Make an account; where the address need not be confirmed: sign in.",
	    ERRORS(MAIL_ERRORS, ERR_SIGNUP_DISABLED, ERR_PASSWORD_WEAK, ERR_VALIDATION_FAILED,
		ERR_USER_EXISTS, ERR_ACCOUNT_INACTIVE),
	    .returns = RETURNS_EITHER(supabase_user_out, supabase_session_out)),
	ROUTE(POST, "/token", FIELDS(token_fields), supabase_token, 200, NULL,
	    "A session for a password, a refresh token, or a code.",
	    ERRORS(TRY_ERRORS, ERR_CREDENTIALS_INVALID, ERR_EMAIL_NOT_CONFIRMED,
		ERR_ACCOUNT_INACTIVE, ERR_REFRESH_TOKEN_INVALID, ERR_REFRESH_TOKEN_REUSED,
		ERR_FLOW_STATE_NOT_FOUND, ERR_BAD_CODE_VERIFIER),
	    .returns = RETURNS(supabase_session_out)),
	ROUTE(POST, "/recover", FIELDS(recover_fields), recover, 200, "auth_v1_recover",
	    "Have a link for a new password mailed.", ERRORS(MAIL_ERRORS),
	    .returns = RETURNS_EMPTY),
	ROUTE(POST, "/resend", FIELDS(resend_fields), resend, 200, "auth_v1_resend",
	    "Send a mail once more.", ERRORS(MAIL_ERRORS), .returns = RETURNS_EMPTY),
	ROUTE(POST, "/otp", FIELDS(otp_fields), send_link, 200, "auth_v1_otp",
	    "Have a link or code to sign in with mailed.",
	    ERRORS(MAIL_ERRORS, ERR_VALIDATION_FAILED), .returns = RETURNS_EMPTY),
	ROUTE(POST, "/magiclink", FIELDS(otp_fields), send_link, 200, "auth_v1_otp",
	    "The same as /otp, under an older name.", ERRORS(MAIL_ERRORS, ERR_VALIDATION_FAILED),
	    .returns = RETURNS_EMPTY),
	ROUTE(POST, "/verify", FIELDS(verify_fields), supabase_verify, 200, "auth_v1_verify",
	    "A session for a mail's link or code.",
	    ERRORS(TRY_ERRORS, ERR_CODE_INVALID, ERR_EMAIL_TAKEN, ERR_ACCOUNT_INACTIVE),
	    .returns = RETURNS(supabase_session_out)),
	ROUTE(GET, "/verify", FIELDS(link_fields), supabase_follow, 303, "auth_v1_verify",
	    "Follow a mail's link: sent on to the application with a session or a code.",
	    ERRORS(ERR_AUTH_EXTERNAL)),
	ROUTE(GET, "/user", NO_FIELDS, show_user, 200, "auth_v1_user",
	    "Who one is (with a session).", ERRORS(SESSION_ERRORS),
	    .returns = RETURNS(supabase_user_out)),
	ROUTE(PUT, "/user", FIELDS(update_fields), supabase_update, 200, "auth_v1_user_update",
	    "Change one's own address, password or data (with a session).",
	    ERRORS(SESSION_ERRORS, ERR_INSUFFICIENT_AAL, MAIL_ERRORS, ERR_SAME_PASSWORD,
		ERR_PASSWORD_WEAK, ERR_PASSWORD_WRONG, ERR_REAUTHENTICATION_NEEDED,
		ERR_VALIDATION_FAILED),
	    .returns = RETURNS(supabase_user_out)),
	ROUTE(POST, "/logout", FIELDS(logout_fields), log_out, 204, "auth_v1_logout",
	    "End all of one's sessions, this one, or the others (with a session).",
	    ERRORS(SESSION_ERRORS, ERR_INSUFFICIENT_AAL)),
	ROUTE(POST, "/factors", FIELDS(enrol_fields), supabase_enrol, 200, "auth_v1_factor_add",
	    "Begin with one-time codes: a secret for an app (with a session).",
	    ERRORS(SESSION_ERRORS, ERR_TOTP_ENROLLED), .returns = RETURNS(supabase_enrolment_out)),
	ROUTE(POST, "/factors/{factor_id}/challenge", FIELDS(factor_fields), use_factor, 200,
	    "auth_v1_factor_challenge", "Begin to show the second factor (with a session).",
	    ERRORS(SESSION_ERRORS, ERR_MFA_FACTOR_NOT_FOUND),
	    .returns = RETURNS(supabase_challenge_out)),
	ROUTE(POST, "/factors/{factor_id}/verify", FIELDS(prove_fields), supabase_prove, 200,
	    "auth_v1_factor_verify",
	    "Show the second factor; the session is worth both (with a session).",
	    ERRORS(SESSION_ERRORS, ERR_MFA_FACTOR_NOT_FOUND, ERR_MFA_CHALLENGE_EXPIRED,
		ERR_MFA_VERIFICATION_FAILED, ERR_TOTP_ENROLLED, ERR_TRIES),
	    .returns = RETURNS(supabase_session_out)),
	ROUTE(DELETE, "/factors/{factor_id}", FIELDS(factor_fields), use_factor, 200,
	    "auth_v1_factor_remove", "Give up the second factor (with a session).",
	    ERRORS(SESSION_ERRORS, ERR_MFA_FACTOR_NOT_FOUND, ERR_INSUFFICIENT_AAL,
		ERR_TOTP_NOT_ENROLLED),
	    .returns = RETURNS(supabase_factor_id_out)),
	ROUTE(GET, "/settings", NO_FIELDS, show_settings, 200, NULL, "What can be done here.",
	    ERRORS(ERR_AUTH_EXTERNAL), .returns = RETURNS(supabase_settings_out)),
	ROUTE(GET, "/health", NO_FIELDS, show_health, 200, NULL, "Whether it answers.",
	    ERRORS(ERR_AUTH_EXTERNAL), .returns = RETURNS(supabase_health_out)),
	ROUTE(GET, "/.well-known/jwks.json", NO_FIELDS, run_query, 200, "auth_v1_keys",
	    "Public keys: none, tokens are signed with a secret.", ERRORS(ERR_AUTH_EXTERNAL),
	    .returns = RETURNS(supabase_keys_out)),
	ROUTE(GET, "/admin/users", FIELDS(list_fields), supabase_list, 200, "auth_v1_admin_list",
	    "All people, newest first (service_role).", ERRORS(SERVICE_ERRORS),
	    .returns = RETURNS(supabase_users_out)),
	ROUTE(POST, "/admin/users", FIELDS(create_fields), supabase_create, 200,
	    "auth_v1_admin_create", "Make an account without a mail (service_role).",
	    ERRORS(ACCOUNT_ERRORS, ERR_PHONE_PROVIDER_DISABLED),
	    .returns = RETURNS(supabase_user_out)),
	ROUTE(GET, "/admin/users/{user_id}", FIELDS(user_fields), use_user, 200,
	    "auth_v1_admin_get", "One person (service_role).",
	    ERRORS(SERVICE_ERRORS, ERR_USER_NOT_FOUND), .returns = RETURNS(supabase_user_out)),
	ROUTE(PUT, "/admin/users/{user_id}", FIELDS(change_fields), supabase_change, 200,
	    "auth_v1_admin_update", "Change a person's account (service_role).",
	    ERRORS(ACCOUNT_ERRORS, ERR_USER_NOT_FOUND), .returns = RETURNS(supabase_user_out)),
	ROUTE(DELETE, "/admin/users/{user_id}", FIELDS(user_fields), use_user, 200,
	    "auth_v1_admin_delete", "Take an account away (service_role).",
	    ERRORS(SERVICE_ERRORS, ERR_USER_NOT_FOUND, ERR_USER_OWNS_ORGANIZATION),
	    .returns = RETURNS_EMPTY),
	ROUTE(POST, "/admin/generate_link", FIELDS(generate_fields), supabase_generate, 200,
	    "auth_v1_admin_link", "A link that is not mailed but told (service_role).",
	    ERRORS(ACCOUNT_ERRORS, ERR_USER_NOT_FOUND, ERR_PHONE_PROVIDER_DISABLED),
	    .returns = RETURNS(supabase_link_out)),
};

static const int needs[] = { SET_DATABASE_URL, -1 };

int
main(int argc, char *argv[])
{
	return server_main(argc, argv,
	    &(const struct server){ "auth-v1", routes, COUNT(routes),
		.about = "The same accounts for Supabase's clients.", .db_role = "hookswitch_api",
		.needs = needs, .start = session_ready, .problem = supabase_problem,
		.problem_code = supabase_code });
}
