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

#include <string.h>

enum { BODY_MAX = 64 * 1024, SECRET_MAX = 400 };

/* ---- input ---------------------------------------------------------- */

#define IN(m) INTO(struct supabase_in, m)
#define IN_EMAIL FIELD(email, BODY, T_EMAIL, IN(email), .doc = "The e-mail address.")
#define IN_PHONE FIELD(phone, BODY, T_STR, IN(phone), .doc = "Refused: there are addresses only.")
#define IN_PASSWORD                                                                                \
	FIELD(password, BODY, T_STR, IN(password), .max = SECRET_MAX, .doc = "The password.")
#define IN_DATA FIELD(data, BODY, T_OBJECT, IN(data), .doc = "Becomes user_metadata.")
#define IN_SECRET(n, p, what) FIELD(n, p, T_STR, IN(n), .max = SECRET_MAX, .doc = what)
#define IN_TYPE(p, ...)                                                                            \
	FIELD(type, p, T_ENUM, VALUES(__VA_ARGS__), IN(type), .required = true,                    \
	    .doc = "What the mail is for.")
#define IN_PROOF(p) IN_TYPE(p, "signup", "recovery", "invite", "magiclink", "email", "email_change")
#define IN_REDIRECT(p)                                                                             \
	FIELD(redirect_to, p, T_STR, IN(redirect_to),                                              \
	    .doc = "Where the link leads: an address of APP_URL, FRONTEND_URL or API_URL.")
#define IN_ID(n, what) FIELD(n, PATH, T_UUID, IN(n), .required = true, .doc = what)
/* What goes along with a mail. */
#define IN_FLOW                                                                                    \
	IN_REDIRECT(QUERY),                                                                        \
	    FIELD(code_challenge, BODY, T_STR, IN(code_challenge), .max = 128,                     \
		.doc = "The link opens a code for whoever knows what this was made from."),        \
	    FIELD(code_challenge_method, BODY, T_ENUM, VALUES("s256", "S256", "plain"),            \
		IN(code_challenge_method), .doc = "How it was made.")
#define IN_ACCOUNT                                                                                 \
	IN_EMAIL, IN_PASSWORD,                                                                     \
	    FIELD(email_confirm, BODY, T_BOOL, IN(email_confirm), .dflt = "false",                 \
		.doc = "The address is the person's."),                                            \
	    FIELD(user_metadata, BODY, T_OBJECT, IN(data), .doc = "The person's own."),            \
	    FIELD(app_metadata, BODY, T_OBJECT, IN(app_metadata), .doc = "The application's."),    \
	    FIELD(ban_duration, BODY, T_STR, IN(ban_duration), .max = 20,                          \
		.doc = "Hours such as 24h, or none.")

static const struct field signup_fields[] = { IN_EMAIL, IN_PHONE, IN_PASSWORD, IN_DATA, IN_FLOW };
static const struct field token_fields[] = {
	FIELD(grant_type, QUERY, T_ENUM, VALUES("password", "refresh_token", "pkce"),
	    IN(grant_type), .required = true, .doc = "What a session is asked for with."),
	IN_EMAIL,
	IN_PHONE,
	IN_PASSWORD,
	IN_SECRET(refresh_token, BODY, "The newest one; each is good once."),
	IN_SECRET(auth_code, BODY, "From the link's address."),
	IN_SECRET(code_verifier, BODY, "What the challenge was made from."),
};
static const struct field recover_fields[] = { IN_EMAIL, IN_FLOW };
static const struct field resend_fields[] = {
	IN_EMAIL,
	IN_PHONE,
	IN_TYPE(BODY, "signup", "email_change", "sms", "phone_change"),
	IN_FLOW,
};
static const struct field otp_fields[] = {
	IN_EMAIL,
	IN_PHONE,
	IN_DATA,
	FIELD(create_user, BODY, T_BOOL, IN(create_user), .dflt = "true",
	    .doc = "Make the account if there is none."),
	IN_FLOW,
};
static const struct field verify_fields[] = {
	IN_PROOF(BODY),
	IN_SECRET(token_hash, BODY, "From the link."),
	IN_SECRET(token, BODY, "Instead, with email: six digits."),
	IN_EMAIL,
	IN_PHONE,
};
static const struct field link_fields[] = {
	IN_PROOF(QUERY),
	IN_SECRET(token, QUERY, "Of the link."),
	IN_REDIRECT(QUERY),
};
static const struct field update_fields[] = { IN_EMAIL, IN_PHONE, IN_PASSWORD, IN_DATA, IN_FLOW };
static const struct field logout_fields[] = {
	FIELD(scope, QUERY, T_ENUM, VALUES("global", "local", "others"), IN(scope),
	    .dflt = "global", .doc = "Which of the person's sessions end."),
};
static const struct field enrol_fields[] = {
	FIELD(factor_type, BODY, T_ENUM, VALUES("totp"), .required = true, .doc = "Its kind."),
	FIELD(friendly_name, BODY, T_STR, IN(friendly_name), .max = 100, .doc = "Its name."),
};
static const struct field factor_fields[] = { IN_ID(factor_id, "The factor.") };
static const struct field prove_fields[] = {
	IN_ID(factor_id, "The factor."),
	FIELD(challenge_id, BODY, T_UUID, IN(challenge_id), .required = true, .doc = "Of it."),
	FIELD(code, BODY, T_STR, IN(code), .max = 10, .required = true, .doc = "Six digits."),
};
static const struct field list_fields[] = {
	FIELD(page, QUERY, T_INT, IN(page), .min = 1, .max = 1000000, .dflt = "1",
	    .doc = "Which page."),
	FIELD(per_page, QUERY, T_INT, IN(per_page), .min = 1, .max = 1000, .dflt = "50",
	    .doc = "Page size."),
};
static const struct field user_fields[] = { IN_ID(user_id, "The person.") };
static const struct field create_fields[] = { IN_ACCOUNT };
static const struct field change_fields[] = { IN_ID(user_id, "The person."), IN_ACCOUNT };
static const struct field generate_fields[] = {
	IN_TYPE(BODY, "signup", "invite", "magiclink", "recovery", "email_change_new",
	    "email_change_current"),
	IN_EMAIL,
	IN_PASSWORD,
	IN_DATA,
	FIELD(new_email, BODY, T_EMAIL, IN(new_email), .doc = "The address that is to come."),
	IN_REDIRECT(BODY),
};

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
#define ROUTE(m, path, run, query, doc, ...)                                                       \
	{                                                                                          \
		m, "/auth/v1" path, PUBLIC, __VA_ARGS__, run, 200, query, doc,                     \
		    .body_max = BODY_MAX, .flags = ROUTE_LENIENT, .after = poke_work               \
	}

