/*
 * test_twilio_message.c - the request for a text message, the look for it, and what each of
 * Twilio's answers means.
 */
#include "fixture.h"

#include "base/settings.h"
#include "peers/twilio_message.h"

#include <errno.h>

#define TEXT_SAID "Your appointment is booked for Tue 10:00."
#define MADE_AT INT64_C(1789997600000) /* Mon, 21 Sep 2026 13:33:20 */
#define ITEM                                                                                       \
	"{\"sid\":\"SM1\",\"status\":\"%s\",\"error_code\":null,\"body\":\"%s\",\"direction\":"    \
	"\"%s\",\"date_created\":\"Mon, 21 Sep 2026 13:33:20 +0000\"}"

static const struct twilio_message plain_text = { .to = "+15550100003",
	.text = TEXT_SAID,
	.since_ms = MADE_AT - 1000 };

static void
settings_are(const char *account, const char *token, const char *from)
{
	static const char *const names[] = { "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN",
		"TWILIO_SMS_FROM" };
	const char *const values[] = { account, token, from };

	for (size_t i = 0; i < COUNT(names); i++) {
		unsetenv(names[i]);
		if (values[i])
			setenv(names[i], values[i], 1);
	}
	assert_int_equal(settings_load(), 0);
}

static int
setup(void **state)
{
	settings_are("AC01", "secret", "+15550100001");
	return fixture_setup(state);
}

static struct fetch_answer
answer(int status, struct span body)
{
	return (struct fetch_answer){ .outcome = FETCH_ANSWERED,
		.status = status,
		.body = body,
		.type = "application/json",
		.location = "",
		.retry_after = -1 };
}

static struct twilio_outcome
sent(struct mem *m, int status, struct span body)
{
	struct fetch_answer a = answer(status, body);
	struct twilio_outcome o;

	twilio_message_sent(m, &a, &o);
	return o;
}

static struct twilio_outcome
looked(struct mem *m, const char *body)
{
	struct fetch_answer a = answer(200, span_of(body));
	struct twilio_outcome o;

	twilio_message_looked(m, &plain_text, &a, &o);
	return o;
}

/* ---- requests ------------------------------------------------------------- */

static void
a_text_is_asked_for_in_twilios_form(void **state)
{
	struct fetch_request r;

	assert_int_equal(twilio_message_send(*state, &plain_text, &r), 0);
	assert_string_equal(r.method, "POST");
	assert_string_equal(r.url, "https://api.twilio.com/2010-04-01/Accounts/AC01/Messages.json");
	assert_string_equal(r.headers[0], "Authorization: Basic QUMwMTpzZWNyZXQ=");
	assert_string_equal(r.headers[2], "Content-Type: application/x-www-form-urlencoded");
	assert_null(r.headers[3]);
	assert_string_equal(r.body.data,
	    "To=%2B15550100003&From=%2B15550100001&Body=Your%20appointment%20is%20booked%20for%"
	    "20Tue%2010%3A00.");
	assert_int_equal(r.body.len, strlen(r.body.data));

	/* While the token is changed there are two. */
	settings_are("AC01", "secret, before", "MG77");
	assert_int_equal(twilio_message_send(*state, &plain_text, &r), 0);
	assert_string_equal(r.headers[0], "Authorization: Basic QUMwMTpzZWNyZXQ=");
	assert_non_null(strstr(r.body.data, "&MessagingServiceSid=MG77&"));
	assert_null(strstr(r.body.data, "From="));
}

static void
it_may_be_from_another_number_and_twilio_tells_what_becomes_of_it(void **state)
{
	struct twilio_message from = plain_text;
	struct fetch_request r;

	settings_are("AC01", "secret", "MG77");
	setenv("API_URL", "https://api.example.com", 1);
	assert_int_equal(settings_load(), 0);
	from.from = "+15550100009";
	assert_int_equal(twilio_message_send(*state, &from, &r), 0);
	assert_non_null(strstr(r.body.data, "&From=%2B15550100009&"));
	assert_null(strstr(r.body.data, "MessagingServiceSid"));
	assert_non_null(strstr(r.body.data,
	    "&StatusCallback=https%3A%2F%2Fapi.example.com%2Fapi%2Fwebhooks%2Ftwilio%2Fmessage"));
	unsetenv("API_URL");
	assert_int_equal(settings_load(), 0);
	from.from = "MG77";
	assert_int_equal(twilio_message_send(*state, &from, &r), -1);
	assert_int_equal(errno, EINVAL);
}

static void
it_is_looked_for_by_its_number(void **state)
{
	struct fetch_request r;

	assert_int_equal(twilio_message_look(*state, &plain_text, &r), 0);
	assert_string_equal(r.method, "GET");
	assert_string_equal(r.url,
	    "https://api.twilio.com/2010-04-01/Accounts/AC01/Messages.json?To=%2B15550100003&"
	    "PageSize=200");
	assert_string_equal(r.headers[0], "Authorization: Basic QUMwMTpzZWNyZXQ=");
	assert_null(r.headers[2]);
	assert_int_equal(r.body.len, 0);
}

