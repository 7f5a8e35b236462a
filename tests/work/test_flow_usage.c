/*
 * test_flow_usage.c - the workflow "usage-aggregation": its step is what its SQL speaks of, and its
 * clock is that of the nights.
 */
/* cmocka has a macro with the name of our fail(): its header comes behind ours. */
#include "work/cron.h"
#include "work/flow_usage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { FILE_MAX = 65536 };

static void
its_step_is_a_function_of_sql(void **state)
{
	const char *top = getenv("srcdir");
	char path[512], wanted[200], *text = test_calloc(1, FILE_MAX);
	FILE *f;

	(void)state;
	snprintf(path, sizeof(path), "%s/sql/functions/56_usage_daily.sql", top ? top : ".");
	f = fopen(path, "r");
	assert_non_null(f);
	assert_true(fread(text, 1, FILE_MAX - 1, f) > 0);
	fclose(f);
	assert_int_equal(flow_usage.nsteps, 1);
	assert_null(flow_usage.steps[0].ask);
	snprintf(wanted, sizeof(wanted), "function public.%s(p_run jsonb) returns jsonb",
	    flow_usage.steps[0].apply);
	assert_non_null(strstr(text, wanted));
	test_free(text);
}

static void
each_night_has_its_slot(void **state)
{
	struct cron c;
	int64_t day = INT64_C(1772323200); /* 1 March 2026 */

	(void)state;
	assert_int_equal(cron_read(flow_usage.cron, &c), 0);
	assert_int_equal(cron_next(&c, day), day + 2 * 3600);
	assert_int_equal(cron_next(&c, day + 2 * 3600), day + 26 * 3600);
	assert_int_equal(flow_usage.missed, MISSED_ALL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_step_is_a_function_of_sql),
		cmocka_unit_test(each_night_has_its_slot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
