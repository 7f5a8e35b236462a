/*
 * test_mail.c - who takes our mails, which addresses are ones, which mails can be sent at all.
 */
#include "mail_fixture.h"

static void
resend_comes_before_smtp_and_nobody_is_fine(void **state)
{
	(void)state;
	SETTINGS("MAIL_FROM", "no-reply@example.com");
	assert_null(mail_provider());
	assert_int_equal(mail_ready(), 0);
	SETTINGS("SMTP_URL", "smtp://mail.example.com", "MAIL_FROM", "no-reply@example.com");
	assert_ptr_equal(mail_provider(), &mail_smtp);
	assert_int_equal(mail_ready(), 0);
	SETTINGS("SMTP_URL", "smtp://mail.example.com", "RESEND_API_KEY", "re_1", "MAIL_FROM",
	    "Hookswitch <no-reply@example.com>");
	assert_ptr_equal(mail_provider(), &mail_resend);
	assert_string_equal(mail_from(), "Hookswitch <no-reply@example.com>");
	assert_int_equal(mail_ready(), 0);
}

static void
without_a_good_sender_it_is_not_ready(void **state)
{
	static const char *const bad[] = { "nobody", "Hookswitch", "<a@b>",
		"a@example.com, b@example.com", "Hookswitch <a@example.com> x",
		"\"Hook\" switch\" <a@example.com>" };

	(void)state;
	SETTINGS("RESEND_API_KEY", "re_1");
	assert_int_equal(mail_ready(), -1);
	for (size_t i = 0; i < COUNT(bad); i++) {
		SETTINGS("RESEND_API_KEY", "re_1", "MAIL_FROM", bad[i]);
		if (mail_ready() != -1)
			fail_msg("%s was taken", bad[i]);
	}
	SETTINGS("SMTP_URL", "http://mail.example.com", "MAIL_FROM", "a@example.com");
	assert_int_equal(mail_ready(), -1);
}

static void
addresses_are_plain(void **state)
{
	static const char *const good[] = { "a@b.co", "first.last+tag@sub.example-1.com",
		"o'brien@example.com", "UPPER@EXAMPLE.COM", "1@2.3" };
	static const char *const bad[] = { NULL, "", "@", "a@", "@b.co", "a@b", "a b@c.de",
		"a@b..co", ".a@b.co", "a.@b.co", "a..b@c.de", "a@-b.co", "a@b-.co", "a@b.co.",
		"a@b.co\n", "a@b.co\r\nBcc: x@y.zz", "<a@b.co>", "a@b.co,c@d.ee", "a@b@c.de",
		"\"a b\"@c.de", "\xc3\xa4@b.co", "a@\xc3\xa4.de", "a@b_c.de", "a(b)@c.de" };
	char local[128], domain[400];

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		if (!mail_is_address(good[i]))
			fail_msg("%s was refused", good[i]);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		if (mail_is_address(bad[i]))
			fail_msg("%s was taken", bad[i]);
	}
	memset(local, 'a', sizeof(local));
	snprintf(local + 64, sizeof(local) - 64, "@b.co");
	assert_true(mail_is_address(local));
	snprintf(local + 64, sizeof(local) - 64, "a@b.co");
	assert_false(mail_is_address(local));
	memset(domain, 'a', sizeof(domain));
	memcpy(domain, "a@", 2);
	for (size_t i = 40; i < 300; i += 40)
		domain[i] = '.';
	domain[254] = '\0';
	assert_true(mail_is_address(domain));
	domain[254] = 'a';
	domain[255] = '\0';
	assert_false(mail_is_address(domain));
}

static void
what_no_mail_may_hold_is_refused(void **state)
{
	static char longest[300];
	struct mail m = plain_mail;

	(void)state;
	assert_true(mail_can(&m));
	m.subject = "x\r\nBcc: everybody@example.com";
	assert_false(mail_can(&m));
	m.subject = "";
	assert_false(mail_can(&m));
	m = plain_mail;
	m.key = "a\nb";
	assert_false(mail_can(&m));
	memset(longest, 'k', MAIL_KEY_MAX);
	m.key = longest;
	assert_true(mail_can(&m));
	longest[MAIL_KEY_MAX] = 'k';
	assert_false(mail_can(&m));
	m = plain_mail;
	m.to = "a@b.co>, <c@d.ee";
	assert_false(mail_can(&m));
	m = plain_mail;
	m.text = "\xff";
	assert_false(mail_can(&m));
	m = plain_mail;
	m.html = NULL;
	assert_false(mail_can(&m));
}

static void
an_answer_that_never_came(void **state)
{
	static const struct {
		enum fetch_outcome outcome;
		enum mail_result result;
		const char *reason;
	} cases[] = {
		{ FETCH_NOT_SENT, MAIL_RETRY, "connect_failed" },
		{ FETCH_LOST, MAIL_UNKNOWN, "no_answer" },
		{ FETCH_TOO_LARGE, MAIL_UNKNOWN, "unreadable" },
	};
	const struct mail_provider *all[] = { &mail_resend, &mail_smtp };
	struct mail_outcome o;

	for (size_t i = 0; i < 2 * COUNT(cases); i++) {
		struct fetch_answer a = answer(200, SPAN("{\"id\":\"x\"}"));

		a.outcome = cases[i / 2].outcome;
		o = outcome_of(*state, all[i % 2], &a);
		assert_int_equal(o.result, cases[i / 2].result);
		assert_string_equal(o.reason, cases[i / 2].reason);
		assert_int_equal(o.retry_after, -1);
		assert_null(o.id);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_CASE(resend_comes_before_smtp_and_nobody_is_fine),
		TEST_CASE(without_a_good_sender_it_is_not_ready),
		TEST_CASE(addresses_are_plain),
		TEST_CASE(what_no_mail_may_hold_is_refused),
		TEST_CASE(an_answer_that_never_came),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
