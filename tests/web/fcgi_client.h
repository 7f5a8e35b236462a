/*
 * fcgi_client.h - for the tests of web/: asks a program over FastCGI, as a web server would.
 */
#ifndef TESTS_WEB_FCGI_CLIENT_H
#define TESTS_WEB_FCGI_CLIENT_H

#include "child.h"

#include <sys/socket.h>
#include <sys/un.h>

enum { BEGIN = 1, PARAMS = 4, STDIN = 5, STDOUT = 6 };

static inline void
client_record(int fd, int type, const void *data, size_t n)
{
	unsigned char head[8] = { 1, (unsigned char)type, 0, 1, (unsigned char)(n >> 8),
		(unsigned char)(n & 255), 0, 0 };

	assert_int_equal(send(fd, head, sizeof(head), MSG_NOSIGNAL), sizeof(head));
	if (n)
		assert_int_equal(send(fd, data, n, MSG_NOSIGNAL), n);
}

static inline void
client_param(struct text *t, const char *name, const char *value)
{
	assert_true(strlen(name) < 128 && strlen(value) < 128);
	text_putc(t, (char)strlen(name));
	text_putc(t, (char)strlen(value));
	text_puts(t, name);
	text_puts(t, value);
}

static inline int
client_reach(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

/* Sends the head of a request whose body has that length ("": nobody knows). */
static inline int
client_begin(const char *path, const char *method, const char *uri, const char *length)
{
	static const unsigned char responder[8] = { 0, 1 };
	struct text t = TEXT(4096);
	int fd = client_reach(path);

	client_record(fd, BEGIN, responder, sizeof(responder));
	client_param(&t, "REQUEST_METHOD", method);
	client_param(&t, "REQUEST_URI", uri);
	client_param(&t, "CONTENT_LENGTH", length);
	client_record(fd, PARAMS, t.data, t.len);
	client_record(fd, PARAMS, NULL, 0);
	text_clear(&t);
	return fd;
}

/* Sends a request; told: with the body's length. */
static inline int
client_ask(const char *path, const char *method, const char *uri, struct span body, bool told)
{
	char length[32];
	size_t n;
	int fd;

	snprintf(length, sizeof(length), "%zu", body.len);
	fd = client_begin(path, method, uri, told ? length : "");
	for (; body.len; body.data += n, body.len -= n) {
		n = body.len < 30000 ? body.len : 30000;
		client_record(fd, STDIN, body.data, n);
	}
	client_record(fd, STDIN, NULL, 0);
	return fd;
}

static inline bool
client_read(int fd, void *buf, size_t n)
{
	return n == 0 || recv(fd, buf, n, MSG_WAITALL) == (ssize_t)n;
}

/* The answer to ask; what it says is in a. */
static inline void
client_answer(int fd, struct child *a)
{
	unsigned char head[8], data[65536 + 256];
	size_t n, have = 0;

	while (client_read(fd, head, sizeof(head))) {
		n = (size_t)head[4] * 256 + head[5];
		assert_true(client_read(fd, data, n + head[6]));
		if (head[1] == STDOUT) {
			assert_true(have + n < sizeof(a->text));
			memcpy(a->text + have, data, n);
			have += n;
		}
	}
	close(fd);
	a->text[have] = '\0';
	child_judge(a);
}

#endif
