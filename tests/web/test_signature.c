/*
 * test_signature.c - webhook signatures: plans, and what must not fit.
 */
#include "signed.h"

static struct mem *mem;

static int
set_up(void **state UNUSED)
{
	mem = mem_new(16 << 20);
	return mem ? 0 : -1;
}

static int
tear_down(void **state UNUSED)
{
	mem_freep(&mem);
	return 0;
}

static const struct json *
parsed(const char *s)
{
	const struct json *j = NULL;

	assert_int_equal(json_read(mem, s, strlen(s), JSON_DEPTH_API, &j), JSON_OK);
	return j;
}

/* ---- plans ---------------------------------------------------------- */

static bool
fits(const char *config, const char *secret, const char *const *pairs)
{
	struct signed_request r = request(pairs, "{\"a\":1}");
	struct signature_plan plan;

	assert_int_equal(signature_plan_read(parsed(config), NULL, &plan), 0);
	return signature_fits(&plan, span_of(secret), &r);
}

/* The signature of text under secret, made here and not by the module. */
static const char *
sign(enum digest d, const char *secret, const char *text)
{
	unsigned char mac[DIGEST_MAX];
	char hex[2 * DIGEST_MAX + 1];
	size_t len;

	assert_int_equal(crypto_hmac(d, span_of(secret), span_of(text), mac, &len), 0);
	crypto_hex(mac, len, hex);
	return mem_str(mem, hex);
}

static void
a_config_that_proves_nothing_is_no_plan(void **state UNUSED)
{
	static const char *const bad[] = { "{}", "{\"type\":\"oauth2\"}",
		"{\"type\":\"hmac\",\"algorithm\":\"md5\"}",
		"{\"type\":\"hmac\",\"signatureEncoding\":\"base32\"}",
		"{\"type\":\"hmac\",\"payloadFormat\":\"{timestamp}\"}", "[]", "7" };
	struct signature_plan plan;
	size_t i;

	for (i = 0; i < COUNT(bad); i++)
		assert_int_equal(signature_plan_read(parsed(bad[i]), NULL, &plan), -1);
	assert_int_equal(signature_plan_read(parsed("{}"), "bearer", &plan), 0);
	assert_string_equal(plan.header, "Authorization");
	assert_string_equal(plan.prefix, "Bearer ");
	assert_int_equal(signature_plan_read(NULL, "hmac", &plan), 0);
	assert_string_equal(plan.header, "x-signature");
}

static void
a_timestamp_is_good_for_five_minutes_both_ways(void **state UNUSED)
{
	static const struct {
		const char *timestamp;
		bool good;
	} rows[] = {
		{ "1789999700", true },
		{ "1789999699", false },
		{ "1790000300", true },
		{ "1790000301", false },
		{ "1790000000123", true },
		{ "1789999600000", false },
		{ "0", false },
		{ "", false },
		{ "1790000000.5", false },
		{ "+1790000000", false },
		{ "99999999999999999999", false },
	};
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		const char *text = mem_printf(mem, "%s.{\"a\":1}", rows[i].timestamp);
		const char *pairs[] = { "X-Timestamp", rows[i].timestamp, "X-Signature",
			sign(DIGEST_SHA256, "s-1", text), NULL };
		if (fits("{\"type\":\"hmac\"}", "s-1", pairs) != rows[i].good)
			fail_msg("timestamp '%s'", rows[i].timestamp);
	}
}

static void
every_part_of_a_format_is_signed(void **state UNUSED)
{
	static const char config[] =
	    "{\"type\":\"hmac\",\"algorithm\":\"sha512\",\"messageIdHeader\":\"x-id\","
	    "\"payloadFormat\":\"{method} {url}|{svix-id}{unknown}|{timestamp}.{body}!\"}";
	static const char text[] =
	    "POST https://hooks.example/api/webhooks/vapi/x|m-1{unknown}|1790000000.{\"a\":1}!";
	const char *pairs[] = { "x-id", "m-1", "x-timestamp", "1790000000", "x-signature",
		sign(DIGEST_SHA512, "s-1", text), NULL };
	struct signed_request r = request(pairs, "{\"a\":1}");
	struct signature_plan plan;

	assert_true(fits(config, "s-1", pairs));
	pairs[1] = "m-2";
	assert_false(fits(config, "s-1", pairs));
	pairs[0] = "x-other";
	assert_false(fits(config, "s-1", pairs));
	pairs[0] = "x-id";
	pairs[1] = "m-1";
	assert_int_equal(signature_plan_read(parsed(config), NULL, &plan), 0);
	assert_true(signature_fits(&plan, SPAN("s-1"), &r));
	r.method = "PUT";
	assert_false(signature_fits(&plan, SPAN("s-1"), &r));
	r.method = "POST";
	r.url = NULL;
	assert_false(signature_fits(&plan, SPAN("s-1"), &r));
}

