/*
 * test_flow_number_sweep.c - the workflow "number-sweep": its requests, and what answers become.
 */
#include "tests/peers/fixture.h"

#include "base/settings.h"
#include "work/cron.h"
#include "work/flow_number_sweep.h"

static const char account[] = "{\"provider_type\":\"vapi\",\"base_url\":null,\"api_key\":null}";

static int
setup(void **state)
{
	setenv("TWILIO_ACCOUNT_SID", "AC1", 1);
	setenv("TWILIO_AUTH_TOKEN", "token", 1);
	setenv("TWILIO_BASE_URL", "https://api.twilio.com", 1);
	setenv("API_URL", "https://api.example.com", 1);
	setenv("VAPI_API_KEY", "key", 1);
	assert_int_equal(settings_load(), 0);
	return fixture_setup(state);
}

static const struct step *
step_of(const char *name)
{
	for (size_t i = 0; i < flow_number_sweep.nsteps; i++) {
		if (strcmp(flow_number_sweep.steps[i].name, name) == 0)
			return &flow_number_sweep.steps[i];
	}
	fail();
	return NULL;
}

static struct step_in
told(struct mem *m, const char *step, const char *prepared)
{
	return (struct step_in){ .run_id = "number-sweep:1",
		.workflow = "number-sweep",
		.step = step,
		.organization_id = "",
		.key = "k",
		.attempt = 1,
		.sent_s = -1,
		.prepared = parsed(m, prepared) };
}

static struct fetch_request
asked(struct mem *m, const char *step, const char *prepared)
{
	struct step_in in = told(m, step, prepared);
	struct fetch_request r = { .method = NULL };

	assert_int_equal(step_of(step)->ask(m, &in, &r), 0);
	assert_int_equal(r.body.len, 0);
	return r;
}

static struct step_out
read_of(struct mem *m, const char *step, const char *prepared, int status, const char *body)
{
	struct step_in in = told(m, step, prepared);
	struct fetch_answer a = { .outcome = FETCH_ANSWERED,
		.status = status,
		.retry_after = -1,
		.body = { body, strlen(body) } };
	struct step_out out = { .retry_after = -1 };

	step_of(step)->read(m, &in, &a, &out);
	return out;
}

static void
it_asks_for_what_sql_said(void **state)
{
	struct fetch_request r = asked(*state, "page",
	    "{\"system\":\"twilio\",\"what\":\"numbers\",\"path\":\"/IncomingPhoneNumbers.json\"}");

	assert_string_equal(r.method, "GET");
	assert_string_equal(r.url,
	    "https://api.twilio.com/2010-04-01/Accounts/AC1/IncomingPhoneNumbers.json?PageSize=500");
	r = asked(*state, "page",
	    "{\"system\":\"twilio\",\"path\":\"/IncomingPhoneNumbers.json\","
	    "\"next\":\"/2010-04-01/Accounts/AC1/IncomingPhoneNumbers.json?Page=1\"}");
	assert_non_null(strstr(r.url, "AC1/IncomingPhoneNumbers.json?Page=1"));
	r = asked(*state, "page",
	    mem_printf(*state,
		"{\"system\":\"vapi\",\"what\":\"numbers\",\"path\":\"/phone-number?limit=500\","
		"\"account\":%s}",
		account));
	assert_string_equal(r.method, "GET");
	assert_non_null(strstr(r.url, "/phone-number?limit=500"));
	r = asked(*state, "release",
	    "{\"system\":\"twilio\",\"front\":\"/IncomingPhoneNumbers/\",\"id\":\"PN1\","
	    "\"back\":\".json\"}");
	assert_string_equal(r.method, "DELETE");
	assert_non_null(strstr(r.url, "/IncomingPhoneNumbers/PN1.json"));
	r = asked(*state, "look",
	    mem_printf(*state,
		"{\"system\":\"vapi\",\"front\":\"/assistant/\",\"id\":\"a-1\",\"back\":\"\","
		"\"account\":%s}",
		account));
	assert_string_equal(r.method, "GET");
	assert_non_null(strstr(r.url, "/assistant/a-1"));
}