static void
a_text_that_cannot_be_is_refused(void **state)
{
	static const char *const numbers[] = { NULL, "", "+", "15550100003", "+0555010000", "+1555",
		"+1555010000300001", "+15550100003 ", "+1555010000x" };
	struct twilio_message in = plain_text;
	struct fetch_request r;
	char *longest = mem_alloc(*state, 2 * TWILIO_TEXT_MAX + 3);

	for (size_t i = 0; i < COUNT(numbers); i++) {
		in.to = numbers[i];
		errno = 0;
		assert_int_equal(twilio_message_send(*state, &in, &r), -1);
		assert_int_equal(errno, EINVAL);
		assert_int_equal(twilio_message_look(*state, &in, &r), -1);
	}
	in = plain_text;
	in.text = "";
	assert_int_equal(twilio_message_send(*state, &in, &r), -1);
	in.text = "\xff";
	assert_int_equal(twilio_message_send(*state, &in, &r), -1);
	for (int i = 0; i < TWILIO_TEXT_MAX; i++)
		memcpy(longest + 2 * i, "\xc3\xa9", 2); /* characters are counted, not bytes */
	in.text = longest;
	assert_int_equal(twilio_message_send(*state, &in, &r), 0);
	memcpy(longest + (size_t)2 * TWILIO_TEXT_MAX, "x", 2);
	assert_int_equal(twilio_message_send(*state, &in, &r), -1);
}

static void
without_each_setting_there_are_no_texts(void **state)
{
	struct fetch_request r;

	assert_true(twilio_has_settings());
	settings_are(NULL, "secret", "+15550100001");
	assert_false(twilio_has_settings());
	settings_are("AC01", NULL, "+15550100001");
	assert_false(twilio_has_settings());
	settings_are("AC01", "secret", NULL);
	assert_false(twilio_has_settings());
	assert_int_equal(twilio_message_send(*state, &plain_text, &r), -1);
	/* It would lead to another address. */
	settings_are("AC01/../x", "secret", "+15550100001");
	assert_int_equal(twilio_message_send(*state, &plain_text, &r), -1);
}

/* ---- answers ----------------------------------------------------------------- */

static const struct {
	const char *file;
	int status;
	enum twilio_result result;
	const char *reason;
	int64_t again;
} recorded[] = {
	{ "error.400.21211.json", 400, TWILIO_FAILED, "twilio_21211", -1 },
	{ "error.400.21608.json", 400, TWILIO_FAILED, "twilio_21608", -1 },
	{ "error.400.21610.json", 400, TWILIO_FAILED, "twilio_21610", -1 },
	{ "error.401.20003.json", 401, TWILIO_RETRY, "twilio_20003", 300 },
	{ "error.404.20404.json", 404, TWILIO_RETRY, "twilio_20404", 300 },
	{ "error.429.20429.json", 429, TWILIO_RETRY, "twilio_20429", 5 },
	{ "error.500.20500.json", 500, TWILIO_UNKNOWN, "twilio_20500", -1 },
};

static void
recorded_answers_are_understood(void **state)
{
	struct span body = fixture(*state, "twilio/message.create.response.201.json");
	struct twilio_outcome o = sent(*state, 201, body);

	assert_int_equal(o.result, TWILIO_SENT);
	assert_string_equal(o.id, "SM00000000000000000000000000000001");
	assert_string_equal(o.status, "queued");
	assert_null(o.reason);
	for (size_t i = 0; i < COUNT(recorded); i++) {
		body = fixture(*state, mem_printf(*state, "twilio/%s", recorded[i].file));
		o = sent(*state, recorded[i].status, body);
		if (o.result != recorded[i].result || o.retry_after != recorded[i].again ||
		    strcmp(o.reason, recorded[i].reason) != 0)
			fail_msg("%s: %d %s %d", recorded[i].file, o.result, o.reason,
			    (int)o.retry_after);
	}
}

