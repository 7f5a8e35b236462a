/*
 * test_twilio_url.c - where Twilio is told to come.
 */
#include "fixture.h"

#include "base/settings.h"
#include "peers/twilio_url.h"

static void
settings_are(const char *own, const char *api)
{
	unsetenv("TWILIO_WEBHOOK_URL");
	unsetenv("API_URL");
	if (own)
		setenv("TWILIO_WEBHOOK_URL", own, 1);
	if (api)
		setenv("API_URL", api, 1);
	assert_int_equal(settings_load(), 0);
}

static void
twilio_comes_where_the_settings_say(void **state)
{
	static const struct {
		const char *own, *api, *want;
	} rows[] = {
		{ NULL, NULL, NULL },
		{ NULL, "https://api.example.com",
		    "https://api.example.com/api/webhooks/twilio/sms" },
		{ "https://t.example.com/x", "https://api.example.com",
		    "https://t.example.com/x/sms" },
		{ "https://t.example.com/x/", NULL, "https://t.example.com/x/sms" },
	};
	struct mem *small = mem_new(8);
	const char *url;
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		settings_are(rows[i].own, rows[i].api);
		url = twilio_webhook_url(*state, "/sms");
		assert_string_equal(url ? url : "(none)", rows[i].want ? rows[i].want : "(none)");
	}
	assert_null(twilio_webhook_url(small, "/sms"));
	mem_free(small);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST_CASE(twilio_comes_where_the_settings_say),
	};

	return cmocka_run_group_tests_name("twilio_url", tests, NULL, NULL);
}
