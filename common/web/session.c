/*
 * session.c - tokens: made, hashed, sealed, signed.
 */
#include "web/session.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/settings.h"
#include "lib/crypto.h"
#include "lib/jwt.h"
#include "lib/seal.h"
#include "web/server.h"

#include <stdatomic.h>
#include <string.h>

enum { TOKEN_BYTES = 32, CLAIMS_MAX = 64 * 1024, ARGS_MAX = 8, DAY_SECONDS = 86400 };

int
session_ready(void)
{
	static const int needs[] = { SET_HOOKSWITCH_JWT_SECRET, SET_API_URL, -1 };
	bool elsewhere = setting_str(SET_SUPABASE_URL) || setting_str(SET_SUPABASE_JWT_SECRET);

	if (elsewhere && !setting_str(SET_HOOKSWITCH_JWT_SECRET))
		return setting_str(SET_HOOKSWITCH_SECRET_KEY) ? seal_ready() : 0;
	return settings_need(needs) == 0 ? seal_ready() : -1;
}

/* ---- asking the database ------------------------------------------------ */

const struct json *
session_call(struct ctx *c, const struct db_stmt *stmt, const char *const *args, size_t n)
{
	struct span params[ARGS_MAX], answer;
	struct db_rows rows = { .n = 0 };
	struct db_step step = { stmt, params, n, &rows };
	const struct json *j;
	size_t i;

	for (i = 0; i < n && i < ARGS_MAX; i++)
		params[i] = span_of(args[i]);
	if (db_ask(c, &step, 1) < 0)
		return NULL;
	answer = rows.n ? db_value(&rows, 0, 0) : (struct span){ NULL, 0 };
	if (!answer.data ||
	    json_read(c->mem, answer.data, answer.len, JSON_DEPTH_PROVIDER, &j) != JSON_OK) {
		fail(c, ERR_INTERNAL, NULL);
		fail_log(c, "%s answered nothing that can be read", stmt->name);
		return NULL;
	}
	return j;
}

int
session_wait(struct ctx *c, const struct json *answer)
{
	int64_t seconds = json_int(answer, "wait", 0);

	if (seconds <= 0)
		return 0;
	fail(c, ERR_TRIES, NULL);
	c->failure.retry_after = (int)seconds;
	return -1;
}

int
session_counted(struct ctx *c)
{
	if (!request_of(c)->tx)
		return -1;
	reply_failure(c);
	return 0;
}

/* ---- taking turns ------------------------------------------------------- */

/* How many hash just now, or wait for the database between. */
static atomic_int slow;

int
session_slow_begin(struct ctx *c)
{
	int threads = (int)setting_int(SET_HOOKSWITCH_THREADS);

	if (atomic_fetch_add(&slow, 1) < threads - threads / 4)
		return 0;
	atomic_fetch_sub(&slow, 1);
	fail(c, ERR_UNAVAILABLE, "too many passwords are being checked just now");
	c->failure.retry_after = 1;
	return -1;
}

void
session_slow_end(void)
{
	atomic_fetch_sub(&slow, 1);
}

/* ---- tokens -------------------------------------------------------------- */

static const char *
out_of_memory(struct ctx *c)
{
	fail(c, ERR_INTERNAL, "out of memory");
	return NULL;
}

const char *
session_hash(struct ctx *c, const char *token)
{
	unsigned char digest[SHA256_LEN];
	char *hex = mem_alloc(c->mem, 2 * SHA256_LEN + 1);

	if (!hex || crypto_sha256(span_of(token), digest) < 0)
		return out_of_memory(c);
	crypto_hex(digest, sizeof(digest), hex);
	return hex;
}

static int
make_token(struct ctx *c, struct session_token *ret)
{
	unsigned char raw[TOKEN_BYTES];
	char text[2 * TOKEN_BYTES];

	if (crypto_random(raw, sizeof(raw)) < 0 ||
	    crypto_base64url(raw, sizeof(raw), text, sizeof(text)) < 0)
		return fail(c, ERR_INTERNAL, "no random bytes");
	ret->plain = mem_str(c->mem, text);
	ret->hash = ret->plain ? session_hash(c, ret->plain) : NULL;
	ret->sealed = ret->hash ? seal_close(c->mem, SESSION_SEAL_REFRESH, ret->plain) : NULL;
	return ret->sealed ? 0 : fail(c, ERR_INTERNAL, "a token could not be sealed");
}