static void
nothing_is_asked_of_what_is_no_id(void **state)
{
	static const char *const rows[] = {
		"{\"system\":\"twilio\",\"front\":\"/IncomingPhoneNumbers/\",\"id\":\"../x\","
		"\"back\":\".json\"}",
		"{\"system\":\"twilio\",\"front\":\"/IncomingPhoneNumbers/\",\"id\":\"\","
		"\"back\":\".json\"}",
		"{\"system\":\"twilio\",\"id\":\"PN1\",\"back\":\".json\"}",
		"{\"system\":\"vapi\",\"front\":\"/assistant/\",\"id\":\"a\",\"account\":null}",
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct step_in in = told(*state, "release", rows[i]);
		struct fetch_request r = { .method = NULL };

		assert_int_equal(step_of("release")->ask(*state, &in, &r), -1);
	}
}

static void
twilios_page_becomes_our_words(void **state)
{
	struct step_out out =
	    read_of(*state, "page", "{\"system\":\"twilio\",\"what\":\"numbers\"}", 200,
		"{\"incoming_phone_numbers\":[{\"sid\":\"PN1\",\"phone_number\":\"+15550100001\","
		"\"friendly_name\":\"hookswitch:1\",\"sms_url\":\"\",\"voice_fallback_url\":null,"
		"\"status_callback\":\"https://x/\",\"date_created\":\"Mon, 21 Sep 2026 13:33:20 "
		"+0000\"}],\"next_page_uri\":\"/2010-04-01/Accounts/AC1/x\"}");
	const struct json *page;

	assert_int_equal(out.verdict, STEP_DONE);
	page = parsed(*state, out.result);
	assert_string_equal(json_str(json_path(page, "items.0"), "id"), "PN1");
	assert_string_equal(json_str(json_path(page, "items.0"), "number"), "+15550100001");
	assert_string_equal(json_str(json_path(page, "items.0"), "name"), "hookswitch:1");
	assert_null(json_path(page, "items.0.sms_url"));
	assert_string_equal(json_str(page, "next"), "/2010-04-01/Accounts/AC1/x");
	assert_string_equal(json_str(page, "account"), "AC1");
	assert_string_equal(json_str(json_get(page, "urls"), "sms"),
	    "https://api.example.com/api/webhooks/twilio/sms");
	assert_string_equal(json_str(json_get(page, "urls"), "status"),
	    "https://api.example.com/api/webhooks/twilio/status");
	assert_string_equal(json_str(json_get(page, "urls"), "voice"),
	    "https://api.example.com/api/webhooks/twilio/voice");
}

static void
vapis_pages_become_our_words(void **state)
{
	struct step_out out =
	    read_of(*state, "page", "{\"system\":\"vapi\",\"what\":\"numbers\"}", 200,
		"[{\"id\":\"v\",\"number\":\"+15550100001\",\"name\":\"hs:00000001\","
		"\"assistantId\":null,\"server\":{\"url\":\"https://x/\"},"
		"\"twilioAuthToken\":\"secret\",\"createdAt\":\"2026-01-01T00:00:00.000Z\"}]");
	const struct json *page = parsed(*state, out.result);

	assert_string_equal(json_str(json_path(page, "items.0"), "server_url"), "https://x/");
	assert_null(json_path(page, "items.0.assistant"));
	assert_null(strstr(out.result, "secret"));
	assert_null(json_get(page, "next"));
	assert_string_equal(json_str(page, "base"), "https://api.example.com/api/webhooks/vapi/");
	out = read_of(*state, "page", "{\"system\":\"vapi\",\"what\":\"assistants\"}", 200,
	    "[{\"id\":\"a\",\"metadata\":{\"assistant_id\":\"1\",\"organizationId\":\"2\"}}]");
	page = parsed(*state, out.result);
	assert_string_equal(json_str(json_path(page, "items.0"), "mark"), "1");
	assert_string_equal(json_str(json_path(page, "items.0"), "organization"), "2");
}

static void
a_full_page_of_vapis_is_not_the_last(void **state)
{
	CLEANUP(text_clear) struct text t = TEXT(1024 * 1024);
	struct step_out out;

	for (int i = 0; i < 500; i++)
		text_printf(&t, "%s{\"id\":\"v%d\",\"createdAt\":\"2026-01-%02dT00:00:00.000Z\"}",
		    i ? "," : "[", i, 2 + (i * 7) % 27);
	text_putc(&t, ']');
	out = read_of(*state, "page", "{\"system\":\"vapi\",\"what\":\"numbers\"}", 200,
	    text_str(&t));
	assert_string_equal(json_str(parsed(*state, out.result), "next"),
	    "2026-01-02T00:00:00.000Z");
}

