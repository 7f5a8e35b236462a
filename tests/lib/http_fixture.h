/*
 * http_fixture.h - for the tests of lib/fetch: a small HTTP server in threads that counts what it
 * reads and misbehaves by path.
 */
#ifndef TESTS_LIB_HTTP_FIXTURE_H
#define TESTS_LIB_HTTP_FIXTURE_H

/* cmocka has a macro with the name of our fail(): its header comes behind ours. */
#include "base/clock.h"
#include "base/ctx.h"
#include "lib/fetch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { LINKS_MAX = 128, REQUEST_MAX = 4 << 20, HEAD_MAX = 8192 };

struct server {
	int listener;
	int port;
	pthread_t thread;
	pthread_t links[LINKS_MAX];
	int fds[LINKS_MAX];
	size_t nlinks;           /* the accepting thread's */
	_Atomic int connections; /* opened so far */
	_Atomic int requests;    /* read in full so far */
	_Atomic int together;    /* being answered now */
	_Atomic int most;        /* most at once */
	char last[HEAD_MAX];     /* head of the last request: looked at when all is quiet */
	size_t last_body;
	pthread_mutex_t lock;
};

static struct server server;

/* One request's head into head, its body is read and dropped.  Body's length, -1 at the end. */
static inline ssize_t
read_request(int fd, char head[HEAD_MAX])
{
	static _Thread_local char buf[65536];
	size_t n = 0, body = 0, got;
	char *end = NULL, *length;
	ssize_t k;

	while (!end) {
		k = n < HEAD_MAX - 1 ? recv(fd, head + n, 1, 0) : -1;
		if (k <= 0)
			return -1;
		head[++n] = '\0';
		end = n >= 4 ? strstr(head + n - 4, "\r\n\r\n") : NULL;
	}
	length = strstr(head, "Content-Length: ");
	body = length ? strtoul(length + 16, NULL, 10) : 0;
	for (got = 0; got < body; got += (size_t)k) {
		k = recv(fd, buf, body - got < sizeof(buf) ? body - got : sizeof(buf), 0);
		if (k <= 0)
			return -1;
	}
	return (ssize_t)body;
}

static inline void
say(int fd, const char *text)
{
	send(fd, text, strlen(text), MSG_NOSIGNAL);
}

static inline void
reset(int fd)
{
	struct linger l = { 1, 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
}

#define NO_HEAD "HTTP/1.1 503 No\r\n"
#define OK_HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

/* What each path is answered with, and whether the connection is closed then. */
struct habit {
	const char *path;
	const char *answer;
	bool close;
	bool rst;
	int delay_ms;
};

static const struct habit habits[] = {
	{ "/ok", OK_HEAD "Content-Length: 11\r\n\r\n{\"ok\":true}", false, false, 0 },
	{ "/ok-and-close", OK_HEAD "Content-Length: 2\r\n\r\n{}", true, false, 0 },
	{ "/slow", OK_HEAD "Content-Length: 2\r\n\r\n{}", false, false, 150 },
	{ "/never", "", true, false, 1500 },
	{ "/drop", "", true, false, 0 },
	{ "/reset", "", true, true, 0 },
	{ "/cut", OK_HEAD "Content-Length: 500\r\n\r\nhalf", true, false, 0 },
	{ "/refuse-expect", "HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n", false, false, 0 },
	{ "/refuse-login",
	    "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n", false, false,
	    0 },
	{ "/moved", "HTTP/1.1 307 Go\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n", false, false,
	    0 },
	{ "/gzip", OK_HEAD "Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd", false, false,
	    0 },
	{ "/later",
	    "HTTP/1.1 429 No\r\nRetry-After: 17\r\n"
	    "stripe-should-retry: true\r\nRequest-Id: req_1\r\nContent-Length: 0\r\n\r\n",
	    false, false, 0 },
	{ "/past",
	    NO_HEAD "Retry-After: Mon, 21 Sep 2020 13:33:20 GMT\r\nContent-Length: 0\r\n\r\n",
	    false, false, 0 },
	{ "/future",
	    NO_HEAD "Retry-After: Wed, 21 Sep 2095 13:33:20 GMT\r\nContent-Length: 0\r\n\r\n",
	    false, false, 0 },
	{ "/limit", "HTTP/1.1 429 No\r\nX-RateLimit-Reset: 42\r\nContent-Length: 0\r\n\r\n", false,
	    false, 0 },
	{ "/limit-at",
	    "HTTP/1.1 429 No\r\nX-RateLimit-Reset: 3967000000\r\nContent-Length: 0\r\n\r\n", false,
	    false, 0 },
	{ "/nonsense", "HTTP/1.1 429 No\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n", false,
	    false, 0 },
};

static inline const struct habit *
habit_of(const char *head)
{
	const char *path = strchr(head, ' ') + 1;
	size_t n = strcspn(path, " ?");

	for (size_t i = 0; i < COUNT(habits); i++) {
		if (strlen(habits[i].path) == n && memcmp(habits[i].path, path, n) == 0)
			return &habits[i];
	}
	return &habits[0];
}

static inline void
note_request(const char *head, ssize_t body)
{
	int n = ++server.together;

	pthread_mutex_lock(&server.lock);
	server.requests++;
	if (n > server.most)
		server.most = n;
	memcpy(server.last, head, strlen(head) + 1);
	server.last_body = (size_t)body;
	pthread_mutex_unlock(&server.lock);
}

static inline void *
serve_link(void *arg)
{
	int fd = *(int *)arg;
	char head[HEAD_MAX];
	const struct habit *h;
	ssize_t body;

	while ((body = read_request(fd, head)) >= 0) {
		note_request(head, body);
		h = habit_of(head);
		if (h->delay_ms)
			poll(NULL, 0, h->delay_ms);
		server.together--;
		say(fd, h->answer);
		if (h->rst)
			reset(fd);
		if (h->close)
			break;
	}
	close(fd);
	return NULL;
}

static inline void *
serve(void *arg)
{
	for (;;) {
		int fd = accept(server.listener, NULL, NULL);

		if (fd < 0 || server.nlinks == LINKS_MAX)
			return arg;
		server.connections++;
		server.fds[server.nlinks] = fd;
		pthread_create(&server.links[server.nlinks], NULL, serve_link,
		    &server.fds[server.nlinks]);
		server.nlinks++;
	}
}

/* A socket of the loopback that listens at a port of its own. */
static inline int
listen_somewhere(int *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

static inline int
server_setup(void **state)
{
	(void)state;
	memset(&server, 0, sizeof(server));
	pthread_mutex_init(&server.lock, NULL);
	server.listener = listen_somewhere(&server.port);
	return pthread_create(&server.thread, NULL, serve, NULL);
}

static inline int
server_teardown(void **state)
{
	(void)state;
	shutdown(server.listener, SHUT_RDWR);
	pthread_join(server.thread, NULL);
	for (size_t i = 0; i < server.nlinks; i++)
		pthread_join(server.links[i], NULL);
	close(server.listener);
	pthread_mutex_destroy(&server.lock);
	return 0;
}

#endif
