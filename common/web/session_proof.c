/*
 * session_proof.c - what somebody shows to be let in: a password, a second factor, a link or a
 * code from a mail.
 *
 * Each is asked for in one transaction and used in another; between them it is checked here, which
 * takes as long for somebody who does not exist.
 */
#include "base/clock.h"
#include "lib/crypto.h"
#include "lib/password.h"
#include "lib/seal.h"
#include "lib/totp.h"
#include "web/session.h"

#include <string.h>

#define SEAL_CHALLENGE "totp"

enum { CODE_BYTES = 10, CODES_MAX = 4096 };

static const struct db_stmt signin_ask = { "auth_signin_ask",
	"select api.auth_signin_ask($1::text)" };
static const struct db_stmt signin = { "auth_signin",
	"select api.auth_signin($1::uuid, $2::text, $3::jsonb)" };
static const struct db_stmt challenge_ask = { "auth_challenge_ask",
	"select api.auth_challenge_ask($1::uuid, $2::boolean)" };
static const struct db_stmt challenge_take = { "auth_challenge_take",
	"select api.auth_challenge_take($1::uuid, $2::uuid, $3::bigint, $4::text, $5::jsonb)" };
static const struct db_stmt code_ask = { "auth_code", "select api.auth_code($1::text, $2::text)" };
static const struct db_stmt verify = { "auth_verify",
	"select api.auth_verify($1::uuid, $2::text, $3::jsonb)" };
static const struct db_stmt prove_ask = { "auth_prove_ask", "select api.auth_prove_ask()" };
static const struct db_stmt proved = { "auth_proved", "select api.auth_proved()" };

/* ---- a password ----------------------------------------------------------- */

/* What a sign-in with the right password led to. */
static enum session_step
judge(struct ctx *c, const struct json *view, const struct session_token *t, struct session *ret,
    const char **challenge)
{
	const char *id = json_str(view, "challenge");

	if (!id)
		return session_take(c, view, t->plain, ret) < 0 ? SESSION_FAILED : SESSION_OPEN;
	*challenge = seal_token(c->mem, SEAL_CHALLENGE, id);
	if (*challenge)
		return SESSION_TOTP;
	fail(c, ERR_INTERNAL, "a challenge could not be made");
	return SESSION_FAILED;
}

static enum session_step
try_password(struct ctx *c, const char *email, const char *password, struct session *ret,
    const char **challenge)
{
	const struct json *asked, *view;
	const char *user, *hash, *begin;
	struct session_token t;

	asked = session_call(c, &signin_ask, ARGS(email));
	if (!asked || session_wait(c, asked) < 0)
		return SESSION_FAILED;
	user = json_str(asked, "user_id");
	hash = json_str(asked, "password_hash");
	if (!password_check(c->mem, password, hash)) {
		fail(c, ERR_CREDENTIALS_INVALID, NULL);
		return SESSION_FAILED;
	}
	begin = session_begin(c, &t);
	view = begin ? session_call(c, &signin, ARGS(user, hash, begin)) : NULL;
	return view ? judge(c, view, &t, ret, challenge) : SESSION_FAILED;
}

enum session_step
session_password(struct ctx *c, const char *email, const char *password, struct session *ret,
    const char **challenge)
{
	enum session_step step;

	if (session_slow_begin(c) < 0)
		return SESSION_FAILED;
	step = try_password(c, email, password, ret, challenge);
	session_slow_end();
	return step;
}

static int
prove(struct ctx *c, const char *password, const char **hash)
{
	const struct json *asked = session_call(c, &prove_ask, NULL, 0);

	if (!asked || session_wait(c, asked) < 0)
		return -1;
	*hash = json_str(asked, "password_hash");
	if (!*hash)
		return 0;
	if (!password || !password_check(c->mem, password, *hash))
		return fail(c, ERR_PASSWORD_WRONG, NULL);
	return session_call(c, &proved, NULL, 0) ? 0 : -1;
}

int
session_prove(struct ctx *c, const char *password, const char **hash)
{
	int rc;

	if (session_slow_begin(c) < 0)
		return -1;
	rc = prove(c, password, hash);
	session_slow_end();
	return rc;
}

int
session_weak_password(struct ctx *c, const char *password)
{
	const char *wrong = password_wrong(password);

	return wrong ? fail(c, ERR_PASSWORD_WEAK, "%s", wrong) : 0;
}

const char *
session_new_password(struct ctx *c, const char *password)
{
	const char *hash;

	if (session_weak_password(c, password) < 0 || session_slow_begin(c) < 0)
		return NULL;
	hash = password_hash(c->mem, password);
	session_slow_end();
	if (!hash)
		fail(c, ERR_INTERNAL, "a password could not be hashed");
	return hash;
}

/* ---- a second factor -------------------------------------------------------- */

