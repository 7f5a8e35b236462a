/*
 * test_flow_organization.c - the workflow "organization-delete": its steps are those that its SQL
 * speaks of.
 */
/* cmocka has a macro with the name of our fail(): its header comes behind ours. */
#include "work/flow_organization.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { FILE_MAX = 65536 };

/* The file of its functions; the caller frees it. */
static char *
functions(void)
{
	const char *top = getenv("srcdir");
	char path[512], *text = test_calloc(1, FILE_MAX);
	FILE *f;

	snprintf(path, sizeof(path), "%s/sql/functions/26_organizations_delete.sql",
	    top ? top : ".");
	f = fopen(path, "r");
	assert_non_null(f);
	assert_true(fread(text, 1, FILE_MAX - 1, f) > 0);
	fclose(f);
	return text;
}

static void
each_step_is_a_function_of_sql(void **state)
{
	char *text = functions(), wanted[200];
	size_t i;

	(void)state;
	assert_string_equal(flow_organization.name, "organization-delete");
	for (i = 0; i < flow_organization.nsteps; i++) {
		const struct step *s = &flow_organization.steps[i];

		assert_null(s->ask);
		snprintf(wanted, sizeof(wanted), "function public.%s(p_run jsonb) returns jsonb",
		    s->apply);
		assert_non_null(strstr(text, wanted));
	}
	test_free(text);
}

static void
the_step_that_sql_jumps_to_is_there(void **state)
{
	char *text = functions();

	(void)state;
	assert_non_null(strstr(text, "'next', 'remove'"));
	assert_non_null(strstr(text, "'organization-delete'"));
	assert_string_equal(flow_organization.steps[1].name, "remove");
	test_free(text);
}

static void
it_is_tried_for_days(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < flow_organization.nsteps; i++) {
		const struct step_retry *r = &flow_organization.steps[i].retry;

		assert_true((double)r->attempts * r->max_ms > 5 * 24 * 3600 * 1000.0);
		assert_true(r->limit_ms == 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_step_is_a_function_of_sql),
		cmocka_unit_test(the_step_that_sql_jumps_to_is_there),
		cmocka_unit_test(it_is_tried_for_days),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
