/*
 * test_mail_text.c - what mails say: each kind, links, codes, and that nobody's words become HTML,
 * a header, or a link.
 */
#include "mail_fixture.h"

#include "peers/mail.h"
#include "work/mail_text.h"

static const struct mail_values plain_values = { .service = "Acme Calls",
	.api_url = "https://api.example.com",
	.token_id = TOKEN_ID,
	.until = "21 Sep 2026 13:31 UTC" };

static struct mail_parts
parts_of(struct mem *m, const char *kind, const struct mail_values *v)
{
	struct mail_parts p;

	SETTINGS("MAIL_FROM", "no-reply@example.com");
	if (mail_text(m, kind, v, &p) != 0)
		fail_msg("there is no mail of kind %s: %d", kind, errno);
	return p;
}

static const struct {
	const char *kind, *subject, *purpose, *type;
	bool code;
} kinds[] = {
	{ "verify_email", "Confirm your address", "signup", "signup", true },
	{ "email_change", "Confirm your new address", "email_change", "email_change", true },
	{ "email_changed", "Your address was changed", NULL, NULL, false },
	{ "reset_password", "Set a new password", "recovery", "recovery", true },
	{ "magic_link", "Your link to sign in", "magiclink", "magiclink", true },
	{ "password_changed", "Your password was changed", NULL, NULL, false },
	{ "invitation", "Pat invites you to Acme", "invitation", NULL, false },
	{ "organization_deleted", "Acme was deleted", NULL, NULL, false },
	{ "usage_alert", "Acme has used 80 % of its calls", NULL, NULL, false },
	{ "usage_summary", "Acme, 1 Nov 2026 to 1 Dec 2026", NULL, NULL, false },
	{ "payment_failed", "A payment of Acme failed", NULL, NULL, false },
	{ "payment_failed_stopped", "Acme makes no more calls", NULL, NULL, false },
	{ "payment_recovered", "Acme is paid up", NULL, NULL, false },
	{ "plan_changed", "Acme has the plan business", NULL, NULL, false },
	{ "subscription_canceled", "The subscription of Acme has ended", NULL, NULL, false },
	{ "number_ready", "Acme can be called: +15550100001", NULL, NULL, false },
	{ "number_failed", "A phone number of Acme does not work", NULL, NULL, false },
	{ "number_paused", "The phone number +15550100001 is paused", NULL, NULL, false },
	{ "number_released", "The phone number +15550100001 was given back", NULL, NULL, false },
	{ "voice_message", "A caller left a message for Acme", NULL, NULL, false },
};

static void
each_kind_says_what_it_is(void **state)
{
	struct mail_values v = plain_values;
	struct mail_parts p;

	v.data = parsed(*state,
	    "{\"organization_name\":\"Acme\",\"inviter_name\":\"Pat\",\"role\":\"admin\","
	    "\"percent\":\"80\",\"kind\":\"calls\",\"period_start\":\"1 Nov 2026\","
	    "\"period_end\":\"1 Dec 2026\",\"plan\":\"business\","
	    "\"number\":\"+15550100001\"}");
	for (size_t i = 0; i < COUNT(kinds); i++) {
		p = parts_of(*state, kinds[i].kind, &v);
		assert_string_equal(p.subject, kinds[i].subject);
		assert_says(p.text, "Hello,\n\n");
		assert_says(p.text, "\n-- \nAcme Calls\n");
		assert_says(p.html, "Acme Calls</p>\n</body></html>\n");
		if (!kinds[i].purpose) {
			assert_null(strstr(p.text, "until"));
			continue;
		}
		assert_says(p.text, "This works until 21 Sep 2026 13:31 UTC.");
		assert_says(p.text, seal_token(*state, kinds[i].purpose, TOKEN_ID));
		assert_says(p.html, seal_token(*state, kinds[i].purpose, TOKEN_ID));
		if (kinds[i].code)
			assert_says(p.text,
			    mem_printf(*state, "code: %s\n",
				seal_code(*state, kinds[i].purpose, TOKEN_ID)));
		if (kinds[i].type)
			assert_says(p.text, mem_printf(*state, "&type=%s\n", kinds[i].type));
	}
}

