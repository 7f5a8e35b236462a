/*
 * test_mail_smtp.c - SMTP_URL taken apart, the envelope, and what a server's replies mean.
 */
#include "mail_fixture.h"

#define FROM "MAIL_FROM", "no-reply@example.com"

static const char *
url_of(struct mem *m, const char *setting, struct fetch_request *r)
{
	SETTINGS("SMTP_URL", setting, FROM);
	assert_int_equal(mail_ready(), 0);
	assert_int_equal(mail_smtp.send(m, &plain_mail, r), 0);
	assert_non_null(r->mail);
	return r->url;
}

static void
servers_are_named_by_a_url(void **state)
{
	static const struct {
		const char *setting, *url;
		bool starttls;
		const char *user, *password;
	} cases[] = {
		{ "smtp://mail.example.com", "smtp://mail.example.com:587/example.com", true, NULL,
		    NULL },
		{ "smtps://mail.example.com/", "smtps://mail.example.com:465/example.com", false,
		    NULL, NULL },
		{ "smtp://me:word@mail.example.com:2525",
		    "smtp://mail.example.com:2525/example.com", true, "me", "word" },
		{ "SMTPS://me%40example.com:a%3Ab%2Fc@d@mail.example.com",
		    "smtps://mail.example.com:465/example.com", false, "me@example.com",
		    "a:b/c@d" },
		{ "smtp://me@mail.example.com?tls=required",
		    "smtp://mail.example.com:587/example.com", true, "me", "" },
		{ "smtp://relay:25?tls=never", "smtp://relay:25/example.com", false, NULL, NULL },
		{ "smtp://localhost:25", "smtp://localhost:25/example.com", false, NULL, NULL },
		{ "smtp://127.0.0.1:25?tls=required", "smtp://127.0.0.1:25/example.com", true, NULL,
		    NULL },
		{ "smtp://[::1]:25", "smtp://[::1]:25/example.com", false, NULL, NULL },
		{ "smtp://[2001:db8::1]", "smtp://[2001:db8::1]:587/example.com", true, NULL,
		    NULL },
	};
	struct fetch_request r;

	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_string_equal(url_of(*state, cases[i].setting, &r), cases[i].url);
		assert_int_equal(r.mail->starttls, cases[i].starttls);
		assert_int_equal(r.mail->user != NULL, cases[i].user != NULL);
		if (cases[i].user) {
			assert_string_equal(r.mail->user, cases[i].user);
			assert_string_equal(r.mail->password, cases[i].password);
		}
	}
}

static void
a_wrong_url_is_named_at_the_start(void **state)
{
	static const char *const bad[] = { "mail.example.com", "http://mail.example.com", "smtp://",
		"smtp://:25", "smtp://host:", "smtp://host:0", "smtp://host:65536",
		"smtp://host:25x", "smtp://ho st", "smtp://host/path", "smtp://@host",
		"smtp://:word@host", "smtp://a%0d%0aQUIT@host", "smtp://a%zz@host",
		"smtp://a%4@host", "smtp://host?tls=maybe", "smtps://host?tls=never", "smtp://[::1",
		"smtp://[x]" };

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		SETTINGS("SMTP_URL", bad[i], FROM);
		if (mail_ready() != -1)
			fail_msg("%s was taken", bad[i]);
	}
}

static void
the_message_and_its_envelope(void **state)
{
	struct fetch_request r;
	struct mail in = plain_mail;

	SETTINGS("SMTP_URL", "smtp://mail.example.com", "SMTP_CA_FILE", "/etc/ours.pem", FROM);
	assert_int_equal(mail_smtp.send(*state, &plain_mail, &r), 0);
	assert_string_equal(r.mail->from, "no-reply@example.com");
	assert_string_equal(r.mail->to, "pat@example.org");
	assert_string_equal(r.mail->ca_file, "/etc/ours.pem");
	assert_memory_equal(r.body.data, "Date: ", 6);
	assert_non_null(strstr(r.body.data, "\r\nTo: pat@example.org\r\n"));
	in.to = "a@b.co>\r\nRCPT TO:<c@d.ee";
	assert_int_equal(mail_smtp.send(*state, &in, &r), -1);
	assert_int_equal(errno, EINVAL);
}

static void
replies_are_read_by_their_code(void **state)
{
	static const struct {
		int status;
		enum mail_result result;
		const char *reason;
		int64_t again;
	} cases[] = {
		{ 421, MAIL_RETRY, "smtp_421", -1 },
		{ 450, MAIL_RETRY, "smtp_450", -1 },
		{ 452, MAIL_RETRY, "smtp_452", -1 },
		{ 500, MAIL_FAILED, "smtp_500", -1 },
		{ 550, MAIL_FAILED, "smtp_550", -1 },
		{ 554, MAIL_FAILED, "smtp_554", -1 },
		{ 530, MAIL_RETRY, "smtp_530", 300 },
		{ 535, MAIL_RETRY, "smtp_535", 300 },
		{ 354, MAIL_UNKNOWN, "smtp_354", -1 },
		{ 999, MAIL_UNKNOWN, "smtp_999", -1 },
	};
	struct fetch_answer a = answer(250, SPAN("250 2.0.0 queued as 4711\r\n"));
	struct mail_outcome o = outcome_of(*state, &mail_smtp, &a);

	assert_int_equal(o.result, MAIL_SENT);
	assert_null(o.reason);
	assert_non_null(strstr(o.id, "@example.com>"));
	for (size_t i = 0; i < COUNT(cases); i++) {
		a = answer(cases[i].status, SPAN("x"));
		o = outcome_of(*state, &mail_smtp, &a);
		assert_int_equal(o.result, cases[i].result);
		assert_string_equal(o.reason, cases[i].reason);
		assert_int_equal(o.retry_after, cases[i].again);
		assert_null(o.id);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_CASE(servers_are_named_by_a_url),
		TEST_CASE(a_wrong_url_is_named_at_the_start),
		TEST_CASE(the_message_and_its_envelope),
		TEST_CASE(replies_are_read_by_their_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
