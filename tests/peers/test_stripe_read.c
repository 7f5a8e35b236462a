/*
 * test_stripe_read.c - subscriptions, customers and checkout sessions in our words, the same from
 * both shapes.
 */
#include "stripe_fixture.h"

static const char *const shapes[] = { "current", "legacy" };

static const char *
subscription(struct mem *m, const char *shape, const char *name)
{
	return stripe_subscription(m, recorded(m, shape, name), 7);
}

static void
a_subscription_is_the_same_in_both_shapes(void **state)
{
	static const char expected[] =
	    "{\"provider\":\"stripe\",\"id\":\"sub_1lhyLKpiFiyGWodsBCYI4I9S\","
	    "\"customer\":\"cus_CBchj2mSdPpoVo\",\"status\":\"active\",\"currency\":\"usd\","
	    "\"items\":[{\"id\":\"si_lUpqmeRobm27AE\","
	    "\"price\":\"price_1788PlLlpRKNnvchmFags5O9\",\"quantity\":1}],"
	    "\"period_start\":1789996400,\"period_end\":1792588400,"
	    "\"cancel_at_period_end\":false,\"cancel_at\":null,\"canceled_at\":null,"
	    "\"ended_at\":null,\"trial_end\":null,\"created\":1789996400,"
	    "\"latest_invoice\":\"in_13cIyATTgC9qskOMBjHUYwUG\",\"metadata\":{\"org_id\":\"42\"},"
	    "\"read\":7}";

	for (size_t i = 0; i < COUNT(shapes); i++)
		assert_string_equal(subscription(*state, shapes[i],
					"subscription.retrieve.response.200"),
		    expected);
}

static void
states_are_taken_as_they_are_told(void **state)
{
	for (size_t i = 0; i < COUNT(shapes); i++) {
		const char *text =
		    subscription(*state, shapes[i], "subscription.retrieve.past_due.response.200");

		assert_string_equal(at(parsed(*state, text), "status"), "past_due");
		text =
		    subscription(*state, shapes[i], "subscription.retrieve.trialing.response.200");
		assert_string_equal(at(parsed(*state, text), "status"), "trialing");
		assert_true(json_int(parsed(*state, text), "trial_end", 0) > 0);
		text = subscription(*state, shapes[i], "subscription.cancel.response.200");
		assert_string_equal(at(parsed(*state, text), "status"), "canceled");
		assert_true(json_int(parsed(*state, text), "ended_at", 0) > 0);
		text = subscription(*state, shapes[i],
		    "subscription.update.cancel-at-period-end.response.200");
		assert_true(json_bool(parsed(*state, text), "cancel_at_period_end", false));
	}
}

/* Items may differ in their periods: the earliest begin, the latest end. */
static void
a_period_spans_all_items(void **state)
{
	static const char body[] =
	    "{\"object\":\"subscription\",\"id\":\"sub_1\",\"items\":{\"data\":["
	    "{\"id\":\"si_1\",\"current_period_start\":200,"
	    "\"current_period_end\":300,\"plan\":{\"id\":\"plan_1\"}},"
	    "{\"id\":\"si_2\",\"current_period_start\":100,"
	    "\"current_period_end\":250,\"price\":\"price_2\"},"
	    "{\"id\":\"si_3\",\"current_period_start\":null}]}}";
	const struct json *j = parsed(*state, stripe_subscription(*state, parsed(*state, body), 1));

	assert_int_equal(json_int(j, "period_start", 0), 100);
	assert_int_equal(json_int(j, "period_end", 0), 300);
	assert_string_equal(at(j, "items.0.price"), "plan_1");
	assert_string_equal(at(j, "items.1.price"), "price_2");
	assert_string_equal(at(j, "items.2.price"), "(none)");
	assert_int_equal(json_type(json_path(j, "items.1.quantity")), JSON_NULL);
	assert_int_equal(json_type(json_path(j, "status")), JSON_NULL);
}

static void
the_payment_method_is_its_own_or_the_customers(void **state)
{
	static const char own[] =
	    "{\"object\":\"subscription\",\"id\":\"sub_1\",\"default_payment_method\":"
	    "{\"type\":\"card\",\"card\":{\"brand\":\"visa\",\"last4\":\"4242\","
	    "\"exp_month\":12,\"exp_year\":2030}}}";
	static const char customers[] =
	    "{\"object\":\"subscription\",\"id\":\"sub_1\",\"default_payment_method\":null,"
	    "\"customer\":{\"id\":\"cus_1\",\"invoice_settings\":{\"default_payment_method\":"
	    "{\"type\":\"sepa_debit\",\"sepa_debit\":{\"last4\":\"3000\"}}}}}";
	const struct json *j = parsed(*state, stripe_subscription(*state, parsed(*state, own), 1));

	assert_string_equal(at(j, "payment_method.type"), "card");
	assert_string_equal(at(j, "payment_method.last4"), "4242");
	assert_int_equal(json_int(json_get(j, "payment_method"), "exp_year", 0), 2030);
	j = parsed(*state, stripe_subscription(*state, parsed(*state, customers), 1));
	assert_string_equal(at(j, "customer"), "cus_1");
	assert_string_equal(at(j, "payment_method.type"), "sepa_debit");
	assert_string_equal(at(j, "payment_method.last4"), "3000");
	assert_int_equal(json_type(json_path(j, "payment_method.brand")), JSON_NULL);
}

