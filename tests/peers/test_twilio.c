/*
 * test_twilio.c - requests to Twilio, and what becomes of them; also what any answer means before
 * anybody's own words are read (outcome.h).
 */
#include "twilio_fixture.h"

#include "peers/twilio.h"

static void
a_request_goes_below_the_account_with_its_credentials(void **state)
{
	CLEANUP(twilio_form_clear) struct twilio_form f = TWILIO_FORM;
	struct fetch_request r;

	twilio_put(&f, "Name", "a b&c");
	twilio_put(&f, "Left", NULL);
	twilio_put(&f, "Unset", "");
	twilio_put_int(&f, "PageSize", 20);
	assert_int_equal(twilio_post(*state, "/X.json", &f, &r), 0);
	assert_string_equal(r.method, "POST");
	assert_string_equal(r.url, ACCOUNT_PATH "/X.json");
	assert_string_equal(r.body.data, "Name=a%20b%26c&Unset=&PageSize=20");
	assert_string_equal(r.headers[0], "Authorization: Basic QUMwMTpzZWNyZXQ=");
	assert_string_equal(r.headers[2], "Content-Type: application/x-www-form-urlencoded");
	assert_true(r.https_only);

	assert_int_equal(twilio_get(*state, "/X.json", &f, &r), 0);
	assert_string_equal(r.url, ACCOUNT_PATH "/X.json?Name=a%20b%26c&Unset=&PageSize=20");
	assert_null(r.headers[2]);
	assert_int_equal(twilio_get(*state, "/X.json", NULL, &r), 0);
	assert_string_equal(r.url, ACCOUNT_PATH "/X.json");
	assert_int_equal(twilio_delete(*state, "/X.json", &r), 0);
	assert_string_equal(r.method, "DELETE");
	assert_int_equal(r.body.len, 0);
}

