/*
 * test_vapi.c - requests to Vapi.
 */
#include "fixture.h"
#include "peers/voice.h"

#include <errno.h>

static const struct voice_account account = { .id = "p-1",
	.type = "vapi",
	.base_url = "https://api.vapi.ai",
	.api_key = "key-1",
	.timeout_ms = 15000,
	.webhook_url = "https://hooks.example/api/webhooks/vapi/" ORGANIZATION };

static const struct voice_dial plain = { .assignment_id = ASSIGNMENT,
	.call_id = CALL,
	.organization_id = ORGANIZATION,
	.number = "+15550100002",
	.assistant = "assistant-1" };

static const struct json *
dialled_body(struct mem *m, const struct voice_account *a, const struct voice_dial *d)
{
	struct fetch_request r;

	assert_int_equal(vapi_provider.dial(m, a, d, &r), 0);
	return parsed(m, mem_dup(m, r.body.data, r.body.len));
}

static void
a_dial_says_all_that_vapi_must_know(void **state)
{
	struct mem *m = *state;
	struct voice_dial d = plain;
	struct fetch_request r;
	const struct json *j;

	d.name = "Pat \"The\" Doe";
	d.email = "pat@example.com";
	d.caller = "number-1";
	d.token = "token-1";
	d.variables = parsed(m, "{\"first_name\":\"Pat\",\"n\":3}");
	d.voice = parsed(m, "{\"provider\":\"vapi\",\"voiceId\":\"Elliot\"}");
	assert_int_equal(vapi_provider.dial(m, &account, &d, &r), 0);
	assert_string_equal(r.method, "POST");
	assert_string_equal(r.url, "https://api.vapi.ai/call");
	assert_string_equal(r.headers[0], "Authorization: Bearer key-1");
	assert_int_equal(r.timeout_ms, 15000);
	assert_true(r.https_only);
	j = parsed(m, mem_dup(m, r.body.data, r.body.len));
	assert_string_equal(at(j, "assistantId"), "assistant-1");
	assert_string_equal(at(j, "phoneNumberId"), "number-1");
	assert_string_equal(at(j, "name"), ASSIGNMENT);
	assert_string_equal(at(j, "customer.number"), "+15550100002");
	assert_string_equal(at(j, "customer.name"), "Pat \"The\" Doe");
	assert_string_equal(at(j, "customer.email"), "pat@example.com");
	assert_string_equal(at(j, "assistantOverrides.metadata.assignment_id"), ASSIGNMENT);
	assert_string_equal(at(j, "assistantOverrides.metadata.call_id"), CALL);
	assert_string_equal(at(j, "assistantOverrides.metadata.organization_id"), ORGANIZATION);
	assert_string_equal(at(j, "assistantOverrides.variableValues.first_name"), "Pat");
	assert_string_equal(at(j, "assistantOverrides.voice.voiceId"), "Elliot");
}

static void
what_a_template_says_takes_the_place_of_the_assistants_words(void **state)
{
	struct mem *m = *state;
	struct voice_dial d = plain;
	const struct json *o;

	d.says = parsed(m,
	    "{\"first_message\":\"Hello \\\"Pat\\\"\",\"prompt\":\"Be\\nkind.\",\"model_provider\":"
	    "\"openai\",\"model_name\":\"gpt-4o-mini\"}");
	o = json_get(dialled_body(m, &account, &d), "assistantOverrides");
	assert_string_equal(at(o, "firstMessage"), "Hello \"Pat\"");
	assert_string_equal(at(o, "model.provider"), "openai");
	assert_string_equal(at(o, "model.model"), "gpt-4o-mini");
	assert_string_equal(at(o, "model.messages.0.role"), "system");
	assert_string_equal(at(o, "model.messages.0.content"), "Be\nkind.");

	d.says = parsed(m, "{\"first_message\":\"Hello\",\"model_provider\":\"openai\"}");
	o = json_get(dialled_body(m, &account, &d), "assistantOverrides");
	assert_string_equal(at(o, "firstMessage"), "Hello");
	assert_null(json_get(o, "model"));

	d.says = parsed(m, "null");
	o = json_get(dialled_body(m, &account, &d), "assistantOverrides");
	assert_null(json_get(o, "firstMessage"));
	assert_null(json_get(o, "model"));
}