static void
what_is_no_whole_page_proves_nothing(void **state)
{
	static const char first[] = "{\"system\":\"twilio\",\"what\":\"numbers\"}";
	static const char later[] = "{\"system\":\"twilio\",\"what\":\"numbers\",\"next\":\"/x\"}";
	static const struct {
		const char *prepared;
		int status;
		const char *body;
		enum step_verdict verdict;
		const char *result;
	} rows[] = {
		{ first, 200, "{\"incoming_phone_numbers\":[]}", STEP_RETRY, NULL },
		{ first, 200, "{\"next_page_uri\":null}", STEP_RETRY, NULL },
		{ first, 200, "{\"incoming_phone_numbers\":[{}],\"next_page_uri\":null}",
		    STEP_RETRY, NULL },
		{ first, 200, "<html>", STEP_RETRY, NULL },
		{ first, 500, "{\"code\":20500}", STEP_RETRY, NULL },
		{ first, 429, "{\"code\":20429}", STEP_RETRY, NULL },
		{ first, 401, "{\"code\":20003}", STEP_RETRY, NULL },
		{ first, 404, "{\"code\":20404}", STEP_FAILED, NULL },
		{ later, 404, "{\"code\":20404}", STEP_DONE, "{\"absent\":true}" },
		{ later, 400, "{\"code\":20001}", STEP_DONE, "{\"absent\":true}" },
		{ later, 500, "{\"code\":20500}", STEP_RETRY, NULL },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct step_out out =
		    read_of(*state, "page", rows[i].prepared, rows[i].status, rows[i].body);

		assert_int_equal(out.verdict, rows[i].verdict);
		if (rows[i].result)
			assert_string_equal(out.result, rows[i].result);
		else
			assert_null(out.result);
	}
}

static void
one_is_there_or_not_or_nobody_knows(void **state)
{
	static const char in[] = "{\"system\":\"twilio\"}";
	struct step_out out = read_of(*state, "look", in, 200, "{\"sid\":\"PN1\"}");

	assert_string_equal(out.result, "{\"found\":true}");
	out = read_of(*state, "look", in, 404, "{\"code\":20404}");
	assert_int_equal(out.verdict, STEP_DONE);
	assert_string_equal(out.result, "{\"absent\":true}");
	assert_int_equal(read_of(*state, "look", in, 404, "<html>").verdict, STEP_RETRY);
	assert_int_equal(read_of(*state, "look", in, 200, "{}").verdict, STEP_RETRY);
	assert_int_equal(read_of(*state, "look", in, 503, "").verdict, STEP_RETRY);
	out = read_of(*state, "look", in, 400, "{\"code\":20001}");
	assert_string_equal(out.result, "{\"refused\":\"twilio_20001\"}");
}

static void
what_is_gone_is_released(void **state)
{
	static const char in[] = "{\"system\":\"twilio\"}";
	struct step_out out = read_of(*state, "release", in, 204, "");

	assert_int_equal(out.verdict, STEP_DONE);
	assert_string_equal(out.result, "{\"gone\":true}");
	out = read_of(*state, "release", in, 404, "{\"code\":20404}");
	assert_string_equal(out.result, "{\"gone\":true}");
	out = read_of(*state, "release", in, 400, "{\"code\":21631}");
	assert_string_equal(out.result, "{\"refused\":\"twilio_21631\"}");
	assert_int_equal(read_of(*state, "release", in, 500, "{\"code\":20500}").verdict,
	    STEP_UNKNOWN);
	assert_int_equal(read_of(*state, "release", in, 404, "<html>").verdict, STEP_RETRY);
}

static void
it_waits_without_an_account(void **state)
{
	struct cron c;

	(void)state;
	assert_int_equal(cron_read(flow_number_sweep.cron, &c), 0);
	assert_true(flow_number_sweep.ready());
	unsetenv("TWILIO_AUTH_TOKEN");
	assert_int_equal(settings_load(), 0);
	assert_false(flow_number_sweep.ready());
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(it_asks_for_what_sql_said),
		CASE(nothing_is_asked_of_what_is_no_id),
		CASE(twilios_page_becomes_our_words),
		CASE(vapis_pages_become_our_words),
		CASE(a_full_page_of_vapis_is_not_the_last),
		CASE(what_is_no_whole_page_proves_nothing),
		CASE(one_is_there_or_not_or_nobody_knows),
		CASE(what_is_gone_is_released),
		CASE(it_waits_without_an_account),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
