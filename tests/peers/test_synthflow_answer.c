/*
 * test_synthflow_answer.c - answers of SynthFlow's API: dials and look-ups.
 */
#include "fixture.h"
#include "peers/voice.h"

#define THEIRS "3baf4e6e-e32b-7ef8-865e-62cd5abe4103" /* id of the call in the stored answers */
#define MARKED "\"prompt_variables\":{\"hookswitch_assignment_id\":\"" ASSIGNMENT "\"}"

static const struct voice_account account = { .type = "synthflow",
	.base_url = "https://api.synthflow.ai/v2",
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

	synthflow_provider.dialled(m, &account, &in, &o);
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

	synthflow_provider.looked(m, &account, l, &in, &s);
	return s;
}

static struct span
answer(struct mem *m, const char *calls)
{
	return span_of(mem_printf(m, "{\"status\":\"ok\",\"response\":{\"calls\":[%s]}}", calls));
}

static struct span
page(struct mem *m, int total, const char *calls)
{
	return span_of(mem_printf(m,
	    "{\"response\":{\"pagination\":{\"total_records\":%d},\"calls\":[%s]}}", total, calls));
}

/* ---- dialled -------------------------------------------------------- */

static void
a_call_with_an_id_is_accepted(void **state)
{
	struct mem *m = *state;
	struct voice_outcome o =
	    dialled(m, 200, fixture(m, "synthflow/call.create.response.200.json"));

	assert_int_equal(o.result, VOICE_ACCEPTED);
	assert_string_equal(o.provider_call_id, THEIRS);
	assert_null(o.report);
	assert_null(o.control_url);
}

static void
a_2xx_without_an_id_is_unknown(void **state)
{
	struct mem *m = *state;
	static const char *const bodies[] = { "", "{", "{}", "{\"status\":\"ok\"}",
		"{\"response\":{\"call_id\":null}}", "{\"response\":{\"call_id\":\"\"}}", "[]" };
	size_t i;

	for (i = 0; i < COUNT(bodies); i++)
		assert_int_equal(dialled(m, 200, span_of(bodies[i])).result, VOICE_UNKNOWN);
}

static void
a_refusal_is_told_in_their_words(void **state)
{
	struct mem *m = *state;
	struct voice_outcome o = dialled(m, 400, fixture(m, "synthflow/error.400.json"));

	assert_int_equal(o.result, VOICE_REFUSED);
	assert_int_equal(o.fault, FAULT_CALL);
	assert_string_equal(o.detail, "phone is not a valid number");
	assert_int_equal(dialled(m, 500, SPAN("{}")).result, VOICE_UNKNOWN);
}

/* ---- one call ------------------------------------------------------- */

static void
a_call_that_is_asked_for_is_found(void **state)
{
	struct mem *m = *state;
	const struct voice_look l = { .kind = LOOK_BY_ID,
		.provider_call_id = THEIRS,
		.assignment_id = ASSIGNMENT };
	struct voice_sight s =
	    looked(m, &l, 200, fixture(m, "synthflow/call.get.response.200.json"));
	const struct json *j = parsed(m, s.outcome.report);

	assert_int_equal(s.finding, FOUND);
	assert_string_equal(s.outcome.provider_call_id, THEIRS);
	assert_string_equal(at(j, "status"), "ended");
	assert_string_equal(at(j, "reason"), "human_ended_call");
	/* 61 seconds of talk before the end; the telephone's own start includes the ringing. */
	assert_string_equal(at(j, "started_at"), "2026-09-21T13:31:44.000Z");
	assert_string_equal(at(j, "ended_at"), "2026-09-21T13:32:45.000Z");
	assert_memory_equal(at(j, "transcript"), "\nbot: Hello", 11);
	assert_string_equal(at(j, "recording_url"), "https://recordings.example.invalid/a.wav");
	assert_true(json_bool(j, "final", false));
}

