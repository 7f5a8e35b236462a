/*
 * stripe_fixture.h - for the tests of Stripe: settings, recorded objects, answers.
 */
#ifndef TESTS_PEERS_STRIPE_FIXTURE_H
#define TESTS_PEERS_STRIPE_FIXTURE_H

#include "fixture.h"

#include "base/settings.h"
#include "peers/stripe.h"

#include <errno.h>

static inline int
stripe_setup(void **state)
{
	setenv("STRIPE_SECRET_KEY", "sk_test_secret", 1);
	unsetenv("STRIPE_BASE_URL");
	assert_int_equal(settings_load(), 0);
	return fixture_setup(state);
}

/* A recorded file of one shape ("current", "legacy") as JSON; of an event its object. */
static inline const struct json *
recorded(struct mem *m, const char *shape, const char *name)
{
	const char *file = mem_printf(m, "stripe/%s/%s.json", shape, name);
	const struct json *j = parsed(m, fixture(m, file).data);
	const struct json *object = json_path(j, "data.object");

	return object ? object : j;
}

static inline struct fetch_answer
answer(int status, struct span body)
{
	return (struct fetch_answer){ .outcome = FETCH_ANSWERED,
		.status = status,
		.body = body,
		.type = "application/json",
		.location = "",
		.should_retry = "",
		.request_id = "req_1",
		.retry_after = -1 };
}

#define STRIPE_CASE(f) cmocka_unit_test_setup_teardown(f, stripe_setup, fixture_teardown)

#endif
