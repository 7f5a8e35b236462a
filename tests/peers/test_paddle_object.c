/*
 * test_paddle_object.c - Paddle's subscriptions, transactions and customers in the normal form.
 */
#include "peers/paddle_object.h"

#include "fixture.h"

/* The normal form of a recorded event, perhaps with a part of it replaced. */
static const struct json *
normal(struct mem *m, const char *name, const char *from, const char *to)
{
	struct span body = fixture(m, mem_printf(m, "paddle/webhook.%s.json", name));
	struct money_event e;

	if (from)
		body = with(m, body, from, to);
	assert_int_equal(paddle_event(m, body, &e), MONEY_EVENT_OK);
	return e.object ? json_get(parsed(m, e.object), "data") : NULL;
}

static int64_t
number(const struct json *j, const char *path)
{
	int64_t n;

	return json_int_of(json_path(j, path), &n) == 0 ? n : -1;
}

static bool
is_true(const struct json *j, const char *name)
{
	return json_bool(j, name, false);
}

static void
a_subscription_is_told_as_a_whole(void **state)
{
	const struct json *j = normal(*state, "subscription.activated", NULL, NULL);

	assert_string_equal(at(j, "status"), "active");
	assert_string_equal(at(j, "currency"), "usd");
	assert_int_equal(json_len(json_get(j, "items")), 2);
	assert_string_equal(at(j, "items.0.price"), "pri_01gsz8x8sawmvhz1pv30nge1ke");
	assert_string_equal(at(j, "items.0.id"), at(j, "items.0.price"));
	assert_int_equal(number(j, "items.0.quantity"), 10);
	assert_string_equal(at(j, "items.1.price"), "pri_01h1vjfevh5etwq3rb416a23h2");
	assert_int_equal(number(j, "period_start"), 1712917127);
	assert_int_equal(number(j, "period_end"), 1715509127);
	assert_int_equal(number(j, "created"), 1712917128);
	assert_false(is_true(j, "cancel_at_period_end"));
	assert_int_equal(number(j, "cancel_at"), -1);
	assert_int_equal(number(j, "trial_end"), -1);
	assert_int_equal(number(j, "ended_at"), -1);
	assert_int_equal(json_len(json_get(j, "metadata")), 0);
}

static void
its_end_its_trial_and_its_cancellation_are_told(void **state)
{
	struct mem *m = *state;
	const struct json *j = normal(m, "subscription.canceled", NULL, NULL);

	assert_string_equal(at(j, "status"), "canceled");
	assert_int_equal(number(j, "ended_at"), 1712921094);
	assert_int_equal(number(j, "canceled_at"), 1712921094);
	assert_int_equal(number(j, "period_end"), -1);
	j = normal(m, "subscription.trialing", NULL, NULL);
	assert_int_equal(number(j, "trial_end"), 1714131029);
	j = normal(m, "subscription.activated", "\"scheduled_change\": null",
	    "\"scheduled_change\":{\"action\":\"cancel\","
	    "\"effective_at\":\"2024-05-12T10:18:47Z\"}");
	assert_true(is_true(j, "cancel_at_period_end"));
	assert_int_equal(number(j, "cancel_at"), 1715509127);
	j = normal(m, "subscription.activated", "\"scheduled_change\": null",
	    "\"scheduled_change\":{\"action\":\"pause\","
	    "\"effective_at\":\"2024-05-12T10:18:47Z\"}");
	assert_false(is_true(j, "cancel_at_period_end"));
	assert_int_equal(number(j, "cancel_at"), -1);
}

static void
what_its_seller_wrote_to_it_comes_along(void **state)
{
	struct mem *m = *state;
	const struct json *j =
	    normal(m, "subscription.activated", "\"canceled_at\": null,\n  \"custom_data\": null",
		"\"canceled_at\":null,\"custom_data\":{\"organization_id\":\"o-1\","
		"\"odd\":\"\\u0000\"}");

	assert_string_equal(at(j, "metadata.organization_id"), "o-1");
	assert_string_equal(at(j, "metadata.odd"), "\xef\xbf\xbd");
	j = normal(m, "subscription.activated", "\"canceled_at\": null,\n  \"custom_data\": null",
	    "\"canceled_at\":null,\"custom_data\":[1]");
	assert_int_equal(json_len(json_get(j, "metadata")), 0);
}

static void
a_transaction_is_told_as_an_invoice(void **state)
{
	const struct json *j = normal(*state, "transaction.completed", NULL, NULL);

	assert_string_equal(at(j, "subscription"), "sub_01hv8x29kz0t586xy6zn1a62ny");
	assert_string_equal(at(j, "status"), "paid");
	assert_string_equal(at(j, "number"), "325-10566");
	assert_string_equal(at(j, "billing_reason"), "web");
	assert_string_equal(at(j, "currency"), "usd");
	assert_int_equal(number(j, "total"), 65215);
	assert_int_equal(number(j, "tax"), 5315);
	assert_int_equal(number(j, "amount_due"), 65215);
	assert_int_equal(number(j, "amount_paid"), 65215);
	assert_int_equal(number(j, "amount_remaining"), 0);
	assert_int_equal(number(j, "attempt_count"), 2);
	assert_int_equal(number(j, "paid_at"), 1712917127);
	assert_int_equal(number(j, "finalized_at"), 1712917128);
	assert_int_equal(number(j, "period_start"), 1712917127);
	assert_int_equal(json_len(json_get(j, "lines")), 3);
	assert_string_equal(at(j, "lines.0.description"), "AeroEdit Pro");
	assert_string_equal(at(j, "lines.0.price"), "pri_01gsz8x8sawmvhz1pv30nge1ke");
	/* 30000 + 10000 + 19900 and the tax are the total. */
	assert_int_equal(number(j, "lines.0.amount"), 30000);
	assert_int_equal(number(j, "lines.1.amount"), 10000);
	assert_int_equal(number(j, "lines.2.amount"), 19900);
	assert_int_equal(number(j, "lines.0.quantity"), 10);
}