static void
states_and_reasons_are_put_into_our_words(void **state)
{
	struct mem *m = *state;
	static const struct {
		const char *state, *reason, *status, *want;
	} rows[] = {
		{ "pending", "", "queued", "(none)" },
		{ "registered", "", "queued", "(none)" },
		{ "paused", "", "queued", "(none)" },
		{ "ringing", "", "ringing", "(none)" },
		{ "in-progress", "", "in-progress", "(none)" },
		{ "completed", "human_goodbye", "ended", "human_goodbye" },
		{ "completed", "undefined", "ended", "completed" },
		{ "completed", "", "ended", "completed" },
		{ "no-answer", "undefined", "ended", "no-answer" },
		{ "busy", "", "ended", "busy" },
		{ "failed", "error", "ended", "failed" },
		{ "canceled", "", "ended", "canceled" },
		{ "user-canceled", "user_canceled", "ended", "user-canceled" },
		{ "hangup_on_voicemail", "voicemail", "ended", "hangup_on_voicemail" },
		{ "left_voicemail", "voicemail_message_left", "ended", "left_voicemail" },
		{ "spam", "", "ended", "spam" },
		{ "of-tomorrow", "", "queued", "(none)" },
	};
	const struct voice_look l = { .kind = LOOK_BY_ID, .provider_call_id = "c-1" };
	const struct json *j;
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		const char *call = mem_printf(m,
		    "{\"call_id\":\"c-1\",\"status\":\"%s\",\"end_call_reason\":\"%s\"}",
		    rows[i].state, rows[i].reason);
		j = parsed(m, looked(m, &l, 200, answer(m, call)).outcome.report);
		assert_string_equal(at(j, "status"), rows[i].status);
		assert_string_equal(at(j, "reason"), rows[i].want);
		assert_int_equal(json_bool(j, "final", false),
		    strcmp(rows[i].status, "ended") == 0);
	}
}

static void
talk_is_reckoned_from_what_is_told(void **state)
{
	struct mem *m = *state;
	static const struct {
		const char *call, *started, *ended;
		int seconds;
	} rows[] = {
		{ "\"status\":\"completed\",\"duration\":61,\"start_time\":\"1789997500000\"",
		    "2026-09-21T13:31:40.000Z", "2026-09-21T13:32:41.000Z", -1 },
		{ "\"status\":\"completed\",\"duration\":61", "(none)", "(none)", 61 },
		{ "\"status\":\"completed\",\"duration\":0,\"telephony_end\":\"2026-09-21T13:32:"
		  "45Z\"",
		    "(none)", "2026-09-21T13:32:45.000Z", 0 },
		{ "\"status\":\"no-answer\",\"duration\":20,\"telephony_end\":\"2026-09-21T13:32"
		  ":45Z\"",
		    "(none)", "2026-09-21T13:32:45.000Z", -1 },
		{ "\"status\":\"in-progress\",\"duration\":20,\"telephony_end\":\"2026-09-21T13:"
		  "32:45Z\"",
		    "(none)", "(none)", -1 },
	};
	const struct voice_look l = { .kind = LOOK_BY_ID, .provider_call_id = "c-1" };
	const struct json *j;
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		const char *call = mem_printf(m, "{\"call_id\":\"c-1\",%s}", rows[i].call);
		j = parsed(m, looked(m, &l, 200, answer(m, call)).outcome.report);
		assert_string_equal(at(j, "started_at"), rows[i].started);
		assert_string_equal(at(j, "ended_at"), rows[i].ended);
		assert_float_equal(json_double(j, "duration_seconds", -1), rows[i].seconds, 1e-9);
	}
}

static void
another_call_than_the_one_asked_for_proves_nothing(void **state)
{
	struct mem *m = *state;
	const struct voice_look l = { .kind = LOOK_BY_ID,
		.provider_call_id = "c-1",
		.assignment_id = CALL };
	struct voice_sight s = looked(m, &l, 404, fixture(m, "synthflow/error.404.json"));

	assert_int_equal(s.finding, NOT_FOUND);
	assert_int_equal(looked(m, &l, 200, answer(m, "")).finding, NOT_FOUND);
	assert_int_equal(looked(m, &l, 200, answer(m, "{\"call_id\":\"c-2\"}")).finding,
	    LOOK_FAILED);
	assert_int_equal(looked(m, &l, 200, answer(m, "{\"call_id\":\"c-1\"," MARKED "}")).finding,
	    LOOK_FAILED);
	assert_int_equal(looked(m, &l, 200, answer(m, "{\"call_id\":\"c-1\",\"status\":\"busy\"}"))
			     .finding,
	    FOUND);
	assert_int_equal(looked(m, &l, 200, SPAN("{\"status\":\"error\"}")).finding, LOOK_FAILED);
	assert_int_equal(looked(m, &l, 400, SPAN("{}")).finding, LOOK_FAILED);
	assert_int_equal(looked(m, &l, 500, SPAN("{}")).finding, LOOK_FAILED);
}

