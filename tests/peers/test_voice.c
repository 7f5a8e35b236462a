/*
 * test_voice.c - what all voice providers share: finding one, its address, what an answer without a
 * call means.
 */
#include "base/settings.h"
#include "fixture.h"
#include "peers/voice.h"

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
	};

	if (settings_load() < 0)
		return 1;
	return cmocka_run_group_tests_name("voice", tests, NULL, NULL);
}
