/*
 * test_signature.c - webhook signatures: the stored vectors, and each way in which one must not fit.
 */
#include "web/signature.h"
#include "base/scan.h"
#include "../peers/fixture.h"

#include <strings.h>

enum { NOW = 1790000000 };

/* Headers of a test: names and values by turns, NULL at the end. */
static const char *
header_of(const void *arg, const char *name)
{
	const char *const *pairs = arg;
	const char *found = NULL;
	size_t i;

	for (i = 0; pairs[i]; i += 2) {
		if (strcasecmp(pairs[i], name) == 0)
			found = pairs[i + 1];
	}
	return found;
}

static int
add_pair(void *arg, const char *name, const struct json *value)
{
	const char **pairs = arg;
	size_t n = 0;

	while (pairs[n])
		n += 2;
	assert_true(n < 16);
	pairs[n] = name;
	pairs[n + 1] = json_str_of(value, NULL);
	return 0;
}

static struct signed_request
request(const char *const *pairs, const char *body)
{
	return (struct signed_request){ .header = header_of, .arg = pairs, .method = "POST",
		.url = "https://hooks.example/api/webhooks/vapi/x", .body = span_of(body), .now = NOW };
}

/* ---- the vectors ---------------------------------------------------- */

static bool
vapi_fits(const struct json *v, const struct signed_request *r, struct span secret)
{
	struct signature_plan plan;

	assert_int_equal(signature_plan_read(json_get(v, "config"), NULL, &plan), 0);
	return signature_fits(&plan, secret, r);
}

static bool
synthflow_fits(const struct signed_request *r, struct span secret)
{
	struct scan_field id[] = { { .path = "call.call_id" } };
	struct signed_request of_id = *r;
	bool fits = false;
	size_t i;

	assert_int_equal(scan_json(r->body, id, 1, 32), SCAN_OK);
	of_id.body = id[0].raw;
	for (i = 0; i < SIGNATURE_SYNTHFLOW_PLANS; i++)
		fits = fits || signature_fits(&signature_synthflow[i], secret, &of_id);
	return fits;
}

static bool
vector_fits(const struct json *v)
{
	const char *pairs[17] = { NULL };
	struct signed_request r = request(pairs, json_str(v, "body"));
	const struct json *secrets = json_get(v, "secrets");
	bool fits = false;
	size_t i;

	json_each(json_get(v, "headers"), add_pair, pairs);
	r.now = json_int(v, "now", 0);
	for (i = 0; i < json_len(secrets); i++) {
		struct span secret = span_of(json_str_of(json_at(secrets, i), NULL));
		fits = fits || (strcmp(json_str(v, "provider"), "vapi") == 0 ? vapi_fits(v, &r, secret) : synthflow_fits(&r, secret));
	}
	return fits;
}

static void
all_stored_vectors_are_judged_right(void **state)
{
	struct mem *m = *state;
	const struct json *vectors = json_get(parsed(m, fixture(m, "signature-vectors.json").data), "vectors");
	size_t i, seen = 0, valid = 0;

	for (i = 0; i < json_len(vectors); i++) {
		const struct json *v = json_at(vectors, i);
		const char *provider = json_str(v, "provider");
		bool want = strcmp(json_str(v, "expected"), "valid") == 0;
		if (strcmp(provider, "vapi") != 0 && strcmp(provider, "synthflow") != 0)
			continue;
		seen++;
		valid += want;
		if (vector_fits(v) != want)
			fake_fail("%s should be %s: %s", json_str(v, "id"), json_str(v, "expected"), json_str(v, "why"));
	}
	assert_int_equal(seen, 22);
	assert_int_equal(valid, 8);
}

/* ---- plans ---------------------------------------------------------- */

static bool
fits(struct mem *m, const char *config, const char *secret, const char *const *pairs)
{
	struct signed_request r = request(pairs, "{\"a\":1}");
	struct signature_plan plan;

	assert_int_equal(signature_plan_read(parsed(m, config), NULL, &plan), 0);
	return signature_fits(&plan, span_of(secret), &r);
}

/* The signature of text under secret, made here and not by the module. */
static const char *
sign(struct mem *m, enum digest d, const char *secret, const char *text)
{
	unsigned char mac[DIGEST_MAX];
	char hex[2 * DIGEST_MAX + 1];
	size_t len;

	assert_int_equal(crypto_hmac(d, span_of(secret), span_of(text), mac, &len), 0);
	crypto_hex(mac, len, hex);
	return mem_str(m, hex);
}

