/*
 * test_vapi_answer.c - answers of Vapi's API: dials and look-ups.
 */
#include "fixture.h"
#include "peers/voice.h"

#define OURS "7a059b01-6350-7d68-89b3-08dc97fa2bce" /* id of the call in the stored answers */

static const struct voice_account account = { .type = "vapi",
	.base_url = "https://api.vapi.ai",
	.api_key = "key-1",
	.timeout_ms = 1000 };

static struct voice_outcome
dialled(struct mem *m, int status, struct span body)
{
	const struct fetch_answer in = { .outcome = FETCH_ANSWERED,
		.status = status,
		.body = body,
		.retry_after = -1 };
	struct voice_outcome o;

	vapi_provider.dialled(m, &account, &in, &o);
	return o;
}

static struct voice_sight
looked(struct mem *m, const struct voice_look *l, int status, struct span body)
{
	const struct fetch_answer in = { .outcome = FETCH_ANSWERED,
		.status = status,
		.body = body,
		.retry_after = -1 };
	struct voice_sight s;

	vapi_provider.looked(m, &account, l, &in, &s);
	return s;
}

/* ---- dialled -------------------------------------------------------- */

static void
a_call_with_an_id_is_accepted(void **state)
{
	struct mem *m = *state;
	struct voice_outcome o = dialled(m, 201, fixture(m, "vapi/call.create.response.201.json"));

	assert_int_equal(o.result, VOICE_ACCEPTED);
	assert_int_equal(o.fault, FAULT_NONE);
	assert_string_equal(o.provider_call_id, OURS);
	assert_string_equal(at(parsed(m, o.report), "status"), "queued");
	assert_string_equal(at(parsed(m, o.report), "provider_call_id"), OURS);
	/* The stored answer's control address is on a foreign domain. */
	assert_null(o.control_url);
}

static void
the_control_address_of_vapi_is_kept(void **state)
{
	struct mem *m = *state;
	struct span body = with(m, fixture(m, "vapi/call.create.response.201.json"),
	    "https://phone-call-websocket.example.invalid/", "https://ws.vapi.ai/");
	struct voice_outcome o = dialled(m, 201, body);

	assert_string_equal(o.control_url, "https://ws.vapi.ai/" OURS "/control");
	assert_string_equal(at(parsed(m, o.report), "control_url"), o.control_url);
}

static void
a_call_that_ended_for_want_of_a_line_is_refused(void **state)
{
	struct mem *m = *state;
	struct span body = fixture(m, "vapi/call.create.concurrency-blocked.response.201.json");
	struct voice_outcome o = dialled(m, 201, body);

	assert_int_equal(o.result, VOICE_REFUSED);
	assert_int_equal(o.fault, FAULT_CONCURRENCY);
	assert_string_equal(o.reason, "concurrency");
	o = dialled(m, 201,
	    with(m, body, "\"concurrencyBlocked\": true", "\"concurrencyBlocked\": false"));
	assert_int_equal(o.result, VOICE_REFUSED);
	assert_int_equal(o.fault, FAULT_CONCURRENCY);
	o = dialled(m, 201,
	    SPAN("{\"id\":\"c-1\",\"status\":\"ended\",\"subscriptionLimits\":{\"concurrencyBlock"
		 "ed\":true}}"));
	assert_int_equal(o.result, VOICE_REFUSED);
}

static void
a_call_that_waits_for_a_line_is_accepted(void **state)
{
	struct mem *m = *state;
	struct span body = fixture(m, "vapi/call.create.concurrency-blocked.response.201.json");
	struct voice_outcome o =
	    dialled(m, 201, with(m, body, "\"status\": \"ended\"", "\"status\": \"queued\""));

	assert_int_equal(o.result, VOICE_ACCEPTED);
	assert_string_equal(at(parsed(m, o.report), "status"), "queued");
}

static void
a_call_that_ended_at_once_for_another_reason_is_accepted(void **state)
{
	struct mem *m = *state;
	struct span body = fixture(m, "vapi/call.create.concurrency-blocked.response.201.json");
	struct voice_outcome o;
	const struct json *j;

	body = with(m, body, "call.start.error-subscription-concurrency-limit-reached",
	    "customer-busy");
	o = dialled(m, 201, body);
	assert_int_equal(o.result, VOICE_ACCEPTED);
	j = parsed(m, o.report);
	assert_string_equal(at(j, "status"), "ended");
	assert_string_equal(at(j, "reason"), "customer-busy");
	assert_true(json_bool(j, "final", false));
}

