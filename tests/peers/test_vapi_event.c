/*
 * test_vapi_event.c - Vapi's webhooks: today's messages and the forms of the older samples.
 */
#include "fixture.h"
#include "peers/voice.h"

#define OURS "7a059b01-6350-7d68-89b3-08dc97fa2bce"

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

/* ---- all kinds ------------------------------------------------------ */

static const struct {
	const char *name;
	enum voice_event_class class;
	const char *type;
} messages[] = {
	{ "status-update.scheduled", EVENT_MOVES, "status-update" },
	{ "status-update.queued", EVENT_MOVES, "status-update" },
	{ "status-update.ringing", EVENT_MOVES, "status-update" },
	{ "status-update.in-progress", EVENT_MOVES, "status-update" },
	{ "status-update.forwarding", EVENT_MOVES, "status-update" },
	{ "status-update.ended", EVENT_MOVES, "status-update" },
	{ "status-update.ended.concurrency", EVENT_MOVES, "status-update" },
	{ "end-of-call-report", EVENT_MOVES, "end-of-call-report" },
	{ "end-of-call-report.unanswered", EVENT_MOVES, "end-of-call-report" },
	{ "tool-calls", EVENT_ANSWER, "tool-calls" },
	{ "assistant-request", EVENT_ASK, "assistant-request" },
	{ "transfer-destination-request", EVENT_ANSWER, "transfer-destination-request" },
	{ "handoff-destination-request", EVENT_ANSWER, "handoff-destination-request" },
	{ "function-call.legacy", EVENT_ANSWER, "function-call" },
	{ "speech-update.started", EVENT_CHATTER, "speech-update" },
	{ "conversation-update", EVENT_CHATTER, "conversation-update" },
	{ "model-output", EVENT_CHATTER, "model-output" },
	{ "transcript.final", EVENT_KEPT, "transcript" },
	{ "transcript.partial", EVENT_KEPT, "transcript" },
	{ "hang", EVENT_KEPT, "hang" },
	{ "transfer-update", EVENT_KEPT, "transfer-update" },
	{ "user-interrupted", EVENT_KEPT, "user-interrupted" },
	{ "assistant.started", EVENT_KEPT, "assistant.started" },
	{ "assistant.speechStarted", EVENT_KEPT, "assistant.speechStarted" },
	{ "language-change-detected", EVENT_KEPT, "language-change-detected" },
	{ "phone-call-control", EVENT_KEPT, "phone-call-control" },
	{ "call.deleted", EVENT_KEPT, "call.deleted" },
	{ "call.artifact.upload", EVENT_KEPT, "call.artifact.upload" },
	{ "unknown-type", EVENT_UNKNOWN, "something.new.in.2027" },
};

static void
every_message_has_its_class(void **state)
{
	struct mem *m = *state;
	struct voice_event e;
	size_t i;

	for (i = 0; i < COUNT(messages); i++) {
		e = stored(m, messages[i].name);
		if (e.class != messages[i].class)
			fail_msg("%s has class %s", messages[i].name, voice_class_name(e.class));
		assert_string_equal(e.type, messages[i].type);
		assert_string_equal(e.provider_call_id,
		    strstr(messages[i].name, "unanswered") ? "b2c05a6a-16f8-7e54-8660-56b0af956a"
							     "5d" :
							     OURS);
		assert_int_equal(e.report != NULL,
		    messages[i].class == EVENT_MOVES || messages[i].class == EVENT_ASK);
		assert_int_equal(strcmp(e.reply, "{}") != 0,
		    messages[i].class == EVENT_ANSWER || messages[i].class == EVENT_ASK);
	}
}

