/*
 * test_flow_reconcile.c - the workflow "reconcile": its request, and what a page becomes.
 */
#include "tests/peers/stripe_fixture.h"

#include "work/cron.h"
#include "work/flow_reconcile.h"

static struct step_in
run_of(struct mem *m, const char *what)
{
	return (struct step_in){ .run_id = "reconcile:1",
		.workflow = "reconcile",
		.step = "page",
		.organization_id = "",
		.key = "k",
		.attempt = 1,
		.sent_s = -1,
		.prepared = parsed(m,
		    mem_printf(m,
			"{\"path\":\"/v1/%ss\",\"what\":\"%s\",\"read\":7,"
			"\"query\":{\"limit\":\"50\",\"created[gte]\":\"1700000000\"}}",
			what, what)) };
}

static struct step_out
read_of(struct mem *m, const char *what, int status, const char *body)
{
	struct step_in in = run_of(m, what);
	struct fetch_answer a = answer(status, span_of(body));
	struct step_out out = { .retry_after = -1 };

	flow_reconcile.steps[0].read(m, &in, &a, &out);
	return out;
}

static void
it_asks_for_what_sql_said(void **state)
{
	struct step_in in = run_of(*state, "invoice");
	struct fetch_request r = { .method = NULL };

	assert_int_equal(flow_reconcile.steps[0].ask(*state, &in, &r), 0);
	assert_string_equal(r.method, "GET");
	assert_non_null(strstr(r.url, "/v1/invoices?limit=50&created"));
	assert_non_null(strstr(r.url, "=1700000000"));
	assert_int_equal(r.body.len, 0);
}

static void
it_waits_without_a_key(void **state)
{
	struct cron c;

	(void)state;
	assert_int_equal(cron_read(flow_reconcile.cron, &c), 0);
	assert_true(flow_reconcile.ready());
	unsetenv("STRIPE_SECRET_KEY");
	assert_int_equal(settings_load(), 0);
	assert_false(flow_reconcile.ready());
}

static void
a_page_of_each_shape_becomes_our_words(void **state)
{
	static const char *const shapes[] = { "current", "legacy" };
	size_t i;

	for (i = 0; i < COUNT(shapes); i++) {
		const char *one = json_print(*state,
		    recorded(*state, shapes[i], "subscription.retrieve.response.200"));
		struct step_out out = read_of(*state, "subscription", 200,
		    mem_printf(*state, "{\"object\":\"list\",\"data\":[%s,%s],\"has_more\":true}",
			one, one));
		const struct json *page;

		assert_int_equal(out.verdict, STEP_DONE);
		page = parsed(*state, out.result);
		assert_int_equal(json_len(json_get(page, "items")), 2);
		assert_non_null(json_path(page, "items.1.period_end"));
		assert_int_equal(json_int(json_path(page, "items.0"), "read", 0), 7);
		assert_true(json_bool(page, "has_more", false));
		assert_string_equal(json_str(page, "last"), json_str(parsed(*state, one), "id"));
		assert_string_equal(json_str(json_get(page, "query"), "limit"), "50");
	}
}

static void
what_a_meter_counted_is_a_number(void **state)
{
	struct step_out out = read_of(*state, "summary", 200,
	    "{\"data\":[{\"id\":\"mtrusg_1\",\"aggregated_value\":61},{\"id\":\"mtrusg_2\","
	    "\"aggregated_value\":0.5}],\"has_more\":false}");
	const struct json *page = parsed(*state, out.result);

	assert_int_equal(out.verdict, STEP_DONE);
	assert_int_equal(json_int(json_path(page, "items.0"), "value", 0), 61);
	assert_true(json_double(json_path(page, "items.1"), "value", 0) == 0.5);
}

