/*
 * test_vapi_rest.c - requests to Vapi about things that are no calls, and what becomes of them.
 */
#include "twilio_fixture.h"

#include "peers/vapi_rest.h"

static void
a_request_goes_with_the_accounts_key(void **state)
{
	CLEANUP(text_clear) struct text body = TEXT(64);
	struct voice_account nobody = vapi_account;
	struct fetch_request r;

	text_puts(&body, "{\"a\":1}");
	assert_int_equal(vapi_rest(*state, &vapi_account,
			     &(const struct vapi_ask){ "PATCH", "/assistant/x", &body }, &r),
	    0);
	assert_string_equal(r.method, "PATCH");
	assert_string_equal(r.url, "https://api.vapi.ai/assistant/x");
	assert_string_equal(r.headers[0], "Authorization: Bearer key");
	assert_memory_equal(r.body.data, "{\"a\":1}", r.body.len);
	assert_int_equal(r.timeout_ms, 5000);
	assert_int_equal(vapi_rest(*state, &vapi_account,
			     &(const struct vapi_ask){ "DELETE", "/assistant/x", NULL }, &r),
	    0);
	assert_string_equal(r.method, "DELETE");
	assert_int_equal(r.body.len, 0);

	assert_int_equal(vapi_rest(*state, &vapi_account,
			     &(const struct vapi_ask){ "GET", NULL, NULL }, &r),
	    -1);
	assert_int_equal(errno, EINVAL);
	nobody.api_key = "";
	assert_int_equal(vapi_rest(*state, &nobody,
			     &(const struct vapi_ask){ "GET", "/assistant", NULL }, &r),
	    -1);
	assert_int_equal(errno, ENOTCONN);
	for (int i = 0; i < 20; i++)
		text_puts(&body, "0123456789");
	assert_int_equal(vapi_rest(*state, &vapi_account,
			     &(const struct vapi_ask){ "POST", "/assistant", &body }, &r),
	    -1);
	assert_int_equal(errno, ENOMEM);
}

static void
a_path_takes_ids_alone(void **state)
{
	static const char *const wrong[] = { NULL, "", "a/b", "..", "a?b", "a b" };

	assert_string_equal(vapi_path(*state, "/assistant/", "a-1_B"), "/assistant/a-1_B");
	for (size_t i = 0; i < COUNT(wrong); i++) {
		errno = 0;
		assert_null(vapi_path(*state, "/assistant/", wrong[i]));
		assert_int_equal(errno, EINVAL);
	}
}

static const struct {
	int status;
	const char *body, *code;
	enum outcome_result result;
	int64_t wait;
	bool person;
} answers[] = {
	{ 201, "{\"id\":\"x\"}", NULL, OUTCOME_OK, -1, false },
	{ 200, "[]", NULL, OUTCOME_OK, -1, false },
	{ 200, "<html>", "unreadable", OUTCOME_UNKNOWN, -1, false },
	{ 400, "{\"statusCode\":400,\"message\":[\"name must be short\"]}", "vapi_400",
	    OUTCOME_FAILED, -1, false },
	{ 404, "{\"statusCode\":404,\"message\":\"x\"}", "vapi_404", OUTCOME_ABSENT, -1, false },
	{ 404, "<html>", "http_404", OUTCOME_RETRY, 300, false },
	{ 401, "{\"statusCode\":401,\"message\":\"x\"}", "http_401", OUTCOME_RETRY, 300, true },
	{ 402, "{\"statusCode\":402,\"message\":\"x\"}", "http_402", OUTCOME_RETRY, 300, true },
	{ 429, "{\"statusCode\":429,\"message\":\"x\"}", "http_429", OUTCOME_RETRY, 2, false },
	{ 500, "{\"statusCode\":500,\"message\":\"x\"}", "vapi_500", OUTCOME_UNKNOWN, -1, false },
	{ 502, "<html>", "http_502", OUTCOME_UNKNOWN, -1, false },
};

static void
each_answer_has_its_meaning(void **state)
{
	struct outcome o;

	for (size_t i = 0; i < COUNT(answers); i++) {
		struct fetch_answer a =
		    told(FETCH_ANSWERED, answers[i].status, span_of(answers[i].body));

		vapi_rest_answer(*state, &a, &o);
		assert_int_equal(o.result, answers[i].result);
		assert_int_equal(o.retry_after, answers[i].wait);
		assert_int_equal(o.person, answers[i].person);
		if (answers[i].code)
			assert_string_equal(o.code, answers[i].code);
		else
			assert_null(o.code);
	}
}

static void
its_own_words_are_for_developers(void **state)
{
	struct fetch_answer a = told(FETCH_ANSWERED, 400, span_of(answers[3].body));
	struct outcome o;

	vapi_rest_answer(*state, &a, &o);
	assert_string_equal(o.message, "name must be short");
	a = told(FETCH_LOST, 0, SPAN(""));
	vapi_rest_answer(*state, &a, &o);
	assert_int_equal(o.result, OUTCOME_UNKNOWN);
	assert_null(o.message);
}

static void
events_are_proved_and_repeated(void **state)
{
	CLEANUP(text_clear) struct text t = TEXT(4096);
	const struct json *j;

	text_putc(&t, '{');
	vapi_put_server(&t, "https://x.example/\"", "token");
	text_putc(&t, '}');
	j = parsed(*state, text_str(&t));
	assert_string_equal(at(j, "server.url"), "https://x.example/\"");
	assert_string_equal(json_str(json_path(j, "server.headers"), "X-Vapi-Secret"), "token");
	assert_string_equal(at(j, "server.backoffPlan.type"), "exponential");
	text_empty(&t);
	text_putc(&t, '{');
	vapi_put_server(&t, "https://x.example", NULL);
	text_putc(&t, '}');
	assert_null(json_path(parsed(*state, text_str(&t)), "server.headers"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TWILIO_CASE(a_request_goes_with_the_accounts_key),
		TWILIO_CASE(a_path_takes_ids_alone),
		TWILIO_CASE(each_answer_has_its_meaning),
		TWILIO_CASE(its_own_words_are_for_developers),
		TWILIO_CASE(events_are_proved_and_repeated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
