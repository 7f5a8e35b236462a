/*
 * test_stripe_answer.c - what each of Stripe's answers means.
 */
#include "stripe_fixture.h"

static struct stripe_outcome
outcome_of(struct mem *m, const struct fetch_answer *a)
{
	struct stripe_outcome o;

	stripe_answer(m, a, &o);
	return o;
}

static void
recorded_errors_are_understood(void **state)
{
	static const struct {
		const char *name;
		enum stripe_result result;
		const char *code;
		int64_t again;
		bool person;
	} cases[] = {
		{ "error.400.idempotency_error", STRIPE_FAILED, "idempotency_error", -1, false },
		{ "error.400.invalid_request", STRIPE_FAILED, NULL, -1, false },
		{ "error.401", STRIPE_RETRY, "key_refused", 300, true },
		{ "error.402.card_declined", STRIPE_FAILED, "card_declined", -1, false },
		{ "error.404.resource_missing", STRIPE_ABSENT, "resource_missing", -1, false },
		{ "error.409.idempotency_key_in_use", STRIPE_RETRY, "idempotency_key_in_use", -1,
		    false },
		{ "error.429.lock_timeout", STRIPE_RETRY, "lock_timeout", -1, false },
		{ "error.429.rate_limit", STRIPE_RETRY, "rate_limit", -1, false },
		{ "error.500", STRIPE_UNKNOWN, NULL, -1, false },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *file = mem_printf(*state, "stripe/%s.json", cases[i].name);
		int status = (int)strtol(strpbrk(cases[i].name, "0123456789"), NULL, 10);
		struct fetch_answer a = answer(status, fixture(*state, file));
		struct stripe_outcome o = outcome_of(*state, &a);

		if (o.result != cases[i].result || o.retry_after != cases[i].again ||
		    o.person != cases[i].person || !o.code ||
		    (cases[i].code && strcmp(o.code, cases[i].code) != 0))
			fail_msg("%s: %d %s %d", cases[i].name, o.result, o.code,
			    (int)o.retry_after);
		assert_int_equal(o.status, status);
		assert_null(o.body);
		assert_non_null(o.message);
	}
}

static void
a_declined_card_says_why(void **state)
{
	struct fetch_answer a = answer(402, fixture(*state, "stripe/error.402.card_declined.json"));
	struct stripe_outcome o = outcome_of(*state, &a);

	assert_string_equal(o.decline, "generic_decline");
	assert_string_equal(o.request_id, "req_1");
	assert_string_equal(o.message, "Your card was declined.");
}

static void
a_success_is_its_object(void **state)
{
	struct fetch_answer a = answer(200, SPAN("{\"id\":\"sub_1\"}"));
	struct stripe_outcome o = outcome_of(*state, &a);

	assert_int_equal(o.result, STRIPE_OK);
	assert_null(o.code);
	assert_string_equal(json_str(o.body, "id"), "sub_1");
}

static void
stripes_advice_counts_more_than_the_status(void **state)
{
	static const struct {
		int status;
		const char *code, *should_retry;
		enum stripe_result result;
	} cases[] = {
		{ 400, "parameter_invalid", "true", STRIPE_RETRY },
		{ 400, "parameter_invalid", "false", STRIPE_FAILED },
		{ 402, "card_declined", "true", STRIPE_RETRY },
		{ 409, "lock_timeout", "false", STRIPE_FAILED },
		{ 409, "lock_timeout", "", STRIPE_RETRY },
		{ 404, "resource_missing", "true", STRIPE_RETRY },
		/* Who has refused nothing cannot promise that nothing was done. */
		{ 500, "api_error", "false", STRIPE_UNKNOWN },
		{ 500, "api_error", "true", STRIPE_UNKNOWN },
		{ 503, "api_error", "perhaps", STRIPE_UNKNOWN },
		/* These get better by waiting, whoever says not. */
		{ 429, "rate_limit", "false", STRIPE_RETRY },
		{ 403, "permission", "false", STRIPE_RETRY },
		/* A path that Stripe does not have is our fault, not somebody's absence. */
		{ 404, "unknown_path", "", STRIPE_FAILED },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *body =
		    mem_printf(*state, "{\"error\":{\"code\":\"%s\"}}", cases[i].code);
		struct fetch_answer a = answer(cases[i].status, span_of(body));

		a.should_retry = cases[i].should_retry;
		if (outcome_of(*state, &a).result != cases[i].result)
			fail_msg("%d %s", cases[i].status, cases[i].should_retry);
	}
}

