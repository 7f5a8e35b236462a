/*
 * test_voice.c - what all voice providers share: finding one, its address, what an answer without a
 * call means.
 */
#include "base/settings.h"
#include "fixture.h"
#include "peers/voice.h"

#include <errno.h>

#define VAPI_CALL                                                                                  \
	"7a059b01-6350-7d68-89b3-08dc97fa2bce" /* ids of the calls in the stored answers */
#define SYNTHFLOW_CALL "3baf4e6e-e32b-7ef8-865e-62cd5abe4103"

static void
providers_are_found_by_their_type(void **state)
{
	(void)state;
	assert_ptr_equal(voice_find("vapi"), &vapi_provider);
	assert_ptr_equal(voice_find("synthflow"), &synthflow_provider);
	assert_null(voice_find("Vapi"));
	assert_null(voice_find(""));
	assert_null(voice_find(NULL));
}

static void
the_address_is_the_rows_or_the_default(void **state)
{
	struct mem *m = *state;
	static const struct {
		const char *type, *row, *want;
	} rows[] = {
		{ "vapi", NULL, "https://api.vapi.ai" },
		{ "vapi", "", "https://api.vapi.ai" },
		{ "vapi", "https://api.vapi.com", "https://api.vapi.ai" },
		{ "vapi", "https://api.vapi.com/", "https://api.vapi.ai" },
		{ "vapi", "https://api.vapi.company.example", "https://api.vapi.company.example" },
		{ "vapi", "https://vapi.example//", "https://vapi.example" },
		{ "synthflow", NULL, "https://api.synthflow.ai/v2" },
		{ "synthflow", "https://api.synthflow.com", "https://api.synthflow.ai/v2" },
		{ "synthflow", "https://api.eu.synthflow.ai/v2/",
		    "https://api.eu.synthflow.ai/v2" },
	};
	size_t i;

	for (i = 0; i < COUNT(rows); i++)
		assert_string_equal(voice_base_url(m, rows[i].type, rows[i].row), rows[i].want);
	assert_null(voice_base_url(m, "nobody", NULL));
}

static void
the_setting_wins_over_the_row(void **state)
{
	struct mem *m = *state;

	setenv("VAPI_BASE_URL", "http://127.0.0.1:9999", 1);
	assert_int_equal(settings_load(), 0);
	assert_string_equal(voice_base_url(m, "vapi", "https://vapi.example"),
	    "http://127.0.0.1:9999");
	assert_string_equal(voice_base_url(m, "synthflow", "https://s.example"),
	    "https://s.example");
	unsetenv("VAPI_BASE_URL");
	assert_int_equal(settings_load(), 0);
}

static const struct {
	int status;
	const char *body;
	enum voice_result result;
	enum voice_fault fault;
	const char *reason;
} answers[] = {
	{ 400, "{\"message\":[\"customer.number must be a valid phone number\"]}", VOICE_REFUSED,
	    FAULT_CALL, "http_400" },
	{ 400, "{\"message\":\"Over Concurrency Limit\"}", VOICE_REFUSED, FAULT_CONCURRENCY,
	    "concurrency" },
	{ 400, "{\"message\":\"Your wallet is empty\"}", VOICE_REFUSED, FAULT_CREDIT, "http_400" },
	{ 400, "{\"message\":\"Couldn't get assistant\"}", VOICE_REFUSED, FAULT_CONFIG,
	    "http_400" },
	{ 400, "not json", VOICE_REFUSED, FAULT_CALL, "http_400" },
	{ 401, "{\"message\":\"Invalid Key\"}", VOICE_REFUSED, FAULT_KEY, "http_401" },
	{ 402, "", VOICE_REFUSED, FAULT_CREDIT, "http_402" },
	{ 403, "", VOICE_REFUSED, FAULT_KEY, "http_403" },
	{ 404, "", VOICE_REFUSED, FAULT_CONFIG, "http_404" },
	{ 405, "", VOICE_REFUSED, FAULT_CONFIG, "http_405" },
	{ 409, "", VOICE_REFUSED, FAULT_CONFIG, "http_409" },
	{ 410, "", VOICE_REFUSED, FAULT_CONFIG, "http_410" },
	{ 422, "", VOICE_REFUSED, FAULT_CALL, "http_422" },
	{ 429, "{\"message\":\"Too Many Requests\"}", VOICE_REFUSED, FAULT_RATE, "http_429" },
	{ 429, "{\"detail\":{\"description\":\"Concurrency limit reached\"}}", VOICE_REFUSED,
	    FAULT_CONCURRENCY, "concurrency" },
	{ 408, "", VOICE_UNKNOWN, FAULT_NONE, "http_408" },
	{ 499, "", VOICE_UNKNOWN, FAULT_NONE, "http_499" },
	{ 500, "{\"message\":\"concurrency\"}", VOICE_UNKNOWN, FAULT_NONE, "http_500" },
	{ 502, "<html>", VOICE_UNKNOWN, FAULT_NONE, "http_502" },
	{ 503, "", VOICE_UNKNOWN, FAULT_NONE, "http_503" },
	{ 504, "", VOICE_UNKNOWN, FAULT_NONE, "http_504" },
	{ 301, "", VOICE_UNKNOWN, FAULT_NONE, "http_301" },
	{ 302, "", VOICE_UNKNOWN, FAULT_NONE, "http_302" },
	{ 303, "", VOICE_UNKNOWN, FAULT_NONE, "http_303" },
	{ 307, "", VOICE_REFUSED, FAULT_CONFIG, "http_307" },
	{ 308, "", VOICE_REFUSED, FAULT_CONFIG, "http_308" },
};

