/*
 * test_twilio_ask.c - what SQL wants read at Twilio becomes a request, and what came of it JSON.
 */
#include "fixture.h"

#include "base/settings.h"
#include "peers/twilio_ask.h"

#include <errno.h>

static int
setup(void **state)
{
	setenv("TWILIO_ACCOUNT_SID", "AC01", 1);
	setenv("TWILIO_AUTH_TOKEN", "secret", 1);
	assert_int_equal(settings_load(), 0);
	return fixture_setup(state);
}

static void
a_question_becomes_a_request(void **state)
{
	struct fetch_request r;
	const struct json *j = parsed(*state,
	    "{\"path\":\"/AvailablePhoneNumbers/US/Local.json\",\"query\":{\"AreaCode\":\"415\","
	    "\"InLocality\":\"San Francisco\",\"Contains\":null,\"PageSize\":20}}");

	assert_int_equal(twilio_ask(*state, j, &r), 0);
	assert_string_equal(r.method, "GET");
	assert_string_equal(r.url,
	    "https://api.twilio.com/2010-04-01/Accounts/AC01/AvailablePhoneNumbers/US/"
	    "Local.json?AreaCode=415&InLocality=San%20Francisco&PageSize=20");
}

static void
what_cannot_be_asked_is_refused(void **state)
{
	static const char *const wrong[] = { "{}", "{\"path\":\"x\"}",
		"{\"path\":\"/x\",\"query\":{\"a\":[1]}}",
		"{\"path\":\"/x\",\"query\":{\"a\":true}}" };
	struct fetch_request r;

	for (size_t i = 0; i < COUNT(wrong); i++) {
		errno = 0;
		assert_int_equal(twilio_ask(*state, parsed(*state, wrong[i]), &r), -1);
		assert_int_equal(errno, EINVAL);
	}
}

static const struct {
	int status;
	const char *body, *told;
} cases[] = {
	{ 200, "{\"available_phone_numbers\":[]}",
	    "{\"result\":\"ok\",\"status\":200,\"code\":null,\"body\":{\"available_phone_numbers\":"
	    "[]}}" },
	{ 200, "nonsense",
	    "{\"result\":\"unknown\",\"status\":200,\"code\":\"unreadable\",\"body\":null}" },
	{ 400, "{\"code\":21451,\"message\":\"x\",\"status\":400}",
	    "{\"result\":\"failed\",\"status\":400,\"code\":\"twilio_21451\",\"body\":null}" },
	{ 404, "{\"code\":20404,\"message\":\"x\",\"status\":404}",
	    "{\"result\":\"absent\",\"status\":404,\"code\":\"twilio_20404\",\"body\":null}" },
	{ 429, "{\"code\":20429,\"message\":\"x\",\"status\":429}",
	    "{\"result\":\"retry\",\"status\":429,\"code\":\"twilio_20429\",\"body\":null}" },
	{ 500, "{\"code\":20500,\"message\":\"x\",\"status\":500}",
	    "{\"result\":\"unknown\",\"status\":500,\"code\":\"twilio_20500\",\"body\":null}" },
};

static void
what_came_is_told_with_its_body(void **state)
{
	struct fetch_answer a;
	struct twilio_told told;

	for (size_t i = 0; i < COUNT(cases); i++) {
		a = (struct fetch_answer){ .outcome = FETCH_ANSWERED,
			.status = cases[i].status,
			.body = span_of(cases[i].body),
			.type = "",
			.location = "",
			.retry_after = -1 };
		assert_int_equal(twilio_tell(*state, &a, &told), 0);
		assert_string_equal(told.json, cases[i].told);
		assert_int_equal(told.log == NULL, i == 0);
		assert_int_equal(told.retry_after > 0, cases[i].status == 429);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_question_becomes_a_request, setup,
		    fixture_teardown),
		cmocka_unit_test_setup_teardown(what_cannot_be_asked_is_refused, setup,
		    fixture_teardown),
		cmocka_unit_test_setup_teardown(what_came_is_told_with_its_body, setup,
		    fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
