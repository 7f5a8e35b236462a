/*
 * load.c - sends signed, unique events over several connections, or asks for the same thing again
 * and again, and tells how fast that was answered.
 *
 *   load PORT PATH SECRET CONNECTIONS FIRST COUNT BODY
 *   load PORT PATH AUTHORIZATION CONNECTIONS 0 COUNT -
 *
 * In the file BODY each run of ten @ becomes the event's number, from FIRST on, in ten digits.  All
 * is signed before the clock starts.  Prints one JSON object; exits 1 when an answer was not 200.
 */
#include "http.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "lib/crypto.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DIGITS = 10, SIGNED = 64, PLACES_MAX = 16, EVENTS_MAX = 64, ANSWER_MAX = 65536 };
enum { CONNECTIONS_MAX = 256, COUNT_MAX = 1000000, BODY_MAX = 2 * 1024 * 1024 };
enum { QUIET_MS = 30000 };

static const char hole[] = "@@@@@@@@@@";

struct connection {
	int fd;
	char *request; /* its own copy: number and signature are written into it */
	size_t sent;
	char answer[ANSWER_MAX];
	size_t got;
	int64_t since;
};

static struct {
	int port;
	struct span secret;
	size_t connections, count;
	uint64_t first;
	struct text request;      /* head and body of an event without number and signature */
	size_t body;              /* where the body begins */
	size_t signature;         /* 0: nothing is signed */
	size_t place[PLACES_MAX]; /* of the number */
	size_t nplaces;
	char (*signatures)[SIGNED + 1];
	int64_t *took;
	size_t begun, done, failed;
	int epoll;
} load = { .request = { .max = BODY_MAX + 4096 } };

