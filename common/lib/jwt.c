/*
 * jwt.c - takes a token apart, finds the key it must be signed with, and checks its claims.  The
 * signatures themselves are checked in lib/crypto.
 */
#include "lib/jwt.h"

#include <string.h>

#include "lib/crypto.h"

enum { TOKEN_MAX = 16 * 1024, DEPTH = 16, IAT_SLACK = 60 };

struct parts {
	struct span signed_text; /* header and claims with the dot between them */
	struct span header;
	struct span claims;
	struct span signature; /* decoded */
};

static int
decode(struct mem *m, struct span s, struct span *ret)
{
	unsigned char *buf = mem_alloc(m, s.len + 1);
	int n = buf ? crypto_unbase64url(s, buf, s.len) : -1;

	if (n < 0)
		return -1;
	*ret = (struct span){ (const char *)buf, (size_t)n };
	return 0;
}

static int
take_apart(struct mem *m, struct span token, struct parts *ret)
{
	const char *end, *dot1, *dot2;

	if (token.len == 0 || token.len > TOKEN_MAX)
		return -1;
	end = token.data + token.len;
	dot1 = memchr(token.data, '.', token.len);
	dot2 = dot1 ? memchr(dot1 + 1, '.', (size_t)(end - dot1 - 1)) : NULL;
	if (!dot2 || memchr(dot2 + 1, '.', (size_t)(end - dot2 - 1)))
		return -1;

	ret->signed_text = (struct span){ token.data, (size_t)(dot2 - token.data) };
	if (decode(m, (struct span){ token.data, (size_t)(dot1 - token.data) }, &ret->header) != 0)
		return -1;
	if (decode(m, (struct span){ dot1 + 1, (size_t)(dot2 - dot1 - 1) }, &ret->claims) != 0)
		return -1;
	return decode(m, (struct span){ dot2 + 1, (size_t)(end - dot2 - 1) }, &ret->signature);
}

static bool
is_object(struct mem *m, struct span s, const struct json **ret)
{
	return json_read(m, s.data, s.len, DEPTH, ret) == JSON_OK && json_type(*ret) == JSON_OBJECT;
}

/* ---- the signature -------------------------------------------------- */

static bool
signed_with_secret(const struct parts *p, const char *secret)
{
	unsigned char mac[DIGEST_MAX];
	size_t n;

	if (crypto_hmac(DIGEST_SHA256, span_of(secret), p->signed_text, mac, &n) != 0)
		return false;
	return crypto_equal((struct span){ (const char *)mac, n }, p->signature);
}

static bool
signed_with_secrets(const struct parts *p, const struct jwt_keys *keys)
{
	size_t i;

	for (i = 0; i < COUNT(keys->hs256) && keys->hs256[i]; i++) {
		/* An empty secret would let everybody sign. */
		if (keys->hs256[i][0] && signed_with_secret(p, keys->hs256[i]))
			return true;
	}
	return false;
}

static bool
says(const struct json *key, const char *name, const char *value)
{
	const char *s = json_str(key, name);

	return s && strcmp(s, value) == 0;
}

/* True when the member is not there or says value. */
static bool
may_say(const struct json *key, const char *name, const char *value)
{
	return !json_get(key, name) || says(key, name, value);
}

/* A member's base64url as bytes; data NULL when it is none. */
static struct span
bytes_of(struct mem *m, const struct json *key, const char *name)
{
	struct span ret = { NULL, 0 };

	if (decode(m, span_of(json_str(key, name)), &ret) != 0)
		return (struct span){ NULL, 0 };
	return ret;
}

/* The kind of key says which algorithm it is for; the token must say the same. */
static bool
signed_with_key(struct mem *m, const struct parts *p, const struct json *key, const char *alg)
{
	bool p256 = says(key, "kty", "EC") && says(key, "crv", "P-256");
	const char *own = p256 ? "ES256" : "RS256";

	if (!p256 && !says(key, "kty", "RSA"))
		return false;
	if (strcmp(alg, own) != 0 || !may_say(key, "alg", own) || !may_say(key, "use", "sig"))
		return false;
	if (p256)
		return crypto_verify_p256(bytes_of(m, key, "x"), bytes_of(m, key, "y"),
		    p->signed_text, p->signature);
	return crypto_verify_rsa(bytes_of(m, key, "n"), bytes_of(m, key, "e"), p->signed_text,
	    p->signature);
}

/* The key of the set with that name, NULL when there is none. */
static const struct json *
find_key(const struct json *jwks, const char *kid)
{
	const struct json *list = json_get(jwks, "keys"), *key;
	const char *name;
	size_t i;

	for (i = 0; kid && i < json_len(list); i++) {
		key = json_at(list, i);
		name = json_str(key, "kid");
		if (name && strcmp(name, kid) == 0)
			return key;
	}
	return NULL;
}

/* A name that the set knows chooses that key and no other; the secrets serve all other tokens, and
 * HS256 only. */