static void
keys_tell_events_apart_and_repeats_not(void **state)
{
	struct mem *m = *state;
	struct span hang = fixture(m, "vapi/webhook.hang.json");
	struct span tools = fixture(m, "vapi/webhook.tool-calls.json");
	const char *key;

	assert_string_equal(stored(m, "status-update.ringing").key, OURS ":status-update:ringing");
	assert_string_equal(stored(m, "status-update.ended").key, OURS ":status-update:ended");
	assert_string_equal(stored(m, "end-of-call-report").key, OURS ":end-of-call-report");
	assert_string_equal(stored(m, "assistant-request").key, OURS ":assistant-request");
	key = event(m, hang).key;
	assert_memory_equal(key, OURS ":hang:", strlen(OURS ":hang:"));
	assert_int_equal(strlen(key), strlen(OURS ":hang:") + 64);
	assert_string_not_equal(key, event(m, with(m, hang, "1789999918123", "1789999918124")).key);
	/* The same tool calls are the same event, whatever else changed. */
	key = event(m, tools).key;
	assert_string_equal(key, OURS ":tool-calls:call_abc123");
	assert_string_equal(stored(m, "tool-calls.two").key,
	    OURS ":tool-calls:call_abc123,call_abc123b");
	assert_string_equal(key, event(m, with(m, tools, "1789999918123", "1789999918124")).key);
	assert_string_not_equal(key, stored(m, "tool-calls.two").key);
	/* Odd ids are hashed. */
	key = event(m,
	    SPAN("{\"message\":{\"type\":\"tool-calls\",\"call\":{\"id\":\"c-1\"},\"toolCallList"
		 "\":[{\"id\":\"a \\u0000\"}]}}"))
		  .key;
	assert_int_equal(strlen(key), strlen("c-1:tool-calls:") + 64);
	/* Without the call's id a status alone would make all calls one. */
	assert_string_not_equal(
	    event(m,
		SPAN("{\"message\":{\"type\":\"status-update\",\"status\":\"ended\",\"n\":1}}"))
		.key,
	    event(m,
		SPAN("{\"message\":{\"type\":\"status-update\",\"status\":\"ended\",\"n\":2}}"))
		.key);
	assert_string_not_equal(event(m,
				    SPAN("{\"message\":{\"type\":\"end-of-call-report\",\"n\":1}}"))
				    .key,
	    event(m, SPAN("{\"message\":{\"type\":\"end-of-call-report\",\"n\":2}}")).key);
}

static void
our_mark_is_read_from_metadata_and_name(void **state)
{
	struct mem *m = *state;
	struct span body = fixture(m, "vapi/webhook.status-update.ringing.json");

	assert_null(event(m, body).assignment_id);
	assert_string_equal(event(m, with(m, body, "hs-42-000000000001", ASSIGNMENT)).assignment_id,
	    ASSIGNMENT);
	body = with(m, body, "\"dispatch_id\"",
	    "\"assignment_id\":\"5F0C3A9E-1B2C-4D3E-8F4A-0123456789AB\",\"dispatch_id\"");
	assert_string_equal(event(m, body).assignment_id, ASSIGNMENT);
	assert_string_equal(at(parsed(m, event(m, body).report), "assignment_id"), ASSIGNMENT);
}

/* ---- reports -------------------------------------------------------- */

static void
a_status_update_moves_the_call(void **state)
{
	struct mem *m = *state;
	const struct json *j = parsed(m, stored(m, "status-update.in-progress").report);

	assert_string_equal(at(j, "status"), "in-progress");
	assert_string_equal(at(j, "provider_call_id"), OURS);
	assert_string_equal(at(j, "at"), "2026-09-21T14:11:58.123Z");
	assert_null(json_get(j, "final"));
	assert_null(json_get(j, "cost_cents"));
	j = parsed(m, stored(m, "status-update.scheduled").report);
	assert_string_equal(at(j, "status"), "queued");
	j = parsed(m, stored(m, "status-update.ended.busy").report);
	assert_string_equal(at(j, "status"), "ended");
	assert_string_equal(at(j, "reason"), "customer-busy");
	assert_null(json_get(j, "final"));
}

static void
a_status_of_tomorrow_is_kept(void **state)
{
	struct mem *m = *state;
	struct span body = fixture(m, "vapi/webhook.status-update.ringing.json");
	struct voice_event e =
	    event(m, with(m, body, "\"status\": \"ringing\"", "\"status\": \"levitating\""));

	assert_int_equal(e.class, EVENT_KEPT);
	assert_null(e.report);
}

static void
the_final_report_holds_everything(void **state)
{
	struct mem *m = *state;
	const struct json *j = parsed(m, stored(m, "end-of-call-report").report);

	assert_string_equal(at(j, "status"), "ended");
	assert_true(json_bool(j, "final", false));
	assert_string_equal(at(j, "reason"), "assistant-ended-call");
	assert_string_equal(at(j, "started_at"), "2026-09-21T13:31:40.000Z");
	assert_string_equal(at(j, "ended_at"), "2026-09-21T13:31:58.000Z");
	assert_float_equal(json_double(j, "cost_cents", 0), 3.96, 1e-9);
	assert_memory_equal(at(j, "transcript"), "AI: Hello", 9);
	assert_string_equal(at(j, "summary"), "The caller booked a cleaning on Tuesday at 10:00.");
	assert_int_equal(json_len(json_get(j, "messages")), 6);
	assert_true(json_bool(json_get(j, "structured"), "booked", false));
	assert_string_equal(at(j, "recording_url"),
	    "https://storage.example.invalid/" OURS "-mono.wav");
	assert_string_equal(at(j, "stereo_recording_url"),
	    "https://storage.example.invalid/" OURS "-stereo.wav");
	j = parsed(m, stored(m, "end-of-call-report.unanswered").report);
	assert_string_equal(at(j, "reason"), "customer-did-not-answer");
	assert_null(json_get(j, "started_at"));
	assert_null(json_get(j, "duration_seconds"));
	assert_null(json_get(j, "transcript"));
}

