/*
 * test_flow_auth.c - the workflow "auth_upkeep": a schedule that can be read, and one step in SQL.
 */
#include "work/flow_auth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "work/cron.h"

static void
it_runs_once_a_day(void **state UNUSED)
{
	const int64_t night = 1795129380; /* 2026-11-19T23:03:00Z */
	struct cron c;
	int64_t slot;

	assert_int_equal(cron_read(flow_auth.cron, &c), 0);
	slot = cron_next(&c, night);
	assert_in_range(slot - night, 1, 86400);
	assert_int_equal(cron_next(&c, slot) - slot, 86400);
}

static void
it_is_one_step_in_sql(void **state UNUSED)
{
	assert_int_equal(flow_auth.nsteps, 1);
	assert_null(flow_auth.steps[0].ask);
	assert_string_equal(flow_auth.steps[0].apply, "auth_upkeep");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_runs_once_a_day),
		cmocka_unit_test(it_is_one_step_in_sql),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
