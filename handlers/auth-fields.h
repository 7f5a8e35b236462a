/*
 * auth-fields.h - what the program auth is asked for and what it answers, and the errors that
 * several routes share.
 */
#ifndef HANDLERS_AUTH_FIELDS_H
#define HANDLERS_AUTH_FIELDS_H

#include "web/field.h"

/* ---- input ---------------------------------------------------------- */

/* What all operations here are given; each uses what its fields fill. */
struct auth_in {
	const char *email, *password, *new_password, *token, *code, *recovery_code, *challenge;
	const char *first_name, *last_name, *phone_number, *refresh_token;
};

#define IN(m) INTO(struct auth_in, m)
#define IN_EMAIL(...) FIELD(email, BODY, T_EMAIL, IN(email), __VA_ARGS__)
#define IN_ADDRESS IN_EMAIL(.required = true, .doc = "The e-mail address.")
/* What a mail brought. */
#define IN_MAIL                                                                                    \
	FIELD(token, BODY, T_STR, IN(token), .max = 200, .doc = "From the link in the mail."),     \
	    IN_EMAIL(.doc = "Without a token: the address that the code was sent to."),            \
	    IN_CODE(.doc = "The six digits of the mail.")
#define IN_CODE(...) FIELD(code, BODY, T_STR, IN(code), .min = 6, .max = 6, __VA_ARGS__)
#define IN_PASSWORD(what)                                                                          \
	FIELD(password, BODY, T_STR, IN(password), .min = 1, .max = 200, .required = true,         \
	    .doc = what)
#define IN_PROOF                                                                                   \
	FIELD(password, BODY, T_STR, IN(password), .min = 1, .max = 200,                           \
	    .doc = "The current password; an account that has none: sign in anew.")

static const struct field verify_fields[] = { IN_MAIL };
static const struct field email_fields[] = { IN_ADDRESS };
static const struct field signin_fields[] = { IN_ADDRESS, IN_PASSWORD("The password.") };
static const struct field reset_fields[] = { IN_MAIL, IN_PASSWORD("The new password.") };
static const struct field totp_fields[] = { IN_CODE(.required = true, .doc = "Six digits.") };
static const struct field proof_fields[] = { IN_PROOF };

static const struct field signup_fields[] = {
	IN_ADDRESS,
	IN_PASSWORD("8 characters or more (a setting), 72 bytes at most."),
	FIELD(first_name, BODY, T_STR, IN(first_name), .max = 100, .doc = "The person's name."),
	FIELD(last_name, BODY, T_STR, IN(last_name), .max = 100, .doc = "The family name."),
	FIELD(phone_number, BODY, T_E164, IN(phone_number), .doc = "The person's number."),
};

static const struct field totp_signin_fields[] = {
	FIELD(challenge, BODY, T_STR, IN(challenge), .max = 200, .required = true,
	    .doc = "What sign-in answered."),
	IN_CODE(.doc = "The app's six digits."),
	FIELD(recovery_code, BODY, T_STR, IN(recovery_code), .max = 40,
	    .doc = "Instead: one of the recovery codes."),
};

static const struct field refresh_fields[] = {
	FIELD(refresh_token, BODY, T_STR, IN(refresh_token), .min = 1, .max = 200, .required = true,
	    .doc = "The newest one; each is good once."),
};

static const struct field signout_fields[] = {
	FIELD(scope, BODY, T_ENUM, VALUES("this", "all", "others"), .dflt = "this",
	    .doc = "Which of the person's sessions end."),
};

static const struct field change_fields[] = {
	IN_PROOF,
	FIELD(new_password, BODY, T_STR, IN(new_password), .min = 1, .max = 200, .required = true,
	    .doc = "8 characters or more (a setting), 72 bytes at most."),
};

static const struct field me_fields[] = {
	FIELD(first_name, BODY, T_STR, .nullable = true, .max = 100, .doc = "The person's name."),
	FIELD(last_name, BODY, T_STR, .nullable = true, .max = 100, .doc = "The family name."),
	FIELD(phone_number, BODY, T_E164, .nullable = true, .doc = "The person's number."),
	FIELD(address, BODY, T_OBJECT, .nullable = true, .doc = "The postal address."),
	FIELD(preferences, BODY, T_OBJECT, .nullable = true, .doc = "Whatever a client keeps."),
	FIELD(city, BODY, T_STR, .nullable = true, .max = 200, .doc = "The city."),
	FIELD(state, BODY, T_STR, .nullable = true, .max = 200, .doc = "The state."),
};

static const struct field change_email_fields[] = {
	IN_EMAIL(.required = true, .doc = "The new address; it counts once it is confirmed."),
	IN_PROOF,
};

static const struct field session_fields[] = {
	FIELD(session_id, PATH, T_UUID, .required = true, .doc = "The session."),
};

/* ---- a person ------------------------------------------------------------ */