const char *
session_factor(struct ctx *c, const struct json *asked, const char *code)
{
	const char *sealed = json_str(asked, "secret"), *secret;
	int64_t step;

	if (session_wait(c, asked) < 0)
		return NULL;
	secret = sealed ? seal_open(c->mem, SESSION_SEAL_TOTP, sealed) : NULL;
	step = secret ? totp_step(secret, code, clock_wall_ms() / 1000) : -1;
	if (step >= 0)
		return mem_printf(c->mem, "%lld", (long long)step);
	fail(c, ERR_CODE_INVALID, NULL);
	return NULL;
}

/* A code that can be read aloud: 80 random bits in hex, in four parts. */
static const char *
make_code(struct ctx *c)
{
	unsigned char raw[CODE_BYTES];
	char hex[2 * CODE_BYTES + 1];

	if (crypto_random(raw, sizeof(raw)) < 0)
		return NULL;
	crypto_hex(raw, sizeof(raw), hex);
	return mem_printf(c->mem, "%.5s-%.5s-%.5s-%.5s", hex, hex + 5, hex + 10, hex + 15);
}

/* However it was typed: without the dashes, in lower case. */
static const char *
hash_code(struct ctx *c, const char *code)
{
	char *plain = mem_str(c->mem, code), *to = plain;

	for (; plain && *code; code++)
		if (*code != '-' && *code != ' ')
			*to++ = *code >= 'A' && *code <= 'Z' ? (char)(*code | 0x20) : *code;
	if (!plain)
		return NULL;
	*to = '\0';
	return session_hash(c, plain);
}

int
session_codes(struct ctx *c, struct session_codes *ret)
{
	CLEANUP(text_clear) struct text t = TEXT(CODES_MAX);
	const char *hash;
	size_t i;

	for (i = 0; i < SESSION_CODES; i++) {
		ret->plain[i] = make_code(c);
		hash = ret->plain[i] ? hash_code(c, ret->plain[i]) : NULL;
		text_printf(&t, "%c\"%s\"", i ? ',' : '[', hash ? hash : "");
	}
	text_putc(&t, ']');
	ret->hashes = text_ok(&t) && !c->failure.err ? mem_str(c->mem, text_str(&t)) : NULL;
	return ret->hashes ? 0 : fail(c, ERR_INTERNAL, "out of memory");
}

int
session_totp(struct ctx *c, const char *challenge, const char *code, const char *recovery,
    struct session *ret)
{
	const struct json *asked, *view;
	const char *step = NULL, *hash = NULL, *begin;
	struct session_token t;
	char id[37];

	if (!seal_token_check(SEAL_CHALLENGE, challenge, id))
		return fail(c, ERR_CODE_INVALID, NULL);
	asked = session_call(c, &challenge_ask, ARGS(id, code ? "true" : "false"));
	if (!asked || session_wait(c, asked) < 0)
		return -1;
	if (!json_str(asked, "user_id"))
		return fail(c, ERR_CODE_INVALID, NULL);
	if (code)
		step = session_factor(c, asked, code);
	else
		hash = hash_code(c, recovery);
	if (!step && !hash)
		return -1;
	begin = session_begin(c, &t);
	view = begin ? session_call(c, &challenge_take,
			   ARGS(id, json_str(asked, "factor_id"), step, hash, begin)) :
		       NULL;
	return view ? session_take(c, view, t.plain, ret) : -1;
}

/* ---- a link or a code from a mail ---------------------------------------------- */

/* Six digits that were typed. */
static const char *
find_code(struct ctx *c, const struct session_mail *mail, const char *kind)
{
	const struct json *asked = session_call(c, &code_ask, ARGS(mail->email, kind));
	const char *id;
	char nobody[37];

	if (!asked || session_wait(c, asked) < 0)
		return NULL;
	id = json_str(asked, "token_id");
	/* As much is done where there is no such token. */
	if (crypto_uuid(nobody) == 0 && seal_code_check(kind, id ? id : nobody, mail->code) && id)
		return id;
	fail(c, ERR_CODE_INVALID, NULL);
	return NULL;
}

const char *
session_mailed(struct ctx *c, const struct session_mail *mail, const char *const *kinds,
    const char **kind)
{
	char id[37];

	*kind = kinds[0];
	if (!mail->token && mail->email && mail->code)
		return find_code(c, mail, kinds[0]);
	if (!mail->token) {
		fail_field(c, "token", "required", "A token, or an address and a code.");
		return NULL;
	}
	for (; *kinds; kinds++) {
		*kind = *kinds;
		if (seal_token_check(*kinds, mail->token, id))
			return mem_str(c->mem, id);
	}
	fail(c, ERR_CODE_INVALID, NULL);
	return NULL;
}

int
session_verify(struct ctx *c, const char *token_id, const char *kind, struct session *ret)
{
	struct session_token t;
	const char *begin = session_begin(c, &t);
	const struct json *view;

	view = begin ? session_call(c, &verify, ARGS(token_id, kind, begin)) : NULL;
	return view ? session_take(c, view, t.plain, ret) : -1;
}