static void
a_2xx_that_cannot_be_read_is_unknown(void **state)
{
	struct mem *m = *state;
	static const struct {
		const char *body, *reason;
	} rows[] = {
		{ "", "unreadable" },
		{ "<html>", "unreadable" },
		{ "{\"id\":\"c-1\"", "unreadable" },
		{ "{\"id\":\"c-1\"} x", "unreadable" },
		{ "{}", "no_id" },
		{ "[]", "no_id" },
		{ "{\"id\":null}", "no_id" },
		{ "{\"id\":7}", "no_id" },
		{ "{\"id\":\"\"}", "no_id" },
		{ "{\"results\":[]}", "no_id" },
	};
	struct voice_outcome o;
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		o = dialled(m, 201, span_of(rows[i].body));
		assert_int_equal(o.result, VOICE_UNKNOWN);
		assert_int_equal(o.fault, FAULT_NONE);
		assert_string_equal(o.reason, rows[i].reason);
		assert_int_equal(o.status, 201);
		assert_null(o.provider_call_id);
	}
}

static void
a_status_of_tomorrow_is_still_a_call(void **state)
{
	struct mem *m = *state;
	struct voice_outcome o = dialled(m, 200, SPAN("{\"id\":\"c-1\",\"status\":\"dreaming\"}"));

	assert_int_equal(o.result, VOICE_ACCEPTED);
	assert_null(o.report);
}

static void
bad_characters_do_not_hide_a_call(void **state)
{
	struct mem *m = *state;
	struct voice_outcome o = dialled(m, 201,
	    SPAN("{\"id\":\"c-1\",\"status\":\"ended\",\"endedReason\":\"voicemail\",\"transcript"
		 "\":\"a\\u0000\\ud800\xff\"}"));

	assert_int_equal(o.result, VOICE_ACCEPTED);
	assert_string_equal(at(parsed(m, o.report), "transcript"),
	    "a\xef\xbf\xbd\xef\xbf\xbd\xc3\xbf");
}

static void
without_memory_nothing_is_claimed(void **state)
{
	struct mem *m = *state, *small = mem_new(16);
	struct voice_outcome o =
	    dialled(small, 201, fixture(m, "vapi/call.create.response.201.json"));

	assert_int_equal(o.result, VOICE_UNKNOWN);
	assert_null(o.provider_call_id);
	mem_free(small);
}

/* ---- looked by id --------------------------------------------------- */

static void
a_call_that_is_asked_for_is_found(void **state)
{
	struct mem *m = *state;
	const struct voice_look l = { .kind = LOOK_BY_ID, .provider_call_id = OURS };
	struct voice_sight s =
	    looked(m, &l, 200, fixture(m, "vapi/call.get.ended.response.200.json"));
	const struct json *j = parsed(m, s.outcome.report);

	assert_int_equal(s.finding, FOUND);
	assert_string_equal(s.outcome.provider_call_id, OURS);
	assert_string_equal(at(j, "status"), "ended");
	assert_string_equal(at(j, "reason"), "assistant-ended-call");
	assert_string_equal(at(j, "started_at"), "2026-09-21T13:31:40.000Z");
	assert_string_equal(at(j, "ended_at"), "2026-09-21T13:31:58.000Z");
	assert_null(json_get(j, "duration_seconds"));
	assert_float_equal(json_double(j, "cost_cents", 0), 3.96, 1e-9);
	assert_memory_equal(at(j, "transcript"), "AI: Hello", 9);
	assert_string_equal(at(j, "summary"), "The caller booked a cleaning on Tuesday at 10:00.");
	assert_true(json_bool(json_get(j, "structured"), "booked", false));
	assert_string_equal(at(j, "success"), "true");
	assert_int_equal(json_len(json_get(j, "messages")), 6);
	assert_string_equal(at(j, "recording_url"),
	    "https://storage.example.invalid/" OURS "-mono.wav");
	assert_string_equal(at(j, "stereo_recording_url"),
	    "https://storage.example.invalid/" OURS "-stereo.wav");
	assert_true(json_bool(j, "final", false));
}

