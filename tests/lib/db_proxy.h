/*
 * db_proxy.h - for the tests of lib/db: stands between a pool and the server, in a thread, and
 * breaks off when told to.
 */
#ifndef TESTS_LIB_DB_PROXY_H
#define TESTS_LIB_DB_PROXY_H

#include "tests/lib/db_fixture.h"

#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <libpq-fe.h>

enum { PROXY_PAIRS = 32, PROXY_PART = 64 * 1024 };

enum proxy_mode {
	PROXY_PASS,
	PROXY_CUT_REQUEST, /* the next words to the server are dropped, the connection is closed */
	PROXY_CUT_MIDWAY,  /* the same after some of them went through */
	PROXY_CUT_ANSWER,  /* the server gets all and does it; its answer is dropped, the connection
			      closed */
	PROXY_SILENT,      /* the same, but the connection stays */
};

/* The first two answers to a new connection belong to its start and are never touched. */
enum { START_ANSWERS = 2 };

struct pair {
	int client;
	int server;
	int answers;
	bool mute;
};

struct proxy {
	char dir[64];
	int listener;
	int stop[2];
	pthread_t thread;
	struct pair pairs[PROXY_PAIRS];
	size_t n;
	_Atomic int mode;
	_Atomic int cuts;  /* how often it broke off */
	_Atomic int left;  /* CUT_MIDWAY: bytes that still go through */
	_Atomic int again; /* break off so many times more */
};

static struct proxy proxy;

/* A new connection to the server, by the way that libpq found. */
static inline int
proxy_dial(void)
{
	static char host[256], port[16];
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct addrinfo *a, hint = { .ai_socktype = SOCK_STREAM };
	int fd;

	if (!host[0]) {
		PGconn *pg = PQconnectdb(database_url());

		snprintf(host, sizeof(host), "%s", PQhost(pg));
		snprintf(port, sizeof(port), "%s", PQport(pg));
		PQfinish(pg);
	}
	if (host[0] == '/') {
		snprintf(un.sun_path, sizeof(un.sun_path), "%.80s/.s.PGSQL.%.10s", host, port);
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		return connect(fd, (struct sockaddr *)&un, sizeof(un)) ? -1 : fd;
	}
	if (getaddrinfo(host, port, &hint, &a))
		return -1;
	fd = socket(a->ai_family, SOCK_STREAM, 0);
	if (connect(fd, a->ai_addr, a->ai_addrlen))
		fd = -1;
	freeaddrinfo(a);
	return fd;
}

static inline void
proxy_write(int fd, const char *data, ssize_t n)
{
	for (ssize_t done = 0, k; done < n; done += k) {
		k = send(fd, data + done, (size_t)(n - done), MSG_NOSIGNAL);
		if (k <= 0)
			return;
	}
}

static inline void
proxy_close(struct pair *p)
{
	if (p->client < 0)
		return;
	close(p->client);
	close(p->server);
	p->client = p->server = -1;
}

static inline void
proxy_cut(struct pair *p)
{
	proxy.cuts++;
	if (proxy.again > 0)
		proxy.again--;
	else
		proxy.mode = PROXY_PASS;
	proxy_close(p);
}

/* Whether n bytes of an answer end with "ready for a query". */
static inline bool
is_ready(const char *buf, ssize_t n)
{
	return n >= 6 && memcmp(buf + n - 6, "Z\0\0\0\5", 5) == 0;
}

static inline int
proxy_mode_of(const struct pair *p)
{
	return p->answers < START_ANSWERS ? PROXY_PASS : proxy.mode;
}

static inline void
proxy_request(struct pair *p)
{
	char buf[PROXY_PART];
	ssize_t n = recv(p->client, buf, sizeof(buf), 0);

	if (n <= 0) {
		proxy_close(p);
		return;
	}
	if (proxy_mode_of(p) == PROXY_CUT_REQUEST) {
		proxy_cut(p);
		return;
	}
	if (proxy_mode_of(p) == PROXY_CUT_MIDWAY) {
		proxy.left -= (int)n;
		if (proxy.left <= 0) {
			proxy_cut(p);
			return;
		}
	}
	proxy_write(p->server, buf, n);
}