static void
a_status_says_whether_it_was_dialled(void **state)
{
	struct mem *m = *state;
	struct voice_outcome o;
	size_t i;

	for (i = 0; i < COUNT(answers); i++) {
		struct fetch_answer in = { .outcome = FETCH_ANSWERED,
			.status = answers[i].status,
			.body = span_of(answers[i].body),
			.retry_after = 7 };
		voice_refusal(m, &in, &o);
		if (o.result != answers[i].result || o.fault != answers[i].fault)
			fail_msg("%d %s: result %d, fault %d", answers[i].status, answers[i].body,
			    (int)o.result, (int)o.fault);
		assert_string_equal(o.reason, answers[i].reason);
		assert_int_equal(o.status, answers[i].status);
		assert_int_equal(o.retry_after, 7);
		assert_null(o.provider_call_id);
	}
}

static void
no_answer_is_a_refusal_only_when_nothing_was_sent(void **state)
{
	struct mem *m = *state;
	static const struct {
		enum fetch_outcome outcome;
		int status;
		enum voice_result result;
		enum voice_fault fault;
		const char *reason;
	} rows[] = {
		{ FETCH_NOT_SENT, 0, VOICE_REFUSED, FAULT_CONNECT, "connect_failed" },
		{ FETCH_LOST, 0, VOICE_UNKNOWN, FAULT_NONE, "answer_lost" },
		{ FETCH_LOST, 201, VOICE_UNKNOWN, FAULT_NONE, "answer_lost" },
		{ FETCH_LOST, 400, VOICE_UNKNOWN, FAULT_NONE, "answer_lost" },
		{ FETCH_TOO_LARGE, 201, VOICE_UNKNOWN, FAULT_NONE, "too_large" },
	};
	const struct voice_provider *const both[] = { &vapi_provider, &synthflow_provider };
	const struct voice_account a = { .api_key = "key-1", .base_url = "https://p.example" };
	struct voice_outcome o;
	size_t i, k;

	for (i = 0; i < COUNT(rows) * COUNT(both); i++) {
		struct fetch_answer in = { .outcome = rows[i / 2].outcome,
			.status = rows[i / 2].status,
			.body = SPAN("{\"id\":\"c-1\"}"),
			.retry_after = -1,
			.why = "Connection reset" };
		k = i % 2;
		both[k]->dialled(m, &a, &in, &o);
		assert_int_equal(o.result, rows[i / 2].result);
		assert_int_equal(o.fault, rows[i / 2].fault);
		assert_string_equal(o.reason, rows[i / 2].reason);
		assert_string_equal(o.detail, "Connection reset");
		assert_null(o.provider_call_id);
	}
}

static void
the_providers_words_are_cut_and_never_show_our_key(void **state)
{
	struct mem *m = *state;
	const struct voice_account a = { .api_key = "sk-secret-1",
		.base_url = "https://p.example" };
	struct fetch_answer in = { .outcome = FETCH_ANSWERED, .status = 401, .retry_after = -1 };
	struct voice_outcome o;

	in.body = span_of(mem_printf(m, "{\"message\":\"%0400d\"}", 1));
	voice_refusal(m, &in, &o);
	assert_int_equal(strlen(o.detail), 300);
	in.body = SPAN("{\"message\":[\"first\",\"second\"]}");
	voice_refusal(m, &in, &o);
	assert_string_equal(o.detail, "first");
	in.body = SPAN("{\"message\":\"Invalid Key sk-secret-1\"}");
	vapi_provider.dialled(m, &a, &in, &o);
	assert_null(o.detail);
	assert_int_equal(o.fault, FAULT_KEY);
}

