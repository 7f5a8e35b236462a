/*
 * test_outcome.c - what became of a request, as far as it does not depend on who was asked.
 */
#include "twilio_fixture.h"

#include "peers/outcome.h"

static void
without_a_whole_answer_nothing_is_read(void **state)
{
	static const struct {
		enum fetch_outcome outcome;
		enum outcome_result result;
		const char *code;
	} none[] = { { FETCH_NOT_SENT, OUTCOME_RETRY, "connect_failed" },
		{ FETCH_LOST, OUTCOME_UNKNOWN, "no_answer" },
		{ FETCH_TOO_LARGE, OUTCOME_UNKNOWN, "too_large" } };
	const struct json *body;
	struct outcome o;

	for (size_t i = 0; i < COUNT(none); i++) {
		struct fetch_answer a = told(none[i].outcome, 0, SPAN("{}"));

		assert_false(outcome_open(*state, &a, &o, &body));
		assert_int_equal(o.result, none[i].result);
		assert_string_equal(o.code, none[i].code);
		assert_int_equal(o.retry_after, -1);
		assert_null(body);
	}
}

static void
an_answer_is_unknown_until_somebody_reads_it(void **state)
{
	struct fetch_answer a = told(FETCH_ANSWERED, 201, SPAN("{\"id\":\"x\"}"));
	const struct json *body;
	struct outcome o;

	assert_true(outcome_open(*state, &a, &o, &body));
	assert_int_equal(o.result, OUTCOME_UNKNOWN);
	assert_string_equal(at(body, "id"), "x");
	outcome_ok(&o, body);
	assert_int_equal(o.result, OUTCOME_OK);
	assert_ptr_equal(o.body, body);
	assert_null(o.code);
	a = told(FETCH_ANSWERED, 201, SPAN("{"));
	assert_true(outcome_open(*state, &a, &o, &body));
	assert_null(body);
}

static void
a_stranger_refuses_nothing_for_good(void **state)
{
	static const struct {
		int status;
		enum outcome_result result;
		int64_t wait;
		bool person;
	} strangers[] = { { 302, OUTCOME_RETRY, OUTCOME_AGAIN_SETTINGS, false },
		{ 401, OUTCOME_RETRY, OUTCOME_AGAIN_SETTINGS, true },
		{ 403, OUTCOME_RETRY, OUTCOME_AGAIN_SETTINGS, true },
		{ 404, OUTCOME_RETRY, OUTCOME_AGAIN_SETTINGS, false },
		{ 409, OUTCOME_RETRY, OUTCOME_AGAIN_RATE, false },
		{ 429, OUTCOME_RETRY, OUTCOME_AGAIN_RATE, false },
		{ 503, OUTCOME_UNKNOWN, -1, false } };
	struct outcome o;

	for (size_t i = 0; i < COUNT(strangers); i++) {
		struct fetch_answer a = told(FETCH_ANSWERED, strangers[i].status, SPAN(""));
		const struct json *body;

		assert_true(outcome_open(*state, &a, &o, &body));
		outcome_stranger(*state, &a, &o);
		assert_int_equal(o.result, strangers[i].result);
		assert_int_equal(o.retry_after, strangers[i].wait);
		assert_int_equal(o.person, strangers[i].person);
		assert_string_equal(o.code, mem_printf(*state, "http_%d", strangers[i].status));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TWILIO_CASE(without_a_whole_answer_nothing_is_read),
		TWILIO_CASE(an_answer_is_unknown_until_somebody_reads_it),
		TWILIO_CASE(a_stranger_refuses_nothing_for_good),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
