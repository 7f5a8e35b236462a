/*
 * test_twilio_event.c - what Twilio's webhooks say: keys, types and facts of each kind, and what is
 * none of them.
 */
#include "fixture.h"

#include "peers/twilio_event.h"

#include <errno.h>

static struct twilio_event
event(struct mem *m, enum twilio_event_kind kind, const char *body)
{
	struct twilio_event e;

	assert_int_equal(twilio_event(m, kind, span_of(body), &e), 0);
	return e;
}

/* Bodies, and what is read in them. */
static const struct {
	enum twilio_event_kind kind;
	const char *body, *key, *type, *facts;
} rows[] = {
	{ TWILIO_CALL,
	    "CallSid=CA1&AccountSid=AC1&From=%2B15550100001&To=%2B15550100002&CallStatus="
	    "no-answer&CallDuration=0&SequenceNumber=3&Direction=inbound",
	    "CA1:no-answer:3", "call:no-answer",
	    "{\"kind\":\"call\",\"sid\":\"CA1\",\"status\":\"no-answer\",\"from\":"
	    "\"+15550100001\",\"to\":\"+15550100002\",\"duration\":\"0\",\"direction\":"
	    "\"inbound\"}" },
	{ TWILIO_MESSAGE, "MessageSid=SM1&MessageStatus=delivered", "SM1:delivered",
	    "message:delivered",
	    "{\"kind\":\"message\",\"sid\":\"SM1\",\"status\":\"delivered\"}" },
	{ TWILIO_MESSAGE, "SmsSid=SM1&SmsStatus=failed&ErrorCode=30008", "SM1:failed",
	    "message:failed",
	    "{\"kind\":\"message\",\"sid\":\"SM1\",\"status\":\"failed\",\"error_code\":"
	    "\"30008\"}" },
	{ TWILIO_SMS, "MessageSid=SM2&From=a&To=b&Body=a%22%0a%01&NumSegments=1&SmsStatus=x",
	    "SM2:received", "sms",
	    "{\"kind\":\"sms\",\"sid\":\"SM2\",\"from\":\"a\",\"to\":\"b\",\"body\":"
	    "\"a\\\"\\n\\u0001\",\"segments\":\"1\",\"media\":[]}" },
	{ TWILIO_SMS, "MessageSid=MM2&MediaUrl0=u&MediaContentType0=t&MediaUrl1=v&MediaUrl3=w",
	    "MM2:received", "sms",
	    "{\"kind\":\"sms\",\"sid\":\"MM2\",\"media\":[{\"url\":\"u\",\"type\":\"t\"},{"
	    "\"url\":\"v\",\"type\":null}]}" },
	{ TWILIO_VOICE, "CallSid=CA1&CallStatus=ringing", "CA1:voice", "voice",
	    "{\"kind\":\"voice\",\"sid\":\"CA1\"}" },
	{ TWILIO_VOICE, "CallSid=CA1&DialCallStatus=busy", "CA1:dial:busy", "voice",
	    "{\"kind\":\"voice\",\"sid\":\"CA1\",\"dialed\":\"busy\"}" },
	{ TWILIO_RECORDING, "CallSid=CA1&RecordingSid=RE1&RecordingUrl=http%3A%2F%2Fx", "RE1:taken",
	    "recording",
	    "{\"kind\":\"recording\",\"sid\":\"CA1\",\"status\":\"taken\",\"recording\":"
	    "\"RE1\",\"url\":\"http://x\"}" },
	{ TWILIO_RECORDING, "CallSid=CA1&RecordingSid=RE1&RecordingStatus=completed",
	    "RE1:completed", "recording",
	    "{\"kind\":\"recording\",\"sid\":\"CA1\",\"status\":\"completed\","
	    "\"recording\":\"RE1\"}" },
	{ TWILIO_SMS, "{\"MessageSid\":\"SM3\",\"Body\":\"\xc3\xa9\",\"To\":7}", "SM3:received",
	    "sms", "{\"kind\":\"sms\",\"sid\":\"SM3\",\"body\":\"\xc3\xa9\",\"media\":[]}" },
};

static void
each_kind_has_its_key_and_its_facts(void **state)
{
	struct twilio_event e;
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		e = event(*state, rows[i].kind, rows[i].body);
		assert_string_equal(e.key, rows[i].key);
		assert_string_equal(e.type, rows[i].type);
		assert_string_equal(e.facts, rows[i].facts);
	}
	assert_string_equal(event(*state, TWILIO_CALL, rows[0].body).account, "AC1");
	assert_null(event(*state, TWILIO_VOICE, rows[5].body).account);
}

static void
what_is_none_is_known_by_its_bytes(void **state)
{
	static const char *const odd[] = { "", "CallSid=", "CallSid=CA1",
		"CallSid=CA1&CallStatus=", "CallSid=../x&CallStatus=completed",
		"CallSid=CA1&CallStatus=a+b", "CallSid=CA%001&CallStatus=%00", "{", "{}",
		"{\"CallSid\":1}", "callsid=CA1&callstatus=completed" };
	struct twilio_event e;
	size_t i;

	for (i = 0; i < COUNT(odd); i++) {
		e = event(*state, TWILIO_CALL, odd[i]);
		assert_null(e.facts);
		assert_string_equal(e.type, "call");
		assert_int_equal(strncmp(e.key, "body:", 5), 0);
		assert_int_equal(strlen(e.key), 5 + 64);
	}
	assert_string_not_equal(event(*state, TWILIO_CALL, "a").key,
	    event(*state, TWILIO_CALL, "b").key);
}

static void
long_words_are_cut_between_characters(void **state)
{
	struct mem *m = *state;
	const char *many = mem_printf(m, "MessageSid=SM1&From=%0300d&Body=x%016000d", 1, 1);
	CLEANUP(text_clear) struct text body = TEXT(1 << 20);
	const struct json *j = NULL;
	const char *facts;
	size_t i;

	text_puts(&body, many);
	for (i = 0; i < 400; i++)
		text_puts(&body, "%E2%82%AC");
	facts = event(m, TWILIO_SMS, text_str(&body)).facts;
	assert_int_equal(json_read(m, facts, strlen(facts), JSON_DEPTH_API, &j), JSON_OK);
	assert_null(json_str(j, "from"));
	assert_int_equal(strlen(json_str(j, "body")), 16 * 1024 - (16 * 1024 - 16001) % 3);
}

static void
memory_may_be_out(void **state UNUSED)
{
	struct mem *small;
	struct twilio_event e;
	size_t room;

	for (room = 16; room < 400; room += 16) {
		small = mem_new(room);
		errno = 0;
		if (twilio_event(small, TWILIO_MESSAGE, SPAN("MessageSid=SM1&MessageStatus=sent"),
			&e) == 0)
			assert_non_null(e.facts);
		else
			assert_int_equal(errno, ENOMEM);
		mem_free(small);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST_CASE(each_kind_has_its_key_and_its_facts),
		TEST_CASE(what_is_none_is_known_by_its_bytes),
		TEST_CASE(long_words_are_cut_between_characters),
		TEST_CASE(memory_may_be_out),
	};

	return cmocka_run_group_tests_name("twilio_event", tests, NULL, NULL);
}