/* ---- accounts ------------------------------------------------------- */

static void
an_account_has_the_rows_key_or_the_settings(void **state)
{
	struct mem *m = *state;
	struct voice_account a = { .id = "kept" };
	const struct json *row = parsed(m,
	    "{\"provider_type\":\"vapi\",\"base_url\":\"https://v.example/\","
	    "\"api_key\":\"row-key\",\"timeout_ms\":1234}");

	setenv("VAPI_API_KEY", "set-key", 1);
	unsetenv("SYNTHFLOW_API_KEY");
	assert_int_equal(settings_load(), 0);
	assert_int_equal(voice_account_read(m, row, &a), 0);
	assert_string_equal(a.type, "vapi");
	assert_string_equal(a.base_url, "https://v.example");
	assert_string_equal(a.api_key, "row-key");
	assert_int_equal(a.timeout_ms, 1234);
	assert_string_equal(a.id, "kept");

	row = parsed(m, "{\"provider_type\":\"vapi\",\"api_key\":null,\"timeout_ms\":null}");
	assert_int_equal(voice_account_read(m, row, &a), 0);
	assert_string_equal(a.api_key, "set-key");
	assert_int_equal(a.timeout_ms, setting_int(SET_HOOKSWITCH_DIAL_TIMEOUT_MS));
	assert_string_equal(voice_key(m, &vapi_provider, ""), "set-key");
	assert_string_equal(voice_key(m, &synthflow_provider, NULL), "");
	unsetenv("VAPI_API_KEY");
	assert_int_equal(settings_load(), 0);
}

