/*
 * test_flow_assistant.c - the workflow "assistant-sync": the requests it makes of a run, and its
 * verdict on each kind of answer.
 */
#include "tests/peers/fixture.h"

#include "base/settings.h"
#include "work/flow_assistant.h"

enum { DECIDE, CREATE, FIND, UPDATE, REMOVE };

static int
setup(void **state)
{
	setenv("API_URL", "https://api.example.com", 1);
	setenv("HOOKSWITCH_SECRET_KEY", "k1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", 1);
	assert_int_equal(settings_load(), 0);
	return fixture_setup(state);
}

static struct step_in
run_of(struct mem *m, int64_t sent_s)
{
	const char *prepared = mem_printf(m,
	    "{\"account\":{\"provider_id\":\"" ASSIGNMENT
	    "\",\"provider_type\":\"vapi\",\"base_url\":\"https://vapi.example\",\"api_key\":\"k\"},"
	    "\"version\":3,\"sent_s\":%lld,\"assistant\":{\"id\":\"" CALL
	    "\",\"organization_id\":\"" ORGANIZATION
	    "\",\"name\":\"Riley\",\"vapi_assistant_id\":\"v-1\"}}",
	    (long long)sent_s);

	return (struct step_in){ .run_id = "assistant-sync:1",
		.workflow = "assistant-sync",
		.organization_id = "",
		.key = "k",
		.attempt = 1,
		.sent_s = -1,
		.prepared = parsed(m, prepared) };
}

static struct step_out
verdict_of(struct mem *m, int step, int status, const char *body, int64_t sent_s)
{
	struct fetch_answer a = { .outcome = status ? FETCH_ANSWERED : FETCH_LOST,
		.status = status,
		.body = span_of(body),
		.type = "",
		.location = "",
		.retry_after = -1 };
	struct step_in in = run_of(m, sent_s);
	struct step_out out = { .retry_after = -1 };

	flow_assistant.steps[step].read(m, &in, &a, &out);
	return out;
}

#define REFUSED(status) "{\"message\":[\"x\"],\"error\":\"E\",\"statusCode\":" #status "}"

static void
it_says_where_and_what(void **state)
{
	static const struct {
		int step;
		const char *method, *url;
	} rows[] = { { CREATE, "POST", "https://vapi.example/assistant" },
		{ FIND, "GET", "https://vapi.example/assistant?limit=1000" },
		{ UPDATE, "PATCH", "https://vapi.example/assistant/v-1" },
		{ REMOVE, "DELETE", "https://vapi.example/assistant/v-1" } };

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct fetch_request r = { 0 };
		struct step_in in = run_of(*state, 0);
		assert_int_equal(flow_assistant.steps[rows[i].step].ask(*state, &in, &r), 0);
		assert_string_equal(r.method, rows[i].method);
		assert_string_equal(r.url, rows[i].url);
	}
}

static void
events_go_to_the_organization_with_a_proof(void **state)
{
	struct fetch_request r = { 0 };
	struct step_in in = run_of(*state, 0);
	const struct json *body;

	assert_int_equal(flow_assistant.steps[CREATE].ask(*state, &in, &r), 0);
	body = parsed(*state, mem_dup(*state, r.body.data, r.body.len));
	assert_string_equal(at(body, "server.url"),
	    "https://api.example.com/api/webhooks/vapi/" ORGANIZATION);
	assert_memory_equal(at(body, "server.headers.X-Vapi-Secret"), ORGANIZATION ".", 37);
	setenv("API_URL", "", 1);
	assert_int_equal(settings_load(), 0);
	assert_int_equal(flow_assistant.steps[CREATE].ask(*state, &in, &r), -1);
	assert_false(flow_assistant.ready());
}

static void
an_answer_tells_the_id_and_the_version(void **state)
{
	const char *made = fixture(*state, "vapi/assistant.create.response.201.json").data;

	for (int step = CREATE; step <= UPDATE; step += UPDATE - CREATE) {
		struct step_out o = verdict_of(*state, step, 201, made, 0);
		const struct json *result = parsed(*state, o.result);
		assert_int_equal(o.verdict, STEP_DONE);
		assert_string_equal(at(result, "id"), "1a42ee5d-f4fc-7631-874f-5c7b258cdfa6");
		assert_int_equal(json_int(result, "version", 0), 3);
		assert_string_equal(at(result, "provider_id"), ASSIGNMENT);
	}
}

