/*
 * fuzz_jwt.c - any bytes as a token, and any bytes as the claims of a token that is rightly signed.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/jwt.h"

enum { NOW = 1790000000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char jwks[] =
    "{\"keys\":[{\"kid\":\"e\",\"kty\":\"EC\",\"crv\":\"P-256\",\"alg\":\"ES256\","
    "\"x\":\"vQ555t24l-K4FVhr15VefwcrFAYImeTc0acfKxPjrJw\","
    "\"y\":\"eG4En55MWXSMvhVJelmXFpT_v4rBjdgDmdq4ZH7IkvQ\"},"
    "{\"kid\":\"r\",\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"AQAB\"}]}";

/* What every accepted token has. */
static void
check_claims(const struct json *claims)
{
	const char *role = json_str(claims, "role");

	assert(json_double(claims, "exp", 0) > NOW);
	assert(role && (strcmp(role, "authenticated") == 0 || strcmp(role, "service_role") == 0));
	if (strcmp(role, "authenticated") == 0)
		assert(base_is_uuid(json_str(claims, "sub")));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(mem_freep) struct mem *m = mem_new(4 << 20);
	struct jwt_keys keys = { .hs256 = { "a secret of more than thirty-two bytes" } };
	const struct json *claims = NULL;
	const char *text, *token;
	enum json_error e;

	assert(m);
	e = json_read(m, jwks, sizeof(jwks) - 1, 8, &keys.jwks);
	assert(e == JSON_OK);
	if (jwt_check(m, (struct span){ (const char *)data, size }, &keys, NOW, &claims) == JWT_OK)
		check_claims(claims);
	if (size > 4096)
		return 0;

	text = mem_dup(m, (const char *)data, size);
	token = text ? jwt_sign_hs256(m, text, keys.hs256[0]) : NULL;
	assert(token);
	if (jwt_check(m, span_of(token), &keys, NOW, &claims) == JWT_OK)
		check_claims(claims);
	return 0;
}