static void
vapi_is_told_where_to_report_and_to_repeat_it(void **state)
{
	struct mem *m = *state;
	struct voice_dial d = plain;
	const struct json *j, *server;

	d.token = "token-1";
	j = dialled_body(m, &account, &d);
	server = json_path(j, "assistantOverrides.server");
	assert_string_equal(at(server, "url"), account.webhook_url);
	assert_string_equal(at(server, "headers.X-Vapi-Secret"), "token-1");
	assert_string_equal(at(server, "backoffPlan.type"), "exponential");
	assert_int_equal(json_int(json_get(server, "backoffPlan"), "maxRetries", 0), 10);
	assert_int_equal(json_int(json_get(server, "backoffPlan"), "baseDelaySeconds", 0), 2);
	assert_in_range(json_int(server, "timeoutSeconds", 0), 1, 300);
	assert_string_equal(at(j, "assistantOverrides.serverMessages.0"), "status-update");
	assert_string_equal(at(j, "assistantOverrides.serverMessages.1"), "end-of-call-report");
}

static void
what_is_not_known_is_not_said(void **state)
{
	struct mem *m = *state;
	struct voice_account a = account;
	const struct json *j;

	a.webhook_url = NULL;
	j = dialled_body(m, &a, &plain);
	assert_null(json_get(j, "phoneNumberId"));
	assert_null(json_path(j, "customer.name"));
	assert_null(json_path(j, "customer.email"));
	assert_null(json_path(j, "assistantOverrides.server"));
	assert_null(json_path(j, "assistantOverrides.serverMessages"));
	assert_null(json_path(j, "assistantOverrides.voice"));
	assert_null(json_path(j, "assistantOverrides.variableValues"));
}

static void
a_long_name_is_cut_at_forty_characters(void **state)
{
	struct mem *m = *state;
	static const struct {
		const char *piece;
		int times, want;
	} rows[] = { { "a", 40, 40 }, { "a", 41, 40 }, { "\xc3\xa9", 50, 80 },
		{ "\xe6\x9d\xb1", 39, 117 }, { "\xf0\x9f\x98\x80", 30, 80 } };
	struct voice_dial d = plain;
	size_t i;
	int k;

	for (i = 0; i < COUNT(rows); i++) {
		struct text name = TEXT(1000);
		for (k = 0; k < rows[i].times; k++)
			text_puts(&name, rows[i].piece);
		d.name = name.data;
		assert_int_equal(strlen(at(dialled_body(m, &account, &d), "customer.name")),
		    rows[i].want);
		text_clear(&name);
	}
}

static void
a_long_address_is_left_out(void **state)
{
	struct mem *m = *state;
	struct voice_dial d = plain;

	d.email = "a.very.long.name.of.a.person@subdomain.example.com";
	assert_null(json_path(dialled_body(m, &account, &d), "customer.email"));
}

static void
what_cannot_be_said_is_not_sent(void **state)
{
	struct mem *m = *state, *small = mem_new(200);
	struct voice_account a = account;
	struct voice_dial d = plain;
	struct fetch_request r;

	d.assistant = NULL;
	errno = 0;
	assert_int_equal(vapi_provider.dial(m, &a, &d, &r), -1);
	assert_int_equal(errno, EINVAL);
	a.api_key = "key\r\nX-Evil: 1";
	errno = 0;
	assert_int_equal(vapi_provider.dial(m, &a, &plain, &r), -1);
	assert_int_equal(errno, EINVAL);
	a.api_key = NULL;
	assert_int_equal(vapi_provider.dial(m, &a, &plain, &r), -1);
	errno = 0;
	assert_int_equal(vapi_provider.dial(small, &account, &plain, &r), -1);
	assert_int_equal(errno, ENOMEM);
	mem_free(small);
}

