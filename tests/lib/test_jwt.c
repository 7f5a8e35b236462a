/*
 * test_jwt.c - tokens: the published vectors, and each claim on its own.
 */
#include "lib/jwt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/crypto.h"

#define NOW 1790000000
#define SUB "\"sub\":\"11111111-1111-4111-8111-111111111111\""
#define EXP "{\"exp\":1790000001,"
#define AUD "\"aud\":\"authenticated\","
#define ROLE "\"role\":\"authenticated\","
#define SERVICE "\"role\":\"service_role\""
#define PERSON AUD ROLE SUB
#define GOOD EXP PERSON "}"

static const char secret[] = "a secret of more than thirty-two bytes";
static struct mem *mem;
static const struct json *vectors;

static int
set_up(void **state UNUSED)
{
	const char *dir = getenv("srcdir");
	CLEANUP(text_clear) struct text t = TEXT(4 << 20);
	CLEANUP(base_fclosep) FILE *f = NULL;
	char path[512], buf[4096];
	size_t n;

	snprintf(path, sizeof(path), "%s/tests/data/signature-vectors.json", dir ? dir : ".");
	f = fopen(path, "r");
	mem = mem_new(16 << 20);
	if (!f || !mem)
		return -1;
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		text_put(&t, buf, n);
	return json_read(mem, text_str(&t), t.len, JSON_DEPTH_API, &vectors) == JSON_OK ? 0 : -1;
}

static int
tear_down(void **state UNUSED)
{
	mem_freep(&mem);
	return 0;
}

static enum jwt_verdict
check(const char *token, const struct jwt_keys *keys, const struct json **claims)
{
	/* A copy without a NUL behind it: one byte too far is seen. */
	struct span s = span_of(token);
	char *copy = mem_alloc(mem, s.len);

	assert_non_null(copy);
	memcpy(copy, s.data, s.len);
	return jwt_check(mem, (struct span){ copy, s.len }, keys, NOW, claims);
}

static void
each_vector_gets_its_verdict(void **state UNUSED)
{
	const struct json *list = json_get(vectors, "vectors"), *v, *with, *claims;
	size_t i, seen = 0;
	bool valid;

	for (i = 0; i < json_len(list); i++) {
		v = json_at(list, i);
		if (strcmp(json_str(v, "scheme"), "jwt") != 0)
			continue;
		seen++;
		with = json_get(v, "verify_with");
		const struct jwt_keys keys = {
			.hs256 = { json_str(with, "hs256_secret") },
			.jwks = json_get(with, "jwks"),
			.issuer = json_str(with, "issuer"),
		};

		assert_int_equal(json_int(v, "now", 0), NOW);
		claims = NULL;
		valid = check(json_str(v, "token"), &keys, &claims) == JWT_OK;
		if (valid != (strcmp(json_str(v, "expected"), "valid") == 0))
			fail_msg("%s: %s", json_str(v, "id"), json_str(v, "why"));
		assert_true(valid == (claims != NULL));
		if (valid)
			assert_string_equal(json_str(claims, "role"), "authenticated");
	}
	assert_int_equal(seen, 27);
}

static const struct json *
vector(const char *id)
{
	const struct json *list = json_get(vectors, "vectors"), *v;
	size_t i;

	for (i = 0; i < json_len(list); i++) {
		v = json_at(list, i);
		if (strcmp(json_str(v, "id"), id) == 0)
			return v;
	}
	fail_msg("there is no vector %s", id);
	return NULL;
}

static void
an_expired_token_is_told_from_a_wrong_one(void **state UNUSED)
{
	static const char *const ids[] = { "supabase-jwt-hs256-expired",
		"supabase-jwt-hs256-exp-equals-now", "supabase-jwt-es256-expired" };
	const struct json *v, *claims;
	size_t i;

	for (i = 0; i < COUNT(ids); i++) {
		v = vector(ids[i]);
		const struct jwt_keys keys = {
			.hs256 = { json_str(json_get(v, "verify_with"), "hs256_secret") },
			.jwks = json_path(v, "verify_with.jwks"),
		};

		assert_int_equal(check(json_str(v, "token"), &keys, &claims), JWT_EXPIRED);
	}
}

