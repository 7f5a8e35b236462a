/*
 * test_flow_stripe.c - the workflow "stripe-sync": its steps, and which invoice a charge has paid.
 */
#include "flow_fixture.h"

#include "work/flow_stripe.h"

static const struct step *
step(const char *name)
{
	for (size_t i = 0; i < flow_stripe_sync.nsteps; i++) {
		if (strcmp(flow_stripe_sync.steps[i].name, name) == 0)
			return &flow_stripe_sync.steps[i];
	}
	fail_msg("no step %s", name);
	return NULL;
}

static void
a_charge_is_followed_to_its_invoice(void **state)
{
	struct step_in in = { .key = "k",
		.prepared = parsed(*state, "{\"id\":\"pi_1\",\"read\":3}") };
	struct fetch_answer a = answer(200, SPAN("{\"data\":[{\"invoice\":\"in_7\"}]}"));
	struct step_out out = { .retry_after = -1 };
	struct fetch_request r;

	assert_int_equal(step("payment")->ask(*state, &in, &r), 0);
	assert_string_equal(strstr(r.url, "/v1"),
	    "/v1/invoice_payments?payment[type]=payment_intent"
	    "&payment[payment_intent]=pi_1&limit=1");
	step("payment")->read(*state, &in, &a, &out);
	assert_string_equal(out.result, "{\"invoice\":\"in_7\"}");
	a = answer(200, SPAN("{\"data\":[]}"));
	step("payment")->read(*state, &in, &a, &out);
	assert_string_equal(out.result, "{\"invoice\":null}");
}

static void
what_is_kept_has_the_name_that_sql_looks_for(void **state)
{
	static const char *const names[] = { "charge", "session", "customer", "invoice",
		"subscription" };

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		assert_string_equal(step(names[i])->keep[0], names[i]);
		assert_null(step(names[i])->keep[1]);
		assert_string_equal(step(names[i])->prepare, "stripe_sync_prepare");
		assert_true(step(names[i])->takes_key);
		assert_true(step(names[i])->retry.limit_ms >= INT64_C(48) * 3600 * 1000);
	}
	assert_string_equal(step("payment")->keep[0], "invoice");
	assert_string_equal(step("apply")->apply, "stripe_sync_apply");
}

static void
without_a_key_runs_wait(void **state)
{
	(void)state;
	assert_true(flow_stripe_sync.ready());
	assert_true(flow_subscription_sync.ready());
	unsetenv("STRIPE_SECRET_KEY");
	assert_int_equal(settings_load(), 0);
	assert_false(flow_stripe_sync.ready());
	assert_false(flow_subscription_sync.ready());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STRIPE_CASE(a_charge_is_followed_to_its_invoice),
		STRIPE_CASE(what_is_kept_has_the_name_that_sql_looks_for),
		STRIPE_CASE(without_a_key_runs_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
