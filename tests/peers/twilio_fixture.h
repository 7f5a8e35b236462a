/*
 * twilio_fixture.h - for the tests of Twilio and of what is asked of Vapi besides calls: settings,
 * an account, answers.
 */
#ifndef TESTS_PEERS_TWILIO_FIXTURE_H
#define TESTS_PEERS_TWILIO_FIXTURE_H

#include "fixture.h"

#include "base/settings.h"
#include "lib/fetch.h"
#include "peers/voice.h"

#include <errno.h>

#define ACCOUNT_PATH "https://api.twilio.com/2010-04-01/Accounts/AC01"

static inline int
twilio_setup(void **state)
{
	setenv("TWILIO_ACCOUNT_SID", "AC01", 1);
	setenv("TWILIO_AUTH_TOKEN", "secret, before", 1);
	setenv("API_URL", "https://hooks.example.com", 1);
	setenv("HOOKSWITCH_SECRET_KEY", "test:a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=", 1);
	unsetenv("TWILIO_BASE_URL");
	unsetenv("VAPI_BASE_URL");
	assert_int_equal(settings_load(), 0);
	return fixture_setup(state);
}

static inline struct fetch_answer
told(enum fetch_outcome outcome, int status, struct span body)
{
	return (struct fetch_answer){ .outcome = outcome,
		.status = status,
		.body = body,
		.type = "application/json",
		.location = "",
		.should_retry = "",
		.request_id = "",
		.retry_after = -1 };
}

/* An answer that was recorded. */
static inline struct fetch_answer
told_file(struct mem *m, int status, const char *name)
{
	return told(FETCH_ANSWERED, status, fixture(m, name));
}

static const struct voice_account vapi_account = { .type = "vapi",
	.base_url = "https://api.vapi.ai",
	.api_key = "key",
	.timeout_ms = 5000 };

#define TWILIO_CASE(f) cmocka_unit_test_setup_teardown(f, twilio_setup, fixture_teardown)

#endif