static void
an_account_that_cannot_be_used_says_why(void **state)
{
	struct mem *m = *state;
	struct voice_account a = { 0 };

	errno = 0;
	assert_int_equal(voice_account_read(m, parsed(m, "{\"provider_type\":\"fax\"}"), &a), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(
	    voice_account_read(m,
		parsed(m, "{\"provider_type\":\"synthflow\",\"api_key\":\"sealed:1:none:AAAA\"}"),
		&a),
	    -1);
	assert_int_equal(errno, EACCES);
	assert_string_equal(a.type, "synthflow");
	assert_null(a.api_key);
}

/* ---- recordings ----------------------------------------------------- */

static struct fetch_answer
told(int status, struct span body)
{
	return (struct fetch_answer){ .outcome = FETCH_ANSWERED,
		.status = status,
		.body = body,
		.retry_after = -1 };
}

static enum voice_finding
recording(struct mem *m, const struct voice_provider *p, const struct voice_look *l,
    struct fetch_answer in, struct voice_recording *ret)
{
	const struct voice_account a = { .api_key = "key-1", .base_url = "https://p.example" };

	return p->recording(m, &a, l, &in, ret);
}

static void
the_recording_of_a_call_is_read(void **state)
{
	struct mem *m = *state;
	struct voice_look l = { .kind = LOOK_BY_ID, .provider_call_id = VAPI_CALL };
	struct span body = fixture(m, "vapi/call.get.ended.response.200.json");
	struct voice_recording r;

	assert_int_equal(recording(m, &vapi_provider, &l, told(200, body), &r), FOUND);
	assert_string_equal(r.url,
	    "https://storage.example.invalid/" VAPI_CALL
	    "-mono.wav?X-Amz-Expires=3600&X-Amz-Signature=0000");
	assert_string_equal(r.stereo_url,
	    "https://storage.example.invalid/" VAPI_CALL
	    "-stereo.wav?X-Amz-Expires=3600&X-Amz-Signature=0001");
	assert_string_equal(r.expires_at, "2026-09-21T14:32:00.000Z");
	body = SPAN(
	    "{\"id\":\"c-1\",\"artifact\":{\"presignedStereoUrl\":\"https://r.example/\\u0073\"}}");
	assert_int_equal(recording(m, &vapi_provider, &l, told(200, body), &r), FOUND);
	assert_null(r.url);
	assert_string_equal(r.stereo_url, "https://r.example/s");

	l.provider_call_id = SYNTHFLOW_CALL;
	body = fixture(m, "synthflow/call.get.response.200.json");
	assert_int_equal(recording(m, &synthflow_provider, &l, told(200, body), &r), FOUND);
	assert_string_equal(r.url, "https://recordings.example.invalid/a.wav");
	assert_null(r.stereo_url);
	assert_null(r.expires_at);
}

static void
a_call_without_a_recording_has_none(void **state)
{
	struct mem *m = *state;
	const struct voice_look l = { .kind = LOOK_BY_ID, .provider_call_id = "c-1" };
	struct span none = SPAN("{\"id\":\"c-1\",\"artifact\":{\"presignedMonoUrl\":null}}");
	struct span silent = SPAN("{\"response\":{\"calls\":[{\"call_id\":\"c-1\","
				  "\"status\":\"completed\",\"recording_url\":\"\"}]}}");
	struct voice_recording r;

	assert_int_equal(recording(m, &vapi_provider, &l, told(200, none), &r), NOT_FOUND);
	assert_int_equal(recording(m, &vapi_provider, &l, told(404, SPAN("{}")), &r), NOT_FOUND);
	assert_int_equal(recording(m, &synthflow_provider, &l, told(200, silent), &r), NOT_FOUND);
	assert_int_equal(recording(m, &synthflow_provider, &l, told(404, SPAN("{}")), &r),
	    NOT_FOUND);
	assert_int_equal(recording(m, &vapi_provider, &l, told(500, SPAN("{}")), &r), LOOK_FAILED);
	assert_string_equal(r.why, "http_500");
	assert_int_equal(recording(m, &vapi_provider, &l, told(200, SPAN("[]")), &r), LOOK_FAILED);
	assert_int_equal(recording(m, &synthflow_provider, &l, told(200, SPAN("{")), &r),
	    LOOK_FAILED);
}

static void
another_calls_recording_is_not_given(void **state)
{
	struct mem *m = *state;
	struct voice_look l = { .kind = LOOK_BY_ID,
		.provider_call_id = "c-1",
		.assignment_id = CALL };
	struct span vapi = SPAN(
	    "{\"id\":\"c-1\",\"assistantOverrides\":{\"metadata\":{\"assignment_id\":\"" ASSIGNMENT
	    "\"}},\"artifact\":{\"presignedMonoUrl\":\"https://r.example/m\"}}");
	struct span synthflow =
	    SPAN("{\"response\":{\"calls\":[{\"call_id\":\"c-1\",\"status\":\"completed\","
		 "\"prompt_variables\":{\"hookswitch_assignment_id\":\"" ASSIGNMENT
		 "\"},\"recording_url\":\"https://r.example/s\"}]}}");
	struct voice_recording r;

	assert_int_equal(recording(m, &vapi_provider, &l, told(200, vapi), &r), LOOK_FAILED);
	assert_string_equal(r.why, "other_call");
	assert_null(r.url);
	assert_int_equal(recording(m, &synthflow_provider, &l, told(200, synthflow), &r),
	    LOOK_FAILED);
	assert_string_equal(r.why, "other_call");
	assert_null(r.url);

	l.assignment_id = ASSIGNMENT;
	assert_int_equal(recording(m, &vapi_provider, &l, told(200, vapi), &r), FOUND);
	assert_int_equal(recording(m, &synthflow_provider, &l, told(200, synthflow), &r), FOUND);
	l.assignment_id = NULL;
	assert_int_equal(recording(m, &vapi_provider, &l, told(200, vapi), &r), FOUND);
	assert_int_equal(recording(m, &synthflow_provider, &l, told(200, synthflow), &r), FOUND);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST_CASE(providers_are_found_by_their_type),
		TEST_CASE(the_address_is_the_rows_or_the_default),
		TEST_CASE(the_setting_wins_over_the_row),
		TEST_CASE(a_status_says_whether_it_was_dialled),
		TEST_CASE(no_answer_is_a_refusal_only_when_nothing_was_sent),
		TEST_CASE(the_providers_words_are_cut_and_never_show_our_key),
		TEST_CASE(an_account_has_the_rows_key_or_the_settings),
		TEST_CASE(an_account_that_cannot_be_used_says_why),
		TEST_CASE(the_recording_of_a_call_is_read),
		TEST_CASE(a_call_without_a_recording_has_none),
		TEST_CASE(another_calls_recording_is_not_given),
	};

	if (settings_load() < 0)
		return 1;
	return cmocka_run_group_tests_name("voice", tests, NULL, NULL);
}