/* public.auth_user_view. */
static const struct field profile_out[] = {
	ABOUT("A person's account and profile."),
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The person."),
	FIELD(email, OUT, T_EMAIL, .required = true, .nullable = true,
	    .doc = "The e-mail address, where it is known."),
	FIELD(first_name, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "The person's name."),
	FIELD(last_name, OUT, T_STR, .required = true, .nullable = true, .doc = "The family name."),
	FIELD(phone_number, OUT, T_E164, .required = true, .nullable = true,
	    .doc = "The person's number."),
	FIELD(address, OUT, T_OBJECT, .required = true, .nullable = true,
	    .doc = "The postal address, as a client stored it."),
	FIELD(preferences, OUT, T_OBJECT, .required = true, .nullable = true,
	    .doc = "Whatever a client keeps."),
	FIELD(city, OUT, T_STR, .required = true, .nullable = true, .doc = "The city."),
	FIELD(state, OUT, T_STR, .required = true, .nullable = true, .doc = "The state."),
	FIELD(status, OUT, T_ENUM, VALUES("active", "inactive"), .required = true,
	    .doc = "Whether the account may be used; inactive until the address is confirmed."),
	FIELD(organization_id, OUT, T_UUID, .required = true, .nullable = true,
	    .doc = "The organization where a request names none."),
	FIELD(totp_enabled, OUT, T_BOOL, .required = true,
	    .doc = "Whether sign-in asks for a one-time code."),
	FIELD(created_at, OUT, T_TIME, .required = true, .doc = "When the profile was made."),
	FIELD(updated_at, OUT, T_TIME, .required = true, .doc = "When it was last changed."),
};

/* ---- sessions ------------------------------------------------------------- */

static const struct field session_tokens_out[] = {
	ABOUT("A session that was just opened or refreshed: its tokens, and whose it is."),
	FIELD(access_token, OUT, T_STR, .required = true,
	    .doc = "For the header Authorization: Bearer."),
	FIELD(token_type, OUT, T_ENUM, VALUES("bearer"), .required = true,
	    .doc = "How the token is shown."),
	FIELD(expires_in, OUT, T_INT, .required = true,
	    .doc = "Seconds until the access token runs out."),
	FIELD(expires_at, OUT, T_TIME, .required = true, .doc = "When that is."),
	FIELD(refresh_token, OUT, T_STR, .required = true,
	    .doc = "Buys the next access token, once."),
	FIELD(user, OUT, T_OBJECT, MEMBERS(profile_out), .required = true, .doc = "The person."),
};

static const struct field totp_challenge_out[] = {
	ABOUT("The password is right, and a one-time code is needed to go on."),
	FIELD(totp_required, OUT, T_BOOL, .required = true, .doc = "Always true."),
	FIELD(challenge, OUT, T_STR, .required = true, .doc = "For the second step."),
	FIELD(expires_in, OUT, T_INT, .required = true, .doc = "Seconds until it is too late."),
};

static const struct field email_changed_out[] = {
	ABOUT("Another address was confirmed; no session is opened."),
	FIELD(status, OUT, T_ENUM, VALUES("email_changed"), .required = true,
	    .doc = "The new address holds."),
	FIELD(email, OUT, T_EMAIL, .required = true, .doc = "That address."),
};

static const struct field open_session_out[] = {
	ABOUT("A place where a person is signed in."),
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The session."),
	FIELD(current, OUT, T_BOOL, .required = true, .doc = "Whether it is the one that asks."),
	FIELD(aal, OUT, T_ENUM, VALUES("aal1", "aal2"), .required = true,
	    .doc = "How many factors were shown: one, or two."),
	FIELD(user_agent, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "What the client called itself."),
	FIELD(address, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "The network address that it was opened from."),
	FIELD(created_at, OUT, T_TIME, .required = true, .doc = "When it was opened."),
	FIELD(refreshed_at, OUT, T_TIME, .required = true, .doc = "When it was last refreshed."),
	FIELD(expires_at, OUT, T_TIME, .required = true, .doc = "When it ends unless refreshed."),
};

/* ---- what was taken note of -------------------------------------------------- */

static const struct field signed_up_out[] = {
	ABOUT("The sign-up was taken note of."),
	FIELD(email, OUT, T_EMAIL, .required = true, .doc = "The address, in lower case."),
	FIELD(status, OUT, T_ENUM, VALUES("confirmation_sent"), .required = true,
	    .doc = "The same whether somebody has the address already or not."),
};

static const struct field accepted_out[] = {
	ABOUT("It was taken note of; what comes of it is not told."),
	FIELD(status, OUT, T_ENUM, VALUES("accepted"), .required = true,
	    .doc = "The same whether a mail is sent or not."),
};

static const struct field password_changed_out[] = {
	ABOUT("The password was changed."),
	FIELD(status, OUT, T_ENUM, VALUES("password_changed"), .required = true,
	    .doc = "The new password holds."),
};

/* ---- one-time codes ------------------------------------------------------------ */

static const struct field totp_enrolment_out[] = {
	ABOUT("What an app for one-time codes needs."),
	FIELD(secret, OUT, T_STR, .required = true, .doc = "For an app, in base32."),
	FIELD(uri, OUT, T_STR, .required = true, .doc = "The same as otpauth://, to be drawn."),
};

static const struct field recovery_codes_out[] = {
	ABOUT("Codes that stand in for an app that was lost."),
	FIELD(recovery_codes, OUT, T_ARRAY, ITEMS(T_STR), .required = true,
	    .doc = "Each is good once; they are shown this once."),
};

/* ---- errors ---------------------------------------------------------------------- */

/* Of whoever tries something: here all routes without a session. */
#define TRY_ERRORS ERR_AUTH_EXTERNAL, ERR_TRIES
/* Where the password is asked for again. */
#define PROOF_ERRORS TRY_ERRORS, ERR_PASSWORD_WRONG, ERR_SIGNIN_NEEDED

#endif