static void
copies_at_the_top_stand_in_for_what_is_missing(void **state)
{
	struct mem *m = *state;
	const struct json *j = parsed(m,
	    event(m,
		SPAN("{\"message\":{\"type\":\"end-of-call-report\",\"artifact\":{\"transcript\":"
		     "null},\"analysis\":{\"summary\":\"\"},"
		     "\"transcript\":\"top\",\"summary\":\"sum\",\"recordingUrl\":\"https://r.exa"
		     "mple/m\",\"durationMs\":18500,"
		     "\"endedAt\":\"2026-09-21T13:31:58.000Z\",\"endedReason\":\"customer-ended-c"
		     "all\",\"call\":{\"id\":\"c-1\",\"cost\":0.5}}}"))
		.report);

	assert_string_equal(at(j, "transcript"), "top");
	assert_string_equal(at(j, "summary"), "sum");
	assert_string_equal(at(j, "recording_url"), "https://r.example/m");
	assert_float_equal(json_double(j, "duration_seconds", 0), 18.5, 1e-9);
	assert_float_equal(json_double(j, "cost_cents", 0), 50, 1e-9);
	j = parsed(m,
	    event(m,
		SPAN("{\"message\":{\"type\":\"end-of-call-report\",\"durationSeconds\":20,\"dura"
		     "tionMs\":18500,"
		     "\"call\":{\"id\":\"c-1\",\"transcript\":\"in call\"}}}"))
		.report);
	assert_float_equal(json_double(j, "duration_seconds", 0), 20, 1e-9);
	assert_string_equal(at(j, "transcript"), "in call");
}

static void
a_report_is_always_good_for_the_database(void **state)
{
	struct mem *m = *state;
	static const char body[] =
	    "{\"message\":{\"type\":\"end-of-call-report\",\"endedReason\":\"x\\u0000y\xff\","
	    "\"transcript\":\"a\\u0000b\\ud800c\xfe\x01\0d\",\"messages\":[{\"message\":\"\\udc0"
	    "0\",\"n\":1e999999}],"
	    "\"analysis\":{\"structuredData\":{\"k\\u0000\":\"\xc3\x28\"},\"successEvaluation\":8},"
	    "\"call\":{\"id\":\"c-\\u0000\"}}}";
	const struct json *j = parsed(m, event(m, (struct span){ body, sizeof(body) - 1 }).report);

	assert_string_equal(at(j, "transcript"),
	    "a\xef\xbf\xbd"
	    "b\xef\xbf\xbd"
	    "c\xc3\xbe\x01\xef\xbf\xbd"
	    "d");
	assert_string_equal(at(j, "messages.0.message"), "\xef\xbf\xbd");
	assert_int_equal(json_type(json_path(j, "messages.0.n")), JSON_NULL);
	assert_string_equal(at(j, "success"), "8");
	assert_non_null(json_get(j, "structured"));
}

/* ---- the older samples ---------------------------------------------- */

static void
the_older_names_are_understood(void **state)
{
	struct mem *m = *state;
	struct voice_event e = event(m,
	    SPAN("{\"type\":\"call-start\",\"call\":{\"id\":\"c-1\",\"customer\":{\"number\":\"+1"
		 "5550100002\"}}}"));
	const struct json *j;

	assert_int_equal(e.class, EVENT_MOVES);
	assert_string_equal(e.key, "c-1:call-start");
	assert_string_equal(at(parsed(m, e.report), "status"), "in-progress");
	e = event(m,
	    SPAN("{\"type\":\"call-end\",\"call\":{\"id\":\"c-1\",\"duration\":61,\"endedReason\""
		 ":\"customer-ended-call\",\"cost\":0.12,"
		 "\"transcript\":\"AI: hi\",\"messages\":[],\"summary\":\"s\",\"recordingUrl\":\""
		 "https://r.example/1\"}}"));
	assert_string_equal(e.key, "c-1:call-end");
	j = parsed(m, e.report);
	assert_string_equal(at(j, "status"), "ended");
	assert_string_equal(at(j, "reason"), "customer-ended-call");
	assert_float_equal(json_double(j, "duration_seconds", 0), 61, 1e-9);
	assert_float_equal(json_double(j, "cost_cents", 0), 12, 1e-9);
	assert_string_equal(at(j, "transcript"), "AI: hi");
	assert_string_equal(at(j, "recording_url"), "https://r.example/1");
	assert_true(json_bool(j, "final", false));
	e = event(m,
	    SPAN("{\"type\":\"function-call\",\"call\":{\"id\":\"c-1\"},\"functionCall\":{\"name"
		 "\":\"takeMessage\",\"parameters\":{}}}"));
	assert_int_equal(e.class, EVENT_ANSWER);
	assert_string_not_equal(at(parsed(m, e.reply), "result"), "(none)");
	e = event(m,
	    SPAN("{\"type\":\"transcript\",\"call\":{\"id\":\"c-1\"},\"transcript\":\"hello\"}"));
	assert_int_equal(e.class, EVENT_KEPT);
}

