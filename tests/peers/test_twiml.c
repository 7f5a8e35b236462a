/*
 * test_twiml.c - what Twilio is told to do with a call.
 */
#include "fixture.h"

#include "base/settings.h"
#include "peers/twiml.h"

#define HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response>"
#define TAIL "</Response>\n"

static const char *
twiml(struct mem *m, const char *answer)
{
	const struct json *j = NULL;

	if (answer)
		assert_int_equal(json_read(m, answer, strlen(answer), JSON_DEPTH_API, &j), JSON_OK);
	return twiml_voice(m, j);
}

static int
setup(void **state)
{
	unsetenv("TWILIO_WEBHOOK_URL");
	setenv("API_URL", "https://api.example.com", 1);
	assert_int_equal(settings_load(), 0);
	return fixture_setup(state);
}

static void
a_caller_is_put_through(void **state)
{
	assert_string_equal(twiml(*state,
				"{\"dial\":\"+15550100002\",\"caller_id\":\"+15550100001\"}"),
	    HEAD "<Dial answerOnBridge=\"true\" timeout=\"25\" callerId=\"+15550100001\""
		 " action=\"https://api.example.com/api/webhooks/twilio/voice\" method=\"POST\">"
		 "<Number>+15550100002</Number></Dial>" TAIL);
}

static void
or_leaves_a_message(void **state)
{
	const char *s = twiml(*state, "{\"record\":true}");

	assert_non_null(strstr(s, HEAD "<Say>Sorry"));
	assert_non_null(strstr(s,
	    "<Record action=\"https://api.example.com/api/webhooks/twilio/voice/recording\""));
	assert_non_null(strstr(s, " maxLength=\"120\"/><Say>"));
	assert_non_null(strstr(s, "</Say>" TAIL));
}

static void
or_is_not_taken(void **state)
{
	static const char rejected[] = HEAD "<Reject reason=\"rejected\"/>" TAIL;

	assert_string_equal(twiml(*state, "{\"hangup\":true}"), HEAD "<Hangup/>" TAIL);
	assert_string_equal(twiml(*state, "{\"reject\":true}"), rejected);
	assert_string_equal(twiml(*state, "{}"), rejected);
	assert_string_equal(twiml(*state, NULL), rejected);
}

static void
nothing_breaks_out_of_the_xml(void **state)
{
	const char *s;

	setenv("TWILIO_WEBHOOK_URL", "https://h.example.com/a&b", 1);
	assert_int_equal(settings_load(), 0);
	s = twiml(*state, "{\"dial\":\"+1</Number><Say>\\u0001\",\"caller_id\":\"\\\"'&\"}");
	assert_non_null(strstr(s, "<Number>+1&lt;/Number&gt;&lt;Say&gt;</Number>"));
	assert_non_null(strstr(s, "callerId=\"&quot;&apos;&amp;\""));
	assert_non_null(strstr(s, "action=\"https://h.example.com/a&amp;b/voice\""));
}

static void
without_an_address_there_is_none(void **state)
{
	unsetenv("TWILIO_WEBHOOK_URL");
	unsetenv("API_URL");
	assert_int_equal(settings_load(), 0);
	assert_null(twiml(*state, "{\"record\":true}"));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_caller_is_put_through, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(or_leaves_a_message, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(or_is_not_taken, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(nothing_breaks_out_of_the_xml, setup,
		    fixture_teardown),
		cmocka_unit_test_setup_teardown(without_an_address_there_is_none, setup,
		    fixture_teardown),
	};

	return cmocka_run_group_tests_name("twiml", tests, NULL, NULL);
}
