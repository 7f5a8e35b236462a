/*
 * test_signature_vectors.c - webhook signatures: the stored vectors of all who send some.
 */
#include "base/scan.h"
#include "signed.h"

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

	assert_int_equal(scan_json(r->body, id, 1, 32), SCAN_OK);
	of_id.body = id[0].raw;
	return any_fits(signature_synthflow, SIGNATURE_SYNTHFLOW_PLANS, secret, &of_id);
}

static bool
secret_fits(const struct json *v, const struct signed_request *r, struct span secret)
{
	const char *provider = json_str(v, "provider");

	if (strcmp(provider, "vapi") == 0)
		return vapi_fits(v, r, secret);
	if (strcmp(provider, "stripe") == 0)
		return any_fits(signature_stripe, SIGNATURE_STRIPE_PLANS, secret, r);
	if (strcmp(provider, "paddle") == 0)
		return any_fits(signature_paddle, SIGNATURE_PADDLE_PLANS, secret, r);
	if (strcmp(provider, "twilio") == 0)
		return any_fits(signature_twilio, SIGNATURE_TWILIO_PLANS, secret, r);
	return synthflow_fits(r, secret);
}

/* What came: Twilio's forms are told apart, and its GET has none. */
static const char *
body_of(const struct json *v)
{
	const char *body = json_str(v, "body"), *form = json_str(v, "form_body");

	return body ? body : form ? form : "";
}

static bool
vector_fits(const struct json *v)
{
	const char *pairs[17] = { NULL };
	struct signed_request r = request(pairs, body_of(v));
	const struct json *secrets = json_get(v, "secrets");
	bool fits = false;
	size_t i;

	json_each(json_get(v, "headers"), add_pair, pairs);
	r.now = json_int(v, "now", 0);
	r.url = json_str(v, "url");
	r.tolerance = json_int(v, "tolerance_seconds", 0);
	for (i = 0; i < json_len(secrets); i++)
		fits = fits || secret_fits(v, &r, span_of(json_str_of(json_at(secrets, i), NULL)));
	return fits;
}

/* Stripe's own library looks at the age alone; here what comes out of the future is refused, too.
 */
static bool
vector_good(const struct json *v)
{
	return strcmp(json_str(v, "expected"), "valid") == 0 &&
	    strcmp(json_str(v, "id"), "stripe-future-3600s") != 0;
}

static void
all_stored_vectors_are_judged_right(void **state UNUSED)
{
	static const struct {
		const char *provider;
		size_t seen, valid;
	} rows[] = { { "vapi", 16, 6 }, { "synthflow", 6, 2 }, { "stripe", 25, 6 },
		{ "paddle", 14, 4 }, { "twilio", 18, 7 } };
	size_t i, row, seen, valid;

	for (row = 0; row < COUNT(rows); row++) {
		for (i = seen = valid = 0; i < json_len(vectors); i++) {
			const struct json *v = json_at(vectors, i);
			if (strcmp(json_str(v, "provider"), rows[row].provider) != 0)
				continue;
			seen++, valid += vector_good(v);
			if (vector_fits(v) != vector_good(v))
				fail_msg("%s should be %s: %s", json_str(v, "id"),
				    json_str(v, "expected"), json_str(v, "why"));
		}
		assert_int_equal(seen, rows[row].seen);
		assert_int_equal(valid, rows[row].valid);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_stored_vectors_are_judged_right),
	};

	return cmocka_run_group_tests_name("signature_vectors", tests, set_up, tear_down);
}
