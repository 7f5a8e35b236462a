/*
 * test_fetch_transfer.c - one request over HTTP: its answer, what is known of it when it failed,
 * and that it is never sent twice.
 */
#include "tests/lib/fetch_fixture.h"

/* ---- answers ------------------------------------------------------------ */

static void
an_answer_is_whole(void **state)
{
	struct fetch_request r;
	int tag;

	(void)state;
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	r = request("POST", "/ok");
	r.tag = &tag;
	assert_int_equal(run(&r), FETCH_ANSWERED);
	assert_int_equal(world.a.status, 200);
	assert_string_equal(world.a.body.data, "{\"ok\":true}");
	assert_int_equal(world.a.body.len, 11);
	assert_string_equal(world.a.type, "application/json");
	assert_string_equal(world.a.location, "");
	assert_string_equal(world.a.should_retry, "");
	assert_int_equal(world.a.retry_after, -1);
	assert_ptr_equal(world.a.tag, &tag);
	assert_null(world.a.why);
	assert_int_equal(server.last_body, 7);
	assert_non_null(strstr(server.last, "POST /ok HTTP/1.1\r\n"));
	assert_non_null(strstr(server.last, "X-Test: yes\r\n"));
	assert_null(strstr(server.last, "Expect"));
	assert_null(strstr(server.last, "form-urlencoded"));
}

static void
methods_are_sent_as_named(void **state)
{
	static const char *const methods[] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE" };

	(void)state;
	for (size_t i = 0; i < COUNT(methods); i++) {
		struct fetch_request r = request(methods[i], "/moved");
		char line[32];

		if (i < 2)
			r.body.len = 0;
		assert_int_equal(run(&r), FETCH_ANSWERED);
		snprintf(line, sizeof(line), "%s /moved ", methods[i]);
		assert_memory_equal(server.last, line, strlen(line));
		assert_int_equal(server.last_body, r.body.len);
	}
}

static void
nothing_is_followed_or_decoded(void **state)
{
	(void)state;
	assert_int_equal(fetch("POST", "/moved"), FETCH_ANSWERED);
	assert_int_equal(world.a.status, 307);
	assert_string_equal(world.a.location, "/ok");
	assert_int_equal(fetch("GET", "/gzip"), FETCH_ANSWERED);
	assert_string_equal(world.a.body.data, "abcd");
	assert_int_equal(server.requests, 2);
}

static void
when_to_ask_again_is_read(void **state)
{
	(void)state;
	fetch("GET", "/later");
	assert_int_equal(world.a.status, 429);
	assert_int_equal(world.a.retry_after, 17);
	assert_string_equal(world.a.should_retry, "true");
	assert_string_equal(world.a.request_id, "req_1");
	fetch("GET", "/past");
	assert_int_equal(world.a.retry_after, 0);
	fetch("GET", "/future");
	assert_true(world.a.retry_after > 1000000);
	fetch("GET", "/limit");
	assert_int_equal(world.a.retry_after, 42);
	fetch("GET", "/limit-at");
	assert_true(world.a.retry_after > 1000000 && world.a.retry_after < 3967000000);
	fetch("GET", "/nonsense");
	assert_int_equal(world.a.retry_after, -1);
}

/* ---- what is known of a failure ----------------------------------------- */

static void
not_sent_only_when_no_byte_went_out(void **state)
{
	struct fetch_request r = request("POST", "/ok");
	int port, fd = listen_somewhere(&port);

	(void)state;
	close(fd);
	snprintf(world.url, sizeof(world.url), "http://127.0.0.1:%d/", port);
	assert_int_equal(run(&r), FETCH_NOT_SENT);
	assert_int_equal(world.a.status, 0);
	assert_non_null(world.a.why);

	snprintf(world.url, sizeof(world.url), "http://nobody.invalid/");
	assert_int_equal(run(&r), FETCH_NOT_SENT);

	/* A port that takes the connection and says nothing: TLS does not come to be. */
	fd = listen_somewhere(&port);
	snprintf(world.url, sizeof(world.url), "https://127.0.0.1:%d/", port);
	r.connect_ms = 200;
	assert_int_equal(run(&r), FETCH_NOT_SENT);
	assert_string_equal(world.a.why, "no connection in time");
	close(fd);

	snprintf(world.url, sizeof(world.url), "https://127.0.0.1:%d/", server.port);
	assert_int_equal(run(&r), FETCH_NOT_SENT);
	assert_int_equal(server.requests, 0);
}

static void
lost_when_something_was_sent(void **state)
{
	static const char *const paths[] = { "/drop", "/reset", "/cut" };
	struct fetch_request r;
	int sent = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(paths); i++) {
		assert_int_equal(fetch("POST", paths[i]), FETCH_LOST);
		assert_non_null(world.a.why);
		assert_int_equal(server.requests, ++sent);
	}

	r = request("POST", "/never");
	r.timeout_ms = 200;
	assert_int_equal(run(&r), FETCH_LOST);
	assert_in_range(world.a.ms, 150, 1200);
	assert_string_equal(world.a.why, "no whole answer in time");
}