static void
other_answers_are_not_believed_too_far(void **state)
{
	struct mem *m = *state;
	struct fetch_answer a = answer(0, span_of(""));
	struct twilio_outcome o;

	assert_int_equal(sent(m, 201, span_of("{}")).result, TWILIO_UNKNOWN);
	assert_int_equal(sent(m, 201, span_of("<html>")).result, TWILIO_UNKNOWN);
	assert_int_equal(sent(m, 302, span_of("")).result, TWILIO_RETRY);
	/* Somebody on the way, not Twilio. */
	assert_int_equal(sent(m, 403, span_of("<html>")).result, TWILIO_RETRY);
	assert_int_equal(sent(m, 503, span_of("{\"code\":21211}")).result, TWILIO_UNKNOWN);
	assert_int_equal(sent(m, 429, span_of("{\"code\":21211}")).result, TWILIO_RETRY);
	o = sent(m, 201, span_of("{\"sid\":\"SM1\",\"status\":\"failed\",\"error_code\":30006}"));
	assert_int_equal(o.result, TWILIO_FAILED);
	assert_string_equal(o.reason, "twilio_30006");

	a.outcome = FETCH_NOT_SENT;
	twilio_message_sent(m, &a, &o);
	assert_int_equal(o.result, TWILIO_RETRY);
	a.outcome = FETCH_LOST;
	twilio_message_sent(m, &a, &o);
	assert_int_equal(o.result, TWILIO_UNKNOWN);
	assert_string_equal(o.reason, "no_answer");
	a.outcome = FETCH_TOO_LARGE;
	twilio_message_sent(m, &a, &o);
	assert_int_equal(o.result, TWILIO_UNKNOWN);
	a = answer(429, span_of("{\"code\":20429}"));
	a.retry_after = 77;
	twilio_message_sent(m, &a, &o);
	assert_int_equal(o.retry_after, 77);
}

/* ---- the look ------------------------------------------------------------------- */

static const char *
list_of(struct mem *m, const char *items, const char *next)
{
	return mem_printf(m, "{\"messages\":[%s],\"next_page_uri\":%s}", items, next);
}

static void
a_text_in_the_list_was_sent(void **state)
{
	struct mem *m = *state;
	const char *other = mem_printf(m, ITEM, "sent", "Something else", "outbound-api");
	const char *reply = mem_printf(m, ITEM, "received", TEXT_SAID, "inbound");
	const char *ours = mem_printf(m, ITEM, "delivered", TEXT_SAID, "outbound-api");
	struct twilio_outcome o =
	    looked(m, list_of(m, mem_printf(m, "%s,%s,%s", other, reply, ours), "\"/more\""));

	assert_int_equal(o.result, TWILIO_SENT);
	assert_string_equal(o.id, "SM1");
	assert_string_equal(o.status, "delivered");
	o = looked(m, list_of(m, mem_printf(m, "%s,%s", other, reply), "null"));
	assert_int_equal(o.result, TWILIO_ABSENT);
}

static void
only_a_whole_list_proves_that_it_was_not(void **state)
{
	struct mem *m = *state;
	const char *other = mem_printf(m, ITEM, "sent", "Something else", "outbound-api");
	struct fetch_answer a = answer(500, span_of(list_of(m, "", "null")));
	struct twilio_message later = plain_text;
	struct twilio_outcome o;

	assert_int_equal(looked(m, list_of(m, "", "null")).result, TWILIO_ABSENT);
	assert_int_equal(looked(m, list_of(m, other, "\"/more\"")).result, TWILIO_UNKNOWN);
	assert_int_equal(looked(m, list_of(m, "{\"sid\":\"SM2\"}", "null")).result, TWILIO_UNKNOWN);
	assert_int_equal(looked(m, "{\"messages\":{}}").result, TWILIO_UNKNOWN);
	assert_int_equal(looked(m, "{\"messages\":[]").result, TWILIO_UNKNOWN);
	twilio_message_looked(m, &plain_text, &a, &o);
	assert_int_equal(o.result, TWILIO_UNKNOWN);
	assert_string_equal(o.reason, "http_500");
	a.outcome = FETCH_NOT_SENT;
	twilio_message_looked(m, &plain_text, &a, &o);
	assert_int_equal(o.result, TWILIO_UNKNOWN);

	/* A page that goes back past its time is enough; what is older is another message. */
	later.since_ms = MADE_AT + 1000;
	a = answer(200,
	    span_of(
		list_of(m, mem_printf(m, ITEM, "sent", TEXT_SAID, "outbound-api"), "\"/more\"")));
	twilio_message_looked(m, &later, &a, &o);
	assert_int_equal(o.result, TWILIO_ABSENT);
}

#define TWILIO_CASE(f) cmocka_unit_test_setup_teardown(f, setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TWILIO_CASE(a_text_is_asked_for_in_twilios_form),
		TWILIO_CASE(it_may_be_from_another_number_and_twilio_tells_what_becomes_of_it),
		TWILIO_CASE(it_is_looked_for_by_its_number),
		TWILIO_CASE(a_text_that_cannot_be_is_refused),
		TWILIO_CASE(without_each_setting_there_are_no_texts),
		TWILIO_CASE(recorded_answers_are_understood),
		TWILIO_CASE(other_answers_are_not_believed_too_far),
		TWILIO_CASE(a_text_in_the_list_was_sent),
		TWILIO_CASE(only_a_whole_list_proves_that_it_was_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
