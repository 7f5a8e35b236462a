/*
 * mail_fixture.h - for the tests of what mails say and how they are sent: settings, JSON.
 */
#ifndef TESTS_WORK_MAIL_FIXTURE_H
#define TESTS_WORK_MAIL_FIXTURE_H

#include "tests/peers/fixture.h"

#include "base/settings.h"
#include "lib/seal.h"

#include <errno.h>

#define TOKEN_ID "5f0c3a9e-1b2c-4d3e-8f4a-0123456789ab"

/* Settings as pairs of name and value, ended by NULL, besides the key that makes tokens. */
static inline void
settings_are(const char *const *pairs)
{
	static const char *const names[] = { "RESEND_API_KEY", "SMTP_URL", "MAIL_FROM", "APP_URL",
		"FRONTEND_URL", "API_URL" };

	for (size_t i = 0; i < COUNT(names); i++)
		unsetenv(names[i]);
	setenv("HOOKSWITCH_SECRET_KEY", "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", 1);
	for (; *pairs; pairs += 2)
		setenv(pairs[0], pairs[1], 1);
	assert_int_equal(settings_load(), 0);
}

#define SETTINGS(...) settings_are((const char *const[]){ __VA_ARGS__, NULL })

/* Whether part stands in s. */
static inline void
assert_says(const char *s, const char *part)
{
	if (!strstr(s, part))
		fail_msg("\"%s\" is not in: %s", part, s);
}

#endif
