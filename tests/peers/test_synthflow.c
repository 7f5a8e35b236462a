/*
 * test_synthflow.c - requests to SynthFlow.
 */
#include "fixture.h"
#include "peers/voice.h"

#include <errno.h>

static const struct voice_account account = { .type = "synthflow",
	.base_url = "https://api.synthflow.ai/v2",
	.api_key = "key-1",
	.timeout_ms = 15000,
	.webhook_url = "https://hooks.example/api/webhooks/synthflow/" ORGANIZATION };

static const struct voice_dial plain = { .assignment_id = ASSIGNMENT,
	.call_id = CALL,
	.organization_id = ORGANIZATION,
	.number = "+15550100004",
	.assistant = "model-1" };

static const struct json *
dialled_body(struct mem *m, const struct voice_account *a, const struct voice_dial *d)
{
	struct fetch_request r;

	assert_int_equal(synthflow_provider.dial(m, a, d, &r), 0);
	assert_string_equal(r.method, "POST");
	assert_string_equal(r.url, "https://api.synthflow.ai/v2/calls");
	assert_string_equal(r.headers[0], "Authorization: Bearer key-1");
	return parsed(m, mem_dup(m, r.body.data, r.body.len));
}

static void
a_dial_says_all_that_synthflow_must_know(void **state)
{
	struct mem *m = *state;
	struct voice_dial d = plain;
	const struct json *j;

	d.name = "Pat Doe";
	d.email = "pat@example.com";
	d.caller = "+15550100001";
	j = dialled_body(m, &account, &d);
	assert_string_equal(at(j, "model_id"), "model-1");
	assert_string_equal(at(j, "phone"), "+15550100004");
	assert_string_equal(at(j, "name"), "Pat Doe");
	assert_string_equal(at(j, "from_phone_number"), "+15550100001");
	assert_string_equal(at(j, "lead_email"), "pat@example.com");
	assert_string_equal(at(j, "external_webhook_url"), account.webhook_url);
	assert_string_equal(at(j, "custom_variables.0.key"), "hookswitch_assignment_id");
	assert_string_equal(at(j, "custom_variables.0.value"), ASSIGNMENT);
	assert_int_equal(json_len(json_get(j, "custom_variables")), 1);
}

static void
what_is_not_known_is_not_said(void **state)
{
	struct mem *m = *state;
	struct voice_account a = account;
	const struct json *j;

	a.webhook_url = NULL;
	j = dialled_body(m, &a, &plain);
	assert_string_equal(at(j, "name"), "there");
	assert_null(json_get(j, "from_phone_number"));
	assert_null(json_get(j, "lead_email"));
	assert_null(json_get(j, "external_webhook_url"));
}

static void
variables_become_strings_and_our_mark_is_ours(void **state)
{
	struct mem *m = *state;
	struct voice_dial d = plain;
	const struct json *list;

	d.variables = parsed(m,
	    "{\"s\":\"text\",\"n\":3,\"t\":true,\"o\":{\"a\":[1]},\"z\":null,\"\":\"x\",\"hooksw"
	    "itch_assignment_id\":\"forged\"}");
	list = json_get(dialled_body(m, &account, &d), "custom_variables");
	assert_int_equal(json_len(list), 5);
	assert_string_equal(at(list, "0.value"), ASSIGNMENT);
	assert_string_equal(at(list, "1.key"), "s");
	assert_string_equal(at(list, "1.value"), "text");
	assert_string_equal(at(list, "2.value"), "3");
	assert_string_equal(at(list, "3.value"), "true");
	assert_string_equal(at(list, "4.value"), "{\"a\":[1]}");
}

static void
what_a_template_says_takes_the_place_of_the_models_words(void **state)
{
	struct mem *m = *state;
	struct voice_dial d = plain;
	const struct json *j;

	d.says = parsed(m, "{\"first_message\":\"Hello\",\"prompt\":\"Be kind.\"}");
	j = dialled_body(m, &account, &d);
	assert_string_equal(at(j, "greeting"), "Hello");
	assert_string_equal(at(j, "prompt"), "Be kind.");

	d.says = NULL;
	j = dialled_body(m, &account, &d);
	assert_null(json_get(j, "greeting"));
	assert_null(json_get(j, "prompt"));
}

static void
calls_are_looked_up_by_list_and_by_id(void **state)
{
	struct mem *m = *state;
	struct voice_look l = { .kind = LOOK_BY_LIST,
		.assignment_id = ASSIGNMENT,
		.number = "+15550100004",
		.assistant = "model-1",
		.since_ms = 1789997500000,
		.offset = 50 };
	struct fetch_request r;

	assert_int_equal(synthflow_provider.look(m, &account, &l, &r), 0);
	assert_string_equal(r.method, "GET");
	assert_string_equal(r.url,
	    "https://api.synthflow.ai/v2/calls?model_id=model-1&lead_phone_number=%2B15550100004"
	    "&limit=50&offset=50");
	l.kind = LOOK_DETAIL;
	l.provider_call_id = "c-1";
	assert_int_equal(synthflow_provider.look(m, &account, &l, &r), 0);
	assert_string_equal(r.url, "https://api.synthflow.ai/v2/calls/c-1");
	l.kind = LOOK_BY_ID;
	assert_int_equal(synthflow_provider.look(m, &account, &l, &r), 0);
	assert_string_equal(r.url, "https://api.synthflow.ai/v2/calls/c-1");
	l.provider_call_id = ".";
	assert_int_equal(synthflow_provider.look(m, &account, &l, &r), -1);
	l.kind = LOOK_BY_LIST;
	l.number = NULL;
	errno = 0;
	assert_int_equal(synthflow_provider.look(m, &account, &l, &r), -1);
	assert_int_equal(errno, EINVAL);
}

static void
what_cannot_be_said_is_not_sent(void **state)
{
	struct mem *m = *state;
	struct voice_account a = account;
	struct voice_dial d = plain;
	struct fetch_request r;

	d.assistant = NULL;
	assert_int_equal(synthflow_provider.dial(m, &account, &d, &r), -1);
	a.api_key = "with blank";
	assert_int_equal(synthflow_provider.dial(m, &a, &plain, &r), -1);
	assert_int_equal(synthflow_provider.hangup(m, &account, "https://api.synthflow.ai/x", &r),
	    -1);
	assert_int_equal(errno, ENOTSUP);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST_CASE(a_dial_says_all_that_synthflow_must_know),
		TEST_CASE(what_is_not_known_is_not_said),
		TEST_CASE(variables_become_strings_and_our_mark_is_ours),
		TEST_CASE(what_a_template_says_takes_the_place_of_the_models_words),
		TEST_CASE(calls_are_looked_up_by_list_and_by_id),
		TEST_CASE(what_cannot_be_said_is_not_sent),
	};

	return cmocka_run_group_tests_name("synthflow", tests, NULL, NULL);
}