static void
what_is_asked_for_is_waited_for(void **state)
{
	struct fetch_answer a = answer(429, fixture(*state, "stripe/error.429.rate_limit.json"));

	a.retry_after = 17;
	assert_int_equal(outcome_of(*state, &a).retry_after, 17);
	a.status = 503;
	assert_int_equal(outcome_of(*state, &a).retry_after, 17);
	a.status = 400;
	assert_int_equal(outcome_of(*state, &a).retry_after, -1);
	a.status = 401;
	assert_int_equal(outcome_of(*state, &a).retry_after, 300);
	a.retry_after = 3600;
	assert_int_equal(outcome_of(*state, &a).retry_after, 3600);
}

static void
what_is_not_stripes_own_says_nothing(void **state)
{
	static const struct {
		int status;
		const char *body;
		enum stripe_result result;
		const char *code;
		int64_t again;
	} cases[] = {
		{ 403, "<html>error code: 1010</html>", STRIPE_RETRY, "http_403", 300 },
		{ 404, "<html>", STRIPE_RETRY, "http_404", 300 },
		{ 404, "{\"error\":\"none\"}", STRIPE_RETRY, "http_404", 300 },
		{ 429, "", STRIPE_RETRY, "http_429", -1 },
		{ 307, "", STRIPE_RETRY, "http_307", 300 },
		{ 502, "<html>", STRIPE_UNKNOWN, "http_502", -1 },
		{ 100, "", STRIPE_UNKNOWN, "http_100", -1 },
		{ 200, "", STRIPE_UNKNOWN, "unreadable", -1 },
		{ 200, "{\"id\":\"cut", STRIPE_UNKNOWN, "unreadable", -1 },
		{ 200, "[]", STRIPE_UNKNOWN, "unreadable", -1 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fetch_answer a = answer(cases[i].status, span_of(cases[i].body));
		struct stripe_outcome o = outcome_of(*state, &a);

		if (o.result != cases[i].result || strcmp(o.code, cases[i].code) != 0 ||
		    o.retry_after != cases[i].again)
			fail_msg("%d %s: %d %s %d", cases[i].status, cases[i].body, o.result,
			    o.code, (int)o.retry_after);
	}
}

static void
no_answer_is_no_refusal(void **state)
{
	struct fetch_answer a = { .outcome = FETCH_NOT_SENT, .retry_after = -1 };

	assert_int_equal(outcome_of(*state, &a).result, STRIPE_RETRY);
	assert_string_equal(outcome_of(*state, &a).code, "connect_failed");
	a.outcome = FETCH_LOST;
	assert_int_equal(outcome_of(*state, &a).result, STRIPE_UNKNOWN);
	a.outcome = FETCH_TOO_LARGE;
	assert_int_equal(outcome_of(*state, &a).result, STRIPE_UNKNOWN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STRIPE_CASE(recorded_errors_are_understood),
		STRIPE_CASE(a_declined_card_says_why),
		STRIPE_CASE(a_success_is_its_object),
		STRIPE_CASE(stripes_advice_counts_more_than_the_status),
		STRIPE_CASE(what_is_asked_for_is_waited_for),
		STRIPE_CASE(what_is_not_stripes_own_says_nothing),
		STRIPE_CASE(no_answer_is_no_refusal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
