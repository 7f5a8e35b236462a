/*
 * test_flow_number.c - the workflow "phone-number": its table, and what each step asks.
 */
#include "number_fixture.h"

static void
its_steps_are_made_in_sql(void **state)
{
	static const char *const files[] = { "35_numbers_steps.sql", "35_numbers_buy.sql",
		"35_numbers_link.sql" };
	char *all = mem_alloc(*state, SQL_MAX);

	for (size_t i = 0, n = 0; i < COUNT(files); i++)
		n += (size_t)snprintf(all + n, SQL_MAX - n, "%s", functions(*state, files[i]));
	for (size_t i = 0; i < flow_number.nsteps; i++) {
		const struct step *s = &flow_number.steps[i];
		const char *made =
		    mem_printf(*state, "function public.%s(p_run jsonb) returns jsonb", s->apply);

		assert_non_null(strstr(all, made));
		/* Each looks again before it asks, and may be sent again. */
		assert_true(!s->ask ||
		    (strcmp(s->prepare, "number_prepare") == 0 && s->takes_key && s->apply &&
			s->keep));
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		NUMBER_CASE(its_steps_are_made_in_sql),
		NUMBER_CASE(it_waits_without_settings),
		NUMBER_CASE(each_step_asks_for_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