static void
each_refusal_has_its_verdict(void **state)
{
	static const struct {
		int step, status;
		const char *body;
		enum step_verdict verdict;
		const char *result;
	} rows[] = {
		{ CREATE, 400, REFUSED(400), STEP_DONE,
		    "{\"refused\":\"vapi_400\",\"version\":3}" },
		{ CREATE, 404, REFUSED(404), STEP_RETRY, NULL },
		{ CREATE, 401, REFUSED(401), STEP_RETRY, NULL },
		{ CREATE, 429, REFUSED(429), STEP_RETRY, NULL },
		{ CREATE, 500, REFUSED(500), STEP_UNKNOWN, NULL },
		{ CREATE, 0, "", STEP_UNKNOWN, NULL },
		{ CREATE, 201, "{}", STEP_UNKNOWN, NULL },
		{ CREATE, 201, "{\"id\":4711}", STEP_UNKNOWN, NULL },
		{ CREATE, 201, "{\"id\":\"../x\"}", STEP_UNKNOWN, NULL },
		{ CREATE, 201, "[]", STEP_UNKNOWN, NULL },
		{ UPDATE, 404, REFUSED(404), STEP_DONE, "{\"absent\":true}" },
		{ UPDATE, 404, "<html>", STEP_RETRY, NULL },
		{ UPDATE, 400, REFUSED(400), STEP_DONE,
		    "{\"refused\":\"vapi_400\",\"version\":3}" },
		{ REMOVE, 200, "{}", STEP_DONE, "{\"absent\":true}" },
		{ REMOVE, 404, REFUSED(404), STEP_DONE, "{\"absent\":true}" },
		{ REMOVE, 409, REFUSED(409), STEP_DONE,
		    "{\"refused\":\"vapi_409\",\"version\":3}" },
		{ REMOVE, 502, "", STEP_UNKNOWN, NULL },
		{ FIND, 500, REFUSED(500), STEP_RETRY, NULL },
		{ FIND, 404, REFUSED(404), STEP_RETRY, NULL },
		{ FIND, 0, "", STEP_RETRY, NULL },
		{ FIND, 200, "{}", STEP_RETRY, NULL },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct step_out o =
		    verdict_of(*state, rows[i].step, rows[i].status, rows[i].body, 100);
		if (o.verdict != rows[i].verdict)
			fail_msg("row %zu: %d instead of %d", i, o.verdict, rows[i].verdict);
		if (rows[i].result)
			assert_string_equal(o.result, rows[i].result);
		else
			assert_null(o.result);
	}
}

static void
it_is_absent_only_when_it_would_be_listed(void **state)
{
	struct step_out o = verdict_of(*state, FIND, 200, "[]", 10);

	assert_int_equal(o.verdict, STEP_RETRY);
	assert_string_equal(o.reason, "not_listed_yet");
	assert_int_equal(o.retry_after, 20);
	o = verdict_of(*state, FIND, 200, "[]", 30);
	assert_int_equal(o.verdict, STEP_DONE);
	assert_string_equal(o.result, "{\"absent\":true}");
	o = verdict_of(*state, FIND, 200,
	    "[{\"id\":\"v-9\",\"metadata\":{\"assistant_id\":\"" CALL "\"}}]", 0);
	assert_int_equal(o.verdict, STEP_DONE);
	assert_string_equal(at(parsed(*state, o.result), "id"), "v-9");
	assert_int_equal(json_int(parsed(*state, o.result), "version", 7), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_says_where_and_what, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(events_go_to_the_organization_with_a_proof, setup,
		    fixture_teardown),
		cmocka_unit_test_setup_teardown(an_answer_tells_the_id_and_the_version, setup,
		    fixture_teardown),
		cmocka_unit_test_setup_teardown(each_refusal_has_its_verdict, setup,
		    fixture_teardown),
		cmocka_unit_test_setup_teardown(it_is_absent_only_when_it_would_be_listed, setup,
		    fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