static bool
is_signed(struct mem *m, const struct parts *p, const struct jwt_keys *keys)
{
	const struct json *header, *key;
	const char *alg;

	if (!is_object(m, p->header, &header))
		return false;
	alg = json_str(header, "alg");
	/* "crit" names extensions that one must understand; we know none. */
	if (!alg || json_get(header, "crit"))
		return false;

	key = find_key(keys->jwks, json_str(header, "kid"));
	if (key)
		return signed_with_key(m, p, key, alg);
	return strcmp(alg, "HS256") == 0 && signed_with_secrets(p, keys);
}

/* ---- the claims ----------------------------------------------------- */

static bool
is_number(const struct json *j)
{
	return json_type(j) == JSON_INT || json_type(j) == JSON_DOUBLE;
}

static bool
is_authenticated(const struct json *j)
{
	const char *s = json_str_of(j, NULL);

	return s && strcmp(s, "authenticated") == 0;
}

static bool
audience_fits(const struct json *aud)
{
	size_t i;

	if (json_type(aud) != JSON_ARRAY)
		return is_authenticated(aud);
	for (i = 0; i < json_len(aud); i++) {
		if (is_authenticated(json_at(aud, i)))
			return true;
	}
	return false;
}

/* A person needs a UUID and the audience; Supabase's service key has neither, but what it has must
 * fit. */
static bool
who_fits(const struct json *claims)
{
	const char *role = json_str(claims, "role");
	const struct json *aud = json_get(claims, "aud"), *sub = json_get(claims, "sub");

	if (!role)
		return false;
	if (strcmp(role, "service_role") == 0)
		return (!aud || audience_fits(aud)) &&
		    (!sub || base_is_uuid(json_str_of(sub, NULL)));
	if (strcmp(role, "authenticated") != 0)
		return false;
	return audience_fits(aud) && base_is_uuid(json_str_of(sub, NULL));
}

static bool
issuer_fits(const struct json *claims, const struct jwt_keys *keys)
{
	const char *iss = json_str(claims, "iss");
	bool person = json_get(claims, "sub") != NULL;

	if (!keys->issuer || (keys->issuer_may_lack && !json_get(claims, "iss")))
		return true;
	if (!iss)
		return false;
	if (keys->service_issuer && !person && strcmp(iss, keys->service_issuer) == 0)
		return true;
	return strcmp(iss, keys->issuer) == 0;
}

static enum jwt_verdict
judge(const struct json *claims, const struct jwt_keys *keys, int64_t now)
{
	const struct json *nbf = json_get(claims, "nbf"), *iat = json_get(claims, "iat");

	if (!issuer_fits(claims, keys))
		return JWT_INVALID;
	if (!who_fits(claims) || !is_number(json_get(claims, "exp")))
		return JWT_INVALID;
	if (nbf && (!is_number(nbf) || json_double(claims, "nbf", 0) > (double)now))
		return JWT_INVALID;
	if (iat && (!is_number(iat) || json_double(claims, "iat", 0) > (double)(now + IAT_SLACK)))
		return JWT_INVALID;
	return json_double(claims, "exp", 0) > (double)now ? JWT_OK : JWT_EXPIRED;
}

enum jwt_verdict
jwt_check(struct mem *m, struct span token, const struct jwt_keys *keys, int64_t now,
    const struct json **ret)
{
	const struct json *claims;
	struct parts p;
	enum jwt_verdict verdict;

	/* Nothing of the claims is read before the signature is known to be good. */
	if (take_apart(m, token, &p) != 0 || !is_signed(m, &p, keys))
		return JWT_INVALID;
	if (!is_object(m, p.claims, &claims))
		return JWT_INVALID;
	verdict = judge(claims, keys, now);
	if (verdict == JWT_OK)
		*ret = claims;
	return verdict;
}

int
jwt_peek(struct mem *m, struct span token, struct jwt_claim *ret)
{
	const struct json *header;
	struct parts p;

	if (take_apart(m, token, &p) != 0 || !is_object(m, p.header, &header))
		return -1;
	ret->alg = json_str(header, "alg");
	ret->kid = json_str(header, "kid");
	return ret->alg ? 0 : -1;
}

/* ---- making one ----------------------------------------------------- */

static const char *
encode(struct mem *m, const char *data, size_t n)
{
	char *text = mem_alloc(m, n * 2 + 4);

	if (!text || crypto_base64url((const unsigned char *)data, n, text, n * 2 + 4) < 0)
		return NULL;
	return text;
}

const char *
jwt_sign_hs256(struct mem *m, const char *claims, const char *secret)
{
	static const char header[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
	const char *h = encode(m, header, sizeof(header) - 1);
	const char *c = encode(m, claims, strlen(claims));
	unsigned char mac[DIGEST_MAX];
	const char *text, *signature;
	size_t n;

	text = h && c ? mem_printf(m, "%s.%s", h, c) : NULL;
	if (!text || !secret[0])
		return NULL;
	if (crypto_hmac(DIGEST_SHA256, span_of(secret), span_of(text), mac, &n) != 0)
		return NULL;
	signature = encode(m, (const char *)mac, n);
	return signature ? mem_printf(m, "%s.%s", text, signature) : NULL;
}