static void
a_config_that_proves_nothing_is_no_plan(void **state)
{
	struct mem *m = *state;
	static const char *const bad[] = { "{}", "{\"type\":\"oauth2\"}", "{\"type\":\"hmac\",\"algorithm\":\"md5\"}",
		"{\"type\":\"hmac\",\"signatureEncoding\":\"base32\"}", "{\"type\":\"hmac\",\"payloadFormat\":\"{timestamp}\"}", "[]", "7" };
	struct signature_plan plan;
	size_t i;

	for (i = 0; i < COUNT(bad); i++)
		assert_int_equal(signature_plan_read(parsed(m, bad[i]), NULL, &plan), -1);
	assert_int_equal(signature_plan_read(parsed(m, "{}"), "bearer", &plan), 0);
	assert_string_equal(plan.header, "Authorization");
	assert_string_equal(plan.prefix, "Bearer ");
	assert_int_equal(signature_plan_read(NULL, "hmac", &plan), 0);
	assert_string_equal(plan.header, "x-signature");
}

static void
a_timestamp_is_good_for_five_minutes_both_ways(void **state)
{
	struct mem *m = *state;
	static const struct {
		const char *timestamp;
		bool good;
	} rows[] = {
		{ "1790000000", true },
		{ "1789999700", true },
		{ "1789999699", false },
		{ "1790000300", true },
		{ "1790000301", false },
		{ "1790000000123", true },
		{ "1789999600000", false },
		{ "0", false },
		{ "", false },
		{ " 1790000000", false },
		{ "1790000000.5", false },
		{ "+1790000000", false },
		{ "99999999999999999999", false },
	};
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		const char *text = mem_printf(m, "%s.{\"a\":1}", rows[i].timestamp);
		const char *pairs[] = { "X-Timestamp", rows[i].timestamp, "X-Signature", sign(m, DIGEST_SHA256, "s-1", text), NULL };
		if (fits(m, "{\"type\":\"hmac\"}", "s-1", pairs) != rows[i].good)
			fake_fail("timestamp '%s'", rows[i].timestamp);
	}
}

static void
every_part_of_a_format_is_signed(void **state)
{
	struct mem *m = *state;
	static const char config[] = "{\"type\":\"hmac\",\"algorithm\":\"sha512\",\"messageIdHeader\":\"x-id\","
				     "\"payloadFormat\":\"{method} {url}|{svix-id}{unknown}|{timestamp}.{body}!\"}";
	static const char text[] = "POST https://hooks.example/api/webhooks/vapi/x|m-1{unknown}|1790000000.{\"a\":1}!";
	const char *pairs[] = { "x-id", "m-1", "x-timestamp", "1790000000", "x-signature", sign(m, DIGEST_SHA512, "s-1", text), NULL };
	struct signed_request r = request(pairs, "{\"a\":1}");
	struct signature_plan plan;

	assert_true(fits(m, config, "s-1", pairs));
	pairs[1] = "m-2";
	assert_false(fits(m, config, "s-1", pairs));
	pairs[0] = "x-other";
	assert_false(fits(m, config, "s-1", pairs));
	pairs[0] = "x-id";
	pairs[1] = "m-1";
	assert_int_equal(signature_plan_read(parsed(m, config), NULL, &plan), 0);
	assert_true(signature_fits(&plan, SPAN("s-1"), &r));
	r.method = "PUT";
	assert_false(signature_fits(&plan, SPAN("s-1"), &r));
	r.method = "POST";
	r.url = NULL;
	assert_false(signature_fits(&plan, SPAN("s-1"), &r));
}

static void
one_of_several_signatures_is_enough(void **state)
{
	struct mem *m = *state;
	static const char config[] = "{\"type\":\"hmac\",\"includeTimestamp\":false,\"signaturePrefix\":\"v1,\"}";
	const char *right = sign(m, DIGEST_SHA256, "s-1", "{\"a\":1}"), *other = sign(m, DIGEST_SHA256, "s-2", "{\"a\":1}");
	const char *pairs[] = { "x-signature", mem_printf(m, "v1,%s  v1,%s ", other, right), NULL };

	assert_true(fits(m, config, "s-1", pairs));
	assert_true(fits(m, config, "s-2", pairs));
	assert_false(fits(m, config, "s-3", pairs));
	pairs[1] = mem_printf(m, "v2,%s %s", right, right);
	assert_false(fits(m, config, "s-1", pairs));
	pairs[1] = "";
	assert_false(fits(m, config, "s-1", pairs));
	pairs[1] = mem_printf(m, "v1,%.10s", right);
	assert_false(fits(m, config, "s-1", pairs));
}

