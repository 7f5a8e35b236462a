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
#define PERSON "\"aud\":\"authenticated\",\"role\":\"authenticated\"," SUB
#define GOOD "{\"exp\":1790000001," PERSON "}"

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
	size_t n = strlen(token);
	char *copy = mem_alloc(mem, n);

	assert_non_null(copy);
	memcpy(copy, token, n);
	return jwt_check(mem, (struct span){ copy, n }, keys, NOW, claims);
}

static void
each_vector_gets_its_verdict(void **state UNUSED)
{
	const struct json *list = json_get(vectors, "vectors"), *v, *with, *claims;
	const char *id, *provider;
	size_t i, seen = 0;
	bool valid;

	for (i = 0; i < json_len(list); i++) {
		v = json_at(list, i);
		provider = json_str(v, "provider");
		if (strcmp(provider, "supabase") != 0)
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
		id = json_str(v, "id");
		valid = check(json_str(v, "token"), &keys, &claims) == JWT_OK;
		if (valid != (strcmp(json_str(v, "expected"), "valid") == 0))
			fail_msg("%s is judged wrongly: %s", id, json_str(v, "why"));
		assert_true(valid == (claims != NULL));
		if (valid)
			assert_string_equal(json_str(claims, "role"), "authenticated");
	}
	assert_int_equal(seen, 20);
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

static void
each_claim_is_checked(void **state UNUSED)
{
	static const struct {
		const char *claims;
		enum jwt_verdict verdict;
	} cases[] = {
		{ GOOD, JWT_OK },
		{ "{\"exp\":1790000000.5," PERSON "}", JWT_OK },
		{ "{\"exp\":1790000000," PERSON "}", JWT_EXPIRED },
		{ "{\"exp\":0," PERSON "}", JWT_EXPIRED },
		{ "{\"exp\":\"1790000001\"," PERSON "}", JWT_INVALID },
		{ "{\"exp\":null," PERSON "}", JWT_INVALID },
		{ "{" PERSON "}", JWT_INVALID },
		{ "{\"exp\":1790000001,\"nbf\":1790000000," PERSON "}", JWT_OK },
		{ "{\"exp\":1790000001,\"nbf\":1790000001," PERSON "}", JWT_INVALID },
		{ "{\"exp\":1790000001,\"nbf\":\"0\"," PERSON "}", JWT_INVALID },
		{ "{\"exp\":1790000001,\"iat\":1790000060," PERSON "}", JWT_OK },
		{ "{\"exp\":1790000001,\"iat\":1790000061," PERSON "}", JWT_INVALID },
		{ "{\"exp\":1790000001,\"iat\":true," PERSON "}", JWT_INVALID },
		{ "{\"exp\":1,\"nbf\":1790000001," PERSON "}", JWT_INVALID },
		{ "{\"exp\":1790000001,\"aud\":[\"x\",\"authenticated\"],\"role\":\"authenticated\"," SUB
		  "}",
		    JWT_OK },
		{ "{\"exp\":1790000001,\"aud\":[\"x\"],\"role\":\"authenticated\"," SUB "}",
		    JWT_INVALID },
		{ "{\"exp\":1790000001,\"aud\":[],\"role\":\"authenticated\"," SUB "}",
		    JWT_INVALID },
		{ "{\"exp\":1790000001,\"role\":\"authenticated\"," SUB "}", JWT_INVALID },
		{ "{\"exp\":1790000001,\"aud\":\"authenticated\",\"role\":\"authenticated\"}",
		    JWT_INVALID },
		{ "{\"exp\":1790000001,\"aud\":\"authenticated\",\"role\":\"authenticated\",\"sub\":\"1\"}",
		    JWT_INVALID },
		{ "{\"exp\":1790000001,\"aud\":\"authenticated\",\"role\":\"anon\"," SUB "}",
		    JWT_INVALID },
		{ "{\"exp\":1790000001,\"aud\":\"authenticated\",\"role\":\"postgres\"," SUB "}",
		    JWT_INVALID },
		{ "{\"exp\":1790000001,\"aud\":\"authenticated\"," SUB "}", JWT_INVALID },
		{ "{\"exp\":1790000001,\"role\":\"service_role\"}", JWT_OK },
		{ "{\"exp\":1790000001,\"role\":\"service_role\",\"aud\":\"other\"}", JWT_INVALID },
		{ "{\"exp\":1790000001,\"role\":\"service_role\",\"sub\":\"x\"}", JWT_INVALID },
		{ "{\"exp\":1790000001,\"role\":\"anon\"," PERSON "}", JWT_INVALID },
		{ "[1]", JWT_INVALID },
		{ "null", JWT_INVALID },
		{ "nonsense", JWT_INVALID },
		{ "", JWT_INVALID },
	};
	const struct jwt_keys keys = { .hs256 = { secret } };
	const struct json *claims;
	size_t i;

	for (i = 0; i < COUNT(cases); i++) {
		claims = NULL;
		if (check(jwt_sign_hs256(mem, cases[i].claims, secret), &keys, &claims) !=
		    cases[i].verdict)
			fail_msg("%s is judged wrongly", cases[i].claims);
		assert_true((claims != NULL) == (cases[i].verdict == JWT_OK));
	}
}

static void
the_issuer_must_be_the_one_that_is_set(void **state UNUSED)
{
	const struct jwt_keys keys = { .hs256 = { secret }, .issuer = "us" };
	const struct json *claims;

	assert_int_equal(check(jwt_sign_hs256(mem, GOOD, secret), &keys, &claims), JWT_INVALID);
	assert_int_equal(check(jwt_sign_hs256(mem,
				   "{\"iss\":\"them\",\"exp\":1790000001," PERSON "}", secret),
			     &keys, &claims),
	    JWT_INVALID);
	assert_int_equal(check(jwt_sign_hs256(mem, "{\"iss\":\"us\",\"exp\":1790000001," PERSON "}",
				   secret),
			     &keys, &claims),
	    JWT_OK);
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
	/* HMAC with the empty key, made by hand. */
	assert_int_equal(
	    check(
		"eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3OTAwMDAwMDEsImF1ZCI6ImF1dGhlbnRpY2F0ZWQiLCJyb2xlIjoi"
		"YXV0aGVudGljYXRlZCIsInN1YiI6IjExMTExMTExLTExMTEtNDExMS04MTExLTExMTExMTExMTExMSJ9"
		".omF2caafN8Bi70z7vxT_codCWVqds8tBkgJZhfS4350",
		&empty, &claims),
	    JWT_INVALID);
}

/* A token with that header, rightly signed with the secret. */
static const char *
with_header(const char *header)
{
	char *h = mem_alloc(mem, 256), *c = mem_alloc(mem, 512), *s = mem_alloc(mem, 64);
	unsigned char mac[DIGEST_MAX];
	const char *text;
	size_t n;

	crypto_base64url((const unsigned char *)header, strlen(header), h, 256);
	crypto_base64url((const unsigned char *)GOOD, strlen(GOOD), c, 512);
	text = mem_printf(mem, "%s.%s", h, c);
	crypto_hmac(DIGEST_SHA256, span_of(secret), span_of(text), mac, &n);
	crypto_base64url(mac, n, s, 64);
	return mem_printf(mem, "%s.%s", text, s);
}

static void
the_header_is_checked(void **state UNUSED)
{
	static const struct {
		const char *header;
		enum jwt_verdict verdict;
	} cases[] = {
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
		{ "{\"alg\":\"HS256\",\"kid\":\"8d5de70b-92bf-41d6-be02-8b256a6a6ffc\"}",
		    JWT_INVALID },
	};
	const struct jwt_keys keys = { .hs256 = { secret },
		.jwks = json_path(vector("supabase-jwt-es256-valid"), "verify_with.jwks") };
	const struct json *claims;
	size_t i;

	for (i = 0; i < COUNT(cases); i++) {
		if (check(with_header(cases[i].header), &keys, &claims) != cases[i].verdict)
			fail_msg("%s is judged wrongly", cases[i].header);
	}
}

static const struct json *
read_keys(const char *text)
{
	const struct json *j = NULL;

	assert_int_equal(json_read(mem, text, strlen(text), 8, &j), JSON_OK);
	return j;
}

static void
a_key_that_is_not_for_this_verifies_nothing(void **state UNUSED)
{
	static const char *const wrong[] = {
		"{\"keys\":[{\"kid\":\"%s\",\"kty\":\"EC\",\"crv\":\"P-256\",\"use\":\"enc\",\"x\":\"%s\",\"y\":\"%s\"}]}",
		"{\"keys\":[{\"kid\":\"%s\",\"kty\":\"EC\",\"crv\":\"P-256\",\"alg\":\"ES384\",\"x\":\"%s\",\"y\":\"%s\"}]}",
		"{\"keys\":[{\"kid\":\"%s\",\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"%s\",\"y\":\"%s\"}]}",
		"{\"keys\":[{\"kid\":\"%s\",\"kty\":\"oct\",\"x\":\"%s\",\"y\":\"%s\"}]}",
		"{\"keys\":[{\"kid\":\"%s\",\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"}]}",
		"{\"keys\":[{\"kid\":\"%s\",\"kty\":\"EC\",\"crv\":\"P-256\",\"y\":\"%s\",\"x\":\"%s\"}]}",
		"{\"keys\":{\"kid\":\"%s\",\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%s\",\"y\":\"%s\"}}",
		"[\"%s\",\"%s\",\"%s\"]",
	};
	static const char right[] =
	    "{\"keys\":[7,{},{\"kid\":\"%s\",\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%s\",\"y\":\"%s\"}]}";
	const struct json *v = vector("supabase-jwt-es256-valid"), *claims;
	const struct json *key = json_path(v, "verify_with.jwks.keys.0");
	const char *kid = json_str(key, "kid"), *x = json_str(key, "x"), *y = json_str(key, "y");
	struct jwt_keys keys = { .hs256 = { secret } };
	CLEANUP(text_clear) struct text t = TEXT(2000);
	size_t i, parts;
	const char *p;

	for (i = 0; i <= COUNT(wrong); i++) {
		const char *fill[] = { kid, x, y };

		text_empty(&t);
		parts = 0;
		for (p = i < COUNT(wrong) ? wrong[i] : right; *p; p++) {
			if (*p == '%')
				text_puts(&t, fill[parts++]);
			else if (*p != 's' || p[-1] != '%')
				text_putc(&t, *p);
		}
		keys.jwks = read_keys(text_str(&t));
		assert_int_equal(check(json_str(v, "token"), &keys, &claims),
		    i < COUNT(wrong) ? JWT_INVALID : JWT_OK);
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