static void
the_flat_form_is_understood(void **state)
{
	struct mem *m = *state;
	struct voice_event e = event(m,
	    SPAN("{\"call_id\":\"c-1\",\"status\":\"completed\",\"duration\":42,\"transcript\":\""
		 "AI: hi\","
		 "\"recording_url\":\"https://r.example/1\"}"));
	const struct json *j = parsed(m, e.report);

	assert_int_equal(e.class, EVENT_MOVES);
	assert_string_equal(e.type, "flat");
	assert_string_equal(e.key, "c-1:flat:completed");
	assert_string_equal(at(j, "status"), "ended");
	assert_string_equal(at(j, "reason"), "completed");
	assert_string_equal(at(j, "transcript"), "AI: hi");
	assert_string_equal(at(j, "recording_url"), "https://r.example/1");
	assert_float_equal(json_double(j, "duration_seconds", 0), 42, 1e-9);
	assert_true(json_bool(j, "final", false));
	j = parsed(m, event(m, SPAN("{\"call_id\":\"c-1\",\"status\":\"failed\"}")).report);
	assert_string_equal(at(j, "reason"), "failed");
	j = parsed(m, event(m, SPAN("{\"call_id\":\"c-1\",\"status\":\"ringing\"}")).report);
	assert_string_equal(at(j, "status"), "ringing");
	assert_null(json_get(j, "final"));
}

/* ---- odd bodies ----------------------------------------------------- */

static void
what_is_not_understood_is_kept(void **state)
{
	struct mem *m = *state;
	static const char *const bodies[] = { "{}", "[]", "null", "7", "\"x\"", "{\"message\":7}",
		"{\"message\":{}}", "{\"message\":{\"type\":7}}",
		"[{\"message\":{\"type\":\"status-update\"}}]", "{\"call_id\":\"c-1\"}" };
	struct voice_event e;
	size_t i;

	for (i = 0; i < COUNT(bodies); i++) {
		e = event(m, span_of(bodies[i]));
		if (e.class != EVENT_UNKNOWN || strcmp(e.type, "unknown") != 0)
			fail_msg("%s has class %s", bodies[i], voice_class_name(e.class));
	}
}

static void
what_is_no_json_is_told(void **state)
{
	struct mem *m = *state, *small = mem_new(16);
	static const char *const bodies[] = { "", " ", "{", "<html>",
		"{\"message\":{\"type\":\"hang\"}", "{} {}", "{'a':1}" };
	struct span deep = { NULL, 20000 };
	struct voice_event e;
	char *nest;
	size_t i;

	for (i = 0; i < COUNT(bodies); i++)
		assert_int_equal(vapi_event(m, span_of(bodies[i]), &e), EVENT_NOT_JSON);
	nest = mem_alloc(m, deep.len);
	memset(nest, '[', deep.len / 2);
	memset(nest + deep.len / 2, ']', deep.len / 2);
	deep.data = nest;
	e = event(m, deep);
	assert_int_equal(e.class, EVENT_UNKNOWN);
	assert_int_equal(vapi_event(small, fixture(m, "vapi/webhook.hang.json"), &e),
	    EVENT_NO_MEMORY);
	mem_free(small);
}

static void
a_long_type_is_cut(void **state)
{
	struct mem *m = *state;
	const char *body = mem_printf(m, "{\"message\":{\"type\":\"%0500d\"}}", 1);

	assert_in_range(strlen(event(m, span_of(body)).type), 90, 100);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST_CASE(every_message_has_its_class),
		TEST_CASE(keys_tell_events_apart_and_repeats_not),
		TEST_CASE(our_mark_is_read_from_metadata_and_name),
		TEST_CASE(a_status_update_moves_the_call),
		TEST_CASE(a_status_of_tomorrow_is_kept),
		TEST_CASE(the_final_report_holds_everything),
		TEST_CASE(copies_at_the_top_stand_in_for_what_is_missing),
		TEST_CASE(a_report_is_always_good_for_the_database),
		TEST_CASE(the_older_names_are_understood),
		TEST_CASE(the_flat_form_is_understood),
		TEST_CASE(what_is_not_understood_is_kept),
		TEST_CASE(what_is_no_json_is_told),
		TEST_CASE(a_long_type_is_cut),
	};

	return cmocka_run_group_tests_name("vapi_event", tests, NULL, NULL);
}
