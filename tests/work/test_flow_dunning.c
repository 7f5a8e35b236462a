/*
 * test_flow_dunning.c - the workflow "dunning": its one step is a function of SQL, which comes back
 * to it.
 */
#include "flow_fixture.h"

#include "work/flow_dunning.h"

static void
its_step_is_made_by_sql(void **state)
{
	assert_string_equal(flow_dunning.name, "dunning");
	assert_made(*state, &flow_dunning, "77_dunning.sql");
	assert_non_null(strstr(functions(*state, "77_dunning.sql"), "'next', 'act'"));
	assert_string_equal(flow_dunning.steps[0].name, "act");
	assert_null(flow_dunning.cron);
}

static void
it_is_tried_for_days(void **state)
{
	const struct step_retry *r = &flow_dunning.steps[0].retry;

	(void)state;
	assert_true((double)r->attempts * r->max_ms > 5 * 24 * 3600 * 1000.0);
	assert_true(r->limit_ms == 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STRIPE_CASE(its_step_is_made_by_sql),
		STRIPE_CASE(it_is_tried_for_days),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
