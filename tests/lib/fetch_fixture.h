/*
 * fetch_fixture.h - for the tests of lib/fetch: a struct fetch of three at once beside the server,
 * short ways to ask.
 */
#ifndef TESTS_LIB_FETCH_FIXTURE_H
#define TESTS_LIB_FETCH_FIXTURE_H

#include "tests/lib/http_fixture.h"

static const char *const json_headers[] = { "Content-Type: application/json", "X-Test: yes", NULL };

struct world {
	struct fetch *f;
	struct fetch_answer a;
	char url[256];
};

static struct world world;

static inline int
world_setup(void **state)
{
	world.f = fetch_new(3);
	return server_setup(state) || !world.f;
}

static inline int
world_teardown(void **state)
{
	fetch_free(world.f);
	return server_teardown(state);
}

static inline struct fetch_request
request(const char *method, const char *path)
{
	bool get = strcmp(method, "GET") == 0;

	snprintf(world.url, sizeof(world.url), "http://127.0.0.1:%d%s", server.port, path);
	return (struct fetch_request){ .method = method,
		.url = world.url,
		.headers = json_headers,
		.body = get ? (struct span){ NULL, 0 } : SPAN("{\"a\":1}"),
		.timeout_ms = 5000 };
}

static inline void
wait_answer(void)
{
	while (!fetch_next(world.f, &world.a))
		assert_int_equal(fetch_wait(world.f, 1000, NULL, 0, NULL), 0);
}

static inline enum fetch_outcome
run(const struct fetch_request *r)
{
	assert_int_equal(fetch_add(world.f, r), 0);
	wait_answer();
	assert_int_equal(fetch_live(world.f), 0);
	return world.a.outcome;
}

static inline enum fetch_outcome
fetch(const char *method, const char *path)
{
	struct fetch_request r = request(method, path);

	return run(&r);
}

#define FETCH_TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

#endif