static const struct json *
read_with(struct mem *m, const char *members)
{
	const char *body =
	    mem_printf(m, "{\"object\":\"subscription\",\"id\":\"sub_1\",%s}", members);

	return parsed(m, stripe_subscription(m, parsed(m, body), 1));
}

/* What was not expanded is not known; that is not the same as nothing. */
static void
a_method_that_was_not_asked_for_is_not_told(void **state)
{
	static const char *const silent[] = { "\"default_payment_method\":\"pm_1\"",
		"\"customer\":\"cus_1\"",
		("\"customer\":{\"id\":\"cus_1\",\"invoice_settings\":"
		 "{\"default_payment_method\":\"pm_1\"}}") };
	const struct json *j;

	for (size_t i = 0; i < COUNT(silent); i++)
		assert_null(json_get(read_with(*state, silent[i]), "payment_method"));
	j = read_with(*state, "\"customer\":{\"id\":\"cus_1\",\"invoice_settings\":{}}");
	assert_non_null(json_get(j, "payment_method"));
	assert_int_equal(json_type(json_get(j, "payment_method")), JSON_NULL);
}

static void
one_whose_first_invoice_is_open_awaits_payment(void **state)
{
	static const struct {
		const char *invoice;
		int awaits; /* -1: nothing is said */
	} cases[] = {
		{ "\"in_1\"", -1 },
		{ "null", 0 },
		{ "{\"billing_reason\":\"subscription_create\",\"status\":\"open\","
		  "\"amount_remaining\":2900}",
		    1 },
		{ "{\"billing_reason\":\"subscription_create\",\"status\":\"open\","
		  "\"collection_method\":\"send_invoice\",\"amount_remaining\":2900}",
		    0 },
		{ "{\"billing_reason\":\"subscription_create\",\"status\":\"paid\","
		  "\"amount_remaining\":0}",
		    0 },
		{ "{\"billing_reason\":\"subscription_cycle\",\"status\":\"open\","
		  "\"amount_remaining\":2900}",
		    0 },
		{ "{\"billing_reason\":\"subscription_create\",\"status\":\"open\","
		  "\"amount_remaining\":0}",
		    0 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct json *j = read_with(*state,
		    mem_printf(*state, "\"latest_invoice\":%s", cases[i].invoice));

		if (cases[i].awaits < 0)
			assert_null(json_get(j, "awaits_payment"));
		else
			assert_int_equal(json_bool(j, "awaits_payment", !cases[i].awaits),
			    cases[i].awaits);
	}
}

static void
a_customer_and_a_deleted_one_are_read(void **state)
{
	static const char gone[] = "{\"object\":\"customer\",\"id\":\"cus_1\",\"deleted\":true}";
	const struct json *j;

	for (size_t i = 0; i < COUNT(shapes); i++) {
		j = parsed(*state,
		    stripe_customer(*state, recorded(*state, shapes[i], "customer.response.200"),
			3));
		assert_string_equal(at(j, "id"), "cus_CBchj2mSdPpoVo");
		assert_string_equal(at(j, "email"), "(none)");
		assert_string_equal(at(j, "name"), "(none)");
		assert_string_equal(at(j, "metadata.org_id"), "42");
		assert_false(json_bool(j, "deleted", true));
		assert_int_equal(json_int(j, "read", 0), 3);
	}
	j = parsed(*state, stripe_customer(*state, parsed(*state, gone), 3));
	assert_true(json_bool(j, "deleted", false));
}

static void
a_session_is_read(void **state)
{
	for (size_t i = 0; i < COUNT(shapes); i++) {
		const struct json *j = parsed(*state,
		    stripe_session(*state,
			recorded(*state, shapes[i], "checkout.session.retrieve.response.200"), 3));

		assert_string_equal(at(j, "status"), "complete");
		assert_string_equal(at(j, "payment_status"), "paid");
		assert_string_equal(at(j, "subscription"), "sub_1lhyLKpiFiyGWodsBCYI4I9S");
		assert_string_equal(at(j, "client_reference_id"), "42");
		assert_int_equal(json_int(j, "expires_at", 0), 1790082740);
	}
}

static void
what_is_something_else_is_refused(void **state)
{
	static const char *const bad[] = { "null", "[]", "{}", "{\"object\":\"subscription\"}",
		"{\"object\":\"subscription\",\"id\":\"\"}",
		"{\"object\":\"subscription\",\"id\":7}",
		"{\"object\":\"invoice\",\"id\":\"in_1\"}" };

	for (size_t i = 0; i < COUNT(bad); i++) {
		errno = 0;
		assert_null(stripe_subscription(*state, parsed(*state, bad[i]), 1));
		assert_int_equal(errno, EINVAL);
		assert_null(stripe_customer(*state, parsed(*state, bad[i]), 1));
		assert_null(stripe_session(*state, parsed(*state, bad[i]), 1));
		assert_null(stripe_charge(*state, parsed(*state, bad[i]), 1));
	}
	assert_null(stripe_subscription(*state, NULL, 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STRIPE_CASE(a_subscription_is_the_same_in_both_shapes),
		STRIPE_CASE(states_are_taken_as_they_are_told),
		STRIPE_CASE(a_period_spans_all_items),
		STRIPE_CASE(the_payment_method_is_its_own_or_the_customers),
		STRIPE_CASE(a_method_that_was_not_asked_for_is_not_told),
		STRIPE_CASE(one_whose_first_invoice_is_open_awaits_payment),
		STRIPE_CASE(a_customer_and_a_deleted_one_are_read),
		STRIPE_CASE(a_session_is_read),
		STRIPE_CASE(what_is_something_else_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