static void
its_status_is_told_in_the_words_of_invoices(void **state)
{
	struct mem *m = *state;
	static const char *const rows[][2] = { { "billed", "open" }, { "past_due", "open" },
		{ "paid", "paid" }, { "canceled", "void" }, { "draft", "draft" },
		{ "sung", "unknown" } };
	size_t i;

	for (i = 0; i < COUNT(rows); i++)
		assert_string_equal(at(normal(m, "transaction.completed",
					   "\"status\": \"completed\"",
					   mem_printf(m, "\"status\": \"%s\"", rows[i][0])),
					"status"),
		    rows[i][1]);
}

static void
what_is_switched_off_buys_nothing(void **state)
{
	const struct json *j = normal(*state, "subscription.activated",
	    "\"status\": \"active\",\n    \"quantity\": 10",
	    "\"status\":\"inactive\",\"quantity\":10");

	assert_int_equal(number(j, "items.0.quantity"), 0);
	assert_int_equal(number(j, "items.1.quantity"), 1);
}

static void
one_that_was_not_paid_says_so(void **state)
{
	const struct json *j = normal(*state, "transaction.payment_failed", NULL, NULL);

	assert_string_equal(at(j, "status"), "open");
	assert_int_equal(number(j, "amount_paid"), 0);
	assert_int_equal(number(j, "amount_remaining"), 65215);
	assert_int_equal(number(j, "paid_at"), -1);
	assert_int_equal(number(j, "attempt_count"), 1);
}

static void
a_sum_that_is_none_makes_no_invoice(void **state)
{
	struct mem *m = *state;
	static const struct {
		const char *sum;
		int64_t want;
	} rows[] = {
		{ "\"0\"", 0 },
		{ "\"-65215\"", -65215 },
		{ "\"99999999999999\"", 99999999999999 },
		{ "\"652.15\"", INT64_MIN },
		{ "\"\"", INT64_MIN },
		{ "\"-\"", INT64_MIN },
		{ "65215", INT64_MIN },
		{ "null", INT64_MIN },
		{ "\"1e9\"", INT64_MIN },
		{ "\"99999999999999999999\"", INT64_MIN },
	};
	const struct json *j;
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		j = normal(m, "transaction.completed", "\"total\": \"65215\"",
		    mem_printf(m, "\"total\": %s", rows[i].sum));
		assert_int_equal(j != NULL, rows[i].want != INT64_MIN);
		if (j)
			assert_int_equal(json_int(j, "total", 1), rows[i].want);
	}
	assert_null(normal(m, "transaction.completed", "\"customer_id\": \"ctm", "\"x\": \"ctm"));
	assert_null(normal(m, "transaction.completed",
	    "\"currency_code\": \"USD\",\n  \"billing_period\"", "\"billing_period\""));
}

static void
a_subscription_without_customer_status_or_items_is_none(void **state)
{
	struct mem *m = *state;

	assert_null(normal(m, "subscription.activated", "\"customer_id\"", "\"x\""));
	assert_null(normal(m, "subscription.activated", "\n  \"items\"", "\"x\""));
	assert_null(normal(m, "subscription.activated", "],\n  \"status\": \"active\"",
	    "],\n  \"status\": 7"));
	/* Items that name no price stand for no plan. */
	assert_string_equal(at(normal(m, "subscription.activated", "\"id\": \"pri_01gsz8",
				   "\"x\": \""),
				"items.0.price"),
	    "(none)");
}

static void
a_customer_who_was_archived_is_deleted(void **state)
{
	struct mem *m = *state;
	static const char body[] =
	    "{\"event_id\":\"evt_1\",\"event_type\":\"customer.updated\",\"occurred_at\":"
	    "\"2024-04-12T10:18:49Z\",\"data\":{\"id\":\"ctm_1\",\"email\":"
	    "\"ann@example.com\",\"name\":null,"
	    "\"status\":\"archived\"}}";
	struct money_event e;
	const struct json *j;

	assert_int_equal(paddle_event(m, SPAN(body), &e), MONEY_EVENT_OK);
	j = json_get(parsed(m, e.object), "data");
	assert_true(is_true(j, "deleted"));
	assert_string_equal(at(j, "email"), "ann@example.com");
	assert_int_equal(paddle_event(m, with(m, SPAN(body), "archived", "active"), &e),
	    MONEY_EVENT_OK);
	assert_false(is_true(json_get(parsed(m, e.object), "data"), "deleted"));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST_CASE(a_subscription_is_told_as_a_whole),
		TEST_CASE(its_end_its_trial_and_its_cancellation_are_told),
		TEST_CASE(what_its_seller_wrote_to_it_comes_along),
		TEST_CASE(a_transaction_is_told_as_an_invoice),
		TEST_CASE(its_status_is_told_in_the_words_of_invoices),
		TEST_CASE(what_is_switched_off_buys_nothing),
		TEST_CASE(one_that_was_not_paid_says_so),
		TEST_CASE(a_sum_that_is_none_makes_no_invoice),
		TEST_CASE(a_subscription_without_customer_status_or_items_is_none),
		TEST_CASE(a_customer_who_was_archived_is_deleted),
	};

	return cmocka_run_group_tests_name("paddle_object", tests, NULL, NULL);
}