/* ---- lists and candidates ------------------------------------------- */

static const struct voice_look list_look = { .kind = LOOK_BY_LIST,
	.assignment_id = ASSIGNMENT,
	.number = "+15550100004",
	.assistant = "model-1",
	.since_ms = 1789990000000 };

static void
calls_of_a_list_become_candidates(void **state)
{
	struct mem *m = *state;
	struct voice_sight s =
	    looked(m, &list_look, 200, fixture(m, "synthflow/call.list.response.200.json"));

	assert_int_equal(s.finding, LOOK_ON);
	assert_int_equal(s.ncandidates, 1);
	assert_string_equal(s.candidates[0], THEIRS);
	/* It was the last page. */
	assert_int_equal(s.next.kind, LOOK_DETAIL);
	assert_string_equal(s.next.provider_call_id, THEIRS);
	assert_string_equal(s.next.assignment_id, ASSIGNMENT);
}

static void
older_and_foreign_calls_are_no_candidates(void **state)
{
	struct mem *m = *state;
	struct voice_sight s = looked(m, &list_look, 200,
	    page(m, 2,
		"{\"call_id\":\"c-1\",\"start_time\":\"1789980000000\"},"
		"{\"call_id\":\"c-2\",\"prompt_variables\":{\"hookswitch_assignment_id\":\"" CALL
		"\"}}"));

	assert_int_equal(s.finding, NOT_FOUND);
	/* One that has not started yet has no time: it may be ours. */
	s = looked(m, &list_look, 200, page(m, 1, "{\"call_id\":\"c-1\",\"start_time\":null}"));
	assert_int_equal(s.finding, LOOK_ON);
	assert_int_equal(looked(m, &list_look, 200, page(m, 0, "")).finding, NOT_FOUND);
}

static void
a_list_that_shows_the_mark_needs_no_more(void **state)
{
	struct mem *m = *state;
	static const char *const marks[] = { MARKED,
		"\"custom_variables\":{\"hookswitch_assignment_id\":\"" ASSIGNMENT "\"}",
		"\"custom_variables\":[{\"key\":\"a\",\"value\":\"b\"},{\"key\":\"hookswitch_ass"
		"ignment_id\",\"value\":\"" ASSIGNMENT "\"}]" };
	struct voice_sight s;
	size_t i;

	for (i = 0; i < COUNT(marks); i++) {
		const char *call = mem_printf(m,
		    "{\"call_id\":\"c-1\"},{\"call_id\":\"c-2\",\"call_status\":\"ringing\",%s}",
		    marks[i]);
		s = looked(m, &list_look, 200, page(m, 2, call));
		assert_int_equal(s.finding, FOUND);
		assert_string_equal(s.outcome.provider_call_id, "c-2");
		assert_string_equal(at(parsed(m, s.outcome.report), "assignment_id"), ASSIGNMENT);
		assert_string_equal(at(parsed(m, s.outcome.report), "status"), "ringing");
	}
}

