/*
 * test_text.c - the growing buffer, its maximum, and the JSON, URL and UTF-8 forms.
 */
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
a_text_grows_and_stays_terminated(void **state UNUSED)
{
	CLEANUP(text_clear) struct text t = TEXT(10000);
	int i;

	assert_string_equal(text_str(&t), "");
	for (i = 0; i < 1000; i++)
		text_printf(&t, "%03d ", i);
	text_puts(&t, "end");
	text_putc(&t, '.');
	text_put(&t, "xyz", 1);
	assert_true(text_ok(&t));
	assert_int_equal(t.len, 4005);
	assert_int_equal(strlen(text_str(&t)), 4005);
	assert_string_equal(text_str(&t) + 3996, "999 end.x");
}

static void
the_maximum_is_reached_exactly_and_a_failure_sticks(void **state UNUSED)
{
	CLEANUP(text_clear) struct text t = TEXT(5);

	text_puts(&t, "12345");
	assert_true(text_ok(&t));
	text_putc(&t, '6');
	assert_false(text_ok(&t));
	assert_string_equal(text_str(&t), "12345");

	text_empty(&t);
	assert_true(text_ok(&t));
	text_puts(&t, "123456");
	text_puts(&t, "1");
	assert_false(text_ok(&t));
	assert_string_equal(text_str(&t), "");

	text_empty(&t);
	text_printf(&t, "%s", "123456");
	assert_false(text_ok(&t));
	text_clear(&t);
	assert_null(t.data);
	assert_int_equal(t.max, 5);
}

static void
a_text_of_nothing_fails_at_the_first_byte(void **state UNUSED)
{
	CLEANUP(text_clear) struct text t = TEXT(0);

	text_puts(&t, "");
	assert_true(text_ok(&t));
	text_putc(&t, 'x');
	assert_false(text_ok(&t));
}

static void
text_becomes_a_json_string(void **state UNUSED)
{
	static const struct {
		struct span in;
		const char *out;
	} cases[] = {
		{ { "", 0 }, "\"\"" },
		{ { "plain", 5 }, "\"plain\"" },
		{ { "a\"b\\c", 5 }, "\"a\\\"b\\\\c\"" },
		{ { "\n\r\t\b\f", 5 }, "\"\\n\\r\\t\\b\\f\"" },
		{ { "\x01\x1f", 2 }, "\"\\u0001\\u001f\"" },
		{ { "a\0b", 3 }, "\"a\\u0000b\"" },
		{ { "\x7f/", 2 }, "\"\x7f/\"" },
		{ { "M\xc3\xbcller \xe2\x82\xac \xf0\x9f\x98\x80", 16 },
		    "\"M\xc3\xbcller \xe2\x82\xac \xf0\x9f\x98\x80\"" },
		{ { "\xc3", 1 }, "\"\\u00c3\"" },
		{ { "\xff\xfe", 2 }, "\"\\u00ff\\u00fe\"" },
		{ { "\xed\xa0\x80", 3 }, "\"\\u00ed\\u00a0\\u0080\"" },
		{ { NULL, 0 }, "null" },
	};
	size_t i;

	for (i = 0; i < COUNT(cases); i++) {
		CLEANUP(text_clear) struct text t = TEXT(100);

		text_json_n(&t, cases[i].in.data, cases[i].in.len);
		assert_string_equal(text_str(&t), cases[i].out);
	}
}

static void
a_json_string_of_a_c_string_ends_at_its_nul(void **state UNUSED)
{
	CLEANUP(text_clear) struct text t = TEXT(100);

	text_json(&t, "a\"");
	text_json(&t, NULL);
	assert_string_equal(text_str(&t), "\"a\\\"\"null");
}

static void
a_query_value_is_percent_encoded(void **state UNUSED)
{
	CLEANUP(text_clear) struct text t = TEXT(100);

	text_url(&t, "aZ09-._~ +&=/?%\xc3\xbc");
	assert_string_equal(text_str(&t), "aZ09-._~%20%2B%26%3D%2F%3F%25%C3%BC");
}

static const struct {
	const char *s;
	bool valid;
} utf8_cases[] = {
	{ "", true },
	{ "plain ascii, longer than eight bytes", true },
	{ "\x7f", true },
	{ "\xc2\x80", true },
	{ "\xdf\xbf", true },
	{ "\xe0\xa0\x80", true },
	{ "\xed\x9f\xbf\xee\x80\x80", true },
	{ "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", true },
	{ "\x80", false },
	{ "\xc0\x80", false },
	{ "\xc1\xbf", false },
	{ "\xc2", false },
	{ "\xc2\x41", false },
	{ "\xe0\x9f\xbf", false },
	{ "\xe2\x82", false },
	{ "\xe2\x82\x41", false },
	{ "\xed\xa0\x80", false },
	{ "\xed\xbf\xbf", false },
	{ "\xf0\x8f\xbf\xbf", false },
	{ "\xf4\x90\x80\x80", false },
	{ "\xf5\x80\x80\x80", false },
	{ "\xff", false },
	{ "12345678\xff", false },
	{ "1234567\xff", false },
	{ "12345678\xc3\xbc", true },
};

static void
utf8_is_valid_or_not(void **state UNUSED)
{
	size_t i;

	for (i = 0; i < COUNT(utf8_cases); i++) {
		if (utf8_valid(utf8_cases[i].s, strlen(utf8_cases[i].s)) != utf8_cases[i].valid)
			fail_msg("case %zu is judged wrongly", i);
	}
	assert_false(utf8_valid("a\0b", 3));
	assert_false(utf8_valid("1234\0"
				"678",
	    8));
	assert_true(utf8_valid("\x01\x80", 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_grows_and_stays_terminated),
		cmocka_unit_test(the_maximum_is_reached_exactly_and_a_failure_sticks),
		cmocka_unit_test(a_text_of_nothing_fails_at_the_first_byte),
		cmocka_unit_test(text_becomes_a_json_string),
		cmocka_unit_test(a_json_string_of_a_c_string_ends_at_its_nul),
		cmocka_unit_test(a_query_value_is_percent_encoded),
		cmocka_unit_test(utf8_is_valid_or_not),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
