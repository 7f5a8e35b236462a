/*
 * supabase.c - errors, tokens and addresses in the form that clients of Supabase Auth know.
 */
#include "web/supabase.h"

#include "base/clock.h"
#include "base/settings.h"
#include "lib/jwt.h"
#include "web/reply.h"
#include "web/request.h"
#include "web/site.h"

#include <string.h>
#include <strings.h>

enum { MORE_MAX = 32 * 1024, LOCATION_MAX = 15 * 1024 };

#define API_VERSION_HEADER "X-Supabase-Api-Version"
#define API_VERSION "2024-01-01"

/* ---- errors --------------------------------------------------------------- */

/* Ours, and what stands for it there.  Without a sentence the failure's own is told. */
static const struct {
	const char *ours, *theirs, *sentence;
	int status;
} codes[] = {
	{ "bad_json", "bad_json", "Could not parse request body as JSON", 400 },
	{ "json_too_deep", "bad_json", "Could not parse request body as JSON", 400 },
	{ "unsupported_media_type", "bad_json", "Could not parse request body as JSON", 400 },
	{ "bad_fields", "validation_failed", NULL, 400 },
	{ "bad_request", "validation_failed", NULL, 400 },
	{ "unauthenticated", "no_authorization", "This endpoint requires a valid Bearer token",
	    401 },
	{ "token_invalid", "bad_jwt",
	    "invalid JWT: unable to parse or verify signature, token is malformed", 403 },
	{ "token_expired", "bad_jwt",
	    "invalid JWT: unable to parse or verify signature, token has invalid claims: token is "
	    "expired",
	    403 },
	{ "session_revoked", "session_not_found",
	    "Session from session_id claim in JWT does not exist", 403 },
	{ "account_inactive", "user_banned", "User is banned", 403 },
	{ "credentials_invalid", "invalid_credentials", "Invalid login credentials", 400 },
	{ "email_not_confirmed", "email_not_confirmed", "Email not confirmed", 400 },
	{ "refresh_token_invalid", "refresh_token_not_found",
	    "Invalid Refresh Token: Refresh Token Not Found", 400 },
	{ "refresh_token_reused", "refresh_token_already_used",
	    "Invalid Refresh Token: Already Used", 400 },
	{ "code_invalid", "otp_expired", "Token has expired or is invalid", 403 },
	{ "password_weak", "weak_password", NULL, 422 },
	{ "password_wrong", "conflict", "The password was changed meanwhile", 409 },
	{ "signup_disabled", "signup_disabled", "Signups not allowed for this instance", 422 },
	{ "email_taken", "email_exists",
	    "A user with this email address has already been registered", 422 },
	{ "totp_enrolled", "too_many_enrolled_mfa_factors",
	    "Maximum number of verified factors reached, unenroll to continue", 422 },
	{ "too_many_tries", "over_request_rate_limit", "Request rate limit reached", 429 },
	{ "rate_limited", "over_request_rate_limit", "Request rate limit reached", 429 },
	{ "internal", "unexpected_failure",
	    "Unexpected failure, please check server logs for more information", 500 },
};

static size_t
find_code(const char *code)
{
	size_t i;

	for (i = 0; i < COUNT(codes); i++)
		if (strcmp(codes[i].ours, code) == 0)
			break;
	return i;
}

const char *
supabase_code(const char *code, int *status)
{
	size_t i = find_code(code);

	if (i == COUNT(codes))
		return code;
	*status = codes[i].status;
	return codes[i].theirs;
}

/* The sentence of a failure: of the table, else of the first wrong field, else its own. */
static const char *
sentence_of(struct ctx *c)
{
	const struct failure *f = &c->failure;
	size_t i = find_code(f->code);
	const char *s = NULL;

	if (i < COUNT(codes) && codes[i].sentence)
		return codes[i].sentence;
	if (f->nfields)
		s = mem_printf(c->mem, "%s: %s", f->fields[0].field, f->fields[0].detail);
	else if (i < COUNT(codes) || strcmp(f->code, "validation_failed") == 0)
		s = f->detail;
	return s && *s ? s : f->title;
}

/* A password is refused for its length only. */
static void
put_reasons(struct out *o)
{
	put_object(o, "weak_password");
	put_array(o, "reasons");
	put_str(o, NULL, "length");
	put_end(o);
	put_end(o);
}

/* From that version on the code is the code; before, it was the status. */
static bool
is_dated(const struct ctx *c)
{
	const char *s = request_header(c, API_VERSION_HEADER);

	return s && strlen(s) == sizeof(API_VERSION) - 1 && strcmp(s, API_VERSION) >= 0;
}

void
supabase_problem(struct ctx *c)
{
	int status = c->failure.status;
	const char *code = supabase_code(c->failure.code, &status);
	struct out *o = reply_open(c, status);

	if (is_dated(c)) {
		reply_header(c, API_VERSION_HEADER, API_VERSION);
		put_str(o, "code", code);
		put_str(o, "message", sentence_of(c));
	} else {
		put_int(o, "code", status);
		put_str(o, "error_code", code);
		put_str(o, "msg", sentence_of(c));
	}
	if (strcmp(code, "weak_password") == 0)
		put_reasons(o);
	reply_header(c, "X-Sb-Error-Code", code);
	(void)reply_close(o);
}

/* ---- whose token it is ------------------------------------------------------ */

int
supabase_refuse(struct ctx *c, enum err e)
{
	static const struct db_stmt ready = { "auth_v1_ready", "select api.auth_v1_ready()" };

	if (!session_call(c, &ready, NULL, 0))
		return -1;
	return e == ERR_NONE ? 0 : fail(c, e, NULL);
}

static const struct json *
refuse_token(struct ctx *c, enum err e)
{
	(void)supabase_refuse(c, e);
	return NULL;
}

