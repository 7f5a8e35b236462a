/*
 * fixture.h - for the tests of the voice providers: memory for each test, stored messages, looking
 * into JSON.
 */
#ifndef TESTS_PEERS_FIXTURE_H
#define TESTS_PEERS_FIXTURE_H

/* cmocka has a macro with the name of our fail(): its header comes behind ours. */
#include "base/clock.h"
#include "base/ctx.h"
#include "lib/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ASSIGNMENT "5f0c3a9e-1b2c-4d3e-8f4a-0123456789ab"
#define CALL "6a1d4b0f-2c3d-4e4f-9a5b-123456789abc"
#define ORGANIZATION "7b2e5c10-3d4e-4f50-8b6c-23456789abcd"

static inline int
fixture_setup(void **state)
{
	*state = mem_new((size_t)64 << 20);
	return *state ? 0 : -1;
}

static inline int
fixture_teardown(void **state)
{
	mem_free(*state);
	return 0;
}

/* The content of tests/data/<name>, NUL-terminated. */
static inline struct span
fixture(struct mem *m, const char *name)
{
	const char *dir = getenv("srcdir");
	const char *path = mem_printf(m, "%s/tests/data/%s", dir ? dir : ".", name);
	CLEANUP(base_fclosep) FILE *f = fopen(path, "rb");
	long size;
	char *data;

	if (!f)
		fail_msg("%s cannot be opened", path);
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	size = ftell(f);
	rewind(f);
	data = mem_alloc(m, (size_t)size + 1);
	assert_non_null(data);
	assert_int_equal(fread(data, 1, (size_t)size, f), (size_t)size);
	return (struct span){ data, (size_t)size };
}

/* s as JSON; the test fails when it is none (also when it is no UTF-8, or holds what jsonb does not
 * take). */
static inline const struct json *
parsed(struct mem *m, const char *s)
{
	const struct json *j = NULL;

	assert_non_null(s);
	if (json_read(m, s, strlen(s), JSON_DEPTH_PROVIDER, &j) != JSON_OK)
		fail_msg("not good JSON: %s", s);
	return j;
}

/* The string at a path of j; "(none)" when there is none. */
static inline const char *
at(const struct json *j, const char *path)
{
	const char *s = json_str_of(json_path(j, path), NULL);

	return s ? s : "(none)";
}

/* A copy of body with the first from replaced by to. */
static inline struct span
with(struct mem *m, struct span body, const char *from, const char *to)
{
	const char *place = strstr(body.data, from);
	const char *out;

	if (!place)
		fail_msg("%s is not in the message", from);
	out = mem_printf(m, "%.*s%s%s", (int)(place - body.data), body.data, to,
	    place + strlen(from));
	return span_of(out);
}

#define TEST_CASE(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

#endif
