/*
 * test_totp.c - one-time codes: the vectors of RFC 6238, the window, and what an app is told.
 */
#include "lib/totp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* "12345678901234567890", the RFC's key. */
#define KEY "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

static struct mem *mem;

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

/* Appendix B of the RFC has eight digits; six are the last of them. */
static const struct vector {
	int64_t now;
	const char *code;
} vectors[] = {
	{ 59, "287082" },
	{ 1111111109, "081804" },
	{ 1111111111, "050471" },
	{ 1234567890, "005924" },
	{ 2000000000, "279037" },
	{ 20000000000, "353130" },
};

static void
codes_are_those_of_the_rfc(void **state UNUSED)
{
	char code[TOTP_DIGITS + 1];
	size_t i;

	for (i = 0; i < COUNT(vectors); i++) {
		assert_int_equal(totp_code(KEY, vectors[i].now, code), 0);
		assert_string_equal(code, vectors[i].code);
		assert_int_equal(totp_step(KEY, vectors[i].code, vectors[i].now),
		    vectors[i].now / TOTP_STEP_SECONDS);
	}
}

static void
a_code_is_good_one_step_before_and_after(void **state UNUSED)
{
	int64_t now = 1234567890, step = now / TOTP_STEP_SECONDS;

	assert_int_equal(totp_step(KEY, "005924", now + 30), step);
	assert_int_equal(totp_step(KEY, "005924", now - 30), step);
	assert_int_equal(totp_step(KEY, "005924", now + 60), -1);
	assert_int_equal(totp_step(KEY, "005924", now - 60), -1);
}

static void
what_is_no_code_is_refused(void **state UNUSED)
{
	static const char *const wrong[] = { "", "5924", "005925", "0059240", " 005924", "-05924" };
	char code[TOTP_DIGITS + 1];
	size_t i;

	for (i = 0; i < COUNT(wrong); i++)
		assert_int_equal(totp_step(KEY, wrong[i], 1234567890), -1);
	assert_int_equal(totp_step("no base32!", "005924", 1234567890), -1);
	assert_int_equal(totp_code("no base32!", 0, code), -1);
}

static void
each_secret_is_another(void **state UNUSED)
{
	const char *one = totp_secret(mem), *two = totp_secret(mem);
	char code[TOTP_DIGITS + 1];

	assert_non_null(one);
	assert_int_equal(strlen(one), 32);
	assert_int_equal(strspn(one, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"), 32);
	assert_string_not_equal(one, two);
	assert_int_equal(totp_code(one, 1234567890, code), 0);
	assert_int_equal(totp_step(one, code, 1234567890), 1234567890 / TOTP_STEP_SECONDS);
}

static void
an_app_reads_it_all_from_one_line(void **state UNUSED)
{
	assert_string_equal(totp_uri(mem, "A & B", "ann+1@example.com", KEY),
	    "otpauth://totp/A%20%26%20B:ann%2B1%40example.com?secret=" KEY
	    "&issuer=A%20%26%20B&algorithm=SHA1&digits=6&period=30");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(codes_are_those_of_the_rfc, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_code_is_good_one_step_before_and_after, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(what_is_no_code_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(each_secret_is_another, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_app_reads_it_all_from_one_line, set_up,
		    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