static void
one_of_several_signatures_is_enough(void **state UNUSED)
{
	static const char config[] =
	    "{\"type\":\"hmac\",\"includeTimestamp\":false,\"signaturePrefix\":\"v1,\"}";
	const char *right = sign(DIGEST_SHA256, "s-1", "{\"a\":1}"),
		   *other = sign(DIGEST_SHA256, "s-2", "{\"a\":1}");
	const char *pairs[] = { "x-signature",
		mem_printf(mem,
		    "v1,%s  v1,%s"
		    " ",
		    other, right),
		NULL };

	assert_true(fits(config, "s-1", pairs));
	assert_true(fits(config, "s-2", pairs));
	assert_false(fits(config, "s-3", pairs));
	pairs[1] = mem_printf(mem, "v2,%s %s", right, right);
	assert_false(fits(config, "s-1", pairs));
	pairs[1] = "";
	assert_false(fits(config, "s-1", pairs));
	pairs[1] = mem_printf(mem, "v1,%.10s", right);
	assert_false(fits(config, "s-1", pairs));
}

static void
a_base64_secret_is_decoded_with_or_without_its_mark(void **state UNUSED)
{
	static const char config[] =
	    "{\"type\":\"hmac\",\"includeTimestamp\":false,\"secretIsBase64\":true,\"algorithm\""
	    ":\"sha1\"}";
	const char *pairs[] = { "x-signature", sign(DIGEST_SHA1, "secret", "{\"a\":1}"), NULL };

	assert_true(fits(config, "c2VjcmV0", pairs));
	assert_true(fits(config, "whsec_c2VjcmV0", pairs));
	assert_false(fits(config, "secret", pairs));
	assert_false(fits(config, "c2VjcmV", pairs));
	assert_false(fits(config, "whsec_", pairs));
}

static void
an_empty_secret_proves_nothing(void **state UNUSED)
{
	const char *pairs[] = { "x-signature", sign(DIGEST_SHA256, "", "{\"a\":1}"),
		"X-Vapi-Secret", "", "Authorization", "Bearer ", NULL };

	assert_false(fits("{\"type\":\"hmac\",\"includeTimestamp\":false}", "", pairs));
	assert_false(fits("{\"type\":\"bearer\"}", "", pairs));
	assert_false(fits(
	    "{\"type\":\"bearer\",\"headerName\":\"X-Vapi-Secret\",\"bearerPrefixEnabled\":false}",
	    "", pairs));
}

/* ---- without a credential ------------------------------------------- */

static void
vapis_own_ways_need_no_credential(void **state UNUSED)
{
	const char *body_mac = sign(DIGEST_SHA256, "s-1", "{\"a\":1}");
	const char *time_mac = sign(DIGEST_SHA256, "s-1", "1790000000.{\"a\":1}");
	const char *good[][5] = {
		{ "x-vapi-secret", "s-1", NULL },
		{ "authorization", "bearer s-1", NULL },
		{ "X-Vapi-Signature", body_mac, NULL },
		{ "x-signature", time_mac, "x-timestamp", "1790000000", NULL },
	};
	const char *bad[][5] = {
		{ "x-vapi-secret", "s-2", NULL },
		{ "x-vapi-secret", "s-1 ", NULL },
		{ "authorization", "s-1", NULL },
		{ "x-signature", body_mac, NULL },
		{ "x-vapi-signature", time_mac, "x-timestamp", "1790000000", NULL },
		{ NULL },
	};
	struct signed_request r;
	size_t i;

	for (i = 0; i < COUNT(good); i++) {
		r = request(good[i], "{\"a\":1}");
		assert_true(any_fits(signature_vapi, SIGNATURE_VAPI_PLANS, SPAN("s-1"), &r));
	}
	for (i = 0; i < COUNT(bad); i++) {
		r = request(bad[i], "{\"a\":1}");
		assert_false(any_fits(signature_vapi, SIGNATURE_VAPI_PLANS, SPAN("s-1"), &r));
	}
}

