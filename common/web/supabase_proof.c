/*
 * supabase_proof.c - what somebody shows to get a session, as Supabase Auth takes it: a password, a
 * refresh token, a code for a challenge, a link or digits from a mail.
 */
#include "base/settings.h"
#include "lib/crypto.h"
#include "lib/password.h"
#include "lib/seal.h"
#include "web/reply.h"
#include "web/request.h"
#include "web/supabase.h"

#include <string.h>

enum { KINDS_MAX = 2, FIELDS_MAX = 15 * 1024 };

#define SEAL_PKCE "pkce"

static const struct db_stmt signin_ask = { "auth_signin_ask",
	"select api.auth_signin_ask($1::text)" };
static const struct db_stmt signin = { "auth_v1_signin",
	"select api.auth_v1_signin($1::uuid, $2::text, $3::jsonb)" };
static const struct db_stmt person = { "auth_v1_person", "select api.auth_v1_person($1::text)" };
static const struct db_stmt pkce = { "auth_v1_pkce",
	"select api.auth_v1_pkce($1::uuid, $2::text, $3::jsonb)" };
static const struct db_stmt code_ask = { "auth_v1_code",
	"select api.auth_v1_code($1::text, $2::jsonb)" };
static const struct db_stmt redirect = { "auth_v1_redirect",
	"select api.auth_v1_redirect($1::uuid)" };

/* ---- passwords and tokens ------------------------------------------------------- */

static int
try_password(struct ctx *c, const struct supabase_in *in, struct session *ret)
{
	const struct json *asked, *view;
	struct session_token t;
	const char *hash, *begin;

	asked = session_call(c, &signin_ask, ARGS(in->email));
	if (!asked || session_wait(c, asked) < 0)
		return -1;
	hash = json_str(asked, "password_hash");
	if (!password_check(c->mem, in->password, hash))
		return fail(c, ERR_CREDENTIALS_INVALID, NULL);
	begin = session_begin(c, &t);
	view =
	    begin ? session_call(c, &signin, ARGS(json_str(asked, "user_id"), hash, begin)) : NULL;
	return view ? session_take(c, view, t.plain, ret) : -1;
}

static int
take_password(struct ctx *c, const struct supabase_in *in, struct session *ret)
{
	int rc;

	if (supabase_need_email(c, in) < 0 || supabase_need(c, "password", in->password) < 0 ||
	    session_slow_begin(c) < 0)
		return -1;
	rc = try_password(c, in, ret);
	session_slow_end();
	return rc;
}

/* A session as session_refresh gives it, with the user in the other form. */
static int
take_refresh(struct ctx *c, const struct supabase_in *in, struct session *ret)
{
	CLEANUP(text_clear) struct text t = TEXT(2 * FIELDS_MAX);
	const struct json *user, *view;
	const char *hash;

	if (supabase_need(c, "refresh_token", in->refresh_token) < 0 ||
	    session_refresh(c, in->refresh_token, ret) < 0)
		return -1;
	hash = session_hash(c, ret->refresh_token);
	user = hash ? session_call(c, &person, ARGS(hash)) : NULL;
	if (!user)
		return -1;
	text_puts(&t, "{\"user\":");
	json_write(&t, user);
	text_putc(&t, '}');
	if (!text_ok(&t) || json_read(c->mem, t.data, t.len, JSON_DEPTH_PROVIDER, &view) != JSON_OK)
		return fail(c, ERR_INTERNAL, "the user cannot be shown");
	ret->view = view;
	return 0;
}

static int
take_code(struct ctx *c, const struct supabase_in *in, struct session *ret)
{
	const struct json *view;
	struct session_token t;
	const char *begin;
	char id[37];

	if (supabase_need(c, "auth_code", in->auth_code) < 0 ||
	    supabase_need(c, "code_verifier", in->code_verifier) < 0)
		return -1;
	if (!seal_token_check(SEAL_PKCE, in->auth_code, id))
		return supabase_refuse(c, ERR_FLOW_STATE_NOT_FOUND);
	begin = session_begin(c, &t);
	view = begin ? session_call(c, &pkce, ARGS(id, in->code_verifier, begin)) : NULL;
	return view ? session_take(c, view, t.plain, ret) : -1;
}

int
supabase_token(struct ctx *c, const void *arg)
{
	const struct supabase_in *in = arg;
	struct session s;
	int rc;

	if (strcmp(in->grant_type, "refresh_token") == 0)
		rc = take_refresh(c, in, &s);
	else if (strcmp(in->grant_type, "pkce") == 0)
		rc = take_code(c, in, &s);
	else
		rc = take_password(c, in, &s);
	return rc < 0 ? -1 : supabase_reply_session(c, &s);
}

/* ---- from a mail ------------------------------------------------------------------ */

/* A one-time token that came back. */
struct proof {
	const char *id, *kind;
};

/* Which tokens of ours each type means: somebody who asked for a link to sign in with, and had not
 * confirmed his address, was sent one that does that. */
static const struct {
	const char *type, *kinds[KINDS_MAX + 1];
} types[] = {
	{ "signup", { "signup" } },
	{ "email", { "magiclink", "signup" } },
	{ "magiclink", { "magiclink", "signup" } },
	{ "recovery", { "recovery" } },
	{ "invite", { "invite", "signup" } },
	{ "email_change", { "email_change" } },
};

static const char *const *
kinds_of(const char *type)
{
	size_t i;

	for (i = 0; i < COUNT(types) - 1; i++)
		if (strcmp(types[i].type, type) == 0)
			break;
	return types[i].kinds;
}

