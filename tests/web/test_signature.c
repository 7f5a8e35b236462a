/*
 * test_signature.c - webhook signatures: the stored vectors, and what must not fit.
 */
#include "web/signature.h"

#include "base/scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

enum { NOW = 1790000000 };

static struct mem *mem;
static const struct json *vectors;

static int
set_up(void **state UNUSED)
{
	const char *dir = getenv("srcdir");
	CLEANUP(text_clear) struct text t = TEXT(4 << 20);
	CLEANUP(base_fclosep) FILE *f = NULL;
	char path[512], buf[4096];
	const struct json *j;
	size_t n;

	snprintf(path, sizeof(path), "%s/tests/data/signature-vectors.json", dir ? dir : ".");
	f = fopen(path, "r");
	mem = mem_new(16 << 20);
	while (f && mem && (n = fread(buf, 1, sizeof(buf), f)) > 0)
		text_put(&t, buf, n);
	if (json_read(mem, text_str(&t), t.len, JSON_DEPTH_API, &j) != JSON_OK)
		return -1;
	vectors = json_get(j, "vectors");
	return 0;
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
	return (struct signed_request){ .header = header_of,
		.arg = pairs,
		.method = "POST",
		.url = "https://hooks.example/api/webhooks/vapi/x",
		.body = span_of(body),
		.now = NOW };
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
any_fits(const struct signature_plan *plans, size_t n, struct span secret,
    const struct signed_request *r)
{
	bool fits = false;
	size_t i;

	for (i = 0; i < n; i++)
		fits = fits || signature_fits(&plans[i], secret, r);
	return fits;
}

static bool
synthflow_fits(const struct signed_request *r, struct span secret)
{
	struct scan_field id[] = { { .path = "call.call_id" } };
	struct signed_request of_id = *r;

	assert_int_equal(scan_json(r->body, id, 1, 32), SCAN_OK);
	of_id.body = id[0].raw;
	return any_fits(signature_synthflow, SIGNATURE_SYNTHFLOW_PLANS, secret, &of_id);
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
		fits = fits ||
		    (strcmp(json_str(v, "provider"), "vapi") == 0 ? vapi_fits(v, &r, secret) :
								    synthflow_fits(&r, secret));
	}
	return fits;
}

static void
all_stored_vectors_are_judged_right(void **state UNUSED)
{
	size_t i, seen = 0, valid = 0;

	for (i = 0; i < json_len(vectors); i++) {
		const struct json *v = json_at(vectors, i);
		const char *provider = json_str(v, "provider");
		bool want = strcmp(json_str(v, "expected"), "valid") == 0;
		if (strcmp(provider, "vapi") != 0 && strcmp(provider, "synthflow") != 0)
			continue;
		seen++, valid += want;
		if (vector_fits(v) != want)
			fail_msg("%s should be %s: %s", json_str(v, "id"), json_str(v, "expected"),
			    json_str(v, "why"));
	}
	assert_int_equal(seen, 22);
	assert_int_equal(valid, 8);
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

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_stored_vectors_are_judged_right),
		cmocka_unit_test(a_config_that_proves_nothing_is_no_plan),
		cmocka_unit_test(a_timestamp_is_good_for_five_minutes_both_ways),
		cmocka_unit_test(every_part_of_a_format_is_signed),
		cmocka_unit_test(one_of_several_signatures_is_enough),
		cmocka_unit_test(a_base64_secret_is_decoded_with_or_without_its_mark),
		cmocka_unit_test(an_empty_secret_proves_nothing),
		cmocka_unit_test(vapis_own_ways_need_no_credential),
		cmocka_unit_test(synthflows_header_is_found_under_each_of_its_names),
	};

	return cmocka_run_group_tests_name("signature", tests, set_up, tear_down);
}
