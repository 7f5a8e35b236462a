/*
 * test_voice_check.c - whether an account's key is good: what is asked, and what an answer says.
 */
#include "fixture.h"
#include "peers/voice.h"

static void
a_key_is_good_or_refused_only_where_the_provider_says_so(void **state)
{
	static const struct {
		enum fetch_outcome outcome;
		int status;
		const char *body;
		enum voice_key_state want;
	} rows[] = {
		{ FETCH_ANSWERED, 200, "[]", KEY_GOOD },
		{ FETCH_ANSWERED, 200, "{\"status\":\"ok\"}", KEY_GOOD },
		{ FETCH_ANSWERED, 200, "<html></html>", KEY_UNKNOWN },
		{ FETCH_ANSWERED, 200, "", KEY_UNKNOWN },
		{ FETCH_ANSWERED, 200, "[{\"id\":", KEY_UNKNOWN },
		{ FETCH_ANSWERED, 302, "[]", KEY_UNKNOWN },
		{ FETCH_ANSWERED, 401, "{}", KEY_REFUSED },
		{ FETCH_ANSWERED, 403, "", KEY_REFUSED },
		{ FETCH_ANSWERED, 402, "{}", KEY_UNKNOWN },
		{ FETCH_ANSWERED, 404, "{}", KEY_UNKNOWN },
		{ FETCH_ANSWERED, 429, "{}", KEY_UNKNOWN },
		{ FETCH_ANSWERED, 500, "[]", KEY_UNKNOWN },
		{ FETCH_LOST, 0, "", KEY_UNKNOWN },
		{ FETCH_LOST, 401, "", KEY_UNKNOWN },
		{ FETCH_NOT_SENT, 0, "", KEY_UNKNOWN },
		{ FETCH_TOO_LARGE, 200, "", KEY_UNKNOWN },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		struct fetch_answer in = { .outcome = rows[i].outcome,
			.status = rows[i].status,
			.body = span_of(rows[i].body) };
		assert_int_equal(voice_checked(&in), rows[i].want);
	}
}

static void
a_check_is_harmless(void **state)
{
	static const struct {
		const struct voice_provider *provider;
		const char *url;
	} rows[] = {
		{ &vapi_provider, "https://p.example/call?limit=1" },
		{ &synthflow_provider, "https://p.example/assistants/?limit=1" },
	};
	struct mem *m = *state;
	struct voice_account a = { .base_url = "https://p.example",
		.api_key = "key-1",
		.timeout_ms = 300 };
	struct fetch_request r;
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		a.api_key = "key-1";
		assert_int_equal(rows[i].provider->check(m, &a, &r), 0);
		assert_string_equal(r.method, "GET");
		assert_string_equal(r.url, rows[i].url);
		assert_string_equal(r.headers[0], "Authorization: Bearer key-1");
		assert_int_equal(r.body.len, 0);
		assert_int_equal(r.timeout_ms, 300);
		a.api_key = "two\r\nlines";
		assert_int_equal(rows[i].provider->check(m, &a, &r), -1);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST_CASE(a_key_is_good_or_refused_only_where_the_provider_says_so),
		TEST_CASE(a_check_is_harmless),
	};

	return cmocka_run_group_tests_name("voice_check", tests, NULL, NULL);
}
