/*
 * auth-v1-fields.h - what the program auth-v1 is asked for and what it answers, both as Supabase
 * Auth has it, and the errors that several routes share, by our names (web/supabase.h says theirs).
 */
#ifndef HANDLERS_AUTH_V1_FIELDS_H
#define HANDLERS_AUTH_V1_FIELDS_H

#include "web/field.h"
#include "web/supabase.h"

enum { SECRET_MAX = 400 };

/* The end of the year 9999. */
#define EPOCH_MAX INT64_C(253402300799)

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
	FIELD(challenge_id, BODY, T_UUID, IN(challenge_id), .required = true,
	    .doc = "The challenge of that factor."),
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

/* ---- a user ---------------------------------------------------------------- */

static const struct field supabase_identity_data_out[] = {
	ABOUT("What is known of a person by an identity."),
	FIELD(email, OUT, T_STR, .required = true, .doc = "The e-mail address."),
	FIELD(email_verified, OUT, T_BOOL, .required = true, .doc = "Whether it is confirmed."),
	FIELD(phone_verified, OUT, T_BOOL, .required = true, .doc = "Always false."),
	FIELD(sub, OUT, T_UUID, .required = true, .doc = "The person."),
};

static const struct field supabase_identity_out[] = {
	ABOUT("How a person is known."),
	FIELD(identity_id, OUT, T_UUID, .required = true, .doc = "The identity."),
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The person."),
	FIELD(user_id, OUT, T_UUID, .required = true, .doc = "The person."),
	FIELD(provider, OUT, T_ENUM, VALUES("email"), .required = true,
	    .doc = "What kind of identity it is."),
	FIELD(email, OUT, T_STR, .required = true, .doc = "The e-mail address."),
	FIELD(identity_data, OUT, T_OBJECT, MEMBERS(supabase_identity_data_out), .required = true,
	    .doc = "What is known by it."),
	FIELD(last_sign_in_at, OUT, T_TIME, .required = true, .doc = "When it was last used."),
	FIELD(created_at, OUT, T_TIME, .required = true, .doc = "When it was made."),
	FIELD(updated_at, OUT, T_TIME, .required = true, .doc = "When it was last changed."),
};

static const struct field supabase_factor_out[] = {
	ABOUT("A second factor."),
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The factor."),
	FIELD(friendly_name, OUT, T_STR, .required = true, .doc = "Its name."),
	FIELD(factor_type, OUT, T_ENUM, VALUES("totp"), .required = true, .doc = "Its kind."),
	FIELD(status, OUT, T_ENUM, VALUES("unverified", "verified"), .required = true,
	    .doc = "Whether a first code was shown."),
	FIELD(created_at, OUT, T_TIME, .required = true, .doc = "When it was made."),
	FIELD(updated_at, OUT, T_TIME, .required = true, .doc = "When it was last changed."),
};