static void
what_cannot_be_asked_is_refused(void **state)
{
	CLEANUP(twilio_form_clear) struct twilio_form f = TWILIO_FORM;
	struct fetch_request r;

	assert_int_equal(twilio_get(*state, NULL, NULL, &r), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(twilio_get(*state, "X.json", NULL, &r), -1);
	assert_int_equal(errno, EINVAL);
	for (int i = 0; i < 1000; i++)
		twilio_put(&f, "Name", "0123456789");
	assert_int_equal(twilio_get(*state, "/X.json", &f, &r), -1);
	assert_int_equal(errno, EINVAL);
	for (int i = 0; i < 10000; i++)
		twilio_put(&f, "Name", "0123456789");
	assert_int_equal(twilio_post(*state, "/X.json", &f, &r), -1);
	assert_int_equal(errno, ENOMEM);
}

static void
without_an_account_nothing_is_asked(void **state)
{
	static const char *const accounts[] = { NULL, "AC01/../x", "AC 1" };
	struct fetch_request r;

	assert_true(twilio_ready());
	assert_string_equal(twilio_token(*state), "secret");
	for (size_t i = 0; i < COUNT(accounts); i++) {
		unsetenv("TWILIO_ACCOUNT_SID");
		if (accounts[i])
			setenv("TWILIO_ACCOUNT_SID", accounts[i], 1);
		assert_int_equal(settings_load(), 0);
		assert_false(twilio_ready());
		assert_int_equal(twilio_delete(*state, "/X.json", &r), -1);
		assert_int_equal(errno, ENOTCONN);
		assert_int_equal(twilio_next(*state, "/2010-04-01/Accounts/AC01/X", &r), -1);
		assert_int_equal(errno, ENOTCONN);
	}
	setenv("TWILIO_ACCOUNT_SID", "AC01", 1);
	unsetenv("TWILIO_AUTH_TOKEN");
	assert_int_equal(settings_load(), 0);
	assert_false(twilio_ready());
	assert_null(twilio_token(*state));
}

static void
a_path_takes_sids_alone(void **state)
{
	static const char *const wrong[] = { NULL, "", "PN/1", "PN.1", "PN1?",
		"PN000000000000000000000000000000001" };

	assert_string_equal(twilio_path(*state, "/N/", "PN1", ".json"), "/N/PN1.json");
	for (size_t i = 0; i < COUNT(wrong); i++) {
		errno = 0;
		assert_null(twilio_path(*state, "/N/", wrong[i], ".json"));
		assert_int_equal(errno, EINVAL);
	}
	assert_true(twilio_is_sid("PN", "PN0123456789abcdef0123456789abcdef"));
	assert_false(twilio_is_sid("PN", "SM0123456789abcdef0123456789abcdef"));
	assert_false(twilio_is_sid("PN", "PN0123456789abcdef0123456789abcde"));
	assert_false(twilio_is_sid("PN", "PN0123456789abcdef0123456789ABCDEF"));
	assert_false(twilio_is_sid("PN", NULL));
}

static void
the_next_page_is_the_accounts_own(void **state)
{
	static const char *const wrong[] = { NULL, "", "https://evil.example/",
		"/2010-04-01/Accounts/AC02/X.json", "/2010-04-01/Accounts/AC01/../AC02/X.json",
		"/2010-04-01/Accounts/AC01/X y", "/2010-04-01/Accounts/AC01#x" };
	struct fetch_request r;

	assert_int_equal(twilio_next(*state, "/2010-04-01/Accounts/AC01/X.json?Page=1&PageToken=P",
			     &r),
	    0);
	assert_string_equal(r.url, ACCOUNT_PATH "/X.json?Page=1&PageToken=P");
	for (size_t i = 0; i < COUNT(wrong); i++) {
		assert_int_equal(twilio_next(*state, wrong[i], &r), -1);
		assert_int_equal(errno, EINVAL);
	}
}

static const struct {
	const char *file;
	const char *code;
	int status;
	enum outcome_result result;
	int64_t wait;
	bool person;
} recorded[] = {
	{ "twilio/incoming.create.response.201.json", NULL, 201, OUTCOME_OK, -1, false },
	{ "twilio/error.400.21422.json", "twilio_21422", 400, OUTCOME_FAILED, -1, false },
	{ "twilio/error.401.20003.json", "twilio_20003", 401, OUTCOME_RETRY, 300, true },
	{ "twilio/error.404.20404.json", "twilio_20404", 404, OUTCOME_ABSENT, -1, false },
	{ "twilio/error.429.20429.json", "twilio_20429", 429, OUTCOME_RETRY, 2, false },
	{ "twilio/error.500.20500.json", "twilio_20500", 500, OUTCOME_UNKNOWN, -1, false },
};

static void
recorded_answers_are_understood(void **state)
{
	struct outcome o;

	for (size_t i = 0; i < COUNT(recorded); i++) {
		struct fetch_answer a = told_file(*state, recorded[i].status, recorded[i].file);

		twilio_answer(*state, &a, &o);
		assert_int_equal(o.result, recorded[i].result);
		assert_int_equal(o.status, recorded[i].status);
		assert_int_equal(o.retry_after, recorded[i].wait);
		assert_int_equal(o.person, recorded[i].person);
		if (recorded[i].code)
			assert_string_equal(o.code, recorded[i].code);
		else
			assert_null(o.code);
	}
}

static const struct {
	enum fetch_outcome outcome;
	int status;
	const char *body, *code;
	enum outcome_result result;
} others[] = {
	{ FETCH_NOT_SENT, 0, "", "connect_failed", OUTCOME_RETRY },
	{ FETCH_LOST, 0, "", "no_answer", OUTCOME_UNKNOWN },
	{ FETCH_TOO_LARGE, 200, "", "too_large", OUTCOME_UNKNOWN },
	{ FETCH_ANSWERED, 201, "<html>", "unreadable", OUTCOME_UNKNOWN },
	{ FETCH_ANSWERED, 201, "[]", "unreadable", OUTCOME_UNKNOWN },
	{ FETCH_ANSWERED, 201, "{\"sid\":\"P", "unreadable", OUTCOME_UNKNOWN },
	{ FETCH_ANSWERED, 204, "", NULL, OUTCOME_OK },
	/* Whoever answers without Twilio's words stands before it. */
	{ FETCH_ANSWERED, 302, "", "http_302", OUTCOME_RETRY },
	{ FETCH_ANSWERED, 403, "<html>", "http_403", OUTCOME_RETRY },
	{ FETCH_ANSWERED, 404, "{\"code\":\"x\"}", "http_404", OUTCOME_RETRY },
	{ FETCH_ANSWERED, 429, "", "http_429", OUTCOME_RETRY },
	{ FETCH_ANSWERED, 502, "<html>", "http_502", OUTCOME_UNKNOWN },
};

static void
other_answers_are_not_believed_too_far(void **state)
{
	struct outcome o;

	for (size_t i = 0; i < COUNT(others); i++) {
		struct fetch_answer a =
		    told(others[i].outcome, others[i].status, span_of(others[i].body));

		twilio_answer(*state, &a, &o);
		assert_int_equal(o.result, others[i].result);
		if (others[i].code)
			assert_string_equal(o.code, others[i].code);
		else
			assert_null(o.code);
	}
}

static void
who_is_told_when_to_come_again_does(void **state)
{
	struct fetch_answer a = told_file(*state, 429, "twilio/error.429.20429.json");
	struct outcome o;

	a.retry_after = 7;
	twilio_answer(*state, &a, &o);
	assert_int_equal(o.retry_after, 7);
	a = told(FETCH_ANSWERED, 429, SPAN(""));
	a.retry_after = 9;
	twilio_answer(*state, &a, &o);
	assert_int_equal(o.retry_after, 9);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TWILIO_CASE(a_request_goes_below_the_account_with_its_credentials),
		TWILIO_CASE(what_cannot_be_asked_is_refused),
		TWILIO_CASE(without_an_account_nothing_is_asked),
		TWILIO_CASE(a_path_takes_sids_alone),
		TWILIO_CASE(the_next_page_is_the_accounts_own),
		TWILIO_CASE(recorded_answers_are_understood),
		TWILIO_CASE(other_answers_are_not_believed_too_far),
		TWILIO_CASE(who_is_told_when_to_come_again_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
