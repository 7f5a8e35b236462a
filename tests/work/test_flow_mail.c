/*
 * test_flow_mail.c - the workflow "mail": the request it makes of a run, and its verdict on each
 * kind of answer.
 */
#include "mail_fixture.h"

#include "work/flow_mail.h"

#define FROM "MAIL_FROM", "\"Acme Calls\" <no-reply@example.com>"
#define RESEND "RESEND_API_KEY", "re_1"
#define SMTP "SMTP_URL", "smtp://127.0.0.1:25"

static struct step_in
run_of(struct mem *m, const char *kind, const char *data)
{
	return (struct step_in){ .run_id = "mail:1",
		.workflow = "mail",
		.step = "send",
		.organization_id = "",
		.key = "mail:1:1:send",
		.attempt = 1,
		.sent_s = -1,
		.input = parsed(m,
		    mem_printf(m, "{\"kind\":\"%s\",\"to\":\"pat@example.org\",\"data\":%s}", kind,
			data)),
		.prepared = parsed(m, "{\"until\":\"21 Sep 2026 13:31 UTC\"}") };
}

static struct step_out
verdict_of(struct mem *m, enum fetch_outcome outcome, int status, const char *body)
{
	struct fetch_answer a = { .outcome = outcome,
		.status = status,
		.body = span_of(body),
		.type = "",
		.location = "",
		.retry_after = -1 };
	struct step_in in = run_of(m, "password_changed", "{}");
	struct step_out out = { .retry_after = -1 };

	flow_mail.steps[0].read(m, &in, &a, &out);
	return out;
}

static void
it_is_one_step_with_two_days_of_patience(void **state)
{
	const struct step_retry *r = &flow_mail.steps[0].retry;
	double wait = r->first_ms, all = 0;

	(void)state;
	assert_string_equal(flow_mail.name, "mail");
	assert_int_equal(flow_mail.nsteps, 1);
	assert_string_equal(flow_mail.steps[0].prepare, "mail_prepare");
	assert_true(flow_mail.steps[0].takes_key);
	for (int i = 1; i < r->attempts; i++) {
		all += wait;
		wait = wait * r->factor < r->max_ms ? wait * r->factor : r->max_ms;
	}
	assert_true(all > (double)r->limit_ms);
	assert_int_equal(r->limit_ms, 48 * 3600 * INT64_C(1000));
}

static void
it_waits_while_nobody_takes_mails(void **state)
{
	(void)state;
	SETTINGS(FROM);
	assert_false(flow_mail.ready());
	SETTINGS(FROM, RESEND);
	assert_true(flow_mail.ready());
	SETTINGS(FROM, SMTP);
	assert_true(flow_mail.ready());
}

static void
a_run_becomes_a_request_to_resend(void **state)
{
	struct step_in in = run_of(*state, "verify_email",
	    "{\"token_id\":\"" TOKEN_ID "\",\"redirect_to\":\"https://x.example\"}");
	struct fetch_request r;
	const struct json *j;

	SETTINGS(RESEND, FROM, "API_URL", "https://api.example.com", "FRONTEND_URL",
	    "https://front.example.com");
	assert_int_equal(flow_mail.steps[0].ask(*state, &in, &r), 0);
	assert_string_equal(r.headers[1], "Idempotency-Key: mail:1:1:send");
	j = parsed(*state, r.body.data);
	assert_string_equal(at(j, "from"), "\"Acme Calls\" <no-reply@example.com>");
	assert_string_equal(at(j, "to.0"), "pat@example.org");
	assert_string_equal(at(j, "subject"), "Confirm your address");
	assert_says(at(j, "text"), "https://front.example.com/auth/verify-email?token=");
	assert_says(at(j, "text"), "redirect_to=https%3A%2F%2Fx.example\n");
	assert_says(at(j, "text"), seal_token(*state, "signup", TOKEN_ID));
	assert_says(at(j, "text"), "until 21 Sep 2026 13:31 UTC");
	assert_says(at(j, "text"), "\nAcme Calls\n");

	SETTINGS(RESEND, FROM, "APP_URL", "https://app.example.com", "FRONTEND_URL",
	    "https://front.example.com");
	assert_int_equal(flow_mail.steps[0].ask(*state, &in, &r), 0);
	assert_says(r.body.data, "https://app.example.com/auth/verify-email?token=");
}

