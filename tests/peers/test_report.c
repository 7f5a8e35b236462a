/*
 * test_report.c - the normal report.
 */
#include "fixture.h"
#include "peers/report.h"

static void
a_report_holds_what_was_told_and_nothing_else(void **state)
{
	struct mem *m = *state;
	struct scan_field absent = { 0 };
	struct text t = TEXT(REPORT_MAX);
	const struct json *j;

	report_open(&t, "ended");
	report_str(&t, "reason", "customer-\"busy\"");
	report_str(&t, "control_url", NULL);
	report_str(&t, "assignment_id", "");
	report_raw(&t, "transcript", &absent);
	report_cost(&t, 0.0396);
	j = parsed(m, report_close(m, &t, true));
	assert_int_equal(json_len(j), 4);
	assert_string_equal(at(j, "status"), "ended");
	assert_string_equal(at(j, "reason"), "customer-\"busy\"");
	assert_float_equal(json_double(j, "cost_cents", 0), 3.96, 1e-9);
	assert_true(json_bool(j, "final", false));
	assert_null(t.data);
}

static void
a_duration_is_told_only_where_the_times_do_not_tell_it(void **state)
{
	struct mem *m = *state;
	static const struct {
		struct report_times times;
		bool started, ended, seconds;
	} rows[] = {
		{ { 1789997500000, 1789997518000, 17 }, true, true, false },
		{ { 0, 1789997518000, 17 }, false, true, true },
		{ { 1789997500000, 0, 0 }, true, false, true },
		{ { 0, 0, -1 }, false, false, false },
		{ { 0, 0, 1e9 }, false, false, false },
	};
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		struct text t = TEXT(REPORT_MAX);
		const struct json *j;
		report_open(&t, "ended");
		report_times(&t, &rows[i].times);
		j = parsed(m, report_close(m, &t, false));
		assert_int_equal(json_get(j, "started_at") != NULL, rows[i].started);
		assert_int_equal(json_get(j, "ended_at") != NULL, rows[i].ended);
		assert_int_equal(json_get(j, "duration_seconds") != NULL, rows[i].seconds);
		assert_null(json_get(j, "final"));
	}
}

static void
a_report_for_which_there_is_no_memory_is_none(void **state)
{
	struct mem *small = mem_new(64);
	struct text t = TEXT(REPORT_MAX);

	(void)state;
	report_open(&t, "in-progress");
	report_str(&t, "reason",
	    "a reason that is longer than what the memory of this test can hold at once");
	assert_null(report_close(small, &t, false));
	mem_free(small);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST_CASE(a_report_holds_what_was_told_and_nothing_else),
		TEST_CASE(a_duration_is_told_only_where_the_times_do_not_tell_it),
		TEST_CASE(a_report_for_which_there_is_no_memory_is_none),
	};

	return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
