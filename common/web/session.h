/*
 * session.h - signing in, as the programs auth and auth-v1 share it: tokens made and answered, a
 * password or a code checked between two questions to the database.
 *
 * What holds is decided by sql/functions/24_auth*.sql.  Passwords are hashed here, with no
 * transaction open.
 */
#ifndef WEB_SESSION_H
#define WEB_SESSION_H

#include "lib/json.h"
#include "web/flight.h"

/* A refresh token on its way to the database, which gets its hash only. */
struct session_token {
	const char *plain;  /* 256 random bits, base64url */
	const char *hash;   /* SHA-256 in hex */
	const char *sealed; /* for session_refresh: what a second tab is given */
};

/* A session that was opened or refreshed. */
struct session {
	const struct json *view; /* of public.auth_session_view: claims, user */
	const char *refresh_token;
	const char *access_token;
	int64_t expires_at;
};

/* What sign-in with a password led to. */
enum session_step { SESSION_FAILED = -1, SESSION_OPEN, SESSION_TOTP };

/* session_ready: whether the secrets that all this needs are set; -1 with a reason on standard
 * error.  Beside a Supabase project, whose tokens are taken, none of ours is needed: all that makes
 * accounts answers auth_external.  For the server's .start. */
int session_ready(void);

/* session_call: calls one function that returns jsonb, as who asks.  NULL with the failure
 * recorded. */
const struct json *session_call(struct ctx *c, const struct db_stmt *stmt, const char *const *args,
    size_t n);
/* session_wait: -1 (429 with Retry-After) when the answer says that one has to wait. */
int session_wait(struct ctx *c, const struct json *answer);
/* session_counted: answers the failure that is there and lets the transaction be committed, so that
 * the try is counted; returns 0 for the handler to return. */
int session_counted(struct ctx *c);

/* session_slow_begin: before passwords are hashed or checked, which is slow on purpose: a quarter
 * of the program's threads is kept for all others.  -1 (503) when too many are at it; else
 * session_slow_end comes after. */
int session_slow_begin(struct ctx *c);
void session_slow_end(void);

/* session_hash: SHA-256 of a token or recovery code, in hex. */
const char *session_hash(struct ctx *c, const char *token);
/* session_begin: a refresh token and what auth_session_open wants to know beside it, as JSON; NULL
 * with the failure recorded. */
const char *session_begin(struct ctx *c, struct session_token *ret);
/* session_take: the session that view shows, with its access token signed; -1 with the failure
 * recorded. */
int session_take(struct ctx *c, const struct json *view, const char *refresh_token,
    struct session *ret);

/* session_password: a password of this person is checked and a session opened: *ret; SESSION_TOTP:
 * a second step is needed, *challenge is the token for it. */
enum session_step session_password(struct ctx *c, const char *email, const char *password,
    struct session *ret, const char **challenge);
/* session_totp: the second step: code of an app, or recovery code, the other NULL. */
int session_totp(struct ctx *c, const char *challenge, const char *code, const char *recovery,
    struct session *ret);
/* session_refresh: trades a refresh token. */
int session_refresh(struct ctx *c, const char *refresh_token, struct session *ret);

/* What came by mail and is given back: the link's token, or an address and six digits. */
struct session_mail {
	const char *token, *email, *code;
};

/* session_mailed: the id of the one-time token, of one of these kinds (NULL-ended; a code must be
 * of the first); *kind says which.  Tries with a code are counted.  NULL with the failure recorded.
 */
const char *session_mailed(struct ctx *c, const struct session_mail *mail, const char *const *kinds,
    const char **kind);
/* session_verify: a one-time token is taken and a session opened. */
int session_verify(struct ctx *c, const char *token_id, const char *kind, struct session *ret);

/* session_prove: the person who asks gives his password again; *hash: its hash, NULL when he has
 * none and signed in a moment ago.  -1 with the failure recorded; then return session_counted. */
int session_prove(struct ctx *c, const char *password, const char **hash);
/* session_weak_password: -1 with the failure recorded when a new password is refused.
 * session_new_password: its hash; NULL with the failure recorded. */
int session_weak_password(struct ctx *c, const char *password);
const char *session_new_password(struct ctx *c, const char *password);

/* session_factor: checks a code by what auth_totp_ask answered; its time step as text, NULL with
 * the failure recorded. */
const char *session_factor(struct ctx *c, const struct json *asked, const char *code);

/* New recovery codes, and the JSON array of their hashes. */
enum { SESSION_CODES = 10 };
struct session_codes {
	const char *plain[SESSION_CODES];
	const char *hashes;
};
int session_codes(struct ctx *c, struct session_codes *ret);

#define SESSION_SEAL_REFRESH "auth.refresh"
#define SESSION_SEAL_TOTP "auth.totp"

#endif
