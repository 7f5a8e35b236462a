/*
 * supabase_user.c - a person's own account, as Supabase Auth has it: sign-up, changes, and the
 * second factor.
 */
#include "base/settings.h"
#include "lib/password.h"
#include "lib/seal.h"
#include "lib/totp.h"
#include "web/reply.h"
#include "web/supabase.h"

static const struct db_stmt password_ask = { "auth_v1_password_ask",
	"select api.auth_v1_password_ask($1::jsonb)" };
static const struct db_stmt factor_ask = { "auth_v1_factor_ask",
	"select api.auth_v1_factor_ask($1::jsonb, $2::uuid, $3::uuid)" };

int
supabase_hash(struct ctx *c, const char *password, const char **ret)
{
	*ret = NULL;
	if (!password || !*password)
		return 0;
	if (password_wrong(password) && supabase_refuse(c, ERR_NONE) < 0)
		return -1;
	*ret = session_new_password(c, password);
	return *ret ? 0 : -1;
}

/* ---- sign-up ------------------------------------------------------------------ */

int
supabase_sign_up(struct ctx *c, const void *arg)
{
	const struct supabase_in *in = arg;
	const char *hash, *more, *data, *begin = NULL;
	const struct json *made;
	struct session_token t;
	struct session s;

	if (!setting_bool(SET_HOOKSWITCH_SIGNUP))
		return supabase_refuse(c, ERR_SIGNUP_DISABLED);
	if (supabase_need_email(c, in) < 0 || supabase_need(c, "password", in->password) < 0 ||
	    supabase_hash(c, in->password, &hash) < 0)
		return -1;
	if (!setting_bool(SET_HOOKSWITCH_SIGNUP_CONFIRM) && !(begin = session_begin(c, &t)))
		return -1;
	more = supabase_more(c, in);
	data = supabase_object(c, in->data);
	made = more && data ? db_call(c, ARGS(in->email, hash, data, more, begin)) : NULL;
	if (!made)
		return -1;
	if (!begin)
		return supabase_reply(c, json_get(made, "user"));
	return session_take(c, made, t.plain, &s) < 0 ? -1 : supabase_reply_session(c, &s);
}

/* ---- changes -------------------------------------------------------------------- */

/* The hash of the password there is, and of the one that is to be. */
static int
change_password(struct ctx *c, const char *claims, const char *password, const char *ret[2])
{
	const struct json *asked = session_call(c, &password_ask, ARGS(claims));
	bool same;

	if (!asked)
		return -1;
	ret[0] = json_str(asked, "password_hash");
	if (session_slow_begin(c) < 0)
		return -1;
	same = ret[0] && password_check(c->mem, password, ret[0]);
	session_slow_end();
	if (same)
		return fail(c, ERR_SAME_PASSWORD, NULL);
	return supabase_hash(c, password, &ret[1]);
}

int
supabase_update(struct ctx *c, const void *arg)
{
	const struct supabase_in *in = arg;
	const char *claims = supabase_person(c), *more, *data = NULL, *hashes[2] = { NULL, NULL };

	if (!claims)
		return -1;
	if (in->phone && *in->phone)
		return fail(c, ERR_PHONE_PROVIDER_DISABLED, NULL);
	if (in->password && change_password(c, claims, in->password, hashes) < 0)
		return -1;
	more = supabase_more(c, in);
	if (!more || (in->data && !(data = supabase_object(c, in->data))))
		return -1;
	return supabase_reply_call(c, ARGS(claims, in->email, hashes[0], hashes[1], data, more));
}

/* ---- the second factor ------------------------------------------------------------ */

int
supabase_enrol(struct ctx *c, const void *arg)
{
	const struct supabase_in *in = arg;
	const char *claims = supabase_person(c), *secret = totp_secret(c->mem), *sealed;
	const char *issuer = setting_str(SET_HOOKSWITCH_TOTP_ISSUER);
	const struct json *factor;
	struct out *o;

	if (!claims)
		return -1;
	sealed = secret ? seal_close(c->mem, SESSION_SEAL_TOTP, secret) : NULL;
	if (!sealed)
		return fail(c, ERR_INTERNAL, "a secret could not be made");
	factor = db_call(c, ARGS(claims, in->friendly_name, sealed));
	if (!factor)
		return -1;
	o = reply_open(c, 200);
	put_str(o, "id", json_str(factor, "id"));
	put_str(o, "type", "totp");
	put_str(o, "friendly_name", in->friendly_name ? in->friendly_name : "");
	put_object(o, "totp");
	/* The application draws its own from the uri. */
	put_str(o, "qr_code", "");
	put_str(o, "secret", secret);
	put_str(o, "uri", totp_uri(c->mem, issuer, json_str(factor, "email"), secret));
	put_end(o);
	return reply_close(o);
}

/* A wrong code has a name of its own here. */
static int
refuse_code(struct ctx *c)
{
	if (c->failure.err != ERR_CODE_INVALID)
		return -1;
	fail_clear(c);
	return fail(c, ERR_MFA_VERIFICATION_FAILED, NULL);
}

int
supabase_prove(struct ctx *c, const void *arg)
{
	const struct supabase_in *in = arg;
	const char *claims = supabase_person(c), *step, *begin;
	const struct json *asked, *view;
	struct session_token t;
	struct session s;

	if (!claims)
		return -1;
	asked = session_call(c, &factor_ask, ARGS(claims, in->factor_id, in->challenge_id));
	step = asked ? session_factor(c, asked, in->code) : NULL;
	begin = step ? session_begin(c, &t) : NULL;
	view = begin ?
	    db_call(c, ARGS(claims, in->factor_id, in->challenge_id, step, begin, t.sealed)) :
	    NULL;
	if (!view)
		return refuse_code(c);
	return session_take(c, view, t.plain, &s) < 0 ? -1 : supabase_reply_session(c, &s);
}
