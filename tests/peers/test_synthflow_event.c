/*
 * test_synthflow_event.c - SynthFlow's webhooks: they say "look now" and nothing else.
 */
#include "fixture.h"
#include "peers/voice.h"

#define THEIRS "3baf4e6e-e32b-7ef8-865e-62cd5abe4103"

static struct voice_event
event(struct mem *m, struct span body)
{
	struct voice_event e;

	assert_int_equal(synthflow_event(m, body, &e), EVENT_OK);
	assert_non_null(e.key);
	assert_string_equal(e.reply, "{}");
	assert_null(e.report);
	return e;
}

static void
every_event_says_look_now(void **state)
{
	struct mem *m = *state;
	static const struct {
		const char *name, *key;
	} rows[] = {
		{ "completed", THEIRS ":post-call:completed" },
		{ "custom-end", "1bf5639c-3dba-79ed-8b32-ca5bee555240:post-call:completed" },
		{ "failed", "57ab2914-9c03-7cb7-8747-a9e142203961:post-call:failed" },
		{ "no-answer", "59918339-8d39-7705-81f5-23b4552dcbcf:post-call:no-answer" },
		{ "voicemail", "c72d3c45-20e2-7707-8245-bc751c490612:post-call:left_voicemail" },
	};
	struct voice_event e;
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		e = event(m,
		    fixture(m, mem_printf(m, "synthflow/webhook.post-call.%s.json", rows[i].name)));
		assert_int_equal(e.class, EVENT_LOOK);
		assert_string_equal(e.type, "post-call");
		assert_string_equal(e.key, rows[i].key);
		assert_memory_equal(e.provider_call_id, rows[i].key, strlen(e.provider_call_id));
		assert_null(e.assignment_id);
	}
}

static void
our_mark_is_read(void **state)
{
	struct mem *m = *state;
	struct span body = fixture(m, "synthflow/webhook.post-call.completed.json");

	body = with(m, body, "\"order_id\"",
	    "\"hookswitch_assignment_id\":\"" ASSIGNMENT "\",\"order_id\"");
	assert_string_equal(event(m, body).assignment_id, ASSIGNMENT);
}

static void
unknown_states_make_no_keys_of_their_own(void **state)
{
	struct mem *m = *state;

	assert_string_equal(event(m, SPAN("{\"call\":{\"call_id\":\"c-1\",\"status\":\"x1\"}}"))
				.key,
	    "c-1:post-call:other");
	assert_string_equal(event(m, SPAN("{\"call\":{\"call_id\":\"c-1\"}}")).key,
	    "c-1:post-call:other");
}

static void
other_bodies_are_unknown_or_no_json(void **state)
{
	struct mem *m = *state, *small = mem_new(16);
	static const char *const odd[] = { "{}", "[]", "{\"call\":{\"call_id\":7}}",
		"{\"call\":{\"call_id\":\"\"}}", "{\"call_id\":\"c-1\"}" };
	struct voice_event e;
	size_t i;

	for (i = 0; i < COUNT(odd); i++) {
		e = event(m, span_of(odd[i]));
		assert_int_equal(e.class, EVENT_UNKNOWN);
		assert_null(e.provider_call_id);
	}
	assert_int_equal(synthflow_event(m, SPAN("{\"call\":"), &e), EVENT_NOT_JSON);
	assert_int_equal(synthflow_event(m, SPAN(""), &e), EVENT_NOT_JSON);
	assert_int_equal(synthflow_event(small, SPAN("{\"call\":{\"call_id\":\"c-1\"}}"), &e),
	    EVENT_NO_MEMORY);
	mem_free(small);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST_CASE(every_event_says_look_now),
		TEST_CASE(our_mark_is_read),
		TEST_CASE(unknown_states_make_no_keys_of_their_own),
		TEST_CASE(other_bodies_are_unknown_or_no_json),
	};

	return cmocka_run_group_tests_name("synthflow_event", tests, NULL, NULL);
}
