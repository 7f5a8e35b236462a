/*
 * test_flow_number.c - the workflow "phone-number": what each step asks, and what it makes of the
 * answers.
 */
#include "flow_fixture.h"

#include "peers/outcome.h"
#include "work/flow_number.h"

#define NUMBER "6a1d4b0f-2c3d-4e4f-9a5b-123456789abc"
#define MARK "hookswitch:" NUMBER
#define PREPARED                                                                                   \
	"{\"number\":\"+15550100001\",\"sid\":\"PN1\",\"voice\":\"n-1\",\"version\":3,"            \
	"\"assistant\":\"a-1\",\"assistant_id\":\"" CALL "\",\"account\":{\"provider_id\":"        \
	"\"p-1\",\"provider_type\":\"vapi\",\"base_url\":\"https://api.vapi.ai\",\"api_key\":"     \
	"\"key\",\"timeout_ms\":5000},\"want\":{\"country_code\":\"US\",\"number_type\":"          \
	"\"local\",\"area_code\":\"512\",\"page_size\":2}}"

static void
settings(void)
{
	setenv("TWILIO_ACCOUNT_SID", "AC01", 1);
	setenv("TWILIO_AUTH_TOKEN", "secret", 1);
	setenv("API_URL", "https://hooks.example.com", 1);
	setenv("HOOKSWITCH_SECRET_KEY", "test:a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=", 1);
	unsetenv("TWILIO_BASE_URL");
	unsetenv("VAPI_BASE_URL");
	assert_int_equal(settings_load(), 0);
}

static int
setup(void **state)
{
	settings();
	return fixture_setup(state);
}

static struct step_in
in_of(struct mem *m)
{
	struct step_in in = told(m, "{\"number_id\":\"" NUMBER "\"}", PREPARED);

	in.organization_id = ORGANIZATION;
	in.results = parsed(m, "{}");
	return in;
}

static const struct fetch_request *
asked(struct mem *m, const char *name)
{
	struct step_in in = in_of(m);
	struct fetch_request *r = mem_alloc(m, sizeof(*r));

	assert_int_equal(step_of(&flow_number, name)->ask(m, &in, r), 0);
	return r;
}

static struct step_out
said(struct mem *m, const char *name, int status, const char *body)
{
	struct step_in in = in_of(m);

	return verdict(m, step_of(&flow_number, name), &in, status, body);
}

static void
its_steps_are_made_in_sql(void **state)
{
	assert_made(*state, &flow_number, "35_numbers_steps.sql");
	for (size_t i = 0; i < flow_number.nsteps; i++) {
		const struct step *s = &flow_number.steps[i];

		/* Each looks again before it asks, and may be sent again. */
		assert_true(!s->ask || (s->prepare && s->takes_key && s->apply && s->keep));
	}
}