static void
a_call_that_nobody_answered_has_no_start(void **state)
{
	struct mem *m = *state;
	const struct voice_look l = { .kind = LOOK_BY_ID,
		.provider_call_id = "b2c05a6a-16f8-7e54-8660-56b0af956a5d" };
	struct voice_sight s =
	    looked(m, &l, 200, fixture(m, "vapi/call.get.unanswered.response.200.json"));
	const struct json *j = parsed(m, s.outcome.report);

	assert_string_equal(at(j, "reason"), "customer-did-not-answer");
	assert_null(json_get(j, "started_at"));
	assert_null(json_get(j, "transcript"));
	assert_null(json_get(j, "duration_seconds"));
}

static void
only_a_404_says_that_a_call_is_not_there(void **state)
{
	struct mem *m = *state;
	const struct voice_look l = { .kind = LOOK_BY_ID,
		.provider_call_id = OURS,
		.assignment_id = ASSIGNMENT };
	struct voice_sight s = looked(m, &l, 404, fixture(m, "vapi/error.404.json"));
	static const int others[] = { 400, 401, 429, 500, 502, 302 };
	size_t i;

	assert_int_equal(s.finding, NOT_FOUND);
	for (i = 0; i < COUNT(others); i++) {
		s = looked(m, &l, others[i], SPAN("{}"));
		assert_int_equal(s.finding, LOOK_FAILED);
		assert_string_equal(s.why, mem_printf(m, "http_%d", others[i]));
	}
	s = looked(m, &l, 200, SPAN("{"));
	assert_int_equal(s.finding, LOOK_FAILED);
	s = looked(m, &l, 200, SPAN("{}"));
	assert_int_equal(s.finding, LOOK_FAILED);
	s = looked(m, &l, 200,
	    SPAN("{\"id\":\"" OURS "\",\"name\":\"" CALL "\",\"status\":\"ended\"}"));
	assert_int_equal(s.finding, LOOK_FAILED);
	assert_string_equal(s.why, "other_call");
}

/* ---- looked by list ------------------------------------------------- */

static const struct voice_look list_look = { .kind = LOOK_BY_LIST,
	.assignment_id = ASSIGNMENT,
	.since_ms = 1789990000000 };

static void
our_call_is_found_in_a_list_by_its_mark(void **state)
{
	struct mem *m = *state;
	struct span body = fixture(m, "vapi/call.list.response.200.json");
	struct voice_sight s = looked(m, &list_look, 200, body);

	assert_int_equal(s.finding, NOT_FOUND);
	s = looked(m, &list_look, 200, with(m, body, "hs-42-000000000002", ASSIGNMENT));
	assert_int_equal(s.finding, FOUND);
	assert_string_equal(s.outcome.provider_call_id, "b2c05a6a-16f8-7e54-8660-56b0af956a5d");
	assert_string_equal(at(parsed(m, s.outcome.report), "assignment_id"), ASSIGNMENT);
	s = looked(m, &list_look, 200,
	    SPAN("[{\"id\":\"c-1\",\"name\":\"renamed\",\"status\":\"ringing\",\"assistantOverrid"
		 "es\":{\"metadata\":{\"assignment_id\":"
		 "\"5F0C3A9E-1B2C-4D3E-8F4A-0123456789AB\"}}}]"));
	assert_int_equal(s.finding, FOUND);
	assert_string_equal(at(parsed(m, s.outcome.report), "status"), "ringing");
	s = looked(m, &list_look, 200, SPAN("[]"));
	assert_int_equal(s.finding, NOT_FOUND);
}

