/*
 * test_paddle_event.c - Paddle's webhooks: which ones something follows from, and when they
 * occurred.
 */
#include "peers/money_event.h"

#include "fixture.h"

static struct money_event
event(struct mem *m, struct span body)
{
	struct money_event e;

	assert_int_equal(paddle_event(m, body, &e), MONEY_EVENT_OK);
	assert_non_null(e.id);
	return e;
}

static void
every_recorded_event_says_what_it_is_about(void **state)
{
	struct mem *m = *state;
	static const struct {
		const char *name, *kind, *id;
		int64_t read;
	} rows[] = {
		{ "subscription.created", "subscription", "sub_01hv8x29kz0t586xy6zn1a62ny", 0 },
		{ "subscription.activated", "subscription", "sub_01hv8x29kz0t586xy6zn1a62ny",
		    1712917129658605 },
		{ "subscription.trialing", "subscription", NULL, 1712921430524449 },
		{ "subscription.updated", "subscription", NULL, 1712918983056742 },
		{ "subscription.past_due", "subscription", NULL, 1715509166014628 },
		{ "subscription.paused", "subscription", NULL, 0 },
		{ "subscription.resumed", "subscription", NULL, 0 },
		{ "subscription.canceled", "subscription", NULL, 0 },
		{ "transaction.completed", "invoice", "txn_01hv8wptq8987qeep44cyrewp9",
		    1712917130155553 },
		{ "transaction.payment_failed", "invoice", "txn_01hv8wptq8987qeep44cyrewp9", 0 },
	};
	const struct json *j;
	struct money_event e;
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		e = event(m, fixture(m, mem_printf(m, "paddle/webhook.%s.json", rows[i].name)));
		assert_string_equal(e.type, rows[i].name);
		assert_memory_equal(e.id, "evt_01", 6);
		j = parsed(m, e.object);
		assert_string_equal(at(j, "kind"), rows[i].kind);
		assert_string_equal(at(j, "data.provider"), "paddle");
		assert_string_equal(at(j, "data.id"), at(j, "id"));
		assert_string_equal(at(j, "data.customer"), at(j, "customer"));
		assert_memory_equal(at(j, "customer"), "ctm_01", 6);
		if (rows[i].id)
			assert_string_equal(at(j, "id"), rows[i].id);
		if (rows[i].read)
			assert_int_equal(json_int(json_get(j, "data"), "read", 0), rows[i].read);
		assert_true(json_int(json_get(j, "data"), "read", 0) > 1700000000000000);
	}
}

#define CUSTOMER(occurred)                                                                         \
	"{\"event_id\":\"evt_1\",\"event_type\":\"customer.updated\",\"occurred_at\":" occurred    \
	",\"data\":{\"id\":\"ctm_1\",\"email\":\"ann@example.com\",\"status\":\"active\"}}"

static void
the_order_of_events_is_that_of_microseconds(void **state)
{
	struct mem *m = *state;
	static const struct {
		const char *body;
		int64_t read;
	} rows[] = {
		{ CUSTOMER("\"2024-04-12T10:18:49.658605Z\""), 1712917129658605 },
		{ CUSTOMER("\"2024-04-12T10:18:49.6586051Z\""), 1712917129658605 },
		{ CUSTOMER("\"2024-04-12T10:18:49.6586Z\""), 1712917129658600 },
		{ CUSTOMER("\"2024-04-12T10:18:49.65Z\""), 1712917129650000 },
		{ CUSTOMER("\"2024-04-12T10:18:49Z\""), 1712917129000000 },
		{ CUSTOMER("\"2024-04-12T12:18:49.000001+02:00\""), 1712917129000001 },
	};
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		const struct json *j = parsed(m, event(m, span_of(rows[i].body)).object);
		assert_int_equal(json_int(json_get(j, "data"), "read", 0), rows[i].read);
		assert_string_equal(at(j, "kind"), "customer");
		assert_string_equal(at(j, "customer"), "ctm_1");
	}
}

static void
what_cannot_be_ordered_or_found_is_not_understood(void **state)
{
	struct mem *m = *state;
	static const char *const rows[] = { "{}", CUSTOMER("null"), CUSTOMER("7"),
		CUSTOMER("\"yesterday\""), CUSTOMER("\"1969-12-31T00:00:00Z\""),
		"{\"event_id\":\"evt_1\",\"event_type\":\"customer.updated\",\"data\":{"
		"\"id\":\"ctm_1\"}}",
		"{\"event_id\":\"evt_1\",\"event_type\":\"customer.updated\",\"occurred_at\":"
		"\"2024-04-12T10:18:49Z\",\"data\":{}}",
		"{\"event_id\":\"evt_1\",\"event_type\":\"subscription.updated\",\"occurred_at\":"
		"\"2024-04-12T10:18:49Z\",\"data\":{\"id\":\"sub_1\"}}",
		"{\"event_type\":\"customer.updated\",\"occurred_at\":\"2024-04-12T10:18:49Z\","
		"\"data\":{\"id\":\"ctm_1\"}}" };
	size_t i;

	for (i = 0; i < COUNT(rows); i++)
		assert_null(event(m, span_of(rows[i])).object);
}

static void
what_nothing_follows_from_says_so(void **state)
{
	struct mem *m = *state;
	static const char *const types[] = { "transaction.created", "transaction.ready",
		"adjustment.created", "address.updated", "subscription", "subscription.sung" };
	size_t i;

	for (i = 0; i < COUNT(types); i++)
		assert_string_equal(event(m,
					span_of(mem_printf(m,
					    "{\"event_id\":\"evt_1\",\"event_type\":\"%s\"}",
					    types[i])))
					.object,
		    "{}");
}

static void
no_json_and_no_memory_are_told(void **state)
{
	struct mem *m = *state, *small = mem_new(64);
	struct money_event e;

	assert_int_equal(paddle_event(m, SPAN("{\"event_id\""), &e), MONEY_EVENT_NOT_JSON);
	assert_int_equal(paddle_event(small, SPAN(CUSTOMER("\"2024-04-12T10:18:49Z\"")), &e),
	    MONEY_EVENT_NO_MEMORY);
	mem_free(small);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST_CASE(every_recorded_event_says_what_it_is_about),
		TEST_CASE(the_order_of_events_is_that_of_microseconds),
		TEST_CASE(what_cannot_be_ordered_or_found_is_not_understood),
		TEST_CASE(what_nothing_follows_from_says_so),
		TEST_CASE(no_json_and_no_memory_are_told),
	};

	return cmocka_run_group_tests_name("paddle_event", tests, NULL, NULL);
}
