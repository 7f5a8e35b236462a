/*
 * test_mail_resend.c - the request to Resend, and what each of its answers means.
 */
#include "mail_fixture.h"

static int
resend_setup(void **state)
{
	SETTINGS("RESEND_API_KEY", "re_secret", "MAIL_FROM", "no-reply@example.com");
	return fixture_setup(state);
}

static void
a_mail_is_asked_for_in_resends_form(void **state)
{
	struct mem *m = *state;
	struct fetch_request r;
	const struct json *j;

	assert_int_equal(mail_resend.send(m, &plain_mail, &r), 0);
	assert_string_equal(r.method, "POST");
	assert_string_equal(r.url, "https://api.resend.com/emails");
	assert_string_equal(r.headers[0], "Authorization: Bearer re_secret");
	assert_string_equal(r.headers[1], "Idempotency-Key: " KEY);
	assert_string_equal(r.headers[2], "Content-Type: application/json");
	assert_string_equal(r.headers[3], "User-Agent: hookswitch");
	assert_null(r.headers[4]);
	assert_null(r.mail);
	assert_true(r.timeout_ms > 0);
	j = parsed(m, r.body.data);
	assert_int_equal(json_len(j), 5);
	assert_string_equal(at(j, "from"), "Hookswitch <no-reply@example.com>");
	assert_string_equal(at(j, "to.0"), "pat@example.org");
	assert_int_equal(json_len(json_get(j, "to")), 1);
	assert_string_equal(at(j, "subject"), "Confirm your address");
	assert_string_equal(at(j, "text"), plain_mail.text);
	assert_string_equal(at(j, "html"), plain_mail.html);
}

static void
the_same_mail_is_the_same_bytes(void **state)
{
	struct mail later = plain_mail;
	struct fetch_request a, b;

	later.at_ms += 3600 * 1000;
	assert_int_equal(mail_resend.send(*state, &plain_mail, &a), 0);
	assert_int_equal(mail_resend.send(*state, &later, &b), 0);
	assert_true(span_equal(a.body, b.body));
}

static void
a_mail_that_cannot_be_is_refused(void **state)
{
	struct mail in = plain_mail;
	struct fetch_request r;

	in.to = "pat@example.org\nX: y";
	assert_int_equal(mail_resend.send(*state, &in, &r), -1);
	assert_int_equal(errno, EINVAL);
	in = plain_mail;
	in.key = "a\r\nX-Other: b";
	assert_int_equal(mail_resend.send(*state, &in, &r), -1);
}

static const struct {
	const char *name;
	int status;
	enum mail_result result;
	int64_t again;
} errors[] = {
	{ "rate_limit_exceeded", 429, MAIL_RETRY, 1 },
	{ "daily_quota_exceeded", 429, MAIL_RETRY, 3600 },
	{ "monthly_quota_exceeded", 429, MAIL_RETRY, 6 * 3600 },
	{ "concurrent_idempotent_requests", 409, MAIL_RETRY, -1 },
	{ "missing_api_key", 401, MAIL_RETRY, 300 },
	{ "restricted_api_key", 401, MAIL_RETRY, 300 },
	{ "invalid_api_key", 403, MAIL_RETRY, 300 },
	{ "validation_error", 403, MAIL_RETRY, 300 },
	{ "invalid_from_address", 422, MAIL_RETRY, 300 },
	{ "invalid_access", 422, MAIL_RETRY, 300 },
	{ "invalid_region", 422, MAIL_RETRY, 300 },
	{ "not_found", 404, MAIL_RETRY, 300 },
	{ "method_not_allowed", 405, MAIL_RETRY, 300 },
	{ "validation_error", 400, MAIL_FAILED, -1 },
	{ "missing_required_field", 422, MAIL_FAILED, -1 },
	{ "invalid_parameter", 422, MAIL_FAILED, -1 },
	{ "invalid_attachment", 422, MAIL_FAILED, -1 },
	{ "invalid_idempotency_key", 400, MAIL_FAILED, -1 },
	{ "invalid_idempotent_request", 409, MAIL_FAILED, -1 },
	{ "security_error", 451, MAIL_FAILED, -1 },
	{ "application_error", 500, MAIL_UNKNOWN, -1 },
	{ "internal_server_error", 500, MAIL_UNKNOWN, -1 },
	/* A 5xx is no certain refusal, whatever its name. */
	{ "validation_error", 502, MAIL_UNKNOWN, -1 },
};

