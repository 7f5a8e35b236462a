/*
 * test_cron.c - the five fields: what they mean, what is refused, and which time comes next.
 */
#include "work/cron.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static int64_t
at(const char *text)
{
	struct tm t = { 0 };

	assert_non_null(strptime(text, "%Y-%m-%d %H:%M:%S", &t));
	return (int64_t)timegm(&t);
}

static void
the_next_slot_is_the_first_that_fits(void **state)
{
	static const struct {
		const char *cron, *after, *next;
	} cases[] = {
		{ "* * * * *", "2026-11-20 13:56:33", "2026-11-20 13:57:00" },
		{ "* * * * *", "2026-11-20 13:57:00", "2026-11-20 13:58:00" },
		{ "0 3 * * *", "2026-11-20 13:56:33", "2026-11-21 03:00:00" },
		{ "0 3 * * *", "2026-11-20 02:59:59", "2026-11-20 03:00:00" },
		{ "0 3 * * *", "2026-12-31 03:00:00", "2027-01-01 03:00:00" },
		{ "*/15 * * * *", "2026-11-20 13:46:00", "2026-11-20 14:00:00" },
		{ "5/20 * * * *", "2026-11-20 13:06:00", "2026-11-20 13:25:00" },
		{ "10-20/5,50 1 * * *", "2026-11-20 01:20:00", "2026-11-20 01:50:00" },
		{ "0 0 1 * *", "2026-11-20 00:00:00", "2026-12-01 00:00:00" },
		{ "0 0 29 2 *", "2026-11-20 00:00:00", "2028-02-29 00:00:00" },
		{ "0 0 29 feb mon", "2026-11-20 00:00:00", "2027-02-01 00:00:00" },
		{ "0 9 * * mon-fri", "2026-11-20 09:00:00", "2026-11-23 09:00:00" },
		{ "0 9 * * MON,Wed", "2026-11-23 09:00:00", "2026-11-25 09:00:00" },
		{ "0 0 * * 7", "2026-11-20 00:00:00", "2026-11-22 00:00:00" },
		{ "0 0 * * 5-7", "2026-11-21 00:00:00", "2026-11-22 00:00:00" },
		/* Both days restricted: either of them. */
		{ "0 0 13 * 5", "2026-11-20 00:00:00", "2026-11-27 00:00:00" },
		{ "0 0 13 * 5", "2026-12-11 00:00:00", "2026-12-13 00:00:00" },
		/* A star with a step is a star: both must fit. */
		{ "0 0 */2 * mon", "2026-11-20 00:00:00", "2026-11-23 00:00:00" },
		{ "0 0 1 jan,JUL *", "2026-11-20 00:00:00", "2027-01-01 00:00:00" },
		{ " 0\t0  1 1 * ", "2026-11-20 00:00:00", "2027-01-01 00:00:00" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		struct cron c;
		assert_int_equal(cron_read(cases[i].cron, &c), 0);
		if (cron_next(&c, at(cases[i].after)) != at(cases[i].next))
			fail_msg("%s after %s is not %s", cases[i].cron, cases[i].after,
			    cases[i].next);
	}
}

static void
what_is_no_time_is_refused(void **state)
{
	static const char *const cases[] = { "", "*", "* * * *", "* * * * * *", "60 * * * *",
		"* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 13 * ", "* * * 0 *", "* * * * 8",
		"5-1 * * * *", "*/0 * * * *", "1,,2 * * * *", "1- * * * *", "-1 * * * *",
		"x * * * *", "1x * * * *", "* * * foo *", "@daily", "99999999999 * * * *",
		"1/ * * * *", "*/70 * * * *x" };
	struct cron c = { .minutes = 42 };
	size_t i;

	(void)state;
	assert_int_equal(cron_read(NULL, &c), -1);
	for (i = 0; i < COUNT(cases); i++) {
		errno = 0;
		if (cron_read(cases[i], &c) != -1 || errno != EINVAL)
			fail_msg("'%s' was taken", cases[i]);
	}
	assert_int_equal(c.minutes, 42);
}

static void
a_day_that_never_comes_has_no_slot(void **state)
{
	struct cron c;

	(void)state;
	assert_int_equal(cron_read("0 0 30 2 *", &c), 0);
	assert_int_equal(cron_next(&c, at("2026-11-20 00:00:00")), -1);
}

/* The slots of a year follow one another without a gap: each minute is in exactly one place. */
static void
slots_follow_one_another(void **state)
{
	struct cron c;
	int64_t slot = at("2027-12-31 23:59:59"), n = 0;

	(void)state;
	assert_int_equal(cron_read("*/30 * * * *", &c), 0);
	for (; slot < at("2028-12-31 23:30:00"); n++) {
		int64_t next = cron_next(&c, slot);
		assert_true(next > slot && next - slot <= 1800);
		slot = next;
	}
	assert_int_equal(n, 366 * 48);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_next_slot_is_the_first_that_fits),
		cmocka_unit_test(what_is_no_time_is_refused),
		cmocka_unit_test(a_day_that_never_comes_has_no_slot),
		cmocka_unit_test(slots_follow_one_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
