/*
 * test_jwt_issuer.c - each source of tokens has its own issuer; what a token says of its key.
 */
#include "lib/jwt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW 1790000000
#define SUB "\"sub\":\"11111111-1111-4111-8111-111111111111\""
#define EXP "{\"exp\":1790000001,"
#define SERVICE "\"role\":\"service_role\""
#define PERSON "\"aud\":\"authenticated\",\"role\":\"authenticated\"," SUB
#define GOOD EXP PERSON "}"
/* {"alg":"ES256","kid":"k"} */
#define ES256_OF_K "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsifQ"

static const char secret[] = "a secret of more than thirty-two bytes";
static struct mem *mem;

static enum jwt_verdict
check(const char *token, const struct jwt_keys *keys, const struct json **claims)
{
	return jwt_check(mem, span_of(token), keys, NOW, claims);
}

static void
each_source_of_tokens_has_its_issuers(void **state UNUSED)
{
	const struct jwt_keys own = { .hs256 = { secret },
		.issuer = "us",
		.issuer_may_lack = true };
	const struct jwt_keys theirs = { .hs256 = { secret },
		.issuer = "them",
		.service_issuer = "supabase" };
	static const struct {
		const char *claims;
		enum jwt_verdict own, theirs;
	} cases[] = {
		{ GOOD, JWT_OK, JWT_INVALID },
		{ EXP "\"iss\":\"us\"," PERSON "}", JWT_OK, JWT_INVALID },
		{ EXP "\"iss\":\"them\"," PERSON "}", JWT_INVALID, JWT_OK },
		{ EXP "\"iss\":null," PERSON "}", JWT_INVALID, JWT_INVALID },
		{ EXP "\"iss\":\"supabase\"," PERSON "}", JWT_INVALID, JWT_INVALID },
		{ EXP "\"iss\":\"supabase\"," SERVICE "}", JWT_INVALID, JWT_OK },
		{ EXP "\"iss\":\"supabase\"," SERVICE "," SUB "}", JWT_INVALID, JWT_INVALID },
		{ EXP SERVICE "}", JWT_OK, JWT_INVALID },
	};
	const struct json *claims;
	const char *token;
	size_t i;

	for (i = 0; i < COUNT(cases); i++) {
		token = jwt_sign_hs256(mem, cases[i].claims, secret);
		if (check(token, &own, &claims) != cases[i].own ||
		    check(token, &theirs, &claims) != cases[i].theirs)
			fail_msg("%s is judged wrongly", cases[i].claims);
	}
}

static void
a_token_says_which_key_it_wants(void **state UNUSED)
{
	struct jwt_claim says = { .alg = NULL };

	assert_int_equal(jwt_peek(mem, SPAN(ES256_OF_K "." ES256_OF_K "."), &says), 0);
	assert_string_equal(says.alg, "ES256");
	assert_string_equal(says.kid, "k");
	assert_int_equal(jwt_peek(mem, span_of(jwt_sign_hs256(mem, GOOD, secret)), &says), 0);
	assert_string_equal(says.alg, "HS256");
	assert_null(says.kid);
	assert_int_equal(jwt_peek(mem, SPAN("a.b.c"), &says), -1);
	assert_int_equal(jwt_peek(mem, SPAN("e30.e30."), &says), -1);
	assert_int_equal(jwt_peek(mem, span_of(NULL), &says), -1);
}

static int
set_up(void **state UNUSED)
{
	mem = mem_new(1 << 20);
	return mem ? 0 : -1;
}

static int
tear_down(void **state UNUSED)
{
	mem_freep(&mem);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_source_of_tokens_has_its_issuers),
		cmocka_unit_test(a_token_says_which_key_it_wants),
	};

	return cmocka_run_group_tests_name("jwt_issuer", tests, set_up, tear_down);
}