static void
die(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static void *
need(size_t n)
{
	void *p = calloc(1, n);

	if (!p)
		die("memory");
	return p;
}

/* ---- the event ------------------------------------------------------ */

static void
read_body(const char *path, struct text *ret)
{
	CLEANUP(base_fclosep) FILE *f = fopen(path, "r");
	char piece[16384];
	size_t n;

	if (!f)
		die(path);
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
		text_put(ret, piece, n);
}

static void
make_request(const char *path, const char *file)
{
	CLEANUP(text_clear) struct text body = TEXT(BODY_MAX);
	struct text *r = &load.request;
	const char *s;

	read_body(file, &body);
	text_printf(r,
	    "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
	    "Content-Length: %zu\r\nX-Vapi-Signature: ",
	    path, body.len);
	load.signature = r->len;
	text_printf(r, "%0*d\r\n\r\n", SIGNED, 0);
	load.body = r->len;
	text_put(r, text_str(&body), body.len);
	if (!text_ok(r) || !text_ok(&body))
		die("body");
	for (s = strstr(r->data + load.body, hole); s; s = strstr(s + DIGITS, hole)) {
		if (load.nplaces == PLACES_MAX)
			die("too many places");
		load.place[load.nplaces++] = (size_t)(s - r->data);
	}
}

static void
make_question(const char *path, const char *authorization)
{
	text_printf(&load.request,
	    "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: %s\r\n\r\n", path, authorization);
	if (!text_ok(&load.request))
		die("request");
}

static void
put_number(char *request, size_t i)
{
	char number[DIGITS + 1];
	size_t k;

	snprintf(number, sizeof(number), "%0*" PRIu64, DIGITS, load.first + i);
	for (k = 0; k < load.nplaces; k++)
		memcpy(request + load.place[k], number, DIGITS);
}

static void
sign_all(void)
{
	unsigned char mac[DIGEST_MAX];
	size_t i, n;

	load.took = need(load.count * sizeof(*load.took));
	load.signatures = need(load.count * sizeof(*load.signatures));
	for (i = 0; load.signature && i < load.count; i++) {
		put_number(load.request.data, i);
		if (crypto_hmac(DIGEST_SHA256, load.secret,
			(struct span){ load.request.data + load.body,
			    load.request.len - load.body },
			mac, &n) != 0)
			die("hmac");
		crypto_hex(mac, n, load.signatures[i]);
	}
}

/* ---- connections ---------------------------------------------------- */

static void
write_on(struct connection *x)
{
	ssize_t n;

	while (x->sent < load.request.len) {
		n = send(x->fd, x->request + x->sent, load.request.len - x->sent, MSG_NOSIGNAL);
		if (n <= 0)
			return;
		x->sent += (size_t)n;
	}
}

/* The next event on this connection; none when all were begun. */
static void
begin(struct connection *x)
{
	if (load.begun == load.count)
		return;
	put_number(x->request, load.begun);
	if (load.signature)
		memcpy(x->request + load.signature, load.signatures[load.begun], SIGNED);
	load.begun++;
	x->sent = x->got = 0;
	x->since = clock_steady_us();
	write_on(x);
}

static void
read_on(struct connection *x)
{
	ssize_t n;

	while ((n = recv(x->fd, x->answer + x->got, sizeof(x->answer) - x->got, 0)) > 0) {
		x->got += (size_t)n;
		if (!http_whole(x->answer, x->got))
			continue;
		load.failed += http_status(x->answer, x->got) != 200;
		load.took[load.done++] = clock_steady_us() - x->since;
		begin(x);
	}
	if (n == 0)
		die("a connection was closed");
}

static void
run(struct connection *list)
{
	struct epoll_event ready[EVENTS_MAX];
	int i, n;

	for (size_t k = 0; k < load.connections; k++)
		begin(&list[k]);
	while (load.done < load.count) {
		n = epoll_wait(load.epoll, ready, EVENTS_MAX, QUIET_MS);
		if (n <= 0)
			die("no answer");
		for (i = 0; i < n; i++) {
			struct connection *x = ready[i].data.ptr;
			if (x->sent < load.request.len)
				write_on(x);
			if (ready[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
				read_on(x);
		}
	}
}

static struct connection *
connect_all(void)
{
	struct connection *list = need(load.connections * sizeof(*list));
	struct epoll_event e;
	size_t i;

	load.epoll = epoll_create1(EPOLL_CLOEXEC);
	for (i = 0; i < load.connections; i++) {
		list[i].fd = http_dial(load.port);
		list[i].request = need(load.request.len);
		memcpy(list[i].request, load.request.data, load.request.len);
		list[i].sent = load.request.len;
		e = (struct epoll_event){ .events = EPOLLIN | EPOLLOUT | EPOLLET,
			.data.ptr = &list[i] };
		if (list[i].fd == -1 || epoll_ctl(load.epoll, EPOLL_CTL_ADD, list[i].fd, &e) == -1)
			die("connect");
	}
	return list;
}

/* ---- what came of it ------------------------------------------------ */

static int
compare(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void
tell(int64_t us)
{
	qsort(load.took, load.count, sizeof(*load.took), compare);
	printf(
	    "{\"requests\":%zu,\"failed\":%zu,\"seconds\":%.6f,\"p50_ms\":%.3f,\"p99_ms\":%.3f}\n",
	    load.count, load.failed, (double)us / 1e6, (double)load.took[load.count / 2] / 1e3,
	    (double)load.took[load.count * 99 / 100] / 1e3);
}

int
main(int argc, char *argv[])
{
	struct connection *list;
	int64_t since;

	if (argc != 8) {
		fprintf(stderr, "usage: load PORT PATH SECRET CONNECTIONS FIRST COUNT BODY\n");
		return 2;
	}
	load.port = (int)strtol(argv[1], NULL, 10);
	load.secret = span_of(argv[3]);
	load.connections = strtoul(argv[4], NULL, 10);
	load.first = strtoull(argv[5], NULL, 10);
	load.count = strtoul(argv[6], NULL, 10);
	if (load.connections < 1 || load.connections > CONNECTIONS_MAX || load.count < 1 ||
	    load.count > COUNT_MAX)
		return 2;
	if (strcmp(argv[7], "-") == 0)
		make_question(argv[2], argv[3]);
	else
		make_request(argv[2], argv[7]);
	sign_all();
	list = connect_all();
	since = clock_steady_us();
	run(list);
	tell(clock_steady_us() - since);
	return load.failed > 0;
}
