/*
 * test_flow_provision.c - the workflows of numbers that come and go with a subscription: their
 * steps are those that their SQL speaks of.
 */
/* cmocka has a macro with the name of our fail(): its header comes behind ours. */
#include "work/flow_provision.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { FILE_MAX = 65536 };

/* A file of SQL functions; the caller frees it. */
static char *
functions(const char *name)
{
	const char *top = getenv("srcdir");
	char path[512], *text = test_calloc(1, FILE_MAX);
	FILE *f;

	snprintf(path, sizeof(path), "%s/sql/functions/%s", top ? top : ".", name);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_true(fread(text, 1, FILE_MAX - 1, f) > 0);
	fclose(f);
	return text;
}

/* One step in SQL, which nobody else can do: it is tried for days. */
static void
check_flow(const struct workflow *flow, const char *name, const char *file)
{
	const struct step_retry *r = &flow->steps[0].retry;
	char *text = functions(file), wanted[200];

	assert_string_equal(flow->name, name);
	assert_int_equal(flow->nsteps, 1);
	assert_null(flow->steps[0].ask);
	assert_null(flow->ready);
	snprintf(wanted, sizeof(wanted), "function public.%s(p_run jsonb) returns jsonb",
	    flow->steps[0].apply);
	assert_non_null(strstr(text, wanted));
	assert_true((double)r->attempts * r->max_ms > 5 * 24 * 3600 * 1000.0);
	test_free(text);
}

static void
each_step_is_a_function_of_sql(void **state)
{
	(void)state;
	check_flow(&flow_provision, "phone-provision", "36_provision_decide.sql");
	check_flow(&flow_provision_catchup, "provision-catchup", "36_provision_clock.sql");
	check_flow(&flow_number_release, "number-release", "36_provision_clock.sql");
}

static void
the_runs_that_sql_starts_are_there(void **state)
{
	char *begun = functions("36_provision.sql"), *clock = functions("36_provision_clock.sql");

	(void)state;
	assert_non_null(strstr(begun, "'phone-provision'"));
	assert_non_null(strstr(clock, "'provision-catchup'"));
	test_free(begun);
	test_free(clock);
}

static void
the_clock_starts_those_that_look(void **state)
{
	(void)state;
	assert_null(flow_provision.cron);
	assert_string_equal(flow_provision_catchup.cron, "41 3 * * *");
	assert_string_equal(flow_number_release.cron, "23 * * * *");
	assert_int_equal(flow_provision_catchup.missed, MISSED_ONE);
	assert_int_equal(flow_number_release.missed, MISSED_ONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_step_is_a_function_of_sql),
		cmocka_unit_test(the_runs_that_sql_starts_are_there),
		cmocka_unit_test(the_clock_starts_those_that_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
