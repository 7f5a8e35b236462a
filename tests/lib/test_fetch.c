/*
 * test_fetch.c - many requests at once: kept connections, no more than allowed, deadlines, other
 * descriptors.
 */
#include "tests/lib/fetch_fixture.h"

static void
connections_are_kept(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		assert_int_equal(fetch(i % 2 ? "GET" : "POST", "/ok"), FETCH_ANSWERED);
	assert_int_equal(server.requests, 5);
	assert_int_equal(server.connections, 1);
}

static void
no_more_at_once_than_allowed(void **state)
{
	int tags[12] = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(tags); i++) {
		struct fetch_request r = request("POST", "/slow");

		r.tag = &tags[i];
		assert_int_equal(fetch_add(world.f, &r), 0);
	}
	assert_int_equal(fetch_live(world.f), COUNT(tags));
	for (size_t i = 0; i < COUNT(tags); i++) {
		wait_answer();
		assert_int_equal(world.a.outcome, FETCH_ANSWERED);
		++*(int *)world.a.tag;
	}
	for (size_t i = 0; i < COUNT(tags); i++)
		assert_int_equal(tags[i], 1);
	assert_int_equal(fetch_live(world.f), 0);
	assert_int_equal(server.most, 3);
	assert_in_range(server.connections, 1, 3);
}

static void
waiting_counts_as_time(void **state)
{
	struct fetch_request r;
	int lost = 0, unsent = 0;

	(void)state;
	for (int i = 0; i < 5; i++) {
		r = request("POST", "/never");
		r.timeout_ms = i < 3 ? 700 : 300;
		assert_int_equal(fetch_add(world.f, &r), 0);
	}
	for (int i = 0; i < 5; i++) {
		wait_answer();
		lost += world.a.outcome == FETCH_LOST;
		unsent += world.a.outcome == FETCH_NOT_SENT;
		assert_in_range(world.a.ms, 250, 60000);
	}
	assert_int_equal(lost, 3);
	assert_int_equal(unsent, 2);
	assert_int_equal(server.requests, 3);
}

static void
other_descriptors_wake_the_wait(void **state)
{
	struct fetch_request r = request("POST", "/never");
	bool readable[2] = { true, false };
	int p[2], q[2];

	(void)state;
	r.timeout_ms = 60000;
	assert_int_equal(pipe(p), 0);
	assert_int_equal(pipe(q), 0);
	assert_int_equal(write(q[1], "x", 1), 1);
	assert_int_equal(fetch_add(world.f, &r), 0);
	for (int i = 0; i < 50 && !readable[1]; i++)
		assert_int_equal(fetch_wait(world.f, 20, (int[]){ p[0], q[0] }, 2, readable), 0);
	assert_false(readable[0]);
	assert_true(readable[1]);
	assert_int_equal(fetch_live(world.f), 1);
	/* What is under way at the end is ended by fetch_free. */
	close(p[0]);
	close(p[1]);
	close(q[0]);
	close(q[1]);
}

static void
one_is_simply_waited_for(void **state)
{
	struct fetch_request r = request("POST", "/ok");
	struct fetch_answer a;
	struct ctx c;

	(void)state;
	assert_int_equal(ctx_init(&c, 1 << 20), 0);
	assert_int_equal(fetch_one(&c, &r, &a), 0);
	assert_int_equal(a.outcome, FETCH_ANSWERED);
	assert_string_equal(a.body.data, "{\"ok\":true}");
	r.url = "gopher://127.0.0.1/";
	assert_int_equal(fetch_one(&c, &r, &a), -1);
	ctx_free(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		FETCH_TEST(connections_are_kept),
		FETCH_TEST(no_more_at_once_than_allowed),
		FETCH_TEST(waiting_counts_as_time),
		FETCH_TEST(other_descriptors_wake_the_wait),
		FETCH_TEST(one_is_simply_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
