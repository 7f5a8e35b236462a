/*
 * test_stripe.c - the requests to Stripe: form, key, version, and what cannot be asked.
 */
#include "stripe_fixture.h"

static void
a_change_is_posted_as_a_form(void **state)
{
	CLEANUP(stripe_form_clear) struct stripe_form f = STRIPE_FORM;
	struct fetch_request r;

	stripe_put(&f, "items[0][id]", "si_1");
	stripe_put(&f, "items[0][price]", "price & co");
	stripe_put(&f, "metadata[hold_plan_id]", "");
	stripe_put(&f, "metadata[none]", NULL);
	stripe_put_int(&f, "proration_date", 1789996400);
	stripe_put_bool(&f, "cancel_at_period_end", false);
	assert_int_equal(stripe_post(*state, "/v1/subscriptions/sub_1", &f, "key-1", &r), 0);
	assert_string_equal(r.method, "POST");
	assert_string_equal(r.url, "https://api.stripe.com/v1/subscriptions/sub_1");
	assert_true(r.https_only);
	assert_string_equal(r.body.data,
	    "items[0][id]=si_1&items[0][price]=price%20%26%20co&metadata[hold_plan_id]="
	    "&proration_date=1789996400&cancel_at_period_end=false");
	assert_int_equal(r.body.len, strlen(r.body.data));
	assert_string_equal(r.headers[0], "Authorization: Bearer sk_test_secret");
	assert_string_equal(r.headers[1], "Stripe-Version: 2026-10-28.endive");
	assert_string_equal(r.headers[2], "User-Agent: hookswitch");
	assert_string_equal(r.headers[3], "Content-Type: application/x-www-form-urlencoded");
	assert_string_equal(r.headers[4], "Idempotency-Key: key-1");
	assert_null(r.headers[5]);
}

static void
what_is_read_or_deleted_is_asked_for_in_the_address(void **state)
{
	CLEANUP(stripe_form_clear) struct stripe_form f = STRIPE_FORM;
	struct fetch_request r;

	setenv("STRIPE_BASE_URL", "http://127.0.0.1:12111/stripe", 1);
	assert_int_equal(settings_load(), 0);
	stripe_put(&f, "expand[]", "customer");
	stripe_put_int(&f, "limit", 100);
	assert_int_equal(stripe_get(*state, "/v1/invoices", &f, &r), 0);
	assert_string_equal(r.method, "GET");
	assert_string_equal(r.url,
	    "http://127.0.0.1:12111/stripe/v1/invoices?expand[]=customer&limit=100");
	assert_false(r.https_only);
	assert_int_equal(r.body.len, 0);
	assert_null(r.headers[3]);
	assert_int_equal(stripe_delete(*state, "/v1/subscriptions/sub_1", NULL, "k", &r), 0);
	assert_string_equal(r.method, "DELETE");
	assert_string_equal(r.url, "http://127.0.0.1:12111/stripe/v1/subscriptions/sub_1");
	assert_string_equal(r.headers[3], "Idempotency-Key: k");
}

static void
a_path_holds_an_id_and_nothing_else(void **state)
{
	static const char *const bad[] = { NULL, "", "..", "sub_1/../x", "sub 1", "sub_1?a=b",
		"sub_\xc3\xa4", "a\r\nb" };

	assert_string_equal(stripe_path(*state, "/v1/invoices/", "in_1", "/pay"),
	    "/v1/invoices/in_1/pay");
	for (size_t i = 0; i < COUNT(bad); i++) {
		errno = 0;
		assert_null(stripe_path(*state, "/v1/invoices/", bad[i], ""));
		assert_int_equal(errno, EINVAL);
	}
}

static int
post_with(struct mem *m, const char *path, const char *key)
{
	struct fetch_request r;

	errno = 0;
	return stripe_post(m, path, NULL, key, &r);
}

static void
what_cannot_be_asked_is_refused(void **state)
{
	CLEANUP(stripe_form_clear) struct stripe_form f = STRIPE_FORM;
	char *key = mem_alloc(*state, STRIPE_KEY_MAX + 2);
	struct fetch_request r;

	memset(key, 'k', STRIPE_KEY_MAX);
	assert_int_equal(post_with(*state, "/v1/refunds", key), 0);
	key[STRIPE_KEY_MAX] = 'k';
	assert_int_equal(post_with(*state, "/v1/refunds", key), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(post_with(*state, "/v1/refunds", NULL), -1);
	assert_int_equal(post_with(*state, "/v1/refunds", ""), -1);
	assert_int_equal(post_with(*state, "/v1/refunds", "a\r\nX: b"), -1);
	assert_int_equal(post_with(*state, NULL, "k"), -1);
	f.text.failed = true;
	assert_int_equal(stripe_post(*state, "/v1/refunds", &f, "k", &r), -1);
	assert_int_equal(errno, ENOMEM);
}

static void
without_a_key_nothing_is_asked(void **state)
{
	struct fetch_request r;

	assert_true(stripe_ready());
	unsetenv("STRIPE_SECRET_KEY");
	assert_int_equal(settings_load(), 0);
	assert_false(stripe_ready());
	assert_int_equal(stripe_get(*state, "/v1/invoices", NULL, &r), -1);
	assert_int_equal(errno, ENOTCONN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STRIPE_CASE(a_change_is_posted_as_a_form),
		STRIPE_CASE(what_is_read_or_deleted_is_asked_for_in_the_address),
		STRIPE_CASE(a_path_holds_an_id_and_nothing_else),
		STRIPE_CASE(what_cannot_be_asked_is_refused),
		STRIPE_CASE(without_a_key_nothing_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
