/*
 * test_signature_twilio.c - Twilio's signature where the stored vectors say nothing: ports, order,
 * what is no form, and where nothing is known.
 */
#include "signed.h"

#define TOKEN "0123456789abcdef0123456789abcdef"

/* The header for a text that is signed as it stands. */
static void
sign(const char *text, char ret[64])
{
	unsigned char mac[DIGEST_MAX];
	size_t len;

	assert_int_equal(crypto_hmac(DIGEST_SHA1, span_of(TOKEN), span_of(text), mac, &len), 0);
	assert_true(crypto_base64(mac, len, ret, 64) > 0);
}

static bool
fits(const char *signed_text, const char *url, struct span body)
{
	char header[64];
	const char *const pairs[] = { "x-twilio-signature", header, NULL };
	struct signed_request r = request(pairs, "");

	sign(signed_text, header);
	r.url = url;
	r.body = body;
	return signature_fits(&signature_twilio[0], span_of(TOKEN), &r);
}

static void
the_standard_port_may_be_there_or_not(void **state UNUSED)
{
	static const struct {
		const char *told, *ours;
		bool good;
	} rows[] = {
		{ "https://h.example/x", "https://h.example/x", true },
		{ "https://h.example:443/x", "https://h.example/x", true },
		{ "https://h.example/x", "https://h.example:443/x", true },
		{ "http://h.example:80/x", "http://h.example/x", true },
		{ "https://h.example:443", "https://h.example", true },
		{ "https://h.example:443?a=b", "https://h.example?a=b", true },
		{ "https://h.example:8443/x", "https://h.example:8443/x", true },
		{ "https://h.example/x", "https://h.example:8443/x", false },
		{ "https://h.example:443/x", "https://h.example:8443/x", false },
		{ "https://h.example:80/x", "https://h.example/x", false },
		{ "http://h.example:443/x", "http://h.example/x", false },
		{ "https://h.example:443/x", "http://h.example/x", false },
		{ "https://h.example/x", "https://h.example/X", false },
		{ "h.example/x", "h.example/x", false },
		{ "", "", false },
	};
	size_t i;

	for (i = 0; i < COUNT(rows); i++)
		assert_int_equal(fits(rows[i].told, rows[i].ours, SPAN("")), rows[i].good);
	assert_false(fits("https://h.example/x", NULL, SPAN("")));
}

static void
fields_are_sorted_by_their_bytes(void **state UNUSED)
{
	static const char url[] = "https://h.example/x";

	assert_true(fits("https://h.example/xA1Ab2a3", url, SPAN("a=3&Ab=2&A=1")));
	assert_true(fits("https://h.example/xA1A2", url, SPAN("A=2&A=1&A=2&A=1")));
	assert_true(fits("https://h.example/xA", url, SPAN("A=")));
	assert_true(fits("https://h.example/xA", url, SPAN("A")));
	assert_true(fits("https://h.example/xA+ %", url, SPAN("A=%2B+%25")));
	assert_false(fits("https://h.example/xA1A2A2", url, SPAN("A=2&A=1&A=2")));
	assert_false(fits("https://h.example/x", url, SPAN("A=1")));
	assert_false(fits("https://h.example/xA1", url, SPAN("")));
}

/* A body that is not signed is never believed, whatever it is. */
static void
a_body_that_is_no_form_needs_its_hash(void **state UNUSED)
{
	static const char hash[] =
	    "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"; /* of {} */
	char url[256], other[256];

	snprintf(url, sizeof(url), "https://h.example/x?a=b&bodySHA256=%s", hash);
	assert_true(fits(url, url, SPAN("{}")));
	assert_false(fits(url, url, SPAN("{ }")));
	assert_false(fits(url, url, SPAN("")));
	assert_false(fits(url, "https://h.example/x?a=b", SPAN("{}")));
	assert_false(fits("https://h.example/x", "https://h.example/x", SPAN("{}")));
	/* Only as a field of its own, and only the first of them. */
	snprintf(other, sizeof(other), "https://h.example/x?xbodySHA256=%s", hash);
	assert_false(fits(other, other, SPAN("{}")));
	snprintf(other, sizeof(other), "https://h.example/x?bodySHA256=&bodySHA256=%s", hash);
	assert_false(fits(other, other, SPAN("{}")));
	snprintf(other, sizeof(other), "https://h.example/bodySHA256=%s", hash);
	assert_false(fits(other, other, SPAN("{}")));
}

static void
more_fields_than_a_form_may_have_prove_nothing(void **state UNUSED)
{
	char body[4 * 1001 + 1], text[64] = "https://h.example/x";
	size_t i;

	for (i = 0; i < 1001; i++)
		memcpy(body + 4 * i, "a=1&", 4);
	body[sizeof(body) - 1] = '\0';
	snprintf(text + strlen(text), 3, "a1");
	assert_true(fits(text, "https://h.example/x", (struct span){ body, 4 * 1000 - 1 }));
	assert_false(fits(text, "https://h.example/x", (struct span){ body, 4 * 1001 - 1 }));
}

static void
without_header_or_token_nothing_fits(void **state UNUSED)
{
	static const char *const none[] = { NULL },
				 *const empty[] = { "X-Twilio-Signature", "", NULL };
	struct signed_request r = request(none, "");

	assert_false(signature_fits(&signature_twilio[0], span_of(TOKEN), &r));
	r.arg = empty;
	assert_false(signature_fits(&signature_twilio[0], span_of(TOKEN), &r));
	assert_false(signature_fits(&signature_twilio[0], SPAN(""), &r));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_standard_port_may_be_there_or_not),
		cmocka_unit_test(fields_are_sorted_by_their_bytes),
		cmocka_unit_test(a_body_that_is_no_form_needs_its_hash),
		cmocka_unit_test(more_fields_than_a_form_may_have_prove_nothing),
		cmocka_unit_test(without_header_or_token_nothing_fits),
	};

	return cmocka_run_group_tests_name("signature_twilio", tests, NULL, NULL);
}
