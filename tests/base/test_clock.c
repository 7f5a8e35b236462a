/*
 * test_clock.c - times as text, there and back.
 */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
a_time_is_written_in_utc_with_milliseconds(void **state UNUSED)
{
	static const struct {
		int64_t ms;
		const char *text;
	} cases[] = {
		{ 0, "1970-01-01T00:00:00.000Z" },
		{ 1789997490000, "2026-09-21T13:31:30.000Z" },
		{ 951782399999, "2000-02-28T23:59:59.999Z" },
		{ 951782400001, "2000-02-29T00:00:00.001Z" },
		{ -1, "1969-12-31T23:59:59.999Z" },
		{ -62135596800000, "0001-01-01T00:00:00.000Z" },
		{ 253402300799999, "9999-12-31T23:59:59.999Z" },
		{ INT64_MAX, "9999-12-31T23:59:59.999Z" },
		{ -62135596800001, "9999-12-31T23:59:59.999Z" },
	};
	char buf[CLOCK_TEXT_MAX];
	int64_t back;
	size_t i;

	for (i = 0; i < COUNT(cases); i++) {
		assert_ptr_equal(clock_format(cases[i].ms, buf), buf);
		assert_string_equal(buf, cases[i].text);
		assert_int_equal(clock_parse(buf, strlen(buf), &back), 0);
		if (cases[i].ms != INT64_MAX && cases[i].ms >= -62135596800000)
			assert_int_equal(back, cases[i].ms);
	}
}

static void
rfc_3339_is_read(void **state UNUSED)
{
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
		{ "2026-09-21T13:31:30Z", 1789997490000 },
		{ "2026-09-21t13:31:30z", 1789997490000 },
		{ "2026-09-21T13:31:30.5Z", 1789997490500 },
		{ "2026-09-21T13:31:30.123456789Z", 1789997490123 },
		{ "2026-09-21T15:31:30+02:00", 1789997490000 },
		{ "2026-09-21T08:01:30.25-05:30", 1789997490250 },
		{ "2026-09-21T13:31:30-00:00", 1789997490000 },
		{ "2024-02-29T00:00:00Z", 1709164800000 },
		{ "2016-12-31T23:59:60Z", 1483228800000 },
		{ "1969-12-31T23:59:59.250Z", -750 },
		{ "0001-01-01T00:00:00Z", -62135596800000 },
		{ "0001-01-01T01:00:00+01:00", -62135596800000 },
		{ "0001-01-01T00:00:00-23:59", -62135510460000 },
		{ "9999-12-31T23:59:59.999Z", 253402300799999 },
	};
	int64_t ms;
	size_t i;

	for (i = 0; i < COUNT(cases); i++) {
		ms = 0;
		if (clock_parse(cases[i].text, strlen(cases[i].text), &ms) != 0)
			fail_msg("%s is refused", cases[i].text);
		assert_int_equal(ms, cases[i].ms);
	}
}

static void
what_is_no_rfc_3339_time_is_refused(void **state UNUSED)
{
	static const char *const cases[] = {
		"",
		"2026-09-21",
		"2026-09-21T13:31:30",
		"2026-09-21 13:31:30Z",
		"2026-09-21T13:31Z",
		"2026-9-21T13:31:30Z",
		"2026-13-21T13:31:30Z",
		"2026-00-21T13:31:30Z",
		"2026-02-29T13:31:30Z",
		"1900-02-29T13:31:30Z",
		"2026-09-31T13:31:30Z",
		"2026-09-00T13:31:30Z",
		"2026-09-21T24:00:00Z",
		"2026-09-21T13:60:30Z",
		"2026-09-21T13:31:61Z",
		"2026-09-21T13:31:30.Z",
		"2026-09-21T13:31:30.5",
		"2026-09-21T13:31:30+0200",
		"2026-09-21T13:31:30+02",
		"2026-09-21T13:31:30+24:00",
		"2026-09-21T13:31:30+02:60",
		"2026-09-21T13:31:30Zx",
		"2026-09-21T13:31:30 Z",
		"x026-09-21T13:31:30Z",
		"2026-09-21T-3:31:30Z",
		"0000-09-21T13:31:30Z",
		"2026-09-21T13-31-30Z",
		"12026-09-21T13:31:30Z",
	};
	int64_t ms = 7;
	size_t i;

	for (i = 0; i < COUNT(cases); i++) {
		if (clock_parse(cases[i], strlen(cases[i]), &ms) == 0)
			fail_msg("'%s' passed for a time", cases[i]);
	}
	assert_int_equal(ms, 7);
	assert_int_equal(clock_parse("2026-09-21T13:31:30Z...", 20, &ms), 0);
}

/* PostgreSQL has no year 0, and nothing here has five digits. */
static void
a_year_that_cannot_be_said_is_refused(void **state UNUSED)
{
	static const char *const cases[] = {
		"0000-12-31T23:59:59Z",
		"0000-12-31T23:59:59-01:00",
		"0001-01-01T00:59:59+01:00",
		"0001-01-01T00:00:00+00:01",
		"9999-12-31T23:59:60Z",
		"9999-12-31T23:59:59-00:01",
	};
	int64_t ms = 7;
	size_t i;

	for (i = 0; i < COUNT(cases); i++) {
		if (clock_parse(cases[i], strlen(cases[i]), &ms) == 0)
			fail_msg("'%s' passed for a time", cases[i]);
	}
	assert_int_equal(ms, 7);
}

static void
an_http_date_is_read(void **state UNUSED)
{
	static const char *const wrong[] = {
		"",
		"Mon, 21 Sep 2026 13:33:20",
		"Mon, 21 Sep 2026 13:33:20 UTC",
		"Monday, 21-Sep-26 13:33:20 GMT",
		"Xon, 21 Sep 2026 13:33:20 GMT",
		"on, 121 Sep 2026 13:33:20 GMT",
		"Mon, 21 Sec 2026 13:33:20 GMT",
		"Mon, 31 Sep 2026 13:33:20 GMT",
		"Mon, 21 Sep 2026 25:33:20 GMT",
		"Mon, 21 Sep 2026x13:33:20 GMT",
		"Mon, 2a Sep 2026 13:33:20 GMT",
	};
	int64_t ms = 0;
	size_t i;

	assert_int_equal(clock_parse_http_date("Mon, 21 Sep 2026 13:33:20 GMT", &ms), 0);
	assert_int_equal(ms, 1789997600000);
	assert_int_equal(clock_parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT", &ms), 0);
	assert_int_equal(ms, 784111777000);
	assert_int_equal(clock_parse_http_date("Thu, 31 Dec 2099 23:59:59 GMT", &ms), 0);
	assert_int_equal(ms, 4102444799000);
	for (i = 0; i < COUNT(wrong); i++) {
		if (clock_parse_http_date(wrong[i], &ms) == 0)
			fail_msg("'%s' passed for a date", wrong[i]);
	}
}

static void
the_clocks_run(void **state UNUSED)
{
	int64_t us = clock_steady_us(), ms = clock_steady_ms();

	assert_true(clock_wall_ms() > 1700000000000);
	assert_true(us > 0 && clock_steady_us() >= us);
	assert_true(ms >= us / 1000 && ms - us / 1000 < 60000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_time_is_written_in_utc_with_milliseconds),
		cmocka_unit_test(rfc_3339_is_read),
		cmocka_unit_test(what_is_no_rfc_3339_time_is_refused),
		cmocka_unit_test(a_year_that_cannot_be_said_is_refused),
		cmocka_unit_test(an_http_date_is_read),
		cmocka_unit_test(the_clocks_run),
	};

	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
