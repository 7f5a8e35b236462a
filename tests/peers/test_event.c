/*
 * test_event.c - what the readers of webhooks share: the envelope, keys, the names of classes.
 */
#include "fixture.h"
#include "peers/event.h"

static void
the_envelope_is_opened(void **state)
{
	struct span in;

	(void)state;
	assert_int_equal(event_inner(SPAN("{\"message\":{\"a\":1}}"), &in), SCAN_OK);
	assert_true(span_equal(in, SPAN("{\"a\":1}")));
	assert_int_equal(event_inner(SPAN("{\"message\":7}"), &in), SCAN_OK);
	assert_true(span_equal(in, SPAN("{\"message\":7}")));
	assert_int_equal(event_inner(SPAN("{\"a\":1}"), &in), SCAN_OK);
	assert_true(span_equal(in, SPAN("{\"a\":1}")));
	assert_int_equal(event_inner(SPAN("{\"message\":{}} x"), &in), SCAN_BAD);
}

static void
a_key_is_made_from_the_whole_body(void **state)
{
	struct mem *m = *state;
	struct voice_event e = { .type = "hang", .provider_call_id = "c-1" };

	assert_string_equal(event_body_key(m, &e, SPAN("abc")),
	    "c-1:hang:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	e.provider_call_id = NULL;
	assert_string_equal(event_body_key(m, &e, SPAN("")),
	    ":hang:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void
what_cannot_be_read_is_kept_as_unknown(void **state)
{
	struct mem *m = *state, *small = mem_new(16);
	struct voice_event e;

	assert_int_equal(event_unread(m, SPAN("[[["), &e), EVENT_OK);
	assert_int_equal(e.class, EVENT_UNKNOWN);
	assert_string_equal(e.type, "unknown");
	assert_string_equal(e.reply, "{}");
	assert_non_null(e.key);
	assert_int_equal(event_unread(small, SPAN("[[["), &e), EVENT_NO_MEMORY);
	mem_free(small);
}

static void
each_class_has_the_databases_word(void **state)
{
	(void)state;
	assert_string_equal(voice_class_name(EVENT_UNKNOWN), "unknown");
	assert_string_equal(voice_class_name(EVENT_CHATTER), "chatter");
	assert_string_equal(voice_class_name(EVENT_KEPT), "kept");
	assert_string_equal(voice_class_name(EVENT_MOVES), "moves");
	assert_string_equal(voice_class_name(EVENT_LOOK), "look");
	assert_string_equal(voice_class_name(EVENT_ANSWER), "answer");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST_CASE(the_envelope_is_opened),
		TEST_CASE(a_key_is_made_from_the_whole_body),
		TEST_CASE(what_cannot_be_read_is_kept_as_unknown),
		TEST_CASE(each_class_has_the_databases_word),
	};

	return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