/* public.auth_v1_user: what is not set is left out. */
#define USER_OUT                                                                                   \
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The person."),                            \
	    FIELD(aud, OUT, T_STR, .required = true, .doc = "Whom tokens are for."),               \
	    FIELD(role, OUT, T_STR, .required = true, .doc = "The role in the database."),         \
	    FIELD(email, OUT, T_STR, .required = true, .doc = "The e-mail address."),              \
	    FIELD(phone, OUT, T_STR, .required = true, .doc = "Always empty."),                    \
	    FIELD(app_metadata, OUT, T_OBJECT, .required = true,                                   \
		.doc = "What the application says of the person."),                                \
	    FIELD(user_metadata, OUT, T_OBJECT, .required = true, .doc = "What the person says."), \
	    FIELD(identities, OUT, T_ARRAY, MEMBERS(supabase_identity_out), .required = true,      \
		.doc = "How the person is known; none: the address belongs to an account."),       \
	    FIELD(created_at, OUT, T_TIME, .required = true, .doc = "When it was made."),          \
	    FIELD(updated_at, OUT, T_TIME, .required = true, .doc = "When it was changed."),       \
	    FIELD(is_anonymous, OUT, T_BOOL, .required = true, .doc = "Always false."),            \
	    FIELD(email_confirmed_at, OUT, T_TIME, .doc = "When the address was confirmed."),      \
	    FIELD(phone_confirmed_at, OUT, T_TIME, .doc = "When the number was confirmed."),       \
	    FIELD(confirmed_at, OUT, T_TIME, .doc = "When the first of both was."),                \
	    FIELD(confirmation_sent_at, OUT, T_TIME, .doc = "When that mail was sent."),           \
	    FIELD(recovery_sent_at, OUT, T_TIME, .doc = "When a link to recover was sent."),       \
	    FIELD(invited_at, OUT, T_TIME, .doc = "When the person was invited."),                 \
	    FIELD(new_email, OUT, T_STR, .doc = "The address that waits for its confirmation."),   \
	    FIELD(email_change_sent_at, OUT, T_TIME, .doc = "When it was asked to confirm."),      \
	    FIELD(last_sign_in_at, OUT, T_TIME, .doc = "When the person last signed in."),         \
	    FIELD(banned_until, OUT, T_TIME, .doc = "How long the person is shut out."),           \
	    FIELD(factors, OUT, T_ARRAY, MEMBERS(supabase_factor_out), .doc = "Second factors.")

static const struct field supabase_user_out[] = {
	ABOUT("A person, as clients of Supabase know one."),
	USER_OUT,
};

static const struct field supabase_users_out[] = {
	ABOUT("A page of people."),
	FIELD(users, OUT, T_ARRAY, MEMBERS(supabase_user_out), .required = true,
	    .doc = "The people of this page."),
	FIELD(aud, OUT, T_STR, .required = true, .doc = "Whom tokens are for."),
};

static const struct field supabase_link_out[] = {
	ABOUT("A person, and a link for that person to follow."),
	USER_OUT,
	FIELD(action_link, OUT, T_STR, .required = true, .doc = "The address to follow."),
	FIELD(email_otp, OUT, T_STR, .required = true, .doc = "The six digits."),
	FIELD(hashed_token, OUT, T_STR, .required = true, .doc = "What the link carries."),
	FIELD(verification_type, OUT, T_STR, .required = true, .doc = "What it is a link for."),
	FIELD(redirect_to, OUT, T_STR, .required = true, .doc = "Where it leads in the end."),
};

/* ---- sessions ----------------------------------------------------------------- */

static const struct field supabase_session_out[] = {
	ABOUT("A session, as clients of Supabase know one."),
	FIELD(access_token, OUT, T_STR, .required = true,
	    .doc = "For the header Authorization: Bearer."),
	FIELD(token_type, OUT, T_ENUM, VALUES("bearer"), .required = true,
	    .doc = "How the token is shown."),
	FIELD(expires_in, OUT, T_INT, .required = true,
	    .doc = "Seconds until the access token runs out."),
	FIELD(expires_at, OUT, T_INT, .max = EPOCH_MAX, .required = true,
	    .doc = "When that is, in seconds since 1970."),
	FIELD(refresh_token, OUT, T_STR, .required = true,
	    .doc = "Buys the next access token, once."),
	FIELD(user, OUT, T_OBJECT, MEMBERS(supabase_user_out), .required = true,
	    .doc = "The person."),
};

/* ---- the second factor ----------------------------------------------------------- */

static const struct field supabase_totp_out[] = {
	ABOUT("What an app for one-time codes needs."),
	FIELD(qr_code, OUT, T_STR, .required = true, .doc = "Always empty: draw the uri."),
	FIELD(secret, OUT, T_STR, .required = true, .doc = "For an app, in base32."),
	FIELD(uri, OUT, T_STR, .required = true, .doc = "The same as otpauth://."),
};