static void
a_base64_secret_is_decoded_with_or_without_its_mark(void **state)
{
	struct mem *m = *state;
	static const char config[] = "{\"type\":\"hmac\",\"includeTimestamp\":false,\"secretIsBase64\":true,\"algorithm\":\"sha1\"}";
	const char *pairs[] = { "x-signature", sign(m, DIGEST_SHA1, "secret", "{\"a\":1}"), NULL };

	assert_true(fits(m, config, "c2VjcmV0", pairs));
	assert_true(fits(m, config, "whsec_c2VjcmV0", pairs));
	assert_false(fits(m, config, "secret", pairs));
	assert_false(fits(m, config, "c2VjcmV", pairs));
	assert_false(fits(m, config, "whsec_", pairs));
}

static void
an_empty_secret_proves_nothing(void **state)
{
	struct mem *m = *state;
	const char *pairs[] = { "x-signature", sign(m, DIGEST_SHA256, "", "{\"a\":1}"), "X-Vapi-Secret", "", "Authorization", "Bearer ", NULL };

	assert_false(fits(m, "{\"type\":\"hmac\",\"includeTimestamp\":false}", "", pairs));
	assert_false(fits(m, "{\"type\":\"bearer\"}", "", pairs));
	assert_false(fits(m, "{\"type\":\"bearer\",\"headerName\":\"X-Vapi-Secret\",\"bearerPrefixEnabled\":false}", "", pairs));
}

/* ---- without a credential ------------------------------------------- */

static bool
any_fits(const struct signature_plan *plans, size_t n, const char *secret, const struct signed_request *r)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (signature_fits(&plans[i], span_of(secret), r))
			return true;
	}
	return false;
}

static void
vapis_own_ways_need_no_credential(void **state)
{
	struct mem *m = *state;
	const char *body_mac = sign(m, DIGEST_SHA256, "s-1", "{\"a\":1}");
	const char *time_mac = sign(m, DIGEST_SHA256, "s-1", "1790000000.{\"a\":1}");
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
		assert_true(any_fits(signature_vapi, SIGNATURE_VAPI_PLANS, "s-1", &r));
	}
	for (i = 0; i < COUNT(bad); i++) {
		r = request(bad[i], "{\"a\":1}");
		assert_false(any_fits(signature_vapi, SIGNATURE_VAPI_PLANS, "s-1", &r));
	}
}

static void
synthflows_header_is_found_under_each_of_its_names(void **state)
{
	struct mem *m = *state;
	static const char *const names[] = { "Synthflow-Signature", "X-Synthflow-Signature", "HTTP-Synthflow-Signature" };
	unsigned char mac[DIGEST_MAX];
	char base64[64];
	size_t i, len;

	(void)m;
	assert_int_equal(crypto_hmac(DIGEST_SHA256, SPAN("s-1"), SPAN("c-1"), mac, &len), 0);
	assert_true(crypto_base64(mac, len, base64, sizeof(base64)) > 0);
	for (i = 0; i < COUNT(names); i++) {
		const char *pairs[] = { names[i], base64, NULL };
		struct signed_request r = request(pairs, "c-1");
		assert_true(any_fits(signature_synthflow, SIGNATURE_SYNTHFLOW_PLANS, "s-1", &r));
		r.body = SPAN("c-2");
		assert_false(any_fits(signature_synthflow, SIGNATURE_SYNTHFLOW_PLANS, "s-1", &r));
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST_CASE(all_stored_vectors_are_judged_right),
		TEST_CASE(a_config_that_proves_nothing_is_no_plan),
		TEST_CASE(a_timestamp_is_good_for_five_minutes_both_ways),
		TEST_CASE(every_part_of_a_format_is_signed),
		TEST_CASE(one_of_several_signatures_is_enough),
		TEST_CASE(a_base64_secret_is_decoded_with_or_without_its_mark),
		TEST_CASE(an_empty_secret_proves_nothing),
		TEST_CASE(vapis_own_ways_need_no_credential),
		TEST_CASE(synthflows_header_is_found_under_each_of_its_names),
	};

	return cmocka_run_group_tests_name("signature", tests, NULL, NULL);
}
