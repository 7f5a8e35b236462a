/*
 * http.c - finds the ends of HTTP messages; sockets on loopback.
 */
#include "http.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

static const char length_name[] = "\r\nContent-Length:";

static size_t
content_length(const char *head, size_t n)
{
	size_t name = sizeof(length_name) - 1, i;

	for (i = 0; i + name < n; i++) {
		if (head[i] == '\r' && strncasecmp(head + i, length_name, name) == 0)
			return (size_t)strtoul(head + i + name, NULL, 10);
	}
	return 0;
}

size_t
http_whole(const char *data, size_t n)
{
	const char *end = n > 0 ? memmem(data, n, "\r\n\r\n", 4) : NULL;
	size_t whole;

	if (!end)
		return 0;
	whole = (size_t)(end - data) + 4;
	whole += content_length(data, whole);
	return n >= whole ? whole : 0;
}

int
http_status(const char *data, size_t n)
{
	if (n < 13 || memcmp(data, "HTTP/1.1 ", 9) != 0)
		return -1;
	return (int)strtol(data + 9, NULL, 10);
}

static struct sockaddr_in
loopback(int port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

int
http_listen(int *port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_in a = loopback(0);
	socklen_t n = sizeof(a);

	if (fd == -1 || bind(fd, (struct sockaddr *)&a, n) == -1 || listen(fd, 1024) == -1 ||
	    getsockname(fd, (struct sockaddr *)&a, &n) == -1) {
		base_closep(&fd);
		return -1;
	}
	*port = ntohs(a.sin_port);
	return fd;
}

int
http_dial(int port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	struct sockaddr_in a = loopback(port);

	if (fd == -1 || connect(fd, (struct sockaddr *)&a, sizeof(a)) == -1 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == -1 ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) == -1) {
		base_closep(&fd);
		return -1;
	}
	return fd;
}