static inline void
proxy_answer(struct pair *p)
{
	char buf[PROXY_PART];
	ssize_t n = recv(p->server, buf, sizeof(buf), 0);

	if (n <= 0) {
		proxy_close(p);
		return;
	}
	if (proxy_mode_of(p) == PROXY_CUT_ANSWER) {
		proxy_cut(p);
		return;
	}
	if (proxy_mode_of(p) == PROXY_SILENT) {
		p->mute = true;
		proxy.mode = PROXY_PASS;
	}
	p->answers += is_ready(buf, n);
	if (!p->mute)
		proxy_write(p->client, buf, n);
}

static inline void
proxy_move(const struct pollfd *w)
{
	for (size_t i = 0; i < proxy.n; i++) {
		struct pair *p = &proxy.pairs[i];

		if (p->client >= 0 && w[2 * i].revents)
			proxy_request(p);
		if (p->client >= 0 && w[2 * i + 1].revents)
			proxy_answer(p);
	}
}

/* What is written to the pipe: 'x' is the end, 'c' closes all connections without a word. */
static inline bool
proxy_obey(void)
{
	char c = 'x';

	if (read(proxy.stop[0], &c, 1) != 1 || c == 'x')
		return false;
	for (size_t i = 0; i < proxy.n; i++)
		proxy_close(&proxy.pairs[i]);
	proxy.cuts++;
	return true;
}

static inline void *
proxy_run(void *arg)
{
	struct pollfd w[2 * PROXY_PAIRS + 2];
	size_t n;
	int fd;

	for (;;) {
		n = proxy.n;
		for (size_t i = 0; i < n; i++) {
			w[2 * i] = (struct pollfd){ proxy.pairs[i].client, POLLIN, 0 };
			w[2 * i + 1] = (struct pollfd){ proxy.pairs[i].server, POLLIN, 0 };
		}
		w[2 * n] = (struct pollfd){ proxy.listener, POLLIN, 0 };
		w[2 * n + 1] = (struct pollfd){ proxy.stop[0], POLLIN, 0 };
		poll(w, 2 * n + 2, -1);
		if (w[2 * n + 1].revents && !proxy_obey())
			return arg;
		proxy_move(w);
		if (w[2 * n].revents && n < PROXY_PAIRS) {
			fd = accept(proxy.listener, NULL, NULL);
			proxy.pairs[proxy.n++] =
			    (struct pair){ .client = fd, .server = proxy_dial() };
		}
	}
}

/* Starts the proxy, and puts it between the tested pool and the server. */
static inline void
proxy_start(const char *connections, const char *timeout)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char more[128];
	bool uri = strstr(database_url(), "://") != NULL;

	memset(&proxy, 0, sizeof(proxy));
	snprintf(proxy.dir, sizeof(proxy.dir), "/tmp/hookswitch-XXXXXX");
	assert_non_null(mkdtemp(proxy.dir));
	snprintf(un.sun_path, sizeof(un.sun_path), "%s/.s.PGSQL.5432", proxy.dir);
	proxy.listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(proxy.listener, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(listen(proxy.listener, 16), 0);
	assert_int_equal(pipe(proxy.stop), 0);
	assert_int_equal(pthread_create(&proxy.thread, NULL, proxy_run, NULL), 0);

	snprintf(more, sizeof(more), "host=%s%sport=5432", proxy.dir, uri ? "&" : " ");
	use_pool(more, "", connections, timeout);
	assert_int_equal(db_ping(&world.c, world.db), 0);
}

static inline void
proxy_stop(void)
{
	char path[128];

	assert_int_equal(write(proxy.stop[1], "x", 1), 1);
	pthread_join(proxy.thread, NULL);
	for (size_t i = 0; i < proxy.n; i++)
		proxy_close(&proxy.pairs[i]);
	close(proxy.listener);
	close(proxy.stop[0]);
	close(proxy.stop[1]);
	snprintf(path, sizeof(path), "%s/.s.PGSQL.5432", proxy.dir);
	unlink(path);
	rmdir(proxy.dir);
}

#endif