static void
each_error_has_its_meaning(void **state)
{
	for (size_t i = 0; i < COUNT(errors); i++) {
		const char *body =
		    mem_printf(*state, "{\"statusCode\":%d,\"name\":\"%s\",\"message\":\"m\"}",
			errors[i].status, errors[i].name);
		struct fetch_answer a = answer(errors[i].status, span_of(body));
		struct mail_outcome o = outcome_of(*state, &mail_resend, &a);

		if (o.result != errors[i].result || o.retry_after != errors[i].again ||
		    strcmp(o.reason, errors[i].name) != 0)
			fail_msg("%s %d: %d %s %d", errors[i].name, errors[i].status, o.result,
			    o.reason, (int)o.retry_after);
	}
}

static void
recorded_answers_are_understood(void **state)
{
	static const struct {
		const char *name;
		enum mail_result result;
	} cases[] = {
		{ "email.send.response.200", MAIL_SENT },
		{ "error.400.invalid_idempotency_key", MAIL_FAILED },
		{ "error.400.validation_error", MAIL_FAILED },
		{ "error.401.missing_api_key", MAIL_RETRY },
		{ "error.401.restricted_api_key", MAIL_RETRY },
		{ "error.403.invalid_api_key", MAIL_RETRY },
		{ "error.404.not_found", MAIL_RETRY },
		{ "error.409.concurrent_idempotent_requests", MAIL_RETRY },
		{ "error.409.invalid_idempotent_request", MAIL_FAILED },
		{ "error.422.missing_required_field", MAIL_FAILED },
		{ "error.429.daily_quota_exceeded", MAIL_RETRY },
		{ "error.429.rate_limit_exceeded", MAIL_RETRY },
		{ "error.500.internal_server_error", MAIL_UNKNOWN },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *file = mem_printf(*state, "resend/%s.json", cases[i].name);
		int status = (int)strtol(strpbrk(cases[i].name, "0123456789"), NULL, 10);
		struct fetch_answer a = answer(status, fixture(*state, file));
		struct mail_outcome o = outcome_of(*state, &mail_resend, &a);

		assert_int_equal(o.result, cases[i].result);
		if (o.result == MAIL_SENT)
			assert_string_equal(o.id, "56761188-7520-42d8-8898-ff6fc54ce618");
	}
}

static void
what_is_asked_for_is_waited_for(void **state)
{
	struct fetch_answer a = answer(429, SPAN("{\"name\":\"rate_limit_exceeded\"}"));

	a.retry_after = 17;
	assert_int_equal(outcome_of(*state, &mail_resend, &a).retry_after, 17);
	a.body = SPAN("{\"name\":\"daily_quota_exceeded\"}");
	assert_int_equal(outcome_of(*state, &mail_resend, &a).retry_after, 3600);
	a.status = 503;
	a.body = SPAN("busy");
	assert_int_equal(outcome_of(*state, &mail_resend, &a).retry_after, 17);
}

static void
what_is_not_resends_own_says_nothing(void **state)
{
	static const struct {
		int status;
		const char *body;
		enum mail_result result;
		const char *reason;
	} cases[] = {
		{ 403, "<html>error code: 1010</html>", MAIL_RETRY, "http_403" },
		{ 429, "", MAIL_RETRY, "http_429" },
		{ 418, "{\"name\":\"teapot\"}", MAIL_FAILED, "http_418" },
		{ 429, "{\"name\":\"new_limit\"}", MAIL_RETRY, "http_429" },
		{ 307, "", MAIL_RETRY, "http_307" },
		{ 502, "<html>", MAIL_UNKNOWN, "http_502" },
		{ 200, "", MAIL_UNKNOWN, "unreadable" },
		{ 200, "{\"id\":4711}", MAIL_UNKNOWN, "unreadable" },
		{ 200, "{\"id\":\"cut", MAIL_UNKNOWN, "unreadable" },
		{ 200, "{\"name\":\"validation_error\"}", MAIL_UNKNOWN, "unreadable" },
		{ 200, "[{\"id\":\"x\"}]", MAIL_UNKNOWN, "unreadable" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fetch_answer a = answer(cases[i].status, span_of(cases[i].body));
		struct mail_outcome o = outcome_of(*state, &mail_resend, &a);

		if (o.result != cases[i].result || strcmp(o.reason, cases[i].reason) != 0)
			fail_msg("%d %s: %d %s", cases[i].status, cases[i].body, o.result,
			    o.reason);
		assert_null(o.id);
	}
}

#define RESEND_CASE(f) cmocka_unit_test_setup_teardown(f, resend_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RESEND_CASE(a_mail_is_asked_for_in_resends_form),
		RESEND_CASE(the_same_mail_is_the_same_bytes),
		RESEND_CASE(a_mail_that_cannot_be_is_refused),
		RESEND_CASE(each_error_has_its_meaning),
		RESEND_CASE(recorded_answers_are_understood),
		RESEND_CASE(what_is_asked_for_is_waited_for),
		RESEND_CASE(what_is_not_resends_own_says_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