static void
pages_are_followed_to_their_end(void **state)
{
	struct mem *m = *state;
	struct voice_sight s =
	    looked(m, &list_look, 200, page(m, 3, "{\"call_id\":\"c-1\"},{\"call_id\":\"c-2\"}"));
	struct voice_look l;

	assert_int_equal(s.finding, LOOK_ON);
	assert_int_equal(s.ncandidates, 2);
	assert_int_equal(s.next.kind, LOOK_BY_LIST);
	assert_int_equal(s.next.offset, 2);
	l = s.next;
	s = looked(m, &l, 200,
	    page(m, 3, "{\"call_id\":\"c-3\",\"start_time\":\"1789980000000\"}"));
	assert_int_equal(s.finding, NOT_FOUND);
	s = looked(m, &l, 200, page(m, 3, ""));
	assert_int_equal(s.finding, LOOK_FAILED);
	/* Where the total is not told, only an empty page is the end. */
	s = looked(m, &list_look, 200, answer(m, "{\"call_id\":\"c-1\"}"));
	assert_int_equal(s.finding, LOOK_ON);
	assert_int_equal(s.next.kind, LOOK_BY_LIST);
	assert_int_equal(looked(m, &s.next, 200, answer(m, "")).finding, NOT_FOUND);
}

static void
what_is_no_whole_list_proves_nothing(void **state)
{
	struct mem *m = *state;
	static const char *const bodies[] = { "", "{", "[]", "{}", "{\"response\":{}}",
		"{\"response\":{\"calls\":null}}", "{\"response\":{\"calls\":[1]}}",
		"{\"response\":{\"calls\":[{\"no\":\"id\"}]}}" };
	size_t i;

	for (i = 0; i < COUNT(bodies); i++)
		assert_int_equal(looked(m, &list_look, 200, span_of(bodies[i])).finding,
		    LOOK_FAILED);
	assert_int_equal(looked(m, &list_look, 404, page(m, 0, "")).finding, LOOK_FAILED);
	assert_int_equal(looked(m, &list_look, 500, page(m, 0, "")).finding, LOOK_FAILED);
}

static void
a_candidate_is_ours_only_by_its_mark(void **state)
{
	struct mem *m = *state;
	struct voice_look l = list_look;

	l.kind = LOOK_DETAIL;
	l.provider_call_id = "c-1";
	assert_int_equal(looked(m, &l, 200,
			     answer(m, "{\"call_id\":\"c-1\",\"status\":\"ringing\"," MARKED "}"))
			     .finding,
	    FOUND);
	assert_int_equal(looked(m, &l, 200,
			     answer(m, "{\"call_id\":\"c-1\",\"prompt_variables\":{}}"))
			     .finding,
	    NOT_FOUND);
	assert_int_equal(
	    looked(m, &l, 200,
		answer(m,
		    "{\"call_id\":\"c-1\",\"prompt_variables\":{\"hookswitch_assignment_id\":"
		    "\"" CALL "\"}}"))
		.finding,
	    NOT_FOUND);
	/* Not told, not there, another one: any of them could be ours. */
	assert_int_equal(looked(m, &l, 200,
			     answer(m, "{\"call_id\":\"c-1\",\"prompt_variables\":null}"))
			     .finding,
	    LOOK_FAILED);
	assert_int_equal(looked(m, &l, 200, answer(m, "")).finding, LOOK_FAILED);
	assert_int_equal(looked(m, &l, 200, answer(m, "{\"call_id\":\"c-2\"," MARKED "}")).finding,
	    LOOK_FAILED);
	assert_int_equal(looked(m, &l, 404, SPAN("{}")).finding, LOOK_FAILED);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST_CASE(a_call_with_an_id_is_accepted),
		TEST_CASE(a_2xx_without_an_id_is_unknown),
		TEST_CASE(a_refusal_is_told_in_their_words),
		TEST_CASE(a_call_that_is_asked_for_is_found),
		TEST_CASE(states_and_reasons_are_put_into_our_words),
		TEST_CASE(talk_is_reckoned_from_what_is_told),
		TEST_CASE(another_call_than_the_one_asked_for_proves_nothing),
		TEST_CASE(calls_of_a_list_become_candidates),
		TEST_CASE(older_and_foreign_calls_are_no_candidates),
		TEST_CASE(a_list_that_shows_the_mark_needs_no_more),
		TEST_CASE(pages_are_followed_to_their_end),
		TEST_CASE(what_is_no_whole_list_proves_nothing),
		TEST_CASE(a_candidate_is_ours_only_by_its_mark),
	};

	return cmocka_run_group_tests_name("synthflow_answer", tests, NULL, NULL);
}
