/*
 * mail_fixture.h - for the tests of mails: one mail, settings, answers.
 */
#ifndef TESTS_PEERS_MAIL_FIXTURE_H
#define TESTS_PEERS_MAIL_FIXTURE_H

#include "fixture.h"

#include "base/settings.h"
#include "peers/mail.h"

#include <errno.h>

#define KEY "mail:signup:5f0c3a9e:send"

static const struct mail plain_mail = { .from = "Hookswitch <no-reply@example.com>",
	.to = "pat@example.org",
	.subject = "Confirm your address",
	.text = "Hello,\n\nyour code is 123456.\n",
	.html = "<p>Hello,</p><p>your code is <b>123456</b>.</p>",
	.key = KEY,
	.at_ms = 1789997490000 };

/* Settings as pairs of name and value, ended by NULL; none else of the mails' is set. */
static inline void
settings_are(const char *const *pairs)
{
	static const char *const names[] = { "RESEND_API_KEY", "RESEND_BASE_URL", "SMTP_URL",
		"SMTP_CA_FILE", "MAIL_FROM" };

	for (size_t i = 0; i < COUNT(names); i++)
		unsetenv(names[i]);
	for (; *pairs; pairs += 2)
		setenv(pairs[0], pairs[1], 1);
	assert_int_equal(settings_load(), 0);
}

#define SETTINGS(...) settings_are((const char *const[]){ __VA_ARGS__, NULL })

/* What becomes of the mail with an answer of that outcome, status and body. */
static inline struct mail_outcome
outcome_of(struct mem *m, const struct mail_provider *p, const struct fetch_answer *a)
{
	struct mail_outcome o;

	p->sent(m, &plain_mail, a, &o);
	return o;
}

static inline struct fetch_answer
answer(int status, struct span body)
{
	return (struct fetch_answer){ .outcome = FETCH_ANSWERED,
		.status = status,
		.body = body,
		.type = "application/json",
		.location = "",
		.retry_after = -1 };
}

#endif
