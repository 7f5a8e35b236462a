/*
 * test_flow_stripe_surplus.c - the workflow "stripe-surplus": what it asks of Stripe, and what the
 * answers mean.
 */
#include "flow_fixture.h"

#include "work/flow_stripe_surplus.h"

#define MISSING "{\"error\":{\"code\":\"resource_missing\",\"type\":\"invalid_request_error\"}}"

static const struct step *
step(const char *name)
{
	for (size_t i = 0; i < flow_stripe_surplus.nsteps; i++) {
		if (strcmp(flow_stripe_surplus.steps[i].name, name) == 0)
			return &flow_stripe_surplus.steps[i];
	}
	fail_msg("no step %s", name);
	return NULL;
}

static struct step_in
prepared_in(struct mem *m, const char *id)
{
	return (struct step_in){ .key = "k",
		.attempt = 2,
		.prepared = parsed(m, mem_printf(m, "{\"id\":\"%s\",\"read\":12}", id)) };
}

static struct step_out
said(struct mem *m, const char *name, int status, const char *body)
{
	struct step_in in = prepared_in(m, "x_1");
	struct fetch_answer a = answer(status, span_of(body));
	struct step_out out = { .retry_after = -1 };

	step(name)->read(m, &in, &a, &out);
	return out;
}

static void
it_is_cancelled_at_once_without_another_bill(void **state)
{
	struct step_in in = prepared_in(*state, "sub_2");
	struct fetch_request r;

	assert_int_equal(step("cancel")->ask(*state, &in, &r), 0);
	assert_string_equal(r.method, "DELETE");
	assert_string_equal(strstr(r.url, "/v1"),
	    "/v1/subscriptions/sub_2?invoice_now=false&prorate=false");
	assert_int_equal(said(*state, "cancel", 404, MISSING).verdict, STEP_DONE);
	assert_int_equal(said(*state, "cancel", 200, "{\"id\":\"sub_2\"}").verdict, STEP_DONE);
	assert_int_equal(said(*state, "cancel", 500, "").verdict, STEP_UNKNOWN);
}

static void
what_was_paid_and_what_could_be_is_found(void **state)
{
	static const char list[] =
	    "{\"data\":[{\"id\":\"in_1\",\"status\":\"paid\",\"amount_paid\":2900},"
	    "{\"id\":\"in_2\",\"status\":\"paid\",\"amount_paid\":0},"
	    "{\"id\":\"in_3\",\"status\":\"draft\"},{\"id\":\"in_4\",\"status\":\"void\"},"
	    "{\"id\":\"in_5\",\"status\":\"open\"}]}";

	assert_string_equal(said(*state, "invoices", 200, list).result,
	    "{\"invoices\":[{\"id\":\"in_1\",\"status\":\"paid\"},"
	    "{\"id\":\"in_5\",\"status\":\"open\"}]}");
	assert_string_equal(said(*state, "invoices", 200, "{\"data\":[]}").result,
	    "{\"invoices\":[]}");
	assert_string_equal(said(*state, "payment", 200,
				"{\"data\":[{\"payment\":{\"payment_intent\":\"pi_1\"}}]}")
				.result,
	    "{\"payment_intent\":\"pi_1\"}");
}

static void
a_payment_is_given_back_once(void **state)
{
	struct step_in in = prepared_in(*state, "pi_1");
	struct step_out out = { .retry_after = -1 };
	struct fetch_answer a = answer(200, SPAN("{\"data\":[]}"));
	struct fetch_request r;

	assert_int_equal(step("refund")->ask(*state, &in, &r), 0);
	assert_string_equal(r.body.data, "payment_intent=pi_1&reason=duplicate");
	assert_string_equal(r.headers[4], "Idempotency-Key: k");
	assert_string_equal(said(*state, "refund", 200, "{\"charge\":\"ch_1\"}").result,
	    "{\"charge\":\"ch_1\"}");
	assert_int_equal(said(*state, "refund", 400,
			     "{\"error\":{\"code\":\"charge_already_refunded\"}}")
			     .verdict,
	    STEP_DONE);
	assert_int_equal(said(*state, "refund", 500, "").verdict, STEP_UNKNOWN);

	in.results = parsed(*state, "{\"payment\":{\"payment_intent\":\"pi_1\"}}");
	assert_int_equal(step("refund")->look_ask(*state, &in, &r), 0);
	assert_string_equal(strstr(r.url, "/v1"), "/v1/refunds?payment_intent=pi_1&limit=1");
	step("refund")->look_read(*state, &in, &a, &out);
	assert_int_equal(out.verdict, STEP_ABSENT);
	a = answer(200, SPAN("{\"data\":[{\"charge\":\"ch_1\"}]}"));
	step("refund")->look_read(*state, &in, &a, &out);
	assert_int_equal(out.verdict, STEP_DONE);
	assert_string_equal(out.result, "{\"charge\":\"ch_1\"}");
}

/* Stripe keeps a failure of its own under a key. */
static void
what_does_no_harm_twice_has_a_key_for_each_try(void **state)
{
	struct step_in in = prepared_in(*state, "in_1");
	struct fetch_request r;

	assert_int_equal(step("void")->ask(*state, &in, &r), 0);
	assert_string_equal(strstr(r.url, "/v1"), "/v1/invoices/in_1/void");
	assert_string_equal(r.headers[3], "Idempotency-Key: k:2");
	in.input = parsed(*state, "{\"session\":\"cs_1\"}");
	assert_int_equal(flow_stripe_expire.steps[0].ask(*state, &in, &r), 0);
	assert_string_equal(strstr(r.url, "/v1"), "/v1/checkout/sessions/cs_1/expire");
	assert_string_equal(r.headers[3], "Idempotency-Key: k:2");
	assert_int_equal(said(*state, "void", 400, MISSING).verdict, STEP_DONE);
}

static void
the_end_is_marked_and_taken_back(void **state)
{
	const struct step *change = &flow_stripe_end.steps[1];
	struct step_in in = { .key = "k", .attempt = 1 };
	struct fetch_request r;

	in.prepared = parsed(*state, "{\"id\":\"sub_1\",\"end\":true,\"mark\":\"run 1\"}");
	assert_int_equal(change->ask(*state, &in, &r), 0);
	assert_string_equal(strstr(r.url, "/v1"), "/v1/subscriptions/sub_1");
	assert_string_equal(r.body.data,
	    "cancel_at_period_end=true&metadata[organization_deleted]=run%201");
	in.prepared = parsed(*state, "{\"id\":\"sub_1\",\"end\":false,\"mark\":\"\"}");
	assert_int_equal(change->ask(*state, &in, &r), 0);
	assert_string_equal(r.body.data,
	    "cancel_at_period_end=false&metadata[organization_deleted]=");
	in.prepared = parsed(*state, "{\"id\":\"sub_1\"}");
	assert_int_equal(flow_stripe_end.steps[2].ask(*state, &in, &r), 0);
	assert_string_equal(r.method, "DELETE");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STRIPE_CASE(it_is_cancelled_at_once_without_another_bill),
		STRIPE_CASE(what_was_paid_and_what_could_be_is_found),
		STRIPE_CASE(a_payment_is_given_back_once),
		STRIPE_CASE(what_does_no_harm_twice_has_a_key_for_each_try),
		STRIPE_CASE(the_end_is_marked_and_taken_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
