/*
 * test_outcome_step.c - what an outcome means to a step of a workflow.
 */
#include "tests/peers/fixture.h"

#include "work/outcome_step.h"

static const struct {
	enum outcome_result result;
	enum step_verdict verdict, forgiving;
} meanings[] = {
	{ OUTCOME_OK, STEP_DONE, STEP_DONE },
	{ OUTCOME_RETRY, STEP_RETRY, STEP_RETRY },
	{ OUTCOME_UNKNOWN, STEP_UNKNOWN, STEP_UNKNOWN },
	{ OUTCOME_FAILED, STEP_FAILED, STEP_DONE },
	{ OUTCOME_ABSENT, STEP_ABSENT, STEP_DONE },
};

static void
each_outcome_has_its_verdict(void **state)
{
	struct step_out out;

	for (size_t i = 0; i < COUNT(meanings); i++) {
		struct outcome o = { .result = meanings[i].result, .code = "c", .retry_after = 7 };

		outcome_step(&o, &out);
		assert_int_equal(out.verdict, meanings[i].verdict);
		assert_string_equal(out.reason, "c");
		assert_int_equal(out.retry_after, 7);
		assert_null(out.result);
		outcome_step_refused(*state, &o, &out);
		assert_int_equal(out.verdict, meanings[i].forgiving);
		if (meanings[i].verdict == meanings[i].forgiving)
			assert_null(out.result);
		else
			assert_string_equal(out.result, "{\"refused\":\"c\"}");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_CASE(each_outcome_has_its_verdict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