static void
an_answer_that_is_too_long_is_given_up(void **state)
{
	struct fetch_request r = request("GET", "/ok");

	(void)state;
	r.max_bytes = 11;
	assert_int_equal(run(&r), FETCH_ANSWERED);
	r.max_bytes = 10;
	assert_int_equal(run(&r), FETCH_TOO_LARGE);
	assert_int_equal(world.a.status, 200);
}

static void
what_cannot_be_sent_is_refused(void **state)
{
	static const char *const bad[] = { "X: a\r\nY: b", NULL };
	static const char *const urls[] = { "ftp://127.0.0.1/", "file:///etc/passwd", "127.0.0.1",
		"http://a b/", "" };
	struct fetch_request r;

	(void)state;
	for (size_t i = 0; i < COUNT(urls); i++) {
		r = request("GET", "/ok");
		r.url = urls[i];
		assert_int_equal(fetch_add(world.f, &r), -1);
		assert_int_equal(errno, EINVAL);
	}
	r = request("GET", "/ok");
	r.headers = bad;
	assert_int_equal(fetch_add(world.f, &r), -1);
	r = request("GET", "/ok");
	r.https_only = true;
	assert_int_equal(fetch_add(world.f, &r), -1);
	assert_int_equal(fetch_live(world.f), 0);
	assert_int_equal(fetch("GET", "/ok"), FETCH_ANSWERED);
	assert_int_equal(server.requests, 1);
}

/* ---- never twice -------------------------------------------------------- */

/* The peer reads a request on a kept connection, may have acted on it, and closes: libcurl would
 * send it again. */
static void
a_post_on_a_kept_connection_is_never_sent_twice(void **state)
{
	static const char *const methods[] = { "POST", "PUT", "PATCH", "DELETE" };
	static const char *const paths[] = { "/drop", "/reset" };
	int sent = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(methods) * COUNT(paths); i++) {
		assert_int_equal(fetch("POST", "/ok"), FETCH_ANSWERED);
		assert_int_equal(fetch(methods[i / 2], paths[i % 2]), FETCH_LOST);
		assert_non_null(world.a.why);
		sent += 2;
		assert_int_equal(server.requests, sent);
	}
	assert_int_equal(fetch("POST", "/ok"), FETCH_ANSWERED);
}

static void
a_large_post_on_a_kept_connection_is_never_sent_twice(void **state)
{
	static char body[1500 * 1024];
	struct fetch_request r;

	(void)state;
	memset(body, 'x', sizeof(body));
	assert_int_equal(fetch("POST", "/ok"), FETCH_ANSWERED);
	r = request("POST", "/drop");
	r.body = (struct span){ body, sizeof(body) };
	assert_int_equal(run(&r), FETCH_LOST);
	assert_int_equal(server.requests, 2);
	assert_null(strstr(server.last, "Expect"));

	r = request("POST", "/refuse-expect");
	r.body = (struct span){ body, sizeof(body) };
	assert_int_equal(run(&r), FETCH_ANSWERED);
	assert_int_equal(world.a.status, 417);
	assert_int_equal(fetch("POST", "/refuse-login"), FETCH_ANSWERED);
	assert_int_equal(world.a.status, 401);
	assert_int_equal(server.requests, 4);
}

static void
a_get_may_go_out_again(void **state)
{
	(void)state;
	assert_int_equal(fetch("GET", "/ok"), FETCH_ANSWERED);
	/* On the kept connection it is read and dropped, on the new one too: that is no answer. */
	assert_int_equal(fetch("GET", "/drop"), FETCH_LOST);
	assert_int_equal(server.requests, 3);
}

static void
a_kept_connection_closed_meanwhile_is_noticed(void **state)
{
	(void)state;
	assert_int_equal(fetch("POST", "/ok-and-close"), FETCH_ANSWERED);
	poll(NULL, 0, 100);
	assert_int_equal(fetch("POST", "/ok"), FETCH_ANSWERED);
	assert_int_equal(server.connections, 2);
	assert_int_equal(server.requests, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		FETCH_TEST(an_answer_is_whole),
		FETCH_TEST(methods_are_sent_as_named),
		FETCH_TEST(nothing_is_followed_or_decoded),
		FETCH_TEST(when_to_ask_again_is_read),
		FETCH_TEST(not_sent_only_when_no_byte_went_out),
		FETCH_TEST(lost_when_something_was_sent),
		FETCH_TEST(an_answer_that_is_too_long_is_given_up),
		FETCH_TEST(what_cannot_be_sent_is_refused),
		FETCH_TEST(a_post_on_a_kept_connection_is_never_sent_twice),
		FETCH_TEST(a_large_post_on_a_kept_connection_is_never_sent_twice),
		FETCH_TEST(a_get_may_go_out_again),
		FETCH_TEST(a_kept_connection_closed_meanwhile_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
