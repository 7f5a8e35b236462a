/*
 * test_flow_cycle.c - the workflow "billing-cycle": its table and SQL agree, the requests it makes,
 * and what it makes of each answer.
 */
#include "flow_fixture.h"

#include "work/flow_cycle.h"

#define INPUT "{\"invoice\":\"in_1\",\"subscription\":\"sub_1\"}"
#define NOT_EDITABLE                                                                               \
	"{\"error\":{\"type\":\"invalid_request_error\",\"code\":\"invoice_not_editable\"}}"
#define MISSING "{\"error\":{\"type\":\"invalid_request_error\",\"code\":\"resource_missing\"}}"

static void
table_and_sql_speak_of_the_same(void **state)
{
	static const char *const next[] = { "close", "reports", "meter", "finalize", "invoice",
		"tell", "items" };
	const char *text = functions(*state, "76_cycle.sql");

	assert_made(*state, &flow_cycle, "76_cycle.sql");
	assert_made(*state, &flow_periods, "76_cycle_clock.sql");
	assert_non_null(strstr(text, "'billing-cycle'"));
	for (size_t i = 0; i < COUNT(next); i++) {
		step_of(&flow_cycle, next[i]);
		if (!strstr(text, mem_printf(*state, "'next', '%s'", next[i])) &&
		    !strstr(text, mem_printf(*state, "\"next\": \"%s\"", next[i])))
			fail_msg("SQL goes nowhere to %s", next[i]);
	}
	assert_string_equal(flow_periods.cron, "*/10 * * * *");
}

static void
requests_name_invoice_and_subscription(void **state)
{
	static const struct {
		const char *step, *prepared, *method, *url, *body;
	} cases[] = {
		{ "hold", "{}", "POST", "/v1/invoices/in_1", "auto_advance=false" },
		{ "meter",
		    "{\"meter\":\"mtr_1\",\"customer\":\"cus_1\",\"start\":60,\"end\":120,\"told\":"
		    "5}",
		    "GET",
		    "/v1/billing/meters/mtr_1/"
		    "event_summaries?customer=cus_1&start_time=60&end_time=120",
		    "" },
		{ "finalize", "{}", "POST", "/v1/invoices/in_1/finalize", "auto_advance=true" },
		{ "invoice", "{\"read\":7}", "GET", "/v1/invoices/in_1", "" },
		{ "items", "{}", "GET", "/v1/subscriptions/sub_1", "" },
		{ "align", "{\"subscription\":\"sub_1\",\"item\":\"si_2\",\"price\":\"price_2\"}",
		    "POST", "/v1/subscriptions/sub_1",
		    "items[0][id]=si_2&items[0][price]=price_2"
		    "&proration_behavior=create_prorations" },
		{ "align", "{\"subscription\":\"sub_1\",\"item\":\"si_2\"}", "POST",
		    "/v1/subscriptions/sub_1",
		    "items[0][id]=si_2&items[0][deleted]=true"
		    "&proration_behavior=create_prorations" },
		{ "align", "{\"subscription\":\"sub_1\",\"price\":\"price_2\"}", "POST",
		    "/v1/subscriptions/sub_1",
		    "items[0][price]=price_2&proration_behavior=create_prorations" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct step *s = step_of(&flow_cycle, cases[i].step);
		struct step_in in = told(*state, INPUT, cases[i].prepared);
		struct fetch_request r;

		assert_int_equal(s->ask(*state, &in, &r), 0);
		assert_string_equal(r.method, cases[i].method);
		assert_string_equal(r.url,
		    mem_printf(*state, "https://api.stripe.com%s", cases[i].url));
		assert_string_equal(body_of(*state, &r), cases[i].body);
		assert_true(s->takes_key);
	}
}

static void
what_cannot_be_held_is_out_or_gone(void **state)
{
	static const struct {
		int status;
		const char *body, *result;
	} cases[] = {
		{ 200, "{\"id\":\"in_1\",\"status\":\"draft\"}",
		    "{\"status\":\"draft\",\"late_minutes\":15}" },
		{ 200, "{\"id\":\"in_1\",\"status\":\"open\"}",
		    "{\"status\":\"final\",\"late_minutes\":15}" },
		{ 400, NOT_EDITABLE, "{\"status\":\"final\",\"late_minutes\":15}" },
		{ 404, MISSING, "{\"status\":\"gone\",\"late_minutes\":15}" },
	};
	const struct step *s = step_of(&flow_cycle, "hold");
	struct step_in in = told(*state, INPUT, "{}");

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct step_out out = verdict(*state, s, &in, cases[i].status, cases[i].body);

		assert_int_equal(out.verdict, STEP_DONE);
		assert_string_equal(out.result, cases[i].result);
	}
	assert_int_equal(verdict(*state, s, &in, 500, "{}").verdict, STEP_UNKNOWN);
}

static void
the_meter_is_added_up(void **state)
{
	const struct step *s = step_of(&flow_cycle, "meter");
	struct step_in in = told(*state, INPUT, "{\"told\":12}");
	struct step_out out = verdict(*state, s, &in, 200,
	    "{\"object\":\"list\",\"data\":[{\"aggregated_value\":5},{\"aggregated_value\":7.0}]}");

	assert_int_equal(out.verdict, STEP_DONE);
	assert_string_equal(out.result, "{\"told\":12,\"counted\":12}");
	out = verdict(*state, s, &in, 200, "{\"object\":\"list\",\"data\":[]}");
	assert_string_equal(out.result, "{\"told\":12,\"counted\":0}");
	assert_int_equal(verdict(*state, s, &in, 404, MISSING).verdict, STEP_FAILED);
}

static void
a_refused_finalization_is_settled_by_reading(void **state)
{
	struct step_in in = told(*state, INPUT, "{\"read\":7}");
	struct step_out out =
	    verdict(*state, step_of(&flow_cycle, "finalize"), &in, 400, NOT_EDITABLE);

	assert_int_equal(out.verdict, STEP_DONE);
	assert_string_equal(out.result, "{\"refused\":\"invoice_not_editable\"}");
	assert_string_equal(flow_cycle.steps[6].name, "invoice");
	out = verdict(*state, &flow_cycle.steps[6], &in, 200,
	    json_print(*state, recorded(*state, "current", "event.invoice.paid")));
	assert_int_equal(out.verdict, STEP_DONE);
	assert_int_equal(json_int(parsed(*state, out.result), "read", 0), 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STRIPE_CASE(table_and_sql_speak_of_the_same),
		STRIPE_CASE(requests_name_invoice_and_subscription),
		STRIPE_CASE(what_cannot_be_held_is_out_or_gone),
		STRIPE_CASE(the_meter_is_added_up),
		STRIPE_CASE(a_refused_finalization_is_settled_by_reading),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
