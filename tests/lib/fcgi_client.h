/*
 * fcgi_client.h - for the test of lib/fcgi: what a web server says in FastCGI, record by record, so
 * that it can also break off.
 */
#ifndef TESTS_LIB_FCGI_CLIENT_H
#define TESTS_LIB_FCGI_CLIENT_H

#include "base/base.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

enum { ANSWER_MAX = 4 << 20, PART = 32 * 1024, PATIENCE_MS = 10000 };
enum { BEGIN_REQUEST = 1, END_REQUEST = 3, PARAMS = 4, STDIN = 5, STDOUT = 6 };

static inline char *
answer_buffer(void)
{
	static char buf[ANSWER_MAX];

	buf[0] = '\0';
	return buf;
}

static inline int
dial(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static inline void
send_record(int fd, int type, const char *data, size_t n)
{
	unsigned char head[8] = { 1, (unsigned char)type, 0, 1, (unsigned char)(n >> 8),
		(unsigned char)n, 0, 0 };

	assert_int_equal(send(fd, head, sizeof(head), MSG_NOSIGNAL), sizeof(head));
	if (n)
		assert_int_equal(send(fd, data, n, MSG_NOSIGNAL), n);
}

static inline void
send_param(int fd, const char *name, const char *value)
{
	char data[300];
	size_t n = strlen(name), v = strlen(value);

	data[0] = (char)n;
	data[1] = (char)v;
	memcpy(data + 2, name, n);
	memcpy(data + 2 + n, value, v);
	send_record(fd, PARAMS, data, 2 + n + v);
}

static inline void
send_head(int fd, bool keep, const char *length, bool large)
{
	const char begin[8] = { 0, 1, keep, 0, 0, 0, 0, 0 };

	send_record(fd, BEGIN_REQUEST, begin, sizeof(begin));
	send_param(fd, "REQUEST_METHOD", "POST");
	if (length)
		send_param(fd, "CONTENT_LENGTH", length);
	if (large)
		send_param(fd, "WANT", "much");
	send_record(fd, PARAMS, NULL, 0);
}

static inline void
send_body(int fd, size_t n)
{
	static char part[PART];

	memset(part, 1, sizeof(part));
	for (size_t k; n > 0; n -= k) {
		k = n < sizeof(part) ? n : sizeof(part);
		send_record(fd, STDIN, part, k);
	}
}

static inline size_t
read_full(int fd, char *buf, size_t n)
{
	struct pollfd p = { fd, POLLIN, 0 };
	size_t got = 0;
	ssize_t k = 1;

	while (got < n && k > 0) {
		assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
		k = recv(fd, buf + got, n - got, 0);
		got += k > 0 ? (size_t)k : 0;
	}
	return got;
}

/* All of standard output up to the end of the connection. */
static inline const char *
read_answer(int fd, size_t *len, bool *ended)
{
	char *buf = answer_buffer(), other[65536];
	unsigned char head[8];
	size_t n, at = 0;

	*ended = false;
	while (read_full(fd, (char *)head, sizeof(head)) == sizeof(head)) {
		n = (size_t)head[4] << 8 | head[5];
		assert_true(at + n < ANSWER_MAX);
		assert_int_equal(read_full(fd, head[1] == STDOUT ? buf + at : other, n), n);
		read_full(fd, other, head[6]);
		at += head[1] == STDOUT ? n : 0;
		*ended = *ended || head[1] == END_REQUEST;
	}
	close(fd);
	buf[at] = '\0';
	*len = at;
	return buf;
}

#endif
