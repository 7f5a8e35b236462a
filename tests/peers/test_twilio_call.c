/*
 * test_twilio_call.c - the request for a call that says something, the look for it, and what
 * Twilio's answers mean.
 */
#include "fixture.h"

#include "base/settings.h"
#include "peers/twilio_call.h"

#include <errno.h>

#define SID "CA00000000000000000000000000000001"
#define MADE_AT INT64_C(1789997600000) /* Mon, 21 Sep 2026 13:33:20 */
#define ITEM(to, direction)                                                                        \
	"{\"sid\":\"" SID "\",\"to\":\"" to "\",\"direction\":\"" direction "\",\"date_created\":" \
	"\"Mon, 21 Sep 2026 13:33:20 +0000\"}"
#define LIST(items, next) "{\"calls\":[" items "],\"next_page_uri\":" next "}"

static const struct twilio_call one = { .to = "+15550100003",
	.twiml = "<Response/>",
	.since_ms = MADE_AT - 1000 };

static void
from_is(const char *from)
{
	setenv("TWILIO_ACCOUNT_SID", "AC01", 1);
	setenv("TWILIO_AUTH_TOKEN", "secret", 1);
	setenv("TWILIO_SMS_FROM", from, 1);
	assert_int_equal(settings_load(), 0);
}

static int
setup(void **state)
{
	from_is("+15550100001");
	return fixture_setup(state);
}

static struct fetch_answer
said(int status, const char *body)
{
	return (struct fetch_answer){ .outcome = FETCH_ANSWERED,
		.status = status,
		.body = span_of(body),
		.type = "",
		.location = "",
		.retry_after = -1 };
}

static void
a_call_is_made_and_looked_for_by_its_number(void **state)
{
	struct fetch_request r;

	assert_int_equal(twilio_call_make(*state, &one, &r), 0);
	assert_string_equal(r.method, "POST");
	assert_string_equal(r.url, "https://api.twilio.com/2010-04-01/Accounts/AC01/Calls.json");
	assert_string_equal(r.body.data,
	    "To=%2B15550100003&From=%2B15550100001&Twiml=%3CResponse%2F%3E");
	assert_int_equal(twilio_call_look(*state, &one, &r), 0);
	assert_string_equal(r.url,
	    "https://api.twilio.com/2010-04-01/Accounts/AC01/Calls.json"
	    "?To=%2B15550100003&From=%2B15550100001&PageSize=50");
}

static void
who_has_no_number_calls_nobody(void **state)
{
	struct twilio_call wrong = one;
	struct fetch_request r;

	wrong.to = "nobody";
	assert_int_equal(twilio_call_make(*state, &wrong, &r), -1);
	assert_int_equal(errno, EINVAL);
	assert_true(twilio_call_ready());
	from_is("MG00000000000000000000000000000001");
	assert_false(twilio_call_ready());
	assert_int_equal(twilio_call_make(*state, &one, &r), -1);
	assert_int_equal(twilio_call_look(*state, &one, &r), -1);
}

static void
each_answer_has_its_meaning(void **state)
{
	static const struct {
		int status;
		const char *body;
		enum outcome_result result;
	} cases[] = {
		{ 201, ITEM("+15550100003", "outbound-api"), OUTCOME_OK },
		{ 201, "{\"sid\":\"nonsense\"}", OUTCOME_UNKNOWN },
		{ 400, "{\"code\":21211,\"message\":\"x\",\"status\":400}", OUTCOME_FAILED },
		{ 429, "{\"code\":20429,\"message\":\"x\",\"status\":429}", OUTCOME_RETRY },
		{ 500, "{\"code\":20500,\"message\":\"x\",\"status\":500}", OUTCOME_UNKNOWN },
	};
	struct fetch_answer a;
	struct outcome o;
	const char *sid;

	for (size_t i = 0; i < COUNT(cases); i++) {
		a = said(cases[i].status, cases[i].body);
		twilio_call_made(*state, &a, &o, &sid);
		assert_int_equal(o.result, cases[i].result);
		assert_int_equal(sid != NULL, i == 0);
	}
}

static void
a_look_finds_what_was_made_since(void **state)
{
	static const struct {
		const char *body;
		int64_t since_ms;
		enum outcome_result result;
	} cases[] = {
		{ LIST(ITEM("+15550100003", "outbound-api"), "null"), MADE_AT - 1000, OUTCOME_OK },
		{ LIST(ITEM("+15550100003", "outbound-api"), "null"), MADE_AT + 1000,
		    OUTCOME_ABSENT },
		{ LIST(ITEM("+15550100003", "inbound"), "null"), MADE_AT - 1000, OUTCOME_ABSENT },
		{ LIST(ITEM("+15550100004", "outbound-api"), "null"), MADE_AT - 1000,
		    OUTCOME_ABSENT },
		{ LIST("", "null"), MADE_AT, OUTCOME_ABSENT },
		{ LIST("", "\"/x\""), MADE_AT, OUTCOME_UNKNOWN },
		{ LIST(ITEM("+15550100003", "outbound-api"), "\"/x\""), MADE_AT + 1000,
		    OUTCOME_ABSENT },
		{ "{}", MADE_AT, OUTCOME_UNKNOWN },
		{ "nonsense", MADE_AT, OUTCOME_UNKNOWN },
	};
	struct twilio_call in = one;
	struct fetch_answer a;
	struct outcome o;
	const char *sid;

	for (size_t i = 0; i < COUNT(cases); i++) {
		in.since_ms = cases[i].since_ms;
		a = said(200, cases[i].body);
		twilio_call_looked(*state, &in, &a, &o, &sid);
		assert_int_equal(o.result, cases[i].result);
		assert_int_equal(sid != NULL, i == 0);
	}
	a = said(404, "{\"code\":20404,\"message\":\"x\",\"status\":404}");
	twilio_call_looked(*state, &in, &a, &o, &sid);
	assert_int_equal(o.result, OUTCOME_UNKNOWN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_call_is_made_and_looked_for_by_its_number, setup,
		    fixture_teardown),
		cmocka_unit_test_setup_teardown(who_has_no_number_calls_nobody, setup,
		    fixture_teardown),
		cmocka_unit_test_setup_teardown(each_answer_has_its_meaning, setup,
		    fixture_teardown),
		cmocka_unit_test_setup_teardown(a_look_finds_what_was_made_since, setup,
		    fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
