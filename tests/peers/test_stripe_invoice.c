/*
 * test_stripe_invoice.c - invoices and charges in our words, the same from both shapes.
 */
#include "stripe_fixture.h"

static const char *const shapes[] = { "current", "legacy" };

static const struct json *
invoice(struct mem *m, const char *shape, const char *name)
{
	return parsed(m, stripe_invoice(m, recorded(m, shape, name), 9));
}

static void
a_paid_invoice_is_the_same_in_both_shapes(void **state)
{
	const char *first = NULL;

	for (size_t i = 0; i < COUNT(shapes); i++) {
		const struct json *j = invoice(*state, shapes[i], "event.invoice.paid");
		const char *text = json_print(*state, j);

		assert_string_equal(at(j, "subscription"), "sub_1lhyLKpiFiyGWodsBCYI4I9S");
		assert_string_equal(at(j, "status"), "paid");
		assert_string_equal(at(j, "number"), "HSW-0001");
		assert_string_equal(at(j, "billing_reason"), "subscription_cycle");
		assert_int_equal(json_int(j, "total", 0), 4900);
		assert_int_equal(json_int(j, "amount_paid", 0), 4900);
		assert_int_equal(json_int(j, "amount_remaining", -1), 0);
		assert_int_equal(json_int(j, "period_end", 0), 1789996400);
		assert_int_equal(json_int(j, "paid_at", 0), 1789996405);
		assert_int_equal(json_int(j, "finalized_at", 0), 1789996400);
		assert_string_equal(at(j, "lines.0.price"), "price_1788PlLlpRKNnvchmFags5O9");
		assert_int_equal(json_type(json_get(j, "tax")), JSON_NULL);
		assert_int_equal(json_type(json_get(j, "refunded")), JSON_NULL);
		if (first)
			assert_string_equal(text, first);
		first = text;
	}
}

static void
an_open_one_says_when_it_is_tried_again(void **state)
{
	for (size_t i = 0; i < COUNT(shapes); i++) {
		const struct json *j = invoice(*state, shapes[i], "event.invoice.payment_failed");

		assert_string_equal(at(j, "status"), "open");
		assert_true(json_int(j, "next_attempt", 0) > 0);
		assert_int_equal(json_type(json_get(j, "paid_at")), JSON_NULL);
		j = invoice(*state, shapes[i], "event.invoice.paid.without-subscription");
		assert_int_equal(json_type(json_get(j, "subscription")), JSON_NULL);
	}
}

static void
taxes_prorations_and_negative_amounts_are_kept(void **state)
{
	static const char body[] =
	    "{\"object\":\"invoice\",\"id\":\"in_1\",\"total\":-500,\"currency\":\"xyz\","
	    "\"total_taxes\":[{\"amount\":7},{\"amount\":12}],\"subscription\":{\"id\":\"sub_1\"},"
	    "\"lines\":{\"data\":[{\"id\":\"il_1\",\"amount\":-4900,\"parent\":{"
	    "\"subscription_item_details\":{\"proration\":true}}},"
	    "{\"id\":\"il_2\",\"amount\":0,\"parent\":{"
	    "\"invoice_item_details\":{\"proration\":true}}},"
	    "{\"id\":\"il_3\",\"amount\":1.5,\"proration\":true},{\"id\":\"il_4\"}]}}";
	const struct json *j = parsed(*state, stripe_invoice(*state, parsed(*state, body), 1));

	assert_int_equal(json_int(j, "total", 0), -500);
	assert_int_equal(json_int(j, "tax", 0), 19);
	assert_string_equal(at(j, "currency"), "xyz");
	assert_string_equal(at(j, "subscription"), "sub_1");
	assert_int_equal(json_int(json_path(j, "lines.0"), "amount", 0), -4900);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(json_bool(json_at(json_get(j, "lines"), i), "proration", i == 3),
		    i < 3);
	/* An amount is a whole number or none. */
	assert_int_equal(json_type(json_path(j, "lines.2.amount")), JSON_NULL);
}

static void
a_charge_says_what_was_paid_back(void **state)
{
	static const char body[] =
	    "{\"object\":\"charge\",\"id\":\"ch_1\",\"customer\":{\"id\":\"cus_1\"},"
	    "\"invoice\":\"in_1\",\"payment_intent\":\"pi_1\",\"amount\":4900,"
	    "\"amount_refunded\":1200,\"disputed\":true,\"currency\":\"usd\",\"created\":5}";

	assert_string_equal(stripe_charge(*state, parsed(*state, body), 4),
	    "{\"provider\":\"stripe\",\"id\":\"ch_1\",\"customer\":\"cus_1\",\"invoice\":\"in_1\","
	    "\"payment_intent\":\"pi_1\",\"amount\":4900,\"refunded\":1200,\"disputed\":true,"
	    "\"currency\":\"usd\",\"created\":5,\"read\":4}");
}

static void
no_invoice_is_refused(void **state)
{
	assert_null(stripe_invoice(*state, parsed(*state, "{\"id\":\"in_1\"}"), 1));
	assert_null(stripe_invoice(*state, NULL, 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STRIPE_CASE(a_paid_invoice_is_the_same_in_both_shapes),
		STRIPE_CASE(an_open_one_says_when_it_is_tried_again),
		STRIPE_CASE(taxes_prorations_and_negative_amounts_are_kept),
		STRIPE_CASE(a_charge_says_what_was_paid_back),
		STRIPE_CASE(no_invoice_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