static void
synthflows_header_is_found_under_each_of_its_names(void **state UNUSED)
{
	static const char *const names[] = { "Synthflow-Signature", "X-Synthflow-Signature",
		"HTTP-Synthflow-Signature" };
	unsigned char mac[DIGEST_MAX];
	char base64[64];
	size_t i, len;

	assert_int_equal(crypto_hmac(DIGEST_SHA256, SPAN("s-1"), SPAN("c-1"), mac, &len), 0);
	assert_true(crypto_base64(mac, len, base64, sizeof(base64)) > 0);
	for (i = 0; i < COUNT(names); i++) {
		const char *pairs[] = { names[i], base64, NULL };
		struct signed_request r = request(pairs, "c-1");
		assert_true(
		    any_fits(signature_synthflow, SIGNATURE_SYNTHFLOW_PLANS, SPAN("s-1"), &r));
		r.body = SPAN("c-2");
		assert_false(
		    any_fits(signature_synthflow, SIGNATURE_SYNTHFLOW_PLANS, SPAN("s-1"), &r));
	}
}

static void
pairs_are_read_by_their_names(void **state UNUSED)
{
	const char *right = sign(DIGEST_SHA256, "s-1", "1790000000.{\"a\":1}");
	const char *old = sign(DIGEST_SHA256, "s-1", "1700000000.{\"a\":1}");
	const struct {
		const char *header;
		bool good;
	} rows[] = {
		{ mem_printf(mem, "t=1790000000,v1=%s", right), true },
		{ mem_printf(mem, "v1=%s,t=1790000000", right), true },
		{ mem_printf(mem, "t=1790000000,v1=,v1=%s,", right), true },
		{ mem_printf(mem, "t=1790000000,v1,v1=%s", right), true },
		{ mem_printf(mem, "t=1790000000,v12=%s", right), false },
		{ mem_printf(mem, "t=1790000000,v1==%s", right), false },
		{ mem_printf(mem, "t=1790000000,v1:%s", right), false },
		{ mem_printf(mem, "t=1790000000;v1=%s", right), false },
		{ mem_printf(mem, "t=1790000000,v1=%s ", right), false },
		{ mem_printf(mem, "tt=1790000000,v1=%s", right), false },
		{ mem_printf(mem, "t=,v1=%s", right), false },
		/* Of two times the first is meant, for age and signature alike. */
		{ mem_printf(mem, "t=1790000000,t=1700000000,v1=%s", old), false },
		{ mem_printf(mem, "t=1700000000,t=1790000000,v1=%s", old), false },
		{ mem_printf(mem, "t=1790000000,t=1700000000,v1=%s", right), true },
		{ "", false },
		{ ",,,=,", false },
	};
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		const char *pairs[] = { "Stripe-Signature", rows[i].header, NULL };
		struct signed_request r = request(pairs, "{\"a\":1}");
		if (signature_fits(&signature_stripe[0], SPAN("s-1"), &r) != rows[i].good)
			fail_msg("%s", rows[i].header);
		assert_false(signature_fits(&signature_stripe[0], SPAN(""), &r));
	}
}

static void
a_request_may_say_how_far_off_a_timestamp_may_be(void **state UNUSED)
{
	const char *pairs[] = { "Paddle-Signature",
		mem_printf(mem, "ts=1789999990;h1=%s",
		    sign(DIGEST_SHA256, "s-1", "1789999990:{\"a\":1}")),
		NULL };
	struct signed_request r = request(pairs, "{\"a\":1}");

	assert_true(signature_fits(&signature_paddle[0], SPAN("s-1"), &r));
	r.tolerance = 10;
	assert_true(signature_fits(&signature_paddle[0], SPAN("s-1"), &r));
	r.tolerance = 9;
	assert_false(signature_fits(&signature_paddle[0], SPAN("s-1"), &r));
	r.now -= 19;
	assert_true(signature_fits(&signature_paddle[0], SPAN("s-1"), &r));
	r.now -= 1;
	assert_false(signature_fits(&signature_paddle[0], SPAN("s-1"), &r));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_config_that_proves_nothing_is_no_plan),
		cmocka_unit_test(a_timestamp_is_good_for_five_minutes_both_ways),
		cmocka_unit_test(every_part_of_a_format_is_signed),
		cmocka_unit_test(one_of_several_signatures_is_enough),
		cmocka_unit_test(a_base64_secret_is_decoded_with_or_without_its_mark),
		cmocka_unit_test(an_empty_secret_proves_nothing),
		cmocka_unit_test(vapis_own_ways_need_no_credential),
		cmocka_unit_test(synthflows_header_is_found_under_each_of_its_names),
		cmocka_unit_test(pairs_are_read_by_their_names),
		cmocka_unit_test(a_request_may_say_how_far_off_a_timestamp_may_be),
	};

	return cmocka_run_group_tests_name("signature", tests, set_up, tear_down);
}