static void
each_changed_byte_makes_a_token_invalid(void **state UNUSED)
{
	static const char *const ids[] = { "supabase-jwt-hs256-valid", "supabase-jwt-es256-valid",
		"supabase-jwt-rs256-valid" };
	const struct json *claims = NULL;
	size_t i, at;
	char *token;

	for (i = 0; i < COUNT(ids); i++) {
		const struct json *v = vector(ids[i]);
		const struct jwt_keys keys = {
			.hs256 = { json_str(json_get(v, "verify_with"), "hs256_secret") },
			.jwks = json_path(v, "verify_with.jwks"),
		};

		token = mem_str(mem, json_str(v, "token"));
		for (at = 0; at < strlen(token); at++) {
			token[at] ^= 1;
			if (check(token, &keys, &claims) != JWT_INVALID)
				fail_msg("%s passes with byte %zu changed", ids[i], at);
			token[at] ^= 1;
		}
		assert_null(claims);
	}
}

static const struct {
	const char *claims;
	enum jwt_verdict verdict;
} claim_cases[] = {
	{ GOOD, JWT_OK },
	{ "{\"exp\":1790000000.5," PERSON "}", JWT_OK },
	{ "{\"exp\":1790000000," PERSON "}", JWT_EXPIRED },
	{ "{\"exp\":0," PERSON "}", JWT_EXPIRED },
	{ "{\"exp\":\"1790000001\"," PERSON "}", JWT_INVALID },
	{ "{\"exp\":null," PERSON "}", JWT_INVALID },
	{ "{" PERSON "}", JWT_INVALID },
	{ EXP "\"nbf\":1790000000," PERSON "}", JWT_OK },
	{ EXP "\"nbf\":1790000001," PERSON "}", JWT_INVALID },
	{ EXP "\"nbf\":\"0\"," PERSON "}", JWT_INVALID },
	{ EXP "\"iat\":1790000060," PERSON "}", JWT_OK },
	{ EXP "\"iat\":1790000061," PERSON "}", JWT_INVALID },
	{ EXP "\"iat\":true," PERSON "}", JWT_INVALID },
	{ "{\"exp\":1,\"nbf\":1790000001," PERSON "}", JWT_INVALID },
	{ EXP "\"aud\":[\"x\",\"authenticated\"]," ROLE SUB "}", JWT_OK },
	{ EXP "\"aud\":[\"x\"]," ROLE SUB "}", JWT_INVALID },
	{ EXP "\"aud\":[]," ROLE SUB "}", JWT_INVALID },
	{ EXP ROLE SUB "}", JWT_INVALID },
	{ EXP AUD "\"role\":\"authenticated\"}", JWT_INVALID },
	{ EXP AUD ROLE "\"sub\":\"1\"}", JWT_INVALID },
	{ EXP AUD "\"role\":\"anon\"," SUB "}", JWT_INVALID },
	{ EXP AUD "\"role\":\"postgres\"," SUB "}", JWT_INVALID },
	{ EXP AUD SUB "}", JWT_INVALID },
	{ EXP SERVICE "}", JWT_OK },
	{ EXP SERVICE ",\"aud\":\"other\"}", JWT_INVALID },
	{ EXP SERVICE ",\"sub\":\"x\"}", JWT_INVALID },
	{ EXP "\"role\":\"anon\"," PERSON "}", JWT_INVALID },
	{ "[1]", JWT_INVALID },
	{ "null", JWT_INVALID },
	{ "nonsense", JWT_INVALID },
	{ "", JWT_INVALID },
};

static void
each_claim_is_checked(void **state UNUSED)
{
	const struct jwt_keys keys = { .hs256 = { secret } };
	const struct json *claims;
	size_t i;

	for (i = 0; i < COUNT(claim_cases); i++) {
		claims = NULL;
		if (check(jwt_sign_hs256(mem, claim_cases[i].claims, secret), &keys, &claims) !=
		    claim_cases[i].verdict)
			fail_msg("%s is judged wrongly", claim_cases[i].claims);
		assert_true((claims != NULL) == (claim_cases[i].verdict == JWT_OK));
	}
}