static void
calls_are_looked_up_by_id_and_by_list(void **state)
{
	struct mem *m = *state;
	struct voice_look l = { .kind = LOOK_BY_ID, .provider_call_id = "c/1?x" };
	struct fetch_request r;

	assert_int_equal(vapi_provider.look(m, &account, &l, &r), 0);
	assert_string_equal(r.method, "GET");
	assert_string_equal(r.url, "https://api.vapi.ai/call/c%2F1%3Fx");
	assert_int_equal(r.body.len, 0);
	l = (struct voice_look){ .kind = LOOK_BY_LIST,
		.assignment_id = ASSIGNMENT,
		.caller = "number-1",
		.since_ms = 1789997500000 };
	assert_int_equal(vapi_provider.look(m, &account, &l, &r), 0);
	assert_string_equal(r.url,
	    "https://api.vapi.ai/call?limit=100&phoneNumberId=number-1&createdAtGe=2026-09-21T13"
	    "%3A31%3A40.000Z");
	l.until_ms = 1789997600001;
	l.caller = NULL;
	assert_int_equal(vapi_provider.look(m, &account, &l, &r), 0);
	assert_string_equal(r.url,
	    "https://api.vapi.ai/call?limit=100&createdAtGe=2026-09-21T13%3A31%3A40.000Z&created"
	    "AtLt=2026-09-21T13%3A33%3A20.001Z");
	l = (struct voice_look){ .kind = LOOK_BY_ID, .provider_call_id = ".." };
	assert_int_equal(vapi_provider.look(m, &account, &l, &r), -1);
	assert_int_equal(errno, EINVAL);
	l.provider_call_id = NULL;
	assert_int_equal(vapi_provider.look(m, &account, &l, &r), -1);
}

static const struct {
	const char *base, *url;
	bool good;
} addresses[] = {
	{ "https://api.vapi.ai", "https://phone-call-websocket.aws-us-west-2.vapi.ai/c/control",
	    true },
	{ "https://api.vapi.ai", "https://vapi.ai/c/control", true },
	{ "https://api.vapi.ai", "HTTPS://X.VAPI.AI:8443/c/control", true },
	{ "https://api.vapi.ai", "http://x.vapi.ai/c/control", false },
	{ "https://api.vapi.ai", "https://x.vapi.ai.evil.example/c", false },
	{ "https://api.vapi.ai", "https://evilvapi.ai/c", false },
	{ "https://api.vapi.ai", "https://x.vapi.ai@evil.example/c", false },
	{ "https://api.vapi.ai", "https://evil.example\\.vapi.ai/c", false },
	{ "https://api.vapi.ai", "https://evil.example#.vapi.ai", false },
	{ "https://api.vapi.ai", "https://evil.example?.vapi.ai", false },
	{ "https://api.vapi.ai", "https://x.vapi.ai/c\r\nX: y", false },
	{ "https://api.vapi.ai", "wss://x.vapi.ai/c", false },
	{ "https://api.vapi.ai", "", false },
	{ "http://127.0.0.1:9000", "http://127.0.0.1:9000/control/1", true },
	{ "http://127.0.0.1:9000", "http://127.0.0.1:9000.evil.example/1", false },
	{ "http://127.0.0.1:9000", "http://127.0.0.1:90001/1", false },
	{ "http://127.0.0.1:9000/base", "http://127.0.0.1:9000/control", true },
	{ "http://127.0.0.1:9000", "http://127.0.0.2:9000/1", false },
};

static void
a_control_address_is_used_only_on_vapis_own_ground(void **state)
{
	struct mem *m = *state;
	struct voice_account a = account;
	struct fetch_request r;
	size_t i;

	for (i = 0; i < COUNT(addresses); i++) {
		a.base_url = addresses[i].base;
		if ((vapi_provider.hangup(m, &a, addresses[i].url, &r) == 0) != addresses[i].good)
			fail_msg("%s for %s", addresses[i].url, addresses[i].base);
		if (!addresses[i].good)
			continue;
		assert_string_equal(r.url, addresses[i].url);
		assert_string_equal(at(parsed(m, r.body.data), "type"), "end-call");
		assert_string_equal(r.headers[0], "Content-Type: application/json");
		assert_null(r.headers[1]);
	}
	assert_int_equal(vapi_provider.hangup(m, &a, NULL, &r), -1);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST_CASE(a_dial_says_all_that_vapi_must_know),
		TEST_CASE(what_a_template_says_takes_the_place_of_the_assistants_words),
		TEST_CASE(vapi_is_told_where_to_report_and_to_repeat_it),
		TEST_CASE(what_is_not_known_is_not_said),
		TEST_CASE(a_long_name_is_cut_at_forty_characters),
		TEST_CASE(a_long_address_is_left_out),
		TEST_CASE(what_cannot_be_said_is_not_sent),
		TEST_CASE(calls_are_looked_up_by_id_and_by_list),
		TEST_CASE(a_control_address_is_used_only_on_vapis_own_ground),
	};

	return cmocka_run_group_tests_name("vapi", tests, NULL, NULL);
}
