/*
 * jwt.h - reads and checks JSON Web Tokens with OpenSSL: HS256 by secret, ES256 and RS256 by key
 * set.
 *
 * The key decides the algorithm, never the token: a key of the set is chosen by "kid" and used with
 * its own algorithm only.
 */
#ifndef LIB_JWT_H
#define LIB_JWT_H

#include "lib/json.h"

enum jwt_verdict { JWT_OK, JWT_INVALID, JWT_EXPIRED };

struct jwt_keys {
	const char *hs256[4];       /* secrets, NULL-ended */
	const struct json *jwks;    /* {"keys":[...]} or NULL */
	const char *issuer;         /* what "iss" must be; NULL: any */
	bool issuer_may_lack;       /* "iss" may be missing */
	const char *service_issuer; /* "iss" that a service key without a person may have, too */
};

/* What a token says of itself: nothing of it is proved. */
struct jwt_claim {
	const char *alg;
	const char *kid; /* NULL: none */
};

/* jwt_check: verifies token at time now (Unix seconds; no leeway): signature, exp (required), nbf,
 * iat not in the future beyond 60 s, aud must be or hold "authenticated", role must be
 * "authenticated" or "service_role", sub a UUID (service_role: sub and aud may be missing, as in
 * Supabase's service key).  *ret is the claims object, in m, only on JWT_OK. */
enum jwt_verdict jwt_check(struct mem *m, struct span token, const struct jwt_keys *keys,
    int64_t now, const struct json **ret);
/* jwt_peek: which key token wants to be checked with; in m.  -1 when it is no token. */
int jwt_peek(struct mem *m, struct span token, struct jwt_claim *ret);
/* jwt_sign_hs256: claims (JSON text) signed; in m; NULL on failure. */
const char *jwt_sign_hs256(struct mem *m, const char *claims, const char *secret);

#endif
