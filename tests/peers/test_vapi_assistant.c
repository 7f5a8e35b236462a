/*
 * test_vapi_assistant.c - an assistant as Vapi wants it, and found again in Vapi's list.
 */
#include "tests/peers/fixture.h"

#include "base/settings.h"
#include "peers/vapi_assistant.h"

#define URL "https://hooks.example/api/webhooks/vapi/" ORGANIZATION
#define TOKEN ORGANIZATION ".proof"

static const char full[] =
    "{\"id\":\"" CALL "\",\"organization_id\":\"" ORGANIZATION "\",\"name\":\"Front desk\","
    "\"first_message\":\"Hello \\\"you\\\"\",\"system_prompt\":\"Be brief.\","
    "\"end_call_message\":\"Bye\",\"end_call_phrases\":[\"bye now\"],"
    "\"voicemail_message\":\"Call back\",\"model_provider\":\"openai\",\"model_name\":\"gpt-4o\","
    "\"model_temperature\":0.3,\"voice_provider\":\"11labs\",\"voice_id\":\"v1\","
    "\"voice_settings\":{\"stability\":0.5,\"model\":\"eleven_flash_v2_5\"},"
    "\"transcriber_provider\":\"deepgram\",\"transcriber_model\":\"nova-3\",\"language\":\"de\","
    "\"background_sound\":\"off\",\"silence_timeout_seconds\":30,\"max_duration_seconds\":900}";

static const char bare[] =
    "{\"id\":\"" CALL "\",\"organization_id\":\"" ORGANIZATION "\",\"name\":\"Bare\","
    "\"first_message\":null,\"system_prompt\":null,\"end_call_message\":null,"
    "\"end_call_phrases\":[],\"voicemail_message\":null,\"model_provider\":\"openai\","
    "\"model_name\":\"gpt-4o\",\"model_temperature\":1,\"voice_provider\":\"vapi\","
    "\"voice_id\":\"Elliot\",\"voice_settings\":{},\"transcriber_provider\":\"azure\","
    "\"transcriber_model\":\"nova-3\",\"language\":\"en\",\"background_sound\":null,"
    "\"max_duration_seconds\":600}";

static const struct json *
written(struct mem *m, const char *row, bool whole)
{
	CLEANUP(text_clear) struct text t = TEXT(VAPI_ASSISTANT_MAX);

	vapi_assistant_write(&t, parsed(m, row), whole, URL, TOKEN);
	assert_true(text_ok(&t));
	return parsed(m, mem_dup(m, text_str(&t), t.len));
}

static void
all_of_the_row_is_told(void **state)
{
	const struct json *j = written(*state, full, false);

	assert_string_equal(at(j, "name"), "Front desk");
	assert_string_equal(at(j, "firstMessage"), "Hello \"you\"");
	assert_string_equal(at(j, "model.provider"), "openai");
	assert_string_equal(at(j, "model.model"), "gpt-4o");
	assert_string_equal(at(j, "model.messages.0.role"), "system");
	assert_string_equal(at(j, "model.messages.0.content"), "Be brief.");
	assert_float_equal(json_double(json_get(j, "model"), "temperature", 0), 0.3, 0.001);
	assert_string_equal(at(j, "voice.provider"), "11labs");
	assert_string_equal(at(j, "voice.voiceId"), "v1");
	assert_string_equal(at(j, "voice.model"), "eleven_flash_v2_5");
	assert_float_equal(json_double(json_get(j, "voice"), "stability", 0), 0.5, 0.001);
	assert_string_equal(at(j, "transcriber.model"), "nova-3");
	assert_string_equal(at(j, "transcriber.language"), "de");
	assert_string_equal(at(j, "endCallMessage"), "Bye");
	assert_string_equal(at(j, "endCallPhrases.0"), "bye now");
	assert_string_equal(at(j, "voicemailMessage"), "Call back");
	assert_string_equal(at(j, "backgroundSound"), "off");
	assert_int_equal(json_int(j, "maxDurationSeconds", 0), 900);
	assert_string_equal(at(j, "metadata.assistant_id"), CALL);
	assert_string_equal(at(j, "metadata.organizationId"), ORGANIZATION);
	assert_string_equal(at(j, "server.url"), URL);
	assert_string_equal(at(j, "server.headers.X-Vapi-Secret"), TOKEN);
	assert_int_equal(json_int(json_path(j, "server.backoffPlan"), "maxRetries", 0), 10);
	assert_int_equal(json_len(json_get(j, "serverMessages")), 4);
	/* Vapi's schema has it no more, and unknown members are refused. */
	assert_null(json_get(j, "silenceTimeoutSeconds"));
}

static void
what_is_not_set_is_left_out_at_first(void **state)
{
	const struct json *j = written(*state, bare, false);

	assert_null(json_get(j, "firstMessage"));
	assert_null(json_get(j, "endCallMessage"));
	assert_null(json_get(j, "endCallPhrases"));
	assert_null(json_get(j, "backgroundSound"));
	assert_int_equal(json_len(json_path(j, "model.messages")), 0);
	assert_null(json_path(j, "transcriber.model"));
}

static void
a_change_clears_what_is_not_set(void **state)
{
	const struct json *j = written(*state, bare, true);

	assert_string_equal(at(j, "firstMessage"), "");
	assert_string_equal(at(j, "endCallMessage"), "");
	assert_string_equal(at(j, "voicemailMessage"), "");
	assert_int_equal(json_type(json_get(j, "endCallPhrases")), JSON_ARRAY);
	assert_string_equal(at(j, "backgroundSound"), "office");
}

static void
it_is_found_by_our_mark(void **state)
{
	const struct json *list = parsed(*state,
	    "[{\"id\":\"a\"},{\"id\":\"b\",\"metadata\":null},{\"id\":\"c\",\"metadata\":{"
	    "\"assistant_id\":\"" ASSIGNMENT "\"}},{\"metadata\":{\"assistant_id\":\"" CALL "\"}},"
	    "{\"id\":\"e\",\"metadata\":{\"assistant_id\":\"" CALL "\"}}]");

	assert_string_equal(vapi_assistant_find(list, CALL), "e");
	assert_string_equal(vapi_assistant_find(list, ASSIGNMENT), "c");
	assert_null(vapi_assistant_find(list, ORGANIZATION));
	assert_null(vapi_assistant_find(list, NULL));
	assert_null(vapi_assistant_find(NULL, CALL));
	/* One that is not ours, as it was recorded. */
	assert_null(
	    vapi_assistant_find(parsed(*state,
				    fixture(*state, "vapi/assistant.list.response.200.json").data),
		CALL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_of_the_row_is_told, fixture_setup,
		    fixture_teardown),
		cmocka_unit_test_setup_teardown(what_is_not_set_is_left_out_at_first, fixture_setup,
		    fixture_teardown),
		cmocka_unit_test_setup_teardown(a_change_clears_what_is_not_set, fixture_setup,
		    fixture_teardown),
		cmocka_unit_test_setup_teardown(it_is_found_by_our_mark, fixture_setup,
		    fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
