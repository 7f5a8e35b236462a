/*
 * test_stripe_event.c - Stripe's webhooks, in the shapes of both versions: which object is to be
 * read anew.
 */
#include "peers/money_event.h"

#include "fixture.h"

#define SUBSCRIPTION "sub_1lhyLKpiFiyGWodsBCYI4I9S"
#define CUSTOMER "cus_CBchj2mSdPpoVo"
#define NONE "(none)"

static struct money_event
event(struct mem *m, struct span body)
{
	struct money_event e;

	assert_int_equal(stripe_event(m, body, &e), MONEY_EVENT_OK);
	assert_non_null(e.id);
	return e;
}

static void
check_object(struct mem *m, struct money_event e, const char *const want[4])
{
	const struct json *j = parsed(m, e.object);

	assert_string_equal(at(j, "kind"), want[0]);
	assert_string_equal(at(j, "id"), want[1]);
	assert_string_equal(at(j, "customer"), want[2]);
	assert_string_equal(at(j, "subscription"), want[3]);
}

static void
the_same_object_is_found_in_the_shapes_of_both_versions(void **state)
{
	struct mem *m = *state;
	static const struct {
		const char *name, *type;
		const char *want[4];
	} rows[] = {
		{ "checkout.session.completed", "checkout.session.completed",
		    { "checkout_session",
			"cs_test_3NsDE3eOuJz6IBXXS7rlEWyuMqqNwskiJzXD6TB7zHb000000000000000",
			CUSTOMER, SUBSCRIPTION } },
		{ "customer.subscription.updated", "customer.subscription.updated",
		    { "subscription", SUBSCRIPTION, CUSTOMER, SUBSCRIPTION } },
		{ "invoice.paid", "invoice.paid",
		    { "invoice", "in_13cIyATTgC9qskOMBjHUYwUG", CUSTOMER, SUBSCRIPTION } },
		{ "payment_method.attached", "payment_method.attached",
		    { "customer", CUSTOMER, CUSTOMER, NONE } },
		{ "payment_method.detached", "payment_method.detached",
		    { "customer", CUSTOMER, CUSTOMER, NONE } },
	};
	static const char *const versions[] = { "current", "legacy" };
	struct money_event e;
	size_t i, v;

	for (i = 0; i < COUNT(rows); i++) {
		for (v = 0; v < COUNT(versions); v++) {
			e = event(m,
			    fixture(m,
				mem_printf(m, "stripe/%s/event.%s.json", versions[v],
				    rows[i].name)));
			assert_string_equal(e.type, rows[i].type);
			assert_memory_equal(e.id, "evt_", 4);
			check_object(m, e, rows[i].want);
		}
	}
}

#define EVENT(type, object)                                                                        \
	SPAN("{\"id\":\"evt_1\",\"object\":\"event\",\"type\":\"" type "\",\"data\":{\"object\""   \
	     ":" object "}}")

static void
an_invoice_of_no_subscription_names_none(void **state)
{
	struct mem *m = *state;
	static const char *const versions[] = { "current", "legacy" };
	size_t v;

	for (v = 0; v < COUNT(versions); v++) {
		const char *name = mem_printf(m,
		    "stripe/%s/event.invoice.paid.without-subscription.json", versions[v]);
		const struct json *j = parsed(m, event(m, fixture(m, name)).object);
		assert_string_equal(at(j, "kind"), "invoice");
		assert_string_equal(at(j, "subscription"), NONE);
	}
}

static void
ids_may_stand_in_expanded_objects(void **state)
{
	struct mem *m = *state;
	static const struct {
		struct span body;
		const char *want[4];
	} rows[] = {
		{ EVENT("invoice.finalized",
		      "{\"id\":\"in_1\",\"customer\":{\"id\":\"cus_1\"},\"subscription\":{\"id\":"
		      "\"sub_1\"}}"),
		    { "invoice", "in_1", "cus_1", "sub_1" } },
		{ EVENT("invoice.created",
		      "{\"parent\":{\"subscription_details\":{\"subscription\":{\"id\":\"sub_1\"}}"
		      "},\"id\":\"in_1\"}"),
		    { "invoice", "in_1", NONE, "sub_1" } },
		{ EVENT("charge.dispute.created", "{\"id\":\"dp_1\",\"charge\":\"ch_1\"}"),
		    { "charge", "ch_1", NONE, NONE } },
		{ EVENT("charge.dispute.closed", "{\"id\":\"dp_1\",\"charge\":{\"id\":\"ch_1\"}}"),
		    { "charge", "ch_1", NONE, NONE } },
		{ EVENT("charge.refunded", "{\"id\":\"ch_1\",\"customer\":\"cus_1\"}"),
		    { "charge", "ch_1", "cus_1", NONE } },
		{ EVENT("customer.deleted", "{\"id\":\"cus_1\",\"object\":\"customer\"}"),
		    { "customer", "cus_1", "cus_1", NONE } },
	};
	size_t i;

	for (i = 0; i < COUNT(rows); i++)
		check_object(m, event(m, rows[i].body), rows[i].want);
}

