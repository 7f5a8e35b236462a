/*
 * test_flow_number_step.c - what the steps of the workflow "phone-number" are told and say.
 */
#include "number_fixture.h"

#include "work/flow_number_step.h"

static void
a_number_is_marked_with_the_id_of_its_row(void **state)
{
	struct step_in in = in_of(*state);

	assert_string_equal(number_mark(*state, &in), MARK);
	assert_string_equal(number_told(&in, "sid"), "PN1");
	assert_null(number_told(&in, "nothing"));
	in.input = NULL;
	assert_string_equal(number_mark(*state, &in), "hookswitch:");
}

static void
a_result_is_an_object(void **state)
{
	CLEANUP(text_clear) struct text t = TEXT(1024), none = TEXT(1024), small = TEXT(4);
	struct step_in in = in_of(*state);
	struct step_out out = { .retry_after = -1 };

	number_put(&t, "a", "\"x");
	number_put(&t, "b", NULL);
	number_put_raw(&t, "c", "[1]");
	number_put_version(&t, &in);
	number_done(*state, &t, &out);
	assert_int_equal(out.verdict, STEP_DONE);
	assert_string_equal(out.result, "{\"a\":\"\\\"x\",\"b\":null,\"c\":[1],\"version\":3}");
	number_done(*state, &none, &out);
	assert_string_equal(out.result, "{}");
	number_put(&small, "much", "too long");
	number_done(*state, &small, &out);
	assert_int_equal(out.verdict, STEP_UNKNOWN);
	number_refused(*state, NULL, &out);
	assert_string_equal(out.result, "{\"refused\":\"not_there\"}");
}

static void
what_is_refused_to_be_removed_is_asked_for_again(void **state)
{
	struct outcome o = { .result = OUTCOME_FAILED, .code = "c", .retry_after = -1 };
	struct step_out out;

	number_gone(*state, &o, &out);
	assert_int_equal(out.verdict, STEP_RETRY);
	assert_int_equal(out.retry_after, OUTCOME_AGAIN_SETTINGS);
	o.result = OUTCOME_ABSENT;
	number_gone(*state, &o, &out);
	assert_int_equal(out.verdict, STEP_DONE);
	assert_string_equal(out.result, "{\"gone\":true}");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		NUMBER_CASE(a_number_is_marked_with_the_id_of_its_row),
		NUMBER_CASE(a_result_is_an_object),
		NUMBER_CASE(what_is_refused_to_be_removed_is_asked_for_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
