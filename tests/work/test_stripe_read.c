/*
 * test_stripe_read.c - steps that read one object at Stripe: what they ask for, and what they say.
 */
#include "flow_fixture.h"

#include "work/stripe_read.h"

static const struct {
	int (*ask)(struct mem *, const struct step_in *, struct fetch_request *);
	void (*read)(struct mem *, const struct step_in *, const struct fetch_answer *,
	    struct step_out *);
	const char *id, *object, *name, *path;
} kinds[] = {
	{ ask_subscription, read_subscription, "sub_1", "subscription", "subscription",
	    "/v1/subscriptions/sub_1?expand[]=default_payment_method&expand[]=latest_invoice"
	    "&expand[]=customer.invoice_settings.default_payment_method" },
	{ ask_invoice, read_invoice, "in_1", "invoice", "invoice", "/v1/invoices/in_1" },
	{ ask_charge, read_charge, "ch_1", "charge", "charge", "/v1/charges/ch_1" },
	{ ask_customer, read_customer, "cus_1", "customer", "customer",
	    "/v1/customers/cus_1?expand[]=invoice_settings.default_payment_method" },
	{ ask_session, read_session, "cs_1", "checkout.session", "session",
	    "/v1/checkout/sessions/cs_1" },
};

static struct step_in
prepared_in(struct mem *m, const char *id)
{
	return (struct step_in){ .step = "read",
		.key = "k",
		.attempt = 1,
		.sent_s = -1,
		.prepared = parsed(m, mem_printf(m, "{\"id\":\"%s\",\"read\":12}", id)) };
}

static void
each_object_is_asked_for_and_told_with_the_readings_number(void **state)
{
	for (size_t i = 0; i < COUNT(kinds); i++) {
		struct step_in in = prepared_in(*state, kinds[i].id);
		const char *body = mem_printf(*state, "{\"object\":\"%s\",\"id\":\"%s\"}",
		    kinds[i].object, kinds[i].id);
		struct fetch_answer a = answer(200, span_of(body));
		struct step_out out = { .retry_after = -1 };
		struct fetch_request r;
		const struct json *j;

		assert_int_equal(kinds[i].ask(*state, &in, &r), 0);
		assert_string_equal(r.method, "GET");
		assert_non_null(strstr(r.url, kinds[i].path));
		assert_string_equal(strstr(r.url, "/v1"), kinds[i].path);
		kinds[i].read(*state, &in, &a, &out);
		assert_int_equal(out.verdict, STEP_DONE);
		j = json_get(parsed(*state, out.result), kinds[i].name);
		assert_string_equal(at(j, "id"), kinds[i].id);
		assert_int_equal(json_int(j, "read", 0), 12);
	}
}

static void
of_a_customer_who_is_gone_nothing_is_expanded(void **state)
{
	struct step_in in = { .prepared = parsed(*state, "{\"id\":\"cus_1\",\"gone\":true}") };
	struct fetch_request r;

	assert_int_equal(ask_customer(*state, &in, &r), 0);
	assert_string_equal(strstr(r.url, "/v1"), "/v1/customers/cus_1");
}

static void
what_is_not_the_object_is_no_answer(void **state)
{
	static const char *const bodies[] = { "{\"object\":\"invoice\",\"id\":\"in_2\"}",
		"{\"object\":\"charge\",\"id\":\"in_1\"}", "{\"id\":\"in_1\"}", "{}", "{" };
	struct step_in in = prepared_in(*state, "in_1");

	for (size_t i = 0; i < COUNT(bodies); i++) {
		struct fetch_answer a = answer(200, span_of(bodies[i]));
		struct step_out out = { .retry_after = -1 };

		read_invoice(*state, &in, &a, &out);
		assert_int_equal(out.verdict, STEP_RETRY);
		assert_string_equal(out.reason, "unreadable");
		assert_null(out.result);
	}
}

static void
nothing_was_done_by_reading(void **state)
{
	struct step_in in = prepared_in(*state, "in_1");
	struct fetch_answer a = answer(500, span_of("{\"error\":{\"type\":\"api_error\"}}"));
	struct step_out out = { .retry_after = -1 };

	read_invoice(*state, &in, &a, &out);
	assert_int_equal(out.verdict, STEP_RETRY);
	a.outcome = FETCH_LOST;
	read_invoice(*state, &in, &a, &out);
	assert_int_equal(out.verdict, STEP_RETRY);
	a = answer(404,
	    span_of(
		"{\"error\":{\"code\":\"resource_missing\",\"type\":\"invalid_request_error\"}}"));
	read_invoice(*state, &in, &a, &out);
	assert_int_equal(out.verdict, STEP_DONE);
	assert_string_equal(out.result, "{\"absent\":true}");
}

static void
a_wrong_key_waits_for_who_mends_it(void **state)
{
	struct step_in in = prepared_in(*state, "in_1");
	struct fetch_answer a =
	    answer(401, span_of("{\"error\":{\"type\":\"invalid_request_error\"}}"));
	struct step_out out = { .retry_after = -1 };

	read_invoice(*state, &in, &a, &out);
	assert_int_equal(out.verdict, STEP_RETRY);
	assert_string_equal(out.reason, "key_refused");
	assert_int_equal(out.retry_after, 300);
}

static void
without_an_id_nothing_is_asked(void **state)
{
	struct step_in in = prepared_in(*state, "a/b");
	struct fetch_request r;

	assert_int_equal(ask_invoice(*state, &in, &r), -1);
	in.prepared = NULL;
	assert_int_equal(ask_invoice(*state, &in, &r), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STRIPE_CASE(each_object_is_asked_for_and_told_with_the_readings_number),
		STRIPE_CASE(of_a_customer_who_is_gone_nothing_is_expanded),
		STRIPE_CASE(what_is_not_the_object_is_no_answer),
		STRIPE_CASE(nothing_was_done_by_reading),
		STRIPE_CASE(a_wrong_key_waits_for_who_mends_it),
		STRIPE_CASE(without_an_id_nothing_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
