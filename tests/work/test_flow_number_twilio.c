/*
 * test_flow_number_twilio.c - the workflow "phone-number": what it makes of Twilio's answers.
 */
#include "number_fixture.h"

static void
a_search_tells_what_was_found_and_whether_there_is_more(void **state)
{
	struct span two = fixture(*state, "twilio/available.local.response.200.json");
	struct step_out o = said(*state, "search", 200, two.data);

	assert_int_equal(o.verdict, STEP_DONE);
	assert_int_equal(json_len(json_get(parsed(*state, o.result), "candidates")), 2);
	assert_true(json_bool(parsed(*state, o.result), "full", false));
	o = said(*state, "search", 200, "{\"available_phone_numbers\":[]}");
	assert_string_equal(o.result, "{\"candidates\":[],\"full\":false}");
	o = said(*state, "search", 400, "{\"code\":21451}");
	assert_string_equal(o.result, "{\"refused\":\"twilio_21451\"}");
	assert_int_equal(said(*state, "search", 200, "{}").verdict, STEP_RETRY);
	assert_int_equal(said(*state, "search", 429, "{\"code\":20429}").verdict, STEP_RETRY);
	assert_int_equal(said(*state, "search", 500, "").verdict, STEP_UNKNOWN);
}

#define BOUGHT(mark)                                                                               \
	"{\"sid\":\"PN1\",\"phone_number\":\"+15550100001\",\"account_sid\":\"AC01\","             \
	"\"friendly_name\":\"" mark "\",\"capabilities\":{\"voice\":true}}"
#define CAN "{\"voice\":true,\"sms\":false,\"mms\":false,\"fax\":false}"

static void
a_purchase_is_known_by_its_sid(void **state)
{
	struct step_out o = said(*state, "buy", 201, BOUGHT("x"));

	assert_int_equal(o.verdict, STEP_DONE);
	assert_string_equal(o.result,
	    "{\"sid\":\"PN1\",\"account\":\"AC01\",\"capabilities\":" CAN "}");
	o = said(*state, "buy", 400, "{\"code\":21422}");
	assert_int_equal(o.verdict, STEP_DONE);
	assert_string_equal(o.result, "{\"refused\":\"twilio_21422\"}");
	assert_int_equal(said(*state, "buy", 201, "{}").verdict, STEP_UNKNOWN);
	assert_int_equal(said(*state, "buy", 500, "{\"code\":20500}").verdict, STEP_UNKNOWN);
	/* That is not the number's fault. */
	o = said(*state, "buy", 404, "{\"code\":20404}");
	assert_int_equal(o.verdict, STEP_RETRY);
	assert_int_equal(o.retry_after, OUTCOME_AGAIN_SETTINGS);
}

static void
what_was_bought_is_told_by_its_mark(void **state)
{
#define LIST(one) "{\"incoming_phone_numbers\":[" one "]}"
	struct step_out o = said(*state, "check", 200, LIST(BOUGHT(MARK)));

	assert_string_equal(o.result,
	    "{\"sid\":\"PN1\",\"account\":\"AC01\",\"capabilities\":" CAN "}");
	o = said(*state, "check", 200, LIST(BOUGHT("somebody's")));
	assert_string_equal(o.result, "{\"refused\":\"number_not_ours\"}");
	o = said(*state, "check", 200, LIST(""));
	assert_string_equal(o.result, "{\"absent\":true}");
	/* What is no list proves nothing. */
	assert_int_equal(said(*state, "check", 200, "{}").verdict, STEP_UNKNOWN);
	assert_int_equal(said(*state, "check", 200, LIST("{}")).verdict, STEP_UNKNOWN);
	assert_int_equal(said(*state, "check", 502, "").verdict, STEP_UNKNOWN);
}

static void
what_was_set_is_kept_with_its_version(void **state)
{
	assert_string_equal(said(*state, "configure", 200, BOUGHT("x")).result, "{\"version\":3}");
	assert_string_equal(said(*state, "configure", 404, "{\"code\":20404}").result,
	    "{\"version\":3,\"refused\":\"twilio_20404\"}");
	assert_int_equal(said(*state, "configure", 500, "").verdict, STEP_UNKNOWN);
}

static void
what_is_gone_is_given_back(void **state)
{
	assert_string_equal(said(*state, "release", 204, "").result, "{}");
	assert_string_equal(said(*state, "release", 404, "{\"code\":20404}").result,
	    "{\"gone\":true}");
	/* Nobody else can do it: a refusal is not the end. */
	assert_int_equal(said(*state, "release", 400, "{\"code\":21000}").verdict, STEP_RETRY);
	/* Whoever says 404 without Twilio's words knows nothing of the number. */
	assert_int_equal(said(*state, "release", 404, "<html>").verdict, STEP_RETRY);
}

static void
what_another_account_has_is_not_gone(void **state)
{
	static const char *const names[] = { "release", "configure" };
	struct step_in in = in_of(*state);

	in.prepared = parsed(*state, "{\"sid\":\"PN1\",\"version\":3,\"twilio_account\":\"AC02\"}");
	for (size_t i = 0; i < COUNT(names); i++) {
		struct step_out o =
		    verdict(*state, step_of(&flow_number, names[i]), &in, 404, "{\"code\":20404}");

		assert_int_equal(o.verdict, STEP_RETRY);
		assert_string_equal(o.reason, "other_account");
		assert_int_equal(o.retry_after, OUTCOME_AGAIN_SETTINGS);
	}
	in.prepared = parsed(*state, "{\"sid\":\"PN1\",\"version\":3,\"twilio_account\":\"AC01\"}");
	assert_string_equal(verdict(*state, step_of(&flow_number, "release"), &in, 404,
				"{\"code\":20404}")
				.result,
	    "{\"gone\":true}");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		NUMBER_CASE(a_search_tells_what_was_found_and_whether_there_is_more),
		NUMBER_CASE(a_purchase_is_known_by_its_sid),
		NUMBER_CASE(what_was_bought_is_told_by_its_mark),
		NUMBER_CASE(what_was_set_is_kept_with_its_version),
		NUMBER_CASE(what_is_gone_is_given_back),
		NUMBER_CASE(what_another_account_has_is_not_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
