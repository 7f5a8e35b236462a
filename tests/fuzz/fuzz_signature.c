/*
 * fuzz_signature.c - any config, secret, headers and body: what fits one secret fits no other.
 *
 * Lines: config, secret, signature header, timestamp, message id; the rest is the body.  The
 * signature header is also tried as one of pairs, as Stripe and Paddle send them.
 */
#include "web/signature.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW = 1790000000 };

struct headers {
	const struct signature_plan *plan;
	const char *signature, *timestamp, *id;
};

static void
check(bool good)
{
	if (!good)
		abort();
}

static const char *
header_of(const void *arg, const char *name)
{
	const struct headers *h = arg;

	if (strcmp(name, h->plan->header) == 0)
		return h->signature;
	if (h->plan->timestamp_header && strcmp(name, h->plan->timestamp_header) == 0)
		return h->timestamp;
	return h->id;
}

/* The next line of the input, in m. */
static const char *
next_line(struct mem *m, const char **s, const char *end)
{
	const char *from = *s, *to = memchr(from, '\n', (size_t)(end - from));

	*s = to ? to + 1 : end;
	return mem_dup(m, from, (size_t)((to ? to : end) - from));
}

static void
try_plan(struct mem *m, const struct signature_plan *p, const char *secret,
    struct signed_request *r)
{
	struct headers h = *(const struct headers *)r->arg;
	const char *other = mem_printf(m, "%sx", secret);

	h.plan = p;
	r->arg = &h;
	if (signature_fits(p, span_of(secret), r)) {
		check(secret[0] != '\0');
		check(!signature_fits(p, span_of(other), r));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mem *m = mem_new((size_t)16 << 20);
	const char *s = (const char *)data, *end = s + size, *config, *secret;
	const struct json *j = NULL;
	struct signature_plan plan;
	const struct signature_plan *const plans[] = { &signature_vapi[0], &signature_vapi[1],
		&signature_vapi[2], &signature_vapi[3], &signature_stripe[0],
		&signature_paddle[0] };
	struct headers h = { 0 };
	struct signed_request r = { .header = header_of,
		.method = "POST",
		.url = "https://h.example/x",
		.now = NOW };
	size_t i;

	check(m != NULL);
	if (size == 0) {
		mem_free(m);
		return 0;
	}
	config = next_line(m, &s, end);
	secret = next_line(m, &s, end);
	h.signature = next_line(m, &s, end);
	h.timestamp = next_line(m, &s, end);
	h.id = next_line(m, &s, end);
	r.body = (struct span){ s, (size_t)(end - s) };
	if (json_read(m, config, strlen(config), JSON_DEPTH_API, &j) == JSON_OK &&
	    signature_plan_read(j, NULL, &plan) == 0) {
		r.arg = &h;
		try_plan(m, &plan, secret, &r);
	}
	for (i = 0; i < COUNT(plans); i++) {
		r.arg = &h;
		try_plan(m, plans[i], secret, &r);
	}
	mem_free(m);
	return 0;
}