static const struct route routes[] = {
	ROUTE(POST, "/signup", supabase_sign_up, "auth_v1_signup",
	    "Make an account; where the address need not be confirmed: sign in.",
	    FIELDS(signup_fields)),
	ROUTE(POST, "/token", supabase_token, NULL,
	    "A session for a password, a refresh token, or a code.", FIELDS(token_fields)),
	ROUTE(POST, "/recover", recover, "auth_v1_recover",
	    "Have a link for a new password mailed.", FIELDS(recover_fields)),
	ROUTE(POST, "/resend", resend, "auth_v1_resend", "Send a mail once more.",
	    FIELDS(resend_fields)),
	ROUTE(POST, "/otp", send_link, "auth_v1_otp", "Have a link or code to sign in with mailed.",
	    FIELDS(otp_fields)),
	ROUTE(POST, "/magiclink", send_link, "auth_v1_otp", "The same.", FIELDS(otp_fields)),
	ROUTE(POST, "/verify", supabase_verify, "auth_v1_verify",
	    "A session for a mail's link or code.", FIELDS(verify_fields)),
	ROUTE(GET, "/verify", supabase_follow, "auth_v1_verify",
	    "Follow a mail's link: sent on to the application with a session or a code.",
	    FIELDS(link_fields)),
	ROUTE(GET, "/user", show_user, "auth_v1_user", "Who one is (with a session).", NO_FIELDS),
	ROUTE(PUT, "/user", supabase_update, "auth_v1_user_update",
	    "Change one's own address, password or data (with a session).", FIELDS(update_fields)),
	ROUTE(POST, "/logout", log_out, "auth_v1_logout",
	    "End all of one's sessions, this one, or the others (with a session).",
	    FIELDS(logout_fields)),
	ROUTE(POST, "/factors", supabase_enrol, "auth_v1_factor_add",
	    "Begin with one-time codes: a secret for an app (with a session).",
	    FIELDS(enrol_fields)),
	ROUTE(POST, "/factors/{factor_id}/challenge", use_factor, "auth_v1_factor_challenge",
	    "Begin to show the second factor (with a session).", FIELDS(factor_fields)),
	ROUTE(POST, "/factors/{factor_id}/verify", supabase_prove, "auth_v1_factor_verify",
	    "Show the second factor; the session is worth both (with a session).",
	    FIELDS(prove_fields)),
	ROUTE(DELETE, "/factors/{factor_id}", use_factor, "auth_v1_factor_remove",
	    "Give up the second factor (with a session).", FIELDS(factor_fields)),
	ROUTE(GET, "/settings", show_settings, NULL, "What can be done here.", NO_FIELDS),
	ROUTE(GET, "/health", show_health, NULL, "Whether it answers.", NO_FIELDS),
	ROUTE(GET, "/.well-known/jwks.json", run_query, "auth_v1_keys",
	    "Public keys: none, tokens are signed with a secret.", NO_FIELDS),
	ROUTE(GET, "/admin/users", supabase_list, "auth_v1_admin_list",
	    "All people, newest first (service_role).", FIELDS(list_fields)),
	ROUTE(POST, "/admin/users", supabase_create, "auth_v1_admin_create",
	    "Make an account without a mail (service_role).", FIELDS(create_fields)),
	ROUTE(GET, "/admin/users/{user_id}", use_user, "auth_v1_admin_get",
	    "One person (service_role).", FIELDS(user_fields)),
	ROUTE(PUT, "/admin/users/{user_id}", supabase_change, "auth_v1_admin_update",
	    "Change a person's account (service_role).", FIELDS(change_fields)),
	ROUTE(DELETE, "/admin/users/{user_id}", use_user, "auth_v1_admin_delete",
	    "Take an account away (service_role).", FIELDS(user_fields)),
	ROUTE(POST, "/admin/generate_link", supabase_generate, "auth_v1_admin_link",
	    "A link that is not mailed but told (service_role).", FIELDS(generate_fields)),
};

static const int needs[] = { SET_DATABASE_URL, -1 };

int
main(int argc, char *argv[])
{
	return server_main(argc, argv,
	    &(const struct server){ "auth-v1", routes, COUNT(routes), .db_role = "hookswitch_api",
		.needs = needs, .start = session_ready, .problem = supabase_problem,
		.problem_code = supabase_code });
}