static void
the_issuer_must_be_the_one_that_is_set(void **state UNUSED)
{
	const struct jwt_keys keys = { .hs256 = { secret }, .issuer = "us" };
	const char *none = jwt_sign_hs256(mem, GOOD, secret);
	const char *them = jwt_sign_hs256(mem, EXP "\"iss\":\"them\"," PERSON "}", secret);
	const char *us = jwt_sign_hs256(mem, EXP "\"iss\":\"us\"," PERSON "}", secret);
	const struct json *claims;

	assert_int_equal(check(none, &keys, &claims), JWT_INVALID);
	assert_int_equal(check(them, &keys, &claims), JWT_INVALID);
	assert_int_equal(check(us, &keys, &claims), JWT_OK);
}

/* A good token with that header, rightly signed with the key. */
static const char *
sign(const char *header, const char *key)
{
	char *h = mem_alloc(mem, 256), *c = mem_alloc(mem, 512), *s = mem_alloc(mem, 64);
	unsigned char mac[DIGEST_MAX];
	const char *text;
	size_t n;

	crypto_base64url((const unsigned char *)header, strlen(header), h, 256);
	crypto_base64url((const unsigned char *)GOOD, strlen(GOOD), c, 512);
	text = mem_printf(mem, "%s.%s", h, c);
	crypto_hmac(DIGEST_SHA256, span_of(key), span_of(text), mac, &n);
	crypto_base64url(mac, n, s, 64);
	return mem_printf(mem, "%s.%s", text, s);
}

static void
any_of_the_secrets_will_do_but_an_empty_one(void **state UNUSED)
{
	const struct jwt_keys four = { .hs256 = { "one", "two", "", secret } };
	const struct jwt_keys none = { .hs256 = { NULL } }, empty = { .hs256 = { "" } };
	const char *token = jwt_sign_hs256(mem, GOOD, secret);
	const struct json *claims;

	assert_int_equal(check(token, &four, &claims), JWT_OK);
	assert_int_equal(check(token, &none, &claims), JWT_INVALID);
	assert_int_equal(check(token, &empty, &claims), JWT_INVALID);
	assert_null(jwt_sign_hs256(mem, GOOD, ""));
	assert_int_equal(check(sign("{\"alg\":\"HS256\"}", ""), &empty, &claims), JWT_INVALID);
}

static const struct {
	const char *header;
	enum jwt_verdict verdict;
} header_cases[] = {
	{ "{\"alg\":\"HS256\"}", JWT_OK },
	{ "{\"alg\":\"HS256\",\"kid\":\"old project key\"}", JWT_OK },
	{ "{\"alg\":\"HS256\",\"crit\":[\"exp\"]}", JWT_INVALID },
	{ "{\"alg\":\"hs256\"}", JWT_INVALID },
	{ "{\"alg\":\"HS512\"}", JWT_INVALID },
	{ "{\"alg\":\"none\"}", JWT_INVALID },
	{ "{\"alg\":[\"HS256\"]}", JWT_INVALID },
	{ "{\"alg\":\"none\",\"alg\":\"HS256\"}", JWT_INVALID },
	{ "{}", JWT_INVALID },
	{ "\"HS256\"", JWT_INVALID },
	{ "{\"alg\":\"HS256\",\"kid\":\"8d5de70b-92bf-41d6-be02-8b256a6a6ffc\"}", JWT_INVALID },
};

static void
the_header_is_checked(void **state UNUSED)
{
	const struct jwt_keys keys = { .hs256 = { secret },
		.jwks = json_path(vector("supabase-jwt-es256-valid"), "verify_with.jwks") };
	const struct json *claims;
	size_t i;

	for (i = 0; i < COUNT(header_cases); i++) {
		if (check(sign(header_cases[i].header, secret), &keys, &claims) !=
		    header_cases[i].verdict)
			fail_msg("%s is judged wrongly", header_cases[i].header);
	}
}

#define KEY "{\"keys\":[{\"kid\":\"%s\","
#define POINT "\"x\":\"%s\",\"y\":\"%s\"}]}"
#define P256 "\"kty\":\"EC\",\"crv\":\"P-256\","

