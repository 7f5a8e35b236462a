/*
 * test_vapi_tools.c - the answers that Vapi gets: an error for each tool call and for each request.
 */
#include "fixture.h"
#include "peers/voice.h"

static struct voice_event
event(struct mem *m, struct span body)
{
	struct voice_event e;

	assert_int_equal(vapi_event(m, body, &e), EVENT_OK);
	assert_non_null(e.type);
	assert_non_null(e.key);
	parsed(m, e.reply);
	return e;
}

static struct voice_event
stored(struct mem *m, const char *name)
{
	return event(m, fixture(m, mem_printf(m, "vapi/webhook.%s.json", name)));
}

static void
each_tool_call_is_answered_with_an_error(void **state)
{
	struct mem *m = *state;
	static const char *const spellings[] = { "tool-calls", "tool-calls.string-arguments",
		"tool-calls.documented-flat", "tool-calls.documented-parameters" };
	const struct json *j;
	size_t i;

	for (i = 0; i < COUNT(spellings); i++) {
		j = parsed(m, stored(m, spellings[i]).reply);
		assert_int_equal(json_len(json_get(j, "results")), 1);
		assert_string_equal(at(j, "results.0.toolCallId"), "call_abc123");
		assert_string_equal(at(j, "results.0.name"), "book_appointment");
		assert_string_not_equal(at(j, "results.0.error"), "(none)");
		assert_null(json_path(j, "results.0.result"));
	}
	j = parsed(m, stored(m, "tool-calls.two").reply);
	assert_int_equal(json_len(json_get(j, "results")), 2);
	assert_string_equal(at(j, "results.1.toolCallId"), "call_abc123b");
	assert_string_equal(at(j, "results.1.name"), "unknown_tool");
}

static void
tool_calls_are_found_in_whichever_list_has_them(void **state)
{
	struct mem *m = *state;
	static const char *const lists[] = {
		"\"toolCallList\":[],\"toolCalls\":[{\"id\":\"t-1\",\"function\":{\"name\":\"f\""
		"}}]",
		"\"toolCalls\":null,\"toolWithToolCallList\":[{\"name\":\"f\",\"toolCall\":{\"id"
		"\":\"t-1\",\"parameters\":{}}}]",
		"\"toolWithToolCallList\":[{\"toolCall\":{\"id\":\"t-1\",\"function\":{\"name\":"
		"\"f\"}}}]",
		"\"toolCallList\":[{\"no\":\"id\"},{\"id\":7},{\"id\":\"t-1\",\"name\":\"f\"}]",
	};
	const struct json *j;
	size_t i;

	for (i = 0; i < COUNT(lists); i++) {
		const char *body = mem_printf(m,
		    "{\"message\":{\"type\":\"tool-calls\",\"call\":{\"id\":\"c-1\"},%s}}",
		    lists[i]);
		j = parsed(m, event(m, span_of(body)).reply);
		assert_int_equal(json_len(json_get(j, "results")), 1);
		assert_string_equal(at(j, "results.0.toolCallId"), "t-1");
		assert_string_equal(at(j, "results.0.name"), "f");
	}
	assert_string_equal(event(m, SPAN("{\"message\":{\"type\":\"tool-calls\"}}")).reply,
	    "{\"results\":[]}");
	assert_string_equal(
	    event(m, SPAN("{\"message\":{\"type\":\"tool-calls\",\"toolCallList\":{\"a\":1}}}"))
		.reply,
	    "{\"results\":[]}");
}

static void
requests_that_we_cannot_serve_are_answered_with_an_error(void **state)
{
	struct mem *m = *state;
	static const char *const names[] = { "assistant-request", "transfer-destination-request",
		"handoff-destination-request" };
	size_t i;

	for (i = 0; i < COUNT(names); i++)
		assert_true(strlen(at(parsed(m, stored(m, names[i]).reply), "error")) > 10);
	assert_true(strlen(at(parsed(m, stored(m, "function-call.legacy").reply), "result")) > 10);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST_CASE(each_tool_call_is_answered_with_an_error),
		TEST_CASE(tool_calls_are_found_in_whichever_list_has_them),
		TEST_CASE(requests_that_we_cannot_serve_are_answered_with_an_error),
	};

	return cmocka_run_group_tests_name("vapi_tools", tests, NULL, NULL);
}