static int
take_link(struct ctx *c, const char *type, const char *token, struct proof *ret)
{
	const char *const *kind = kinds_of(type);
	char id[37];

	for (; token && *kind; kind++)
		if (seal_token_check(*kind, token, id)) {
			*ret = (struct proof){ mem_str(c->mem, id), *kind };
			return ret->id ? 0 : fail(c, ERR_INTERNAL, "out of memory");
		}
	return supabase_refuse(c, ERR_CODE_INVALID);
}

/* A JSON array of them. */
static const char *
write_kinds(struct ctx *c, const char *const *kind)
{
	CLEANUP(text_clear) struct text t = TEXT(200);

	for (; *kind; kind++) {
		text_putc(&t, t.len ? ',' : '[');
		text_json(&t, *kind);
	}
	text_putc(&t, ']');
	return mem_str(c->mem, text_str(&t));
}

/* Six digits and an address; the try is counted. */
static int
take_digits(struct ctx *c, const struct supabase_in *in, struct proof *ret)
{
	const char *kinds = write_kinds(c, kinds_of(in->type));
	const struct json *asked;
	char nobody[37];

	if (supabase_need_email(c, in) < 0 || supabase_need(c, "token", in->token) < 0)
		return -1;
	asked = kinds ? session_call(c, &code_ask, ARGS(in->email, kinds)) : NULL;
	if (!asked || session_wait(c, asked) < 0)
		return -1;
	ret->id = json_str(asked, "token_id");
	ret->kind = json_str(asked, "kind");
	/* As much is done where there is no such token. */
	if (!ret->kind || crypto_uuid(nobody) < 0 ||
	    !seal_code_check(ret->kind, ret->id ? ret->id : nobody, in->token) || !ret->id)
		return fail(c, ERR_CODE_INVALID, NULL);
	return 0;
}

int
supabase_verify(struct ctx *c, const void *arg)
{
	const struct supabase_in *in = arg;
	const struct json *view;
	struct session_token t;
	struct session s;
	struct proof p;
	const char *begin;
	int rc;

	rc = in->token_hash ? take_link(c, in->type, in->token_hash, &p) : take_digits(c, in, &p);
	begin = rc < 0 ? NULL : session_begin(c, &t);
	view = begin ? db_call(c, ARGS(p.id, p.kind, begin, "false")) : NULL;
	if (!view || session_take(c, view, t.plain, &s) < 0)
		return -1;
	return supabase_reply_session(c, &s);
}

/* ---- somebody who follows a link ---------------------------------------------------- */

static void
put_field(struct text *t, const char *name, const char *value)
{
	text_printf(t, "%s%s=", t->len ? "&" : "", name);
	text_url(t, value);
}

static int
send_error(struct ctx *c, const char *url)
{
	CLEANUP(text_clear) struct text t = TEXT(FIELDS_MAX);
	int status = c->failure.status;
	const char *code = supabase_code(c->failure.code, &status);

	if (status >= 500 || status == 404 || status == 429)
		return -1;
	put_field(&t, "error", "access_denied");
	put_field(&t, "error_code", code);
	put_field(&t, "error_description", "Email link is invalid or has expired");
	return supabase_redirect(c, url, '#', text_str(&t));
}

static int
send_session(struct ctx *c, const char *url, const struct session *s, const char *type)
{
	CLEANUP(text_clear) struct text t = TEXT(FIELDS_MAX);
	char number[24];

	put_field(&t, "access_token", s->access_token);
	snprintf(number, sizeof(number), "%lld", (long long)s->expires_at);
	put_field(&t, "expires_at", number);
	snprintf(number, sizeof(number), "%lld",
	    (long long)setting_int(SET_HOOKSWITCH_TOKEN_SECONDS));
	put_field(&t, "expires_in", number);
	put_field(&t, "refresh_token", s->refresh_token);
	put_field(&t, "token_type", "bearer");
	put_field(&t, "type", type);
	return supabase_redirect(c, url, '#', text_str(&t));
}

static int
send_code(struct ctx *c, const char *url, const char *id)
{
	CLEANUP(text_clear) struct text t = TEXT(FIELDS_MAX);
	const char *code = seal_token(c->mem, SEAL_PKCE, id);

	if (!code)
		return fail(c, ERR_INTERNAL, "a code could not be made");
	put_field(&t, "code", code);
	return supabase_redirect(c, url, '?', text_str(&t));
}

/* What the link's token was asked with: where its person wanted to go. */
static const char *
asked_url(struct ctx *c, const char *id)
{
	const struct json *j = session_call(c, &redirect, ARGS(id));

	return j ? json_str(j, "redirect_to") : NULL;
}

static int
follow(struct ctx *c, const struct supabase_in *in, const struct proof *p, const char *url)
{
	const struct json *view;
	struct session_token t;
	struct session s;
	const char *begin = session_begin(c, &t), *id;

	if (!begin)
		return -1;
	view = db_call(c, ARGS(p->id, p->kind, begin, "true"));
	if (!view)
		return send_error(c, url);
	id = json_str(view, "code_id");
	if (id)
		return send_code(c, url, id);
	return session_take(c, view, t.plain, &s) < 0 ? -1 : send_session(c, url, &s, in->type);
}

int
supabase_follow(struct ctx *c, const void *arg)
{
	const struct supabase_in *in = arg;
	const char *url = in->redirect_to;
	struct proof p;

	/* Programs that look at mails ask for the head only: that uses nothing up. */
	if (request_of(c)->head)
		return reply_empty(c, 204);
	if (take_link(c, in->type, in->token, &p) < 0)
		return send_error(c, url);
	if (!url || !*url)
		url = asked_url(c, p.id);
	return c->failure.err == ERR_NONE ? follow(c, in, &p, url) : -1;
}