/* For the key's name, x and y; only the first is right. */
static const char *const key_sets[] = {
	"{\"keys\":[7,{},{\"kid\":\"%s\"," P256 POINT,
	KEY P256 "\"use\":\"enc\"," POINT,
	KEY P256 "\"alg\":\"ES384\"," POINT,
	KEY P256 "\"alg\":7," POINT,
	KEY "\"kty\":\"EC\",\"crv\":\"P-384\"," POINT,
	KEY "\"kty\":\"EC\"," POINT,
	KEY "\"kty\":\"oct\"," POINT,
	KEY "\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"}]}",
	KEY P256 "\"y\":\"%s\",\"x\":\"%s\"}]}",
	KEY P256 "\"x\":\"%s\",\"z\":\"%s\"}]}",
	"{\"keys\":{\"kid\":\"%s\"," P256 "\"x\":\"%s\",\"y\":\"%s\"}}",
	"[\"%s\",\"%s\",\"%s\"]",
};

/* pattern with its three %s filled in. */
static const struct json *
fill(const char *pattern, const char *const values[3])
{
	CLEANUP(text_clear) struct text t = TEXT(2000);
	const struct json *j = NULL;
	const char *p;

	for (p = pattern; *p; p++) {
		if (p[0] == '%' && p[1] == 's') {
			text_puts(&t, *values++);
			p++;
		} else {
			text_putc(&t, *p);
		}
	}
	assert_int_equal(json_read(mem, text_str(&t), t.len, 8, &j), JSON_OK);
	return j;
}

static void
a_key_that_is_not_for_this_verifies_nothing(void **state UNUSED)
{
	const struct json *v = vector("supabase-jwt-es256-valid"), *claims;
	const struct json *key = json_path(v, "verify_with.jwks.keys.0");
	const char *const values[] = { json_str(key, "kid"), json_str(key, "x"),
		json_str(key, "y") };
	struct jwt_keys keys = { .hs256 = { secret } };
	size_t i;

	for (i = 0; i < COUNT(key_sets); i++) {
		keys.jwks = fill(key_sets[i], values);
		if (check(json_str(v, "token"), &keys, &claims) != (i == 0 ? JWT_OK : JWT_INVALID))
			fail_msg("the key set %s is judged wrongly", key_sets[i]);
	}
}

static void
what_is_no_token_is_refused(void **state UNUSED)
{
	static const char *const cases[] = { "", ".", "..", "...", "a.b.c", "a.b", "e30.e30.",
		"e30.e30.e30", "eyJhbGciOiJIUzI1NiJ9..", "eyJhbGciOiJIUzI1NiJ9.e30.", " ",
		"Bearer x" };
	const struct jwt_keys keys = { .hs256 = { secret } };
	const struct json *claims;
	char *longer = mem_alloc(mem, 20001);
	size_t i;

	for (i = 0; i < COUNT(cases); i++)
		assert_int_equal(check(cases[i], &keys, &claims), JWT_INVALID);
	memset(longer, 'A', 20000);
	longer[6000] = longer[12000] = '.';
	assert_int_equal(check(longer, &keys, &claims), JWT_INVALID);
	assert_int_equal(jwt_check(mem, span_of(NULL), &keys, NOW, &claims), JWT_INVALID);
}

static void
a_token_that_memory_cannot_hold_is_refused(void **state UNUSED)
{
	const struct jwt_keys keys = { .hs256 = { secret } };
	const char *token = jwt_sign_hs256(mem, GOOD, secret);
	const struct json *claims;
	size_t max;

	for (max = 8; max < 700; max += 16) {
		CLEANUP(mem_freep) struct mem *small = mem_new(max);

		jwt_check(small, span_of(token), &keys, NOW, &claims);
		jwt_sign_hs256(small, GOOD, secret);
	}
	assert_int_equal(check(token, &keys, &claims), JWT_OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_vector_gets_its_verdict),
		cmocka_unit_test(an_expired_token_is_told_from_a_wrong_one),
		cmocka_unit_test(each_changed_byte_makes_a_token_invalid),
		cmocka_unit_test(each_claim_is_checked),
		cmocka_unit_test(the_issuer_must_be_the_one_that_is_set),
		cmocka_unit_test(any_of_the_secrets_will_do_but_an_empty_one),
		cmocka_unit_test(the_header_is_checked),
		cmocka_unit_test(a_key_that_is_not_for_this_verifies_nothing),
		cmocka_unit_test(what_is_no_token_is_refused),
		cmocka_unit_test(a_token_that_memory_cannot_hold_is_refused),
	};

	return cmocka_run_group_tests_name("jwt", tests, set_up, tear_down);
}