static void
what_is_no_whole_list_proves_nothing(void **state)
{
	struct mem *m = *state;
	static const char *const bodies[] = { "", "{}", "null", "[", "[{}", "[1]", "[{},null]",
		"{\"results\":[]}", "[] []" };
	struct fetch_answer in = { .outcome = FETCH_TOO_LARGE, .status = 200, .body = SPAN("[]") };
	struct voice_sight s;
	size_t i;

	for (i = 0; i < COUNT(bodies); i++) {
		s = looked(m, &list_look, 200, span_of(bodies[i]));
		if (s.finding != LOOK_FAILED || !s.why)
			fail_msg("%s: finding %d", bodies[i], (int)s.finding);
	}
	s = looked(m, &list_look, 404, SPAN("[]"));
	assert_int_equal(s.finding, LOOK_FAILED);
	vapi_provider.looked(m, &account, &list_look, &in, &s);
	assert_int_equal(s.finding, LOOK_FAILED);
	assert_string_equal(s.why, "too_large");
	in.outcome = FETCH_LOST;
	vapi_provider.looked(m, &account, &list_look, &in, &s);
	assert_int_equal(s.finding, LOOK_FAILED);
}

/* A page of n calls, the first at ms, each next one step ms older. */
static struct span
page(struct mem *m, int n, int64_t ms, int step)
{
	CLEANUP(text_clear) struct text t = TEXT(1 << 20);
	char buf[CLOCK_TEXT_MAX];
	int i;

	for (i = 0; i < n; i++)
		text_printf(&t, "%c{\"id\":\"c-%d\",\"createdAt\":\"%s\"}", i == 0 ? '[' : ',', i,
		    clock_format(ms - (int64_t)i * step, buf));
	text_putc(&t, ']');
	return span_of(mem_str(m, t.data));
}

static void
a_full_page_is_followed_by_the_next_older_one(void **state)
{
	struct mem *m = *state;
	struct voice_look l = list_look;
	struct voice_sight s = looked(m, &l, 200, page(m, 100, 1790000000000, 10));

	assert_int_equal(s.finding, LOOK_ON);
	assert_int_equal(s.next.kind, LOOK_BY_LIST);
	assert_int_equal(s.ncandidates, 0);
	assert_string_equal(s.next.assignment_id, ASSIGNMENT);
	/* The oldest millisecond is asked for again: other calls may share it. */
	assert_int_equal(s.next.until_ms, 1790000000000 - 99 * 10 + 1);
	l = s.next;
	s = looked(m, &l, 200, page(m, 99, 1789999999010, 10));
	assert_int_equal(s.finding, NOT_FOUND);
}

static void
a_list_that_does_not_move_proves_nothing(void **state)
{
	struct mem *m = *state;
	struct voice_look l = list_look;
	struct voice_sight s;

	l.until_ms = 1790000000001;
	s = looked(m, &l, 200, page(m, 100, 1790000000000, 0));
	assert_int_equal(s.finding, LOOK_FAILED);
	assert_string_equal(s.why, "list_does_not_progress");
	s = looked(m, &list_look, 200, page(m, 100, 1790000000000, -10));
	assert_int_equal(s.finding, LOOK_FAILED);
	assert_string_equal(s.why, "list_not_ordered");
	/* A page that is not full is the end in any order. */
	s = looked(m, &list_look, 200, page(m, 99, 1790000000000, -10));
	assert_int_equal(s.finding, NOT_FOUND);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST_CASE(a_call_with_an_id_is_accepted),
		TEST_CASE(the_control_address_of_vapi_is_kept),
		TEST_CASE(a_call_that_ended_for_want_of_a_line_is_refused),
		TEST_CASE(a_call_that_waits_for_a_line_is_accepted),
		TEST_CASE(a_call_that_ended_at_once_for_another_reason_is_accepted),
		TEST_CASE(a_2xx_that_cannot_be_read_is_unknown),
		TEST_CASE(a_status_of_tomorrow_is_still_a_call),
		TEST_CASE(bad_characters_do_not_hide_a_call),
		TEST_CASE(without_memory_nothing_is_claimed),
		TEST_CASE(a_call_that_is_asked_for_is_found),
		TEST_CASE(a_call_that_nobody_answered_has_no_start),
		TEST_CASE(only_a_404_says_that_a_call_is_not_there),
		TEST_CASE(our_call_is_found_in_a_list_by_its_mark),
		TEST_CASE(what_is_no_whole_list_proves_nothing),
		TEST_CASE(a_full_page_is_followed_by_the_next_older_one),
		TEST_CASE(a_list_that_does_not_move_proves_nothing),
	};

	return cmocka_run_group_tests_name("vapi_answer", tests, NULL, NULL);
}
