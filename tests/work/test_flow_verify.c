/*
 * test_flow_verify.c - the workflow "verify-number": the requests it makes of a run, and its
 * verdict on each kind of answer.
 */
#include "tests/peers/fixture.h"

#include "base/settings.h"
#include "lib/seal.h"
#include "work/flow_verify.h"

#define ID "11111111-1111-4111-8111-111111111111"
#define SID "CA00000000000000000000000000000001"

static int
setup(void **state)
{
	setenv("TWILIO_ACCOUNT_SID", "AC01", 1);
	setenv("TWILIO_AUTH_TOKEN", "secret", 1);
	setenv("TWILIO_SMS_FROM", "+15550100001", 1);
	setenv("HOOKSWITCH_SECRET_KEY", "t:a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=", 1);
	assert_int_equal(settings_load(), 0);
	assert_int_equal(seal_ready(), 0);
	return fixture_setup(state);
}

static struct step_in
run_of(struct mem *m, const char *channel, int64_t sent_s)
{
	return (struct step_in){ .run_id = "verify-number:1",
		.workflow = "verify-number",
		.step = "send",
		.organization_id = "",
		.key = "k",
		.attempt = 1,
		.sent_s = sent_s,
		.input = parsed(m,
		    mem_printf(m,
			"{\"verified_number_id\":\"" ID
			"\",\"to\":\"+15550100003\",\"channel\":\"%s\"}",
			channel)) };
}

static struct fetch_answer
said(int status, const char *body)
{
	return (struct fetch_answer){ .outcome = FETCH_ANSWERED,
		.status = status,
		.body = span_of(body),
		.type = "",
		.location = "",
		.retry_after = -1 };
}

static void
the_code_is_made_where_it_is_sent(void **state)
{
	const struct step *s = &flow_verify.steps[0];
	struct step_in in = run_of(*state, "sms", -1);
	const char *code = seal_code(*state, VERIFY_PURPOSE, ID), *digits;
	struct fetch_request r;

	assert_int_equal(s->ask(*state, &in, &r), 0);
	assert_non_null(strstr(r.url, "/Messages.json"));
	assert_non_null(strstr(r.body.data, mem_printf(*state, "&Body=%s%%20is", code)));
	in = run_of(*state, "call", -1);
	assert_int_equal(s->ask(*state, &in, &r), 0);
	assert_non_null(strstr(r.url, "/Calls.json"));
	digits = mem_printf(*state, "%%20%c%%2C%%20%c%%2C", code[0], code[1]);
	assert_non_null(strstr(r.body.data, digits));
	assert_true(seal_code_check(VERIFY_PURPOSE, ID, code));
	assert_false(seal_code_check("signup", ID, code) && seal_code_check("recovery", ID, code));
	in.input = parsed(*state, "{}");
	assert_int_equal(s->ask(*state, &in, &r), -1);
	assert_int_equal(s->look_ask(*state, &in, &r), -1);
}

static void
nothing_of_it_is_kept(void **state UNUSED)
{
	const struct step *s = &flow_verify.steps[0];

	assert_int_equal(flow_verify.nsteps, 1);
	assert_string_equal(s->prepare, "verify_prepare");
	assert_string_equal(s->apply, "verify_sent");
	for (const char *const *k = s->keep; *k; k++)
		assert_true(strcmp(*k, "to") != 0 && strcmp(*k, "code") != 0);
}

static void
what_is_refused_for_good_is_told(void **state)
{
	static const char *const channels[] = { "sms", "call" };
	struct fetch_answer refused =
	    said(400, "{\"code\":21211,\"message\":\"x\",\"status\":400}");
	struct fetch_answer busy = said(429, "{\"code\":20429,\"message\":\"x\",\"status\":429}");
	struct fetch_answer broken = said(500, "{\"code\":20500,\"message\":\"x\",\"status\":500}");

	for (size_t i = 0; i < COUNT(channels); i++) {
		struct step_in in = run_of(*state, channels[i], -1);
		struct step_out out = { .retry_after = -1 };

		flow_verify.steps[0].read(*state, &in, &refused, &out);
		assert_int_equal(out.verdict, STEP_DONE);
		assert_string_equal(out.result, "{\"refused\":\"twilio_21211\"}");
		flow_verify.steps[0].read(*state, &in, &busy, &out);
		assert_int_equal(out.verdict, STEP_RETRY);
		flow_verify.steps[0].read(*state, &in, &broken, &out);
		assert_int_equal(out.verdict, STEP_UNKNOWN);
	}
}

static void
what_is_not_listed_yet_may_still_be(void **state)
{
	static const struct {
		const char *channel, *list;
	} cases[] = { { "sms", "{\"messages\":[],\"next_page_uri\":null}" },
		{ "call", "{\"calls\":[],\"next_page_uri\":null}" } };

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fetch_answer a = said(200, cases[i].list);
		struct step_in in = run_of(*state, cases[i].channel, 3);
		struct step_out out = { .retry_after = -1 };

		flow_verify.steps[0].look_read(*state, &in, &a, &out);
		assert_int_equal(out.verdict, STEP_UNKNOWN);
		assert_in_range(out.retry_after, 1, 120);
		in = run_of(*state, cases[i].channel, 300);
		flow_verify.steps[0].look_read(*state, &in, &a, &out);
		assert_int_equal(out.verdict, STEP_ABSENT);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_code_is_made_where_it_is_sent, setup,
		    fixture_teardown),
		cmocka_unit_test(nothing_of_it_is_kept),
		cmocka_unit_test_setup_teardown(what_is_refused_for_good_is_told, setup,
		    fixture_teardown),
		cmocka_unit_test_setup_teardown(what_is_not_listed_yet_may_still_be, setup,
		    fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