static const char *
session_seconds(struct ctx *c)
{
	return mem_printf(c->mem, "%lld",
	    (long long)setting_int(SET_HOOKSWITCH_SESSION_DAYS) * DAY_SECONDS);
}

const char *
session_begin(struct ctx *c, struct session_token *ret)
{
	CLEANUP(text_clear) struct text t = TEXT(CLAIMS_MAX);
	const char *agent = request_header(c, "User-Agent"), *s;

	if (make_token(c, ret) < 0)
		return NULL;
	text_printf(&t, "{\"refresh_hash\":\"%s\",\"seconds\":%s,\"user_agent\":", ret->hash,
	    session_seconds(c));
	text_json(&t, agent && utf8_valid(agent, strlen(agent)) ? agent : NULL);
	text_putc(&t, '}');
	s = text_ok(&t) ? mem_str(c->mem, text_str(&t)) : NULL;
	return s ? s : out_of_memory(c);
}

/* The claims that the database knows, with ours in front, signed. */
static const char *
sign(struct ctx *c, const struct json *claims, int64_t now, int64_t expires_at)
{
	CLEANUP(text_clear) struct text t = TEXT(CLAIMS_MAX);
	const char *rest = json_print(c->mem, claims), *issuer;
	const char *secret = setting_str(SET_HOOKSWITCH_JWT_SECRET);

	if (!secret)
		return NULL;
	issuer = mem_printf(c->mem, "%s/auth/v1", setting_str(SET_API_URL));
	if (!rest || rest[0] != '{' || !issuer)
		return NULL;
	text_puts(&t, "{\"iss\":");
	text_json(&t, issuer);
	text_printf(&t, ",\"iat\":%lld,\"exp\":%lld,%s", (long long)now, (long long)expires_at,
	    rest + 1);
	if (!text_ok(&t))
		return NULL;
	return jwt_sign_hs256(c->mem, text_str(&t), secret);
}

int
session_take(struct ctx *c, const struct json *view, const char *refresh_token, struct session *ret)
{
	int64_t now = clock_wall_ms() / 1000;

	ret->view = view;
	ret->refresh_token = refresh_token;
	ret->expires_at = now + setting_int(SET_HOOKSWITCH_TOKEN_SECONDS);
	ret->access_token = sign(c, json_get(view, "claims"), now, ret->expires_at);
	return ret->access_token ? 0 : fail(c, ERR_INTERNAL, "a token could not be signed");
}

/* ---- refreshing ------------------------------------------------------------ */

static const struct db_stmt refresh = { "auth_refresh",
	"select api.auth_refresh($1::text, $2::jsonb, $3::integer, $4::integer)" };

static const struct json *
ask_refresh(struct ctx *c, const char *token, const struct session_token *next)
{
	const char *hash = session_hash(c, token), *made, *grace;

	made = mem_printf(c->mem, "{\"hash\":\"%s\",\"sealed\":\"%s\"}", next->hash, next->sealed);
	grace = mem_printf(c->mem, "%lld",
	    (long long)setting_int(SET_HOOKSWITCH_REFRESH_GRACE_SECONDS));
	if (!hash || !made || !grace) {
		out_of_memory(c);
		return NULL;
	}
	return session_call(c, &refresh, ARGS(hash, made, grace, session_seconds(c)));
}

int
session_refresh(struct ctx *c, const char *refresh_token, struct session *ret)
{
	const char *state, *sealed, *plain;
	struct session_token next;
	const struct json *view;

	if (make_token(c, &next) < 0)
		return -1;
	view = ask_refresh(c, refresh_token, &next);
	if (!view)
		return -1;
	state = json_str(view, "state");
	if (state && strcmp(state, "rotated") == 0)
		return session_take(c, view, next.plain, ret);
	if (state && strcmp(state, "reused") == 0)
		return fail(c, ERR_REFRESH_TOKEN_REUSED, NULL);
	sealed = json_str(view, "sealed");
	if (!sealed || !seal_is_sealed(sealed))
		return fail(c, ERR_REFRESH_TOKEN_INVALID, NULL);
	plain = seal_open(c->mem, SESSION_SEAL_REFRESH, sealed);
	if (!plain)
		return fail(c, ERR_REFRESH_TOKEN_INVALID, "the key of the token is gone");
	return session_take(c, view, plain, ret);
}
