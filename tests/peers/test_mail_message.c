/*
 * test_mail_message.c - a mail's bytes: headers, encoded words, quoted-printable, and that nothing
 * in it can make a line of its own.
 */
#include "mail_fixture.h"

#include "peers/mail_message.h"

static const char *
message_of(struct mem *m, const struct mail *in)
{
	CLEANUP(text_clear) struct text t = TEXT(1 << 20);

	assert_int_equal(mail_message(m, in, &t), 0);
	return mem_dup(m, text_str(&t), t.len);
}

/* The first half of SHA-256 over KEY. */
#define DIGEST "9259c1e1e9668a6d3638edb4cfc5d18f"

static void
a_plain_mail_is_this(void **state)
{
	assert_string_equal(message_of(*state, &plain_mail),
	    "Date: Mon, 21 Sep 2026 13:31:30 +0000\r\n"
	    "From: \"Hookswitch\"\r\n <no-reply@example.com>\r\n"
	    "To: pat@example.org\r\n"
	    "Subject: Confirm your address\r\n"
	    "Message-ID: <" DIGEST "@example.com>\r\n"
	    "Auto-Submitted: auto-generated\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: multipart/alternative;\r\n"
	    " boundary=\"=_" DIGEST "\"\r\n"
	    "\r\n"
	    "--=_" DIGEST "\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n"
	    "\r\n"
	    "Hello,\r\n\r\nyour code is 123456.\r\n\r\n"
	    "--=_" DIGEST "\r\n"
	    "Content-Type: text/html; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n"
	    "\r\n"
	    "<p>Hello,</p><p>your code is <b>123456</b>.</p>\r\n"
	    "--=_" DIGEST "--\r\n");
}

static void
the_message_id_is_the_keys(void **state)
{
	struct mem *m = *state;
	const char *id = mail_message_id(m, KEY, "example.com");

	assert_int_equal(strlen(id), 32 + strlen("<@example.com>"));
	assert_string_equal(id, mail_message_id(m, KEY, "example.com"));
	assert_string_not_equal(id, mail_message_id(m, KEY "2", "example.com"));
	assert_non_null(strstr(message_of(m, &plain_mail), id));
}

static void
other_than_ascii_is_encoded(void **state)
{
	struct mem *m = *state;
	struct mail in = plain_mail;
	const char *s;

	in.from = "Zo\xc3\xab & Co <no-reply@example.com>";
	in.subject = "Gr\xc3\xbc\xc3\x9f"
		     "e von Zo\xc3\xab:  \xe2\x98\x8e \xe2\x98\x8e \xe2\x98\x8e \xe2\x98\x8e "
		     "\xe2\x98\x8e \xe2\x98\x8e \xe2\x98\x8e \xe2\x98\x8e";
	in.text = "caf\xc3\xa9 = 1";
	s = message_of(m, &in);
	assert_non_null(strstr(s, "From: =?UTF-8?B?Wm/DqyAmIENv?=\r\n <no-reply@example.com>\r\n"));
	assert_non_null(strstr(s,
	    "Subject: =?UTF-8?B?R3LDvMOfZSB2b24gWm/DqzogIOKYjiDimI4g4piOIOKYjiDimI4g?=\r\n"
	    " =?UTF-8?B?4piOIOKYjiDimI4=?=\r\n"));
	assert_non_null(strstr(s, "caf=C3=A9 =3D 1\r\n"));
	in.subject = "=?UTF-8?B?eA==?= is not ours";
	assert_null(strstr(message_of(m, &in), "Subject: =?UTF-8?B?eA==?="));
}

static void
lines_are_short_and_safe(void **state)
{
	struct mem *m = *state;
	struct mail in = plain_mail;
	char text[2000];
	const char *s, *end;

	for (size_t i = 0; i < sizeof(text) - 1; i++)
		text[i] = i % 7 == 0 ? '\t' : i % 13 == 0 ? ' ' : 'x';
	text[sizeof(text) - 1] = '\0';
	in.text = text;
	in.html = ".\nFrom here\nend \n.\r\n..\n";
	s = message_of(m, &in);
	assert_non_null(strstr(s, "\r\n=2E\r\n=46rom here\r\nend=20\r\n=2E\r\n=2E.\r\n"));
	for (; *s; s = end + 2) {
		end = strstr(s, "\r\n");
		assert_non_null(end);
		assert_true(end - s <= 78);
		assert_null(memchr(s, '\n', (size_t)(end - s)));
		assert_null(memchr(s, '\r', (size_t)(end - s)));
		assert_int_not_equal(*s, '.');
	}
}

static void
nothing_makes_a_header_of_its_own(void **state)
{
	static const char *const senders[] = { "x\r\nBcc: a@b.co <no-reply@example.com>",
		"no-reply@example.com\r\nBcc: a@b.co", "<no-reply@example.com>\r\n x",
		"a\" <b@c.de> \"x <no-reply@example.com>" };
	CLEANUP(text_clear) struct text t = TEXT(1 << 16);
	struct mail in = plain_mail;

	in.subject = "x\r\nBcc: a@b.co";
	assert_int_equal(mail_message(*state, &in, &t), -1);
	assert_int_equal(errno, EINVAL);
	in = plain_mail;
	in.to = "a@b.co\r\nBcc: c@d.ee";
	assert_int_equal(mail_message(*state, &in, &t), -1);
	for (size_t i = 0; i < COUNT(senders); i++) {
		in = plain_mail;
		in.from = senders[i];
		assert_int_equal(mail_message(*state, &in, &t), -1);
	}
	assert_int_equal(t.len, 0);
	in = plain_mail;
	in.key = "k\">\t<x@y.zz";
	assert_int_equal(mail_message(*state, &in, &t), -1);
}

static void
a_sender_is_taken_apart(void **state)
{
	struct mail_address a;

	(void)state;
	assert_int_equal(mail_split("a@b.co", &a), 0);
	assert_string_equal(a.name, "");
	assert_string_equal(a.address, "a@b.co");
	assert_string_equal(a.domain, "b.co");
	assert_int_equal(mail_split("\"Hook, Switch\" <a@b.co>", &a), 0);
	assert_string_equal(a.name, "Hook, Switch");
	assert_string_equal(a.address, "a@b.co");
	assert_int_equal(mail_split("<a@b.co>", &a), 0);
	assert_int_equal(mail_split("", &a), -1);
	assert_int_equal(mail_split(NULL, &a), -1);
	assert_int_equal(mail_split("x <>", &a), -1);
	assert_int_equal(mail_split(">", &a), -1);
	assert_int_equal(mail_split("<", &a), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_CASE(a_plain_mail_is_this),
		TEST_CASE(the_message_id_is_the_keys),
		TEST_CASE(other_than_ascii_is_encoded),
		TEST_CASE(lines_are_short_and_safe),
		TEST_CASE(nothing_makes_a_header_of_its_own),
		TEST_CASE(a_sender_is_taken_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
