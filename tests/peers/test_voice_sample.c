/*
 * test_voice_sample.c - samples of voices: a provider that makes them, one that does not, and one
 * that fails.
 */
#include "base/settings.h"
#include "fixture.h"
#include "peers/peer.h"
#include "peers/voice.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROW "{\"provider_type\":\"vapi\",\"base_url\":\"http://x.example\",\"api_key\":\"k-1\"}"

static const struct voice_say say_hello = { "11labs", "sarah", "hello" };

/* ---- somebody who answers once --------------------------------------------- */

static struct {
	int listener, port;
	pthread_t thread;
	const char *answer;
	char heard[4096];
	size_t n;
} server;

/* Reads until the body has come, says its answer and closes. */
static void *
serve(void *arg)
{
	int fd = accept(server.listener, NULL, NULL);
	ssize_t k = 1;

	while (fd >= 0 && k > 0 && !strstr(server.heard, "sarah:hello")) {
		k = recv(fd, server.heard + server.n, sizeof(server.heard) - 1 - server.n, 0);
		server.n += k > 0 ? (size_t)k : 0;
	}
	if (fd >= 0) {
		send(fd, server.answer, strlen(server.answer), MSG_NOSIGNAL);
		close(fd);
	}
	return arg;
}

static void
serve_begin(const char *answer)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t n = sizeof(a);

	memset(&server, 0, sizeof(server));
	server.answer = answer;
	server.listener = socket(AF_INET, SOCK_STREAM, 0);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(server.listener, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(server.listener, 1), 0);
	assert_int_equal(getsockname(server.listener, (struct sockaddr *)&a, &n), 0);
	server.port = ntohs(a.sin_port);
	assert_int_equal(pthread_create(&server.thread, NULL, serve, NULL), 0);
}

static void
serve_end(void)
{
	shutdown(server.listener, SHUT_RDWR);
	pthread_join(server.thread, NULL);
	close(server.listener);
}

/* ---- a provider that makes samples --------------------------------------- */

static int
ask(struct mem *m, const struct voice_account *a, const struct voice_say *s,
    struct fetch_request *ret)
{
	CLEANUP(text_clear) struct text body = TEXT(200);

	if (strcmp(s->voice_provider, "11labs") != 0) {
		errno = ENOTSUP;
		return -1;
	}
	text_printf(&body, "%s:%s", s->voice_id, s->text);
	return peer_request(m, a, mem_printf(m, "http://127.0.0.1:%d/", server.port), &body, ret);
}

static const char *
answered(struct mem *m, const struct voice_account *a, const struct fetch_answer *in)
{
	(void)a;
	return peer_is_success(in) ? mem_printf(m, "heard %s", in->body.data) : NULL;
}

static const struct voice_provider able = { .type = "vapi",
	.default_url = "https://v.example",
	.sample = ask,
	.sampled = answered };

/* What voice_sample gives, in the request's memory; its errno in *error. */
static const char *
sample(struct ctx *c, const struct voice_provider *p, const char *row,
    const struct voice_say *say_it, int *error)
{
	const char *url;

	errno = 0;
	url = voice_sample(c, p, parsed(c->mem, row), say_it);
	*error = errno;
	return url;
}

/* ---- cases ------------------------------------------------------------------ */

static int
case_setup(void **state)
{
	static struct ctx c;

	*state = &c;
	return ctx_init(&c, 1 << 20);
}

static int
case_teardown(void **state)
{
	ctx_free(*state);
	return 0;
}

static void
a_provider_that_makes_samples_is_asked(void **state)
{
	const char *url;
	int error;

	serve_begin("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhere");
	url = sample(*state, &able, ROW, &say_hello, &error);
	serve_end();
	assert_string_equal(url, "heard here");
	assert_non_null(strstr(server.heard, "POST / HTTP"));
	assert_non_null(strstr(server.heard, "Authorization: Bearer k-1\r\n"));
}

static void
one_that_makes_none_is_not_asked(void **state)
{
	struct voice_say other = say_hello;
	int error;

	other.voice_provider = "azure";
	assert_null(sample(*state, NULL, ROW, &say_hello, &error));
	assert_int_equal(error, ENOTSUP);
	assert_null(sample(*state, &able, ROW, &other, &error));
	assert_int_equal(error, ENOTSUP);
	/* What the providers have today. */
	assert_null(sample(*state, &vapi_provider, ROW, &say_hello, &error));
	assert_int_equal(error, ENOTSUP);
	assert_null(sample(*state, &synthflow_provider, ROW, &say_hello, &error));
	assert_int_equal(error, ENOTSUP);
}

static void
a_sample_that_failed_is_told_from_one_that_cannot_be(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\nhalf",
		"",
	};
	int error;

	for (size_t i = 0; i < COUNT(answers); i++) {
		serve_begin(answers[i]);
		assert_null(sample(*state, &able, ROW, &say_hello, &error));
		serve_end();
		assert_int_equal(error, EIO);
	}
	/* Nobody listens there any more. */
	assert_null(sample(*state, &able, ROW, &say_hello, &error));
	assert_int_equal(error, EIO);
	assert_null(sample(*state, &able, "{\"provider_type\":\"nobody\"}", &say_hello, &error));
	assert_int_equal(error, ENOENT);
}

#define SAMPLE_TEST(f) cmocka_unit_test_setup_teardown(f, case_setup, case_teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		SAMPLE_TEST(a_provider_that_makes_samples_is_asked),
		SAMPLE_TEST(one_that_makes_none_is_not_asked),
		SAMPLE_TEST(a_sample_that_failed_is_told_from_one_that_cannot_be),
	};

	if (settings_load() < 0)
		return 1;
	return cmocka_run_group_tests_name("voice_sample", tests, NULL, NULL);
}