static const struct field supabase_enrolment_out[] = {
	ABOUT("A second factor that was begun with."),
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The factor."),
	FIELD(type, OUT, T_ENUM, VALUES("totp"), .required = true, .doc = "Its kind."),
	FIELD(friendly_name, OUT, T_STR, .required = true, .doc = "Its name."),
	FIELD(totp, OUT, T_OBJECT, MEMBERS(supabase_totp_out), .required = true,
	    .doc = "What an app needs."),
};

static const struct field supabase_challenge_out[] = {
	ABOUT("A second factor is asked for its code."),
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The challenge."),
	FIELD(type, OUT, T_ENUM, VALUES("totp"), .required = true, .doc = "The factor's kind."),
	FIELD(expires_at, OUT, T_INT, .max = EPOCH_MAX, .required = true,
	    .doc = "How long it can be met, in seconds since 1970."),
};

static const struct field supabase_factor_id_out[] = {
	ABOUT("Which second factor it was."),
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The factor."),
};

/* ---- what can be done ---------------------------------------------------------------- */

static const struct field supabase_external_out[] = {
	ABOUT("By which ways people may sign in."),
	FIELD(email, OUT, T_BOOL, .required = true, .doc = "Whether by e-mail address."),
	FIELD(phone, OUT, T_BOOL, .required = true, .doc = "Whether by telephone."),
	FIELD(anonymous_users, OUT, T_BOOL, .required = true, .doc = "Whether without a name."),
};

static const struct field supabase_settings_out[] = {
	ABOUT("What is possible here."),
	FIELD(external, OUT, T_OBJECT, MEMBERS(supabase_external_out), .required = true,
	    .doc = "How people sign in."),
	FIELD(disable_signup, OUT, T_BOOL, .required = true, .doc = "Whether nobody can sign up."),
	FIELD(mailer_autoconfirm, OUT, T_BOOL, .required = true,
	    .doc = "Whether addresses need no confirmation."),
	FIELD(phone_autoconfirm, OUT, T_BOOL, .required = true, .doc = "Always false."),
	FIELD(sms_provider, OUT, T_STR, .required = true, .doc = "Always empty."),
	FIELD(saml_enabled, OUT, T_BOOL, .required = true, .doc = "Always false."),
};

static const struct field supabase_health_out[] = {
	ABOUT("The program lives."),
	FIELD(version, OUT, T_STR, .required = true, .doc = "Of this program."),
	FIELD(name, OUT, T_STR, .required = true, .doc = "Whose it is."),
	FIELD(description, OUT, T_STR, .required = true, .doc = "What it is."),
};

static const struct field supabase_keys_out[] = {
	ABOUT("Public keys that tokens are signed with."),
	FIELD(keys, OUT, T_ARRAY, ITEMS(T_OBJECT), .required = true,
	    .doc = "None: tokens are signed with a secret."),
};

/* ---- errors ----------------------------------------------------------------------------- */

/* Where somebody without a session tries something, by address. */
#define TRY_ERRORS ERR_AUTH_EXTERNAL, ERR_TRIES, ERR_PHONE_PROVIDER_DISABLED
#define MAIL_ERRORS TRY_ERRORS, ERR_MAILS_RATE_LIMITED
#define TOKEN_ERRORS ERR_AUTH_EXTERNAL, ERR_UNAUTHENTICATED, ERR_TOKEN_INVALID, ERR_TOKEN_EXPIRED
/* With a session. */
#define SESSION_ERRORS TOKEN_ERRORS, ERR_SESSION_REVOKED, ERR_ACCOUNT_INACTIVE, ERR_USER_NOT_FOUND
/* With the application's token. */
#define SERVICE_ERRORS TOKEN_ERRORS, ERR_NOT_ADMIN
#define ACCOUNT_ERRORS SERVICE_ERRORS, ERR_EMAIL_EXISTS, ERR_PASSWORD_WEAK, ERR_VALIDATION_FAILED

#endif
