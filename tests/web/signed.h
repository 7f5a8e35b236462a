/*
 * signed.h - for the tests of signatures: a signed request made of names and values.
 */
#ifndef TESTS_WEB_SIGNED_H
#define TESTS_WEB_SIGNED_H

#include "web/signature.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

enum { NOW = 1790000000 };

/* Headers of a test: names and values by turns, NULL at the end. */
static inline const char *
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

static inline struct signed_request
request(const char *const *pairs, const char *body)
{
	return (struct signed_request){ .header = header_of,
		.arg = pairs,
		.method = "POST",
		.url = "https://hooks.example/api/webhooks/vapi/x",
		.body = span_of(body),
		.now = NOW };
}

static inline bool
any_fits(const struct signature_plan *plans, size_t n, struct span secret,
    const struct signed_request *r)
{
	bool fits = false;
	size_t i;

	for (i = 0; i < n; i++)
		fits = fits || signature_fits(&plans[i], secret, r);
	return fits;
}

#endif