static void
a_run_becomes_a_message_for_smtp(void **state)
{
	struct step_in in = run_of(*state, "password_changed", "{}");
	struct fetch_request r;

	SETTINGS(SMTP, FROM);
	in.prepared = NULL;
	assert_int_equal(flow_mail.steps[0].ask(*state, &in, &r), 0);
	assert_non_null(r.mail);
	assert_string_equal(r.mail->to, "pat@example.org");
	assert_says(r.body.data, "Subject: Your password was changed\r\n");
	assert_says(r.body.data, "From: \"Acme Calls\"\r\n <no-reply@example.com>\r\n");
}

static void
what_cannot_be_a_mail_is_no_request(void **state)
{
	struct step_in in = run_of(*state, "advert", "{}");
	struct fetch_request r;

	SETTINGS(RESEND, FROM);
	assert_int_equal(flow_mail.steps[0].ask(*state, &in, &r), -1);
	in = run_of(*state, "verify_email", "{}");
	assert_int_equal(flow_mail.steps[0].ask(*state, &in, &r), -1);
	in = run_of(*state, "password_changed", "{}");
	in.input = parsed(*state, "{\"kind\":\"password_changed\",\"to\":\"nobody\"}");
	assert_int_equal(flow_mail.steps[0].ask(*state, &in, &r), -1);
	in.input = parsed(*state, "{}");
	assert_int_equal(flow_mail.steps[0].ask(*state, &in, &r), -1);
}

static void
each_answer_has_its_verdict(void **state)
{
	struct step_out o;

	SETTINGS(RESEND, FROM);
	o = verdict_of(*state, FETCH_ANSWERED, 200, "{\"id\":\"4711\"}");
	assert_int_equal(o.verdict, STEP_DONE);
	assert_string_equal(o.result, "{\"provider\":\"resend\",\"id\":\"4711\"}");
	o = verdict_of(*state, FETCH_ANSWERED, 429, "{\"name\":\"rate_limit_exceeded\"}");
	assert_int_equal(o.verdict, STEP_RETRY);
	assert_int_equal(o.retry_after, 1);
	assert_string_equal(o.reason, "rate_limit_exceeded");
	assert_null(o.result);
	assert_int_equal(verdict_of(*state, FETCH_NOT_SENT, 0, "").verdict, STEP_RETRY);
	assert_int_equal(verdict_of(*state, FETCH_LOST, 0, "").verdict, STEP_UNKNOWN);
	o = verdict_of(*state, FETCH_ANSWERED, 422, "{\"name\":\"invalid_parameter\"}");
	assert_int_equal(o.verdict, STEP_FAILED);

	SETTINGS(SMTP, FROM);
	o = verdict_of(*state, FETCH_ANSWERED, 250, "250 ok\r\n");
	assert_int_equal(o.verdict, STEP_DONE);
	assert_says(o.result, "{\"provider\":\"smtp\",\"id\":\"<");
	assert_says(o.result, "@example.com>\"}");
	assert_int_equal(verdict_of(*state, FETCH_ANSWERED, 450, "").verdict, STEP_RETRY);
	assert_int_equal(verdict_of(*state, FETCH_ANSWERED, 550, "").verdict, STEP_FAILED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_CASE(it_is_one_step_with_two_days_of_patience),
		TEST_CASE(it_waits_while_nobody_takes_mails),
		TEST_CASE(a_run_becomes_a_request_to_resend),
		TEST_CASE(a_run_becomes_a_message_for_smtp),
		TEST_CASE(what_cannot_be_a_mail_is_no_request),
		TEST_CASE(each_answer_has_its_verdict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
