/*
 * test_flow_number_vapi.c - the workflow "phone-number": what it makes of Vapi's answers.
 */
#include "number_fixture.h"

static void
an_import_tells_what_vapi_was_told(void **state)
{
	struct step_out o =
	    said(*state, "import", 201, "{\"id\":\"n-1\",\"twilioAuthToken\":\"s\"}");

	assert_string_equal(o.result,
	    "{\"id\":\"n-1\",\"provider_id\":\"p-1\",\"version\":3,\"assistant\":\"a-1\","
	    "\"assistant_id\":\"" CALL "\"}");
	o = said(*state, "import", 400, "{\"statusCode\":400,\"message\":\"Existing\"}");
	assert_string_equal(o.result, "{\"refused\":\"vapi_400\"}");
	assert_int_equal(said(*state, "import", 201, "{\"id\":\"a/b\"}").verdict, STEP_UNKNOWN);
	o = said(*state, "find", 200, "[{\"number\":\"+15550100001\",\"id\":\"n-9\"}]");
	assert_string_equal(o.result,
	    "{\"id\":\"n-9\",\"provider_id\":\"p-1\",\"version\":3,\"found\":true}");
	assert_string_equal(said(*state, "find", 200, "[]").result, "{\"absent\":true}");
	assert_int_equal(said(*state, "find", 200, "{}").verdict, STEP_UNKNOWN);
}

static void
what_was_told_is_kept_with_its_version(void **state)
{
	static const char *const steps[] = { "link", "unlink" };

	for (size_t i = 0; i < COUNT(steps); i++) {
		assert_string_equal(said(*state, steps[i], 200, "{\"id\":\"n-1\"}").result,
		    "{\"assistant\":\"a-1\",\"assistant_id\":\"" CALL "\",\"version\":3}");
		assert_string_equal(said(*state, steps[i], 404,
					"{\"statusCode\":404,\"message\":\"x\"}")
					.result,
		    "{\"refused\":\"vapi_404\",\"version\":3}");
	}
}

static void
what_is_gone_is_removed(void **state)
{
	assert_string_equal(said(*state, "remove", 200, "{\"id\":\"n-1\"}").result, "{}");
	assert_string_equal(said(*state, "remove", 404, "{\"statusCode\":404,\"message\":\"x\"}")
				.result,
	    "{\"gone\":true}");
	assert_int_equal(said(*state, "remove", 500, "").verdict, STEP_UNKNOWN);
}

/* A key that cannot be opened is no reason to give up a number: the run fails, and is seen. */
static void
without_its_account_nothing_is_asked(void **state)
{
	static const char *const steps[] = { "import", "find", "link", "remove" };
	struct step_in in = in_of(*state);
	struct fetch_request r;

	in.prepared = parsed(*state, "{\"number\":\"+15550100001\",\"voice\":\"n-1\"}");
	for (size_t i = 0; i < COUNT(steps); i++)
		assert_int_equal(step_of(&flow_number, steps[i])->ask(*state, &in, &r), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		NUMBER_CASE(an_import_tells_what_vapi_was_told),
		NUMBER_CASE(what_was_told_is_kept_with_its_version),
		NUMBER_CASE(what_is_gone_is_removed),
		NUMBER_CASE(without_its_account_nothing_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