static void
what_nothing_follows_from_says_so(void **state)
{
	struct mem *m = *state;
	static const struct span rows[] = {
		EVENT("invoice.upcoming", "{\"customer\":\"cus_1\"}"),
		EVENT("customer.created", "{\"id\":\"cus_1\"}"),
		EVENT("invoice.paid ", "{\"id\":\"in_1\"}"),
		EVENT("payment_method.updated", "{\"id\":\"pm_1\",\"customer\":null}"),
		EVENT("charge.dispute.created", "{\"id\":\"dp_1\"}"),
		SPAN("{\"id\":\"evt_1\",\"object\":\"v2.core.event\",\"type\":\"v1.billing.meter.e"
		     "rror_report_triggered\"}"),
	};
	size_t i;

	for (i = 0; i < COUNT(rows); i++)
		assert_string_equal(event(m, rows[i]).object, "{}");
}

static void
shapes_that_we_do_not_understand_are_told_as_such(void **state)
{
	struct mem *m = *state;
	static const struct span rows[] = {
		SPAN("{}"),
		SPAN("{\"type\":\"invoice.paid\",\"data\":{\"object\":{\"id\":\"in_1\"}}}"),
		SPAN("{\"id\":\"evt_1\",\"data\":{\"object\":{\"id\":\"in_1\"}}}"),
		SPAN("{\"id\":\"evt_1\",\"type\":\"invoice.paid\"}"),
		EVENT("invoice.paid", "{}"),
		EVENT("invoice.paid", "[]"),
		EVENT("invoice.paid", "{\"id\":7}"),
		EVENT("invoice.paid", "{\"id\":\"in_1/../../v1/refunds\"}"),
		EVENT("invoice.paid", "\"in_1\""),
		EVENT("customer.subscription.updated", "{\"id\":\"\"}"),
	};
	size_t i;

	for (i = 0; i < COUNT(rows); i++)
		assert_null(event(m, rows[i]).object);
}

static void
odd_bytes_do_not_get_through(void **state)
{
	struct mem *m = *state;
	struct money_event e = event(m,
	    SPAN("{\"id\":\"evt_1\",\"type\":\"a\\u0000b\xff\",\"data\":{\"object\":{\"id\":\"x\\u0"
		 "000\"}}}"));

	assert_true(utf8_valid(e.type, strlen(e.type)));
	assert_string_equal(e.object, "{}");
	e = event(m,
	    EVENT("invoice.paid", "{\"id\":\"in_1\",\"customer\":\"a\\\"b\",\"x\":\"\\u0000\"}"));
	check_object(m, e, (const char *const[4]){ "invoice", "in_1", NONE, NONE });
}

static void
no_json_and_no_memory_are_told(void **state)
{
	struct mem *m = *state, *small = mem_new(64);
	struct money_event e;

	assert_int_equal(stripe_event(m, SPAN("{\"id\":\"evt_1\""), &e), MONEY_EVENT_NOT_JSON);
	assert_int_equal(stripe_event(small, EVENT("invoice.paid", "{\"id\":\"in_1\"}"), &e),
	    MONEY_EVENT_NO_MEMORY);
	mem_free(small);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST_CASE(the_same_object_is_found_in_the_shapes_of_both_versions),
		TEST_CASE(an_invoice_of_no_subscription_names_none),
		TEST_CASE(ids_may_stand_in_expanded_objects),
		TEST_CASE(what_nothing_follows_from_says_so),
		TEST_CASE(shapes_that_we_do_not_understand_are_told_as_such),
		TEST_CASE(odd_bytes_do_not_get_through),
		TEST_CASE(no_json_and_no_memory_are_told),
	};

	return cmocka_run_group_tests_name("stripe_event", tests, NULL, NULL);
}