static void
it_waits_without_settings(void **state UNUSED)
{
	static const char *const names[] = { "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "API_URL" };

	for (size_t i = 0; i < COUNT(names); i++) {
		assert_true(flow_number.ready());
		unsetenv(names[i]);
		assert_int_equal(settings_load(), 0);
		assert_false(flow_number.ready());
		settings();
	}
}

static void
each_step_asks_for_its_own(void **state)
{
	static const struct {
		const char *step, *method, *url, *body;
	} requests[] = {
		{ "search", "GET", "/AvailablePhoneNumbers/US/Local.json?AreaCode=512", "" },
		{ "buy", "POST", "/IncomingPhoneNumbers.json",
		    "FriendlyName=hookswitch%3A" NUMBER },
		{ "check", "GET", "/IncomingPhoneNumbers.json?PhoneNumber=%2B15550100001", "" },
		{ "configure", "POST", "/IncomingPhoneNumbers/PN1.json",
		    "SmsUrl=https%3A%2F%2Fhooks.example.com%2Fapi%2Fwebhooks%2Ftwilio%2Fsms" },
		{ "release", "DELETE", "/IncomingPhoneNumbers/PN1.json", "" },
		{ "import", "POST", "api.vapi.ai/phone-number", "\"assistantId\":\"a-1\"" },
		{ "find", "GET", "api.vapi.ai/phone-number?", "" },
		{ "link", "PATCH", "/phone-number/n-1",
		    "https://hooks.example.com/api/webhooks/vapi/" ORGANIZATION },
		{ "unlink", "PATCH", "/phone-number/n-1", "\"server\"" },
		{ "remove", "DELETE", "/phone-number/n-1", "" },
	};

	for (size_t i = 0; i < COUNT(requests); i++) {
		const struct fetch_request *r = asked(*state, requests[i].step);

		assert_string_equal(r->method, requests[i].method);
		assert_non_null(strstr(r->url, requests[i].url));
		assert_non_null(strstr(r->body.len ? body_of(*state, r) : "", requests[i].body));
	}
	assert_non_null(
	    strstr(body_of(*state, asked(*state, "import")), "X-Vapi-Secret\":\"" ORGANIZATION));
}

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
an_import_tells_what_vapi_was_told(void **state)
{
	struct step_out o =
	    said(*state, "import", 201, "{\"id\":\"n-1\",\"twilioAuthToken\":\"s\"}");

	assert_string_equal(o.result,
	    "{\"id\":\"n-1\",\"provider_id\":\"p-1\",\"version\":3,\"assistant\":\"a-1\","
	    "\"assistant_id\":\"" CALL "\"}");
	o = said(*state, "import", 400, "{\"statusCode\":400,\"message\":\"Existing\"}");
	assert_string_equal(o.result, "{\"refused\":\"vapi_400\"}");
	assert_int_equal(said(*state, "import", 201, "{\"id\":\"a/b\"}").verdict, STEP_UNKNOWN);
	o = said(*state, "find", 200, "[{\"number\":\"+15550100001\",\"id\":\"n-9\"}]");
	assert_string_equal(o.result,
	    "{\"id\":\"n-9\",\"provider_id\":\"p-1\",\"version\":3,\"found\":true}");
	assert_string_equal(said(*state, "find", 200, "[]").result, "{\"absent\":true}");
	assert_int_equal(said(*state, "find", 200, "{}").verdict, STEP_UNKNOWN);
}

static void
what_was_told_is_kept_with_its_version(void **state)
{
	assert_string_equal(said(*state, "link", 200, "{\"id\":\"n-1\"}").result,
	    "{\"assistant\":\"a-1\",\"assistant_id\":\"" CALL "\",\"version\":3}");
	assert_string_equal(said(*state, "link", 404, "{\"statusCode\":404,\"message\":\"x\"}")
				.result,
	    "{\"refused\":\"vapi_404\"}");
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
	assert_string_equal(said(*state, "remove", 200, "{\"id\":\"n-1\"}").result, "{}");
	assert_string_equal(said(*state, "remove", 404, "{\"statusCode\":404,\"message\":\"x\"}")
				.result,
	    "{\"gone\":true}");
	/* Nobody else can do it: a refusal is not the end. */
	assert_int_equal(said(*state, "release", 400, "{\"code\":21000}").verdict, STEP_RETRY);
	/* Whoever says 404 without Twilio's words knows nothing of the number. */
	assert_int_equal(said(*state, "release", 404, "<html>").verdict, STEP_RETRY);
	assert_int_equal(said(*state, "remove", 500, "").verdict, STEP_UNKNOWN);
}

#define NUMBER_CASE(f) cmocka_unit_test_setup_teardown(f, setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		NUMBER_CASE(its_steps_are_made_in_sql),
		NUMBER_CASE(it_waits_without_settings),
		NUMBER_CASE(each_step_asks_for_its_own),
		NUMBER_CASE(a_search_tells_what_was_found_and_whether_there_is_more),
		NUMBER_CASE(a_purchase_is_known_by_its_sid),
		NUMBER_CASE(what_was_bought_is_told_by_its_mark),
		NUMBER_CASE(an_import_tells_what_vapi_was_told),
		NUMBER_CASE(what_was_told_is_kept_with_its_version),
		NUMBER_CASE(what_is_gone_is_given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
