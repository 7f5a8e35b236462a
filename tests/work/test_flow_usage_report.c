/*
 * test_flow_usage_report.c - the workflows "usage-report" and "usage-cancel": the requests that
 * they make, and that a refusal does not become a dead letter but a row that says so.
 */
#include "flow_fixture.h"

#include "work/flow_usage_report.h"

#define INPUT "{\"identifier\":\"usage-1\"}"

static void
their_steps_are_made_by_sql(void **state)
{
	assert_string_equal(flow_usage_report.name, "usage-report");
	assert_made(*state, &flow_usage_report, "76_cycle_reports.sql");
	assert_non_null(strstr(functions(*state, "76_cycle_reports.sql"), "\"next\": \"cancel\""));
	assert_true(flow_usage_report.ready());
}

static void
a_report_says_whose_how_much_and_when(void **state)
{
	const struct step *s = step_of(&flow_usage_report, "tell");
	struct step_in in = told(*state, INPUT,
	    "{\"event_name\":\"hookswitch_overage_seconds\",\"customer\":\"cus_1\",\"value\":75,"
	    "\"timestamp\":1790000000}");
	struct fetch_request r;

	assert_int_equal(s->ask(*state, &in, &r), 0);
	assert_string_equal(r.method, "POST");
	assert_string_equal(r.url, "https://api.stripe.com/v1/billing/meter_events");
	assert_string_equal(body_of(*state, &r),
	    "event_name=hookswitch_overage_seconds&payload[stripe_customer_id]=cus_1&payload[value]"
	    "=75&identifier=usage-1&timestamp=1790000000");
	assert_string_equal(r.headers[4], "Idempotency-Key: r:1:s:1");
	assert_true(s->takes_key);
}

static void
it_is_taken_back_by_its_identifier(void **state)
{
	const struct step *s = step_of(&flow_usage_report, "cancel");
	struct step_in in = told(*state, INPUT, "{\"event_name\":\"e\"}");
	struct fetch_request r;

	assert_int_equal(s->ask(*state, &in, &r), 0);
	assert_string_equal(r.url, "https://api.stripe.com/v1/billing/meter_event_adjustments");
	assert_string_equal(body_of(*state, &r),
	    "event_name=e&type=cancel&cancel[identifier]=usage-1");
}

static void
a_refusal_is_an_outcome(void **state)
{
	const struct step *s = step_of(&flow_usage_report, "tell");
	struct step_in in = told(*state, INPUT, "{}");
	struct step_out out = verdict(*state, s, &in, 400,
	    "{\"error\":{\"type\":\"invalid_request_error\",\"code\":\"timestamp_too_far_in_past\"}"
	    "}");

	assert_int_equal(out.verdict, STEP_DONE);
	assert_string_equal(out.result, "{\"refused\":\"timestamp_too_far_in_past\"}");
	assert_string_equal(s->keep[0], "refused");
	out = verdict(*state, s, &in, 200, "{\"object\":\"billing.meter_event\"}");
	assert_int_equal(out.verdict, STEP_DONE);
	assert_null(out.result);
	out = verdict(*state, s, &in, 503, "{}");
	assert_int_equal(out.verdict, STEP_UNKNOWN);
}

static void
they_are_tried_for_as_long_as_the_meter_takes_them(void **state)
{
	const struct step_retry *r = &step_of(&flow_usage_report, "tell")->retry;
	double wait = r->first_ms, all = 0;

	(void)state;
	for (int i = 1; i < r->attempts; i++) {
		all += wait;
		wait = wait * r->factor < r->max_ms ? wait * r->factor : r->max_ms;
	}
	assert_true(all > (double)r->limit_ms);
	assert_true(r->limit_ms < INT64_C(35) * 24 * 3600 * 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STRIPE_CASE(their_steps_are_made_by_sql),
		STRIPE_CASE(a_report_says_whose_how_much_and_when),
		STRIPE_CASE(it_is_taken_back_by_its_identifier),
		STRIPE_CASE(a_refusal_is_an_outcome),
		STRIPE_CASE(they_are_tried_for_as_long_as_the_meter_takes_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
