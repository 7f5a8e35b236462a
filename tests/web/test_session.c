/*
 * test_session.c - tokens of a session: what they say, who signed them, and that the database is
 * told their hash only.
 */
#include "fake.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/settings.h"
#include "lib/crypto.h"
#include "lib/jwt.h"
#include "lib/seal.h"
#include "web/session.h"

#define SECRET "a secret of more than thirty-two letters"
#define SUB "0189abcd-ef01-4abc-8def-000000000001"
#define CLAIMS                                                                                     \
	"{\"sub\":\"" SUB                                                                          \
	"\",\"aud\":\"authenticated\",\"role\":\"authenticated\",\"aal\":\"aal1\",\"amr\":[]}"

static struct fake f;

static int
set_up(void **state UNUSED)
{
	static const char *const request[] = { "REQUEST_METHOD=POST", "REQUEST_URI=/x",
		"HTTP_USER_AGENT=Test \"1\"", NULL };

	setenv("HOOKSWITCH_SECRET_KEY", "a:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", 1);
	setenv("HOOKSWITCH_JWT_SECRET", SECRET, 1);
	setenv("API_URL", "https://api.example.com", 1);
	setenv("HOOKSWITCH_TOKEN_SECONDS", "600", 1);
	fake_open(&f);
	return settings_load() == 0 && fake_request(&f, request) == 0 ? 0 : -1;
}

static int
tear_down(void **state UNUSED)
{
	fake_close(&f);
	return 0;
}

static const struct json *
read(const char *text)
{
	const struct json *j = NULL;

	assert_int_equal(json_read(f.c.mem, text, strlen(text), JSON_DEPTH_API, &j), JSON_OK);
	return j;
}

static void
the_database_gets_the_hash_and_who_asks(void **state UNUSED)
{
	struct session_token one, two;
	const struct json *begin;

	begin = read(session_begin(&f.c, &one));
	assert_non_null(session_begin(&f.c, &two));
	assert_string_not_equal(one.plain, two.plain);
	assert_int_equal(strlen(one.plain), 43);
	assert_string_equal(json_str(begin, "refresh_hash"), session_hash(&f.c, one.plain));
	assert_string_equal(json_str(begin, "user_agent"), "Test \"1\"");
	assert_int_equal(json_int(begin, "seconds", 0), 30 * 86400);
	assert_null(json_get(begin, "refresh_token"));
	assert_true(seal_is_sealed(one.sealed));
	assert_string_equal(seal_open(f.c.mem, SESSION_SEAL_REFRESH, one.sealed), one.plain);
}

static void
an_access_token_says_what_the_database_said(void **state UNUSED)
{
	struct jwt_keys keys = { .hs256 = { SECRET }, .issuer = "https://api.example.com/auth/v1" };
	int64_t now = clock_wall_ms() / 1000;
	const struct json *claims = NULL;
	struct session s;

	assert_int_equal(session_take(&f.c, read("{\"claims\":" CLAIMS "}"), "r", &s), 0);
	assert_int_equal(jwt_check(f.c.mem, span_of(s.access_token), &keys, now, &claims), JWT_OK);
	assert_string_equal(json_str(claims, "sub"), SUB);
	assert_string_equal(json_str(claims, "aal"), "aal1");
	assert_in_range(s.expires_at, now + 600, now + 602);
	assert_int_equal(json_int(claims, "exp", 0), s.expires_at);
	assert_int_equal(json_int(claims, "iat", 0), s.expires_at - 600);
	assert_string_equal(s.refresh_token, "r");
}

static void
a_session_without_claims_is_none(void **state UNUSED)
{
	struct session s;

	assert_int_equal(session_take(&f.c, read("{}"), "r", &s), -1);
	assert_int_equal(f.c.failure.err, ERR_INTERNAL);
}

static void
who_has_to_wait_is_told_how_long(void **state UNUSED)
{
	assert_int_equal(session_wait(&f.c, read("{\"user_id\":null}")), 0);
	assert_int_equal(session_wait(&f.c, read("{\"wait\":7}")), -1);
	assert_int_equal(f.c.failure.status, 429);
	assert_int_equal(f.c.failure.retry_after, 7);
}

static void
ten_recovery_codes_and_their_hashes(void **state UNUSED)
{
	struct session_codes codes;
	const struct json *hashes;
	char plain[21];
	size_t i;

	assert_int_equal(session_codes(&f.c, &codes), 0);
	hashes = read(codes.hashes);
	assert_int_equal(json_len(hashes), SESSION_CODES);
	for (i = 0; i < SESSION_CODES; i++) {
		assert_int_equal(strlen(codes.plain[i]), 23);
		snprintf(plain, sizeof(plain), "%.5s%.5s%.5s%.5s", codes.plain[i],
		    codes.plain[i] + 6, codes.plain[i] + 12, codes.plain[i] + 18);
		assert_string_equal(json_str_of(json_at(hashes, i), NULL),
		    session_hash(&f.c, plain));
		assert_true(i == 0 || strcmp(codes.plain[i], codes.plain[0]) != 0);
	}
}

static void
a_link_is_of_one_of_the_kinds(void **state UNUSED)
{
	static const char *const kinds[] = { "signup", "email_change", NULL };
	struct session_mail mail = { .token = seal_token(f.c.mem, "email_change", SUB) };
	const char *kind;

	assert_string_equal(session_mailed(&f.c, &mail, kinds, &kind), SUB);
	assert_string_equal(kind, "email_change");
	mail.token = seal_token(f.c.mem, "recovery", SUB);
	assert_null(session_mailed(&f.c, &mail, kinds, &kind));
	assert_int_equal(f.c.failure.err, ERR_CODE_INVALID);
}

static void
nothing_from_a_mail_is_a_wrong_field(void **state UNUSED)
{
	static const char *const kinds[] = { "signup", NULL };
	struct session_mail mail = { .email = "ann@example.com" };
	const char *kind;

	assert_null(session_mailed(&f.c, &mail, kinds, &kind));
	assert_int_equal(f.c.failure.err, ERR_BAD_FIELDS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_database_gets_the_hash_and_who_asks, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(an_access_token_says_what_the_database_said, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(a_session_without_claims_is_none, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(who_has_to_wait_is_told_how_long, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(ten_recovery_codes_and_their_hashes, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(a_link_is_of_one_of_the_kinds, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_from_a_mail_is_a_wrong_field, set_up,
		    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
