/*
 * test_vapi_inbound.c - Vapi's webhooks about calls that come in: whose they are, and who asks.
 */
#include "fixture.h"
#include "peers/voice.h"

static struct voice_event
event(struct mem *m, struct span body)
{
	struct voice_event e;

	assert_int_equal(vapi_event(m, body, &e), EVENT_OK);
	return e;
}

static void
a_call_that_came_in_tells_of_whom_and_by_whom(void **state)
{
	struct mem *m = *state;
	struct span body = fixture(m, "vapi/webhook.status-update.ringing.json");
	struct voice_event e = event(m, fixture(m, "vapi/webhook.assistant-request.json"));
	const struct json *j = parsed(m, e.report);

	assert_string_equal(voice_class_name(e.class), "ask");
	assert_string_equal(at(j, "status"), "ringing");
	assert_string_equal(at(j, "inbound.number_id"), "e3b7b4ac-7beb-7874-8140-1749ffd807d1");
	assert_string_equal(at(j, "inbound.number"), "+15550100001");
	assert_string_equal(at(j, "inbound.caller"), "+15550100002");
	assert_string_not_equal(at(parsed(m, e.reply), "error"), "(none)");
	/* An outbound call names our number and a customer, too. */
	assert_null(json_get(parsed(m, event(m, body).report), "inbound"));
	j = parsed(m, event(m, with(m, body, "outboundPhoneCall", "inboundPhoneCall")).report);
	assert_string_equal(at(j, "status"), "ringing");
	assert_string_equal(at(j, "inbound.caller"), "+15550100002");
	j = parsed(m,
	    event(m,
		SPAN("{\"message\":{\"type\":\"end-of-call-report\",\"endedReason\":\"silence-timed"
		     "-out\",\"phoneNumber\":{\"id\":\"pn\\u00001\",\"number\":7},"
		     "\"call\":{\"id\":\"c-1\",\"type\":\"inboundPhoneCall\"}}}"))
		.report);
	assert_true(json_bool(j, "final", false));
	assert_string_equal(at(j, "inbound.number_id"),
	    "pn\xef\xbf\xbd"
	    "1");
	assert_null(json_path(j, "inbound.number"));
	assert_null(json_path(j, "inbound.caller"));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST_CASE(a_call_that_came_in_tells_of_whom_and_by_whom),
	};

	return cmocka_run_group_tests_name("vapi_inbound", tests, NULL, NULL);
}