static void
a_refund_names_its_charge(void **state)
{
	struct step_out out = read_of(*state, "refund", 200,
	    "{\"data\":[{\"id\":\"re_1\",\"charge\":{\"id\":\"ch_1\"},\"status\":\"succeeded\","
	    "\"currency\":\"usd\",\"amount\":900,\"created\":1700000000},"
	    "{\"id\":\"re_2\"}],\"has_more\":false}");
	const struct json *page = parsed(*state, out.result);

	assert_int_equal(out.verdict, STEP_DONE);
	assert_string_equal(json_str(json_path(page, "items.0"), "charge"), "ch_1");
	assert_int_equal(json_int(json_path(page, "items.0"), "amount", 0), 900);
	assert_int_equal(json_int(json_path(page, "items.0"), "created", 0), 1700000000);
	assert_true(json_bool(json_path(page, "items.1"), "unreadable", false));
}

static void
one_that_cannot_be_read_does_not_hide_the_others(void **state)
{
	struct step_out out = read_of(*state, "subscription", 200,
	    "{\"data\":[{\"id\":\"sub_\\\"1\",\"object\":\"nonsense\"}],\"has_more\":false}");
	const struct json *page = parsed(*state, out.result);

	assert_int_equal(out.verdict, STEP_DONE);
	assert_true(json_bool(json_path(page, "items.0"), "unreadable", false));
	assert_string_equal(json_str(json_path(page, "items.0"), "id"), "sub_\"1");
}

static void
an_empty_list_is_a_page(void **state)
{
	struct step_out out = read_of(*state, "invoice", 200, "{\"data\":[],\"has_more\":false}");
	const struct json *page = parsed(*state, out.result);

	assert_int_equal(out.verdict, STEP_DONE);
	assert_int_equal(json_type(json_get(page, "items")), JSON_ARRAY);
	assert_null(json_get(page, "last"));
}

static void
what_is_no_page_is_asked_for_again(void **state)
{
	static const struct {
		int status;
		const char *body;
		enum step_verdict verdict;
	} rows[] = {
		{ 200, "{\"object\":\"list\"}", STEP_RETRY },
		{ 200, "{\"data\":[1]}", STEP_RETRY },
		{ 200, "<html>", STEP_RETRY },
		{ 500, "{\"error\":{\"type\":\"api_error\"}}", STEP_RETRY },
		{ 429, "{\"error\":{\"code\":\"rate_limit\"}}", STEP_RETRY },
		{ 401, "{\"error\":{\"type\":\"invalid_request_error\"}}", STEP_RETRY },
		{ 400, "{\"error\":{\"code\":\"parameter_unknown\"}}", STEP_FAILED },
	};
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		struct step_out out = read_of(*state, "invoice", rows[i].status, rows[i].body);

		assert_int_equal(out.verdict, rows[i].verdict);
		assert_non_null(out.reason);
		assert_null(out.result);
	}
}

static void
a_place_that_is_gone_is_told(void **state)
{
	static const int statuses[] = { 400, 404 };
	static const char gone[] =
	    "{\"error\":{\"type\":\"invalid_request_error\",\"code\":\"resource_missing\"}}";
	size_t i;

	for (i = 0; i < COUNT(statuses); i++) {
		struct step_out out = read_of(*state, "invoice", statuses[i], gone);

		assert_int_equal(out.verdict, STEP_DONE);
		assert_string_equal(out.result, "{\"absent\":true}");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STRIPE_CASE(it_asks_for_what_sql_said),
		STRIPE_CASE(it_waits_without_a_key),
		STRIPE_CASE(a_page_of_each_shape_becomes_our_words),
		STRIPE_CASE(what_a_meter_counted_is_a_number),
		STRIPE_CASE(a_refund_names_its_charge),
		STRIPE_CASE(one_that_cannot_be_read_does_not_hide_the_others),
		STRIPE_CASE(an_empty_list_is_a_page),
		STRIPE_CASE(what_is_no_page_is_asked_for_again),
		STRIPE_CASE(a_place_that_is_gone_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
