/*
 * test_flow_sms.c - the workflow "sms": the requests it makes of a run, and its verdict on each
 * kind of answer.
 */
#include "tests/peers/fixture.h"

#include "base/settings.h"
#include "work/flow_sms.h"

static int
setup(void **state)
{
	setenv("TWILIO_ACCOUNT_SID", "AC01", 1);
	setenv("TWILIO_AUTH_TOKEN", "secret", 1);
	setenv("TWILIO_SMS_FROM", "+15550100001", 1);
	assert_int_equal(settings_load(), 0);
	return fixture_setup(state);
}

static struct step_in
run_of(struct mem *m, int64_t sent_s)
{
	return (struct step_in){ .run_id = "sms:1",
		.workflow = "sms",
		.step = "send",
		.organization_id = "",
		.key = "sms:1:1:send",
		.attempt = 1,
		.sent_s = sent_s,
		.input = parsed(m, "{\"to\":\"+15550100003\",\"text\":\"Hello\"}") };
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
	struct step_in in = run_of(m, -1);
	struct step_out out = { .retry_after = -1 };

	flow_sms.steps[0].read(m, &in, &a, &out);
	return out;
}

/* The verdict on a look so many seconds after the message was sent. */
static struct step_out
look_of(struct mem *m, int64_t sent_s, const char *body)
{
	struct fetch_answer a = { .outcome = FETCH_ANSWERED,
		.status = 200,
		.body = span_of(body),
		.type = "",
		.location = "",
		.retry_after = -1 };
	struct step_in in = run_of(m, sent_s);
	struct step_out out = { .retry_after = -1 };

	flow_sms.steps[0].look_read(m, &in, &a, &out);
	return out;
}

static void
it_is_one_step_that_looks_before_it_repeats(void **state)
{
	const struct step *s = &flow_sms.steps[0];

	(void)state;
	assert_string_equal(flow_sms.name, "sms");
	assert_int_equal(flow_sms.nsteps, 1);
	assert_string_equal(s->prepare, "sms_prepare");
	assert_string_equal(s->apply, "sms_sent");
	assert_false(s->takes_key);
	assert_non_null(s->look_ask);
	for (const char *const *k = s->keep; *k; k++)
		assert_true(strcmp(*k, "to") != 0 && strcmp(*k, "text") != 0);
}

static void
it_waits_without_an_account(void **state)
{
	(void)state;
	assert_true(flow_sms.ready());
	unsetenv("TWILIO_SMS_FROM");
	assert_int_equal(settings_load(), 0);
	assert_false(flow_sms.ready());
}

static void
a_run_becomes_requests_to_twilio(void **state)
{
	struct step_in in = run_of(*state, -1);
	struct fetch_request r;

	assert_int_equal(flow_sms.steps[0].ask(*state, &in, &r), 0);
	assert_string_equal(r.body.data, "To=%2B15550100003&From=%2B15550100001&Body=Hello");
	in = run_of(*state, 3);
	assert_int_equal(flow_sms.steps[0].look_ask(*state, &in, &r), 0);
	assert_non_null(strstr(r.url, "?To=%2B15550100003&"));
	in.input = parsed(*state, "{\"to\":\"nobody\",\"text\":\"Hello\"}");
	assert_int_equal(flow_sms.steps[0].ask(*state, &in, &r), -1);
	in.input = parsed(*state, "{}");
	assert_int_equal(flow_sms.steps[0].ask(*state, &in, &r), -1);
}

static void
each_answer_has_its_verdict(void **state)
{
	struct step_out o = verdict_of(*state, FETCH_ANSWERED, 201,
	    "{\"sid\":\"SM1\",\"status\":\"queued\",\"to\":\"+15550100003\"}");

	assert_int_equal(o.verdict, STEP_DONE);
	assert_string_equal(o.result, "{\"id\":\"SM1\",\"status\":\"queued\"}");
	o = verdict_of(*state, FETCH_ANSWERED, 429, "{\"code\":20429}");
	assert_int_equal(o.verdict, STEP_RETRY);
	assert_int_equal(o.retry_after, 5);
	assert_string_equal(o.reason, "twilio_20429");
	assert_null(o.result);
	o = verdict_of(*state, FETCH_ANSWERED, 400, "{\"code\":21610}");
	assert_int_equal(o.verdict, STEP_FAILED);
	assert_int_equal(verdict_of(*state, FETCH_NOT_SENT, 0, "").verdict, STEP_RETRY);
	assert_int_equal(verdict_of(*state, FETCH_LOST, 0, "").verdict, STEP_UNKNOWN);
	assert_int_equal(verdict_of(*state, FETCH_ANSWERED, 500, "").verdict, STEP_UNKNOWN);
}

static void
that_it_is_absent_is_believed_after_a_while(void **state)
{
	static const char empty[] = "{\"messages\":[],\"next_page_uri\":null}";
	struct step_out o = look_of(*state, 20, empty);

	assert_int_equal(o.verdict, STEP_UNKNOWN);
	assert_string_equal(o.reason, "not_listed_yet");
	assert_int_equal(o.retry_after, 100);
	assert_int_equal(look_of(*state, 120, empty).verdict, STEP_ABSENT);
	assert_int_equal(look_of(*state, 120, "{}").verdict, STEP_UNKNOWN);
}

#define SMS_CASE(f) cmocka_unit_test_setup_teardown(f, setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SMS_CASE(it_is_one_step_that_looks_before_it_repeats),
		SMS_CASE(it_waits_without_an_account),
		SMS_CASE(a_run_becomes_requests_to_twilio),
		SMS_CASE(each_answer_has_its_verdict),
		SMS_CASE(that_it_is_absent_is_believed_after_a_while),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
