/*
 * test_stripe_step.c - what each kind of answer of Stripe's means to a step.
 */
#include "flow_fixture.h"

#include "work/stripe_step.h"

static const struct {
	int status;
	const char *body;
	enum step_verdict plain, refused;
	const char *result;
} cases[] = {
	{ 200, "{\"id\":\"x\"}", STEP_DONE, STEP_DONE, NULL },
	{ 200, "{", STEP_UNKNOWN, STEP_UNKNOWN, NULL },
	{ 400, "{\"error\":{\"type\":\"invalid_request_error\",\"code\":\"parameter_unknown\"}}",
	    STEP_FAILED, STEP_DONE, "{\"refused\":\"parameter_unknown\"}" },
	{ 401, "{\"error\":{\"type\":\"invalid_request_error\"}}", STEP_RETRY, STEP_RETRY, NULL },
	{ 402, "{\"error\":{\"type\":\"card_error\",\"code\":\"card_declined\"}}", STEP_FAILED,
	    STEP_DONE, "{\"refused\":\"card_declined\"}" },
	{ 404, "{\"error\":{\"type\":\"invalid_request_error\",\"code\":\"resource_missing\"}}",
	    STEP_ABSENT, STEP_DONE, "{\"refused\":\"resource_missing\"}" },
	{ 429, "{\"error\":{\"type\":\"invalid_request_error\",\"code\":\"rate_limit\"}}",
	    STEP_RETRY, STEP_RETRY, NULL },
	{ 500, "{\"error\":{\"type\":\"api_error\"}}", STEP_UNKNOWN, STEP_UNKNOWN, NULL },
};

static void
each_answer_has_its_verdict(void **state)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fetch_answer a = answer(cases[i].status, span_of(cases[i].body));
		struct stripe_outcome o;
		struct step_out out = { .retry_after = -1 };

		stripe_step(*state, &a, &o, &out);
		assert_int_equal(out.verdict, cases[i].plain);
		assert_null(out.result);
		stripe_step_refused(*state, &a, &o, &out);
		assert_int_equal(out.verdict, cases[i].refused);
		if (cases[i].result)
			assert_string_equal(out.result, cases[i].result);
		else
			assert_null(out.result);
	}
}

static void
no_answer_is_not_known(void **state)
{
	struct fetch_answer a = answer(0, span_of(""));
	struct stripe_outcome o;
	struct step_out out = { .retry_after = -1 };

	a.outcome = FETCH_LOST;
	stripe_step_refused(*state, &a, &o, &out);
	assert_int_equal(out.verdict, STEP_UNKNOWN);
	a.outcome = FETCH_NOT_SENT;
	stripe_step_refused(*state, &a, &o, &out);
	assert_int_equal(out.verdict, STEP_RETRY);
}

static void
each_try_has_its_key(void **state)
{
	struct step_in in = { .key = "r:1:s", .attempt = 3 };

	assert_string_equal(stripe_step_key(*state, &in), "r:1:s:3");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STRIPE_CASE(each_answer_has_its_verdict),
		STRIPE_CASE(no_answer_is_not_known),
		STRIPE_CASE(each_try_has_its_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