static void
links_go_to_the_application_or_to_us(void **state)
{
	static const struct {
		const char *kind, *purpose, *app, *api;
	} cases[] = {
		{ "verify_email", "signup", "https://app.example.com/auth/verify-email?token=%s\n",
		    "https://api.example.com/auth/v1/verify?token=%s&type=signup\n" },
		{ "email_change", "email_change",
		    "https://app.example.com/auth/verify-email?token=%s\n",
		    "https://api.example.com/auth/v1/verify?token=%s&type=email_change\n" },
		{ "reset_password", "recovery",
		    "https://app.example.com/auth/reset-password?token=%s\n",
		    "https://api.example.com/auth/v1/verify?token=%s&type=recovery\n" },
		{ "magic_link", "magiclink",
		    "https://api.example.com/auth/v1/verify?token=%s&type=magiclink\n",
		    "https://api.example.com/auth/v1/verify?token=%s&type=magiclink\n" },
		{ "invitation", "invitation", "https://app.example.com/invitations?token=%s\n",
		    "with this token: %s\n" },
	};
	struct mail_values v = plain_values;

	for (size_t i = 0; i < 2 * COUNT(cases); i++) {
		const char *form = i % 2 ? cases[i / 2].api : cases[i / 2].app, *at, *token;
		struct mail_parts p;

		v.app_url = i % 2 ? NULL : "https://app.example.com";
		p = parts_of(*state, cases[i / 2].kind, &v);
		token = seal_token(*state, cases[i / 2].purpose, TOKEN_ID);
		at = strstr(form, "%s");
		assert_says(p.text,
		    mem_printf(*state, "%.*s%s%s", (int)(at - form), form, token, at + 2));
	}
}

static void
where_to_go_on_is_encoded(void **state)
{
	struct mail_values v = plain_values;
	struct mail_parts p;

	v.redirect_to = "https://app.example.com/a?b=c&d=\"><script>\r\nX: y";
	p = parts_of(*state, "reset_password", &v);
	assert_says(p.text,
	    "&type=recovery&redirect_to=https%3A%2F%2Fapp.example.com%2Fa%3Fb%3Dc%26d"
	    "%3D%22%3E%3Cscript%3E%0D%0AX%3A%20y\n");
	assert_null(strstr(p.html, "<script>"));
	assert_says(p.html, "&amp;type=recovery&amp;redirect_to=https%3A");
}

static void
without_any_address_of_ours_the_code_is_left(void **state)
{
	struct mail_values v = plain_values;
	struct mail_parts p;

	v.api_url = NULL;
	v.until = NULL;
	p = parts_of(*state, "verify_email", &v);
	assert_says(p.text, "\n\nType this code: ");
	assert_null(strstr(p.text, "http"));
	assert_null(strstr(p.html, "href"));
	assert_null(strstr(p.text, "until"));
}

static void
somebodys_words_stay_words(void **state)
{
	struct mail_values v = plain_values;
	struct mail_parts p;

	v.data = parsed(*state,
	    "{\"organization_name\":\"<b>A&B</b>\\r\\nBcc: x@y.zz\",\"inviter_name\":\"Click "
	    "https://evil.example/\\\"\",\"role\":\"{organization_name}\"}");
	p = parts_of(*state, "invitation", &v);
	assert_null(strpbrk(p.subject, "\r\n"));
	assert_null(strstr(p.text, "https://evil"));
	assert_null(strstr(p.html, "<b>"));
	assert_says(p.html, "&lt;b&gt;A&amp;B&lt; b&gt;  Bcc  x@y.zz");
	assert_says(p.html, "https   evil.example &quot; invites");
	assert_says(p.text, "as {organization_name}.");
}