static const struct json *
read_token(struct ctx *c)
{
	const char *header = request_header(c, "Authorization");
	struct jwt_keys keys = { .hs256 = { setting_str(SET_HOOKSWITCH_JWT_SECRET) } };
	const struct json *claims;
	struct span token;

	if (!header || strncasecmp(header, "Bearer ", 7) != 0)
		return refuse_token(c, ERR_UNAUTHENTICATED);
	token = span_of(header + 7 + strspn(header + 7, " "));
	switch (jwt_check(c->mem, token, &keys, clock_wall_ms() / 1000, &claims)) {
	case JWT_OK:
		return claims;
	case JWT_EXPIRED:
		return refuse_token(c, ERR_TOKEN_EXPIRED);
	case JWT_INVALID:
		break;
	}
	return refuse_token(c, ERR_TOKEN_INVALID);
}

static bool
is_service(const struct json *claims)
{
	const char *role = json_str(claims, "role");

	return role && strcmp(role, "service_role") == 0;
}

/* Claims as text; NULL goes through. */
static const char *
print_claims(struct ctx *c, const struct json *claims)
{
	const char *s = claims ? json_print(c->mem, claims) : NULL;

	if (claims && !s)
		fail(c, ERR_INTERNAL, "out of memory");
	return s;
}

const char *
supabase_person(struct ctx *c)
{
	const struct json *claims = read_token(c);

	if (claims && (is_service(claims) || !json_str(claims, "sub")))
		claims = refuse_token(c, ERR_TOKEN_INVALID);
	return print_claims(c, claims);
}

const char *
supabase_service(struct ctx *c)
{
	const struct json *claims = read_token(c);

	if (claims && !is_service(claims))
		claims = refuse_token(c, ERR_NOT_ADMIN);
	return print_claims(c, claims);
}

/* ---- answers ------------------------------------------------------------------ */

int
supabase_reply(struct ctx *c, const struct json *j)
{
	const char *s = json_print(c->mem, j);

	return s ? reply_json(c, 200, span_of(s)) : fail(c, ERR_INTERNAL, "out of memory");
}

int
supabase_reply_call(struct ctx *c, const char *const *args, size_t n)
{
	const struct json *j = db_call(c, args, n);

	return j ? supabase_reply(c, j) : -1;
}

int
supabase_reply_session(struct ctx *c, const struct session *s)
{
	const char *user = json_print(c->mem, json_get(s->view, "user"));
	struct out *o = reply_open(c, 200);

	put_str(o, "access_token", s->access_token);
	put_str(o, "token_type", "bearer");
	put_int(o, "expires_in", setting_int(SET_HOOKSWITCH_TOKEN_SECONDS));
	put_int(o, "expires_at", s->expires_at);
	put_str(o, "refresh_token", s->refresh_token);
	put_json(o, "user", span_of(user));
	return reply_close(o);
}

/* ---- where people are sent ------------------------------------------------------ */

static const enum setting sites[] = { SET_APP_URL, SET_FRONTEND_URL, SET_API_URL };

bool
supabase_allowed(const char *url)
{
	return site_holds(sites, COUNT(sites), url);
}

const char *
supabase_site(void)
{
	size_t i;

	for (i = 0; i < COUNT(sites) - 1; i++)
		if (setting_str(sites[i]))
			break;
	return setting_str(sites[i]);
}

int
supabase_redirect(struct ctx *c, const char *url, char mark, const char *fields)
{
	CLEANUP(text_clear) struct text t = TEXT(LOCATION_MAX);
	const char *to = supabase_allowed(url) ? url : supabase_site();
	size_t n = to ? strcspn(to, "#") : 0;

	if (!to)
		return fail(c, ERR_INTERNAL, "APP_URL and API_URL are not set");
	text_put(&t, to, n);
	text_putc(&t, mark == '?' && memchr(to, '?', n) ? '&' : mark);
	text_puts(&t, fields);
	if (!text_ok(&t))
		return fail(c, ERR_INTERNAL, "the address is too long");
	reply_header(c, "Location", text_str(&t));
	return reply_empty(c, 303);
}

/* ---- input ------------------------------------------------------------------------ */

int
supabase_need(struct ctx *c, const char *field, const char *value)
{
	return value && *value ? 0 : fail_field(c, field, "required", "is needed");
}

int
supabase_need_email(struct ctx *c, const struct supabase_in *in)
{
	if (!in->email && in->phone && *in->phone)
		return supabase_refuse(c, ERR_PHONE_PROVIDER_DISABLED);
	return supabase_need(c, "email", in->email);
}

static const char *
copy_text(struct ctx *c, const struct text *t)
{
	const char *s = text_ok(t) ? mem_str(c->mem, text_str(t)) : NULL;

	if (!s)
		fail(c, ERR_INTERNAL, "out of memory");
	return s;
}

const char *
supabase_object(struct ctx *c, const struct json *j)
{
	CLEANUP(text_clear) struct text t = TEXT(MORE_MAX * 4);

	if (!j)
		return "{}";
	json_write(&t, j);
	return copy_text(c, &t);
}

const char *
supabase_more(struct ctx *c, const struct supabase_in *in)
{
	CLEANUP(text_clear) struct text t = TEXT(MORE_MAX);
	const char *method = in->code_challenge_method;

	text_puts(&t, "{\"redirect_to\":");
	text_json(&t, supabase_allowed(in->redirect_to) ? in->redirect_to : NULL);
	if (in->code_challenge) {
		text_puts(&t, ",\"code_challenge\":");
		text_json(&t, in->code_challenge);
		text_puts(&t, ",\"code_challenge_method\":");
		text_json(&t, method ? method : "plain");
	}
	text_putc(&t, '}');
	return copy_text(c, &t);
}