static void
long_words_are_cut_between_characters(void **state)
{
	struct mail_values v = plain_values;
	CLEANUP(text_clear) struct text name = TEXT(4096);
	struct mail_parts p;

	for (int i = 0; i < 200; i++)
		text_puts(&name, "\xe2\x98\x8e");
	v.data = parsed(*state,
	    mem_printf(*state, "{\"organization_name\":\"%s\",\"inviter_name\":\"%s\"}",
		text_str(&name), text_str(&name)));
	p = parts_of(*state, "invitation", &v);
	assert_true(utf8_valid(p.subject, strlen(p.subject)));
	assert_says(p.subject, "\x8e... invites you to \xe2\x98");
	assert_int_equal(strlen(p.subject),
	    2 * (3 * MAIL_VALUE_MAX + 3) + strlen(" invites you to "));
	assert_true(strlen(p.subject) <= MAIL_SUBJECT_MAX);
}

static void
what_is_not_named_is_called_something(void **state)
{
	struct mail_parts p = parts_of(*state, "invitation", &plain_values);

	assert_string_equal(p.subject, "Somebody invites you to an organization");
	assert_says(p.text, "Somebody invites you to join an organization as a member.");
}

static void
a_bill_is_paid_at_the_providers_page_else_at_ours(void **state)
{
	struct mail_values v = plain_values;
	struct mail_parts p;

	v.token_id = NULL;
	v.app_url = "https://app.example.com";
	v.data = parsed(*state, "{\"amount\":\"29.00 USD\",\"stops_on\":\"4 Dec 2026\"}");
	p = parts_of(*state, "payment_failed", &v);
	assert_says(p.text, "the payment of 29.00 USD for an organization failed");
	assert_says(p.text, "Pay now:\nhttps://app.example.com/billing\n");
	assert_says(p.text, "from 4 Dec 2026 on.");
	assert_says(p.html, "from 4 Dec 2026 on.</p>");
	v.data = parsed(*state, "{\"url\":\"https://pay.example.com/i?a=1&b=\\\"2\"}");
	p = parts_of(*state, "payment_failed", &v);
	assert_says(p.text, "Pay now:\nhttps://pay.example.com/i?a=1&b=\"2\n");
	assert_says(p.html, "href=\"https://pay.example.com/i?a=1&amp;b=&quot;2\"");
	assert_says(p.text, "the payment of a bill for");
	p = parts_of(*state, "usage_alert", &v);
	assert_says(p.text, "See the usage:\nhttps://app.example.com/billing\n");
	v.app_url = NULL;
	v.data = parsed(*state, "{\"url\":\"javascript:alert(1)\"}");
	p = parts_of(*state, "payment_failed", &v);
	assert_null(strstr(p.html, "href"));
}

static void
the_same_values_are_the_same_mail(void **state)
{
	struct mail_parts a = parts_of(*state, "verify_email", &plain_values);
	struct mail_parts b = parts_of(*state, "verify_email", &plain_values);

	assert_string_equal(a.text, b.text);
	assert_string_equal(a.html, b.html);
}

static void
what_cannot_be_said_is_refused(void **state)
{
	struct mail_values v = plain_values;
	struct mail_parts p;

	SETTINGS("MAIL_FROM", "no-reply@example.com");
	assert_int_equal(mail_text(*state, "advert", &v, &p), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(mail_text(*state, NULL, &v, &p), -1);
	v.token_id = NULL;
	assert_int_equal(mail_text(*state, "verify_email", &v, &p), -1);
	assert_int_equal(errno, EINVAL);
	v.token_id = "5";
	assert_int_equal(mail_text(*state, "invitation", &v, &p), -1);
	assert_int_equal(mail_text(*state, "password_changed", &v, &p), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_CASE(each_kind_says_what_it_is),
		TEST_CASE(links_go_to_the_application_or_to_us),
		TEST_CASE(where_to_go_on_is_encoded),
		TEST_CASE(without_any_address_of_ours_the_code_is_left),
		TEST_CASE(somebodys_words_stay_words),
		TEST_CASE(long_words_are_cut_between_characters),
		TEST_CASE(what_is_not_named_is_called_something),
		TEST_CASE(a_bill_is_paid_at_the_providers_page_else_at_ours),
		TEST_CASE(the_same_values_are_the_same_mail),
		TEST_CASE(what_cannot_be_said_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
