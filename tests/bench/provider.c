/*
 * provider.c - a voice provider that answers each dial after a fixed time with a call that has
 * ended normally, and keeps count.
 *
 *   provider MILLISECONDS
 *
 * Prints its port.  POST /reset forgets the counts; GET /stats tells them: dials, how many were
 * under way at once, how long one took here on average, when the first came and the last was
 * answered; GET /arrivals tells when each number was dialled.  Times are of CLOCK_BOOTTIME.
 */
#include "http.h"

#include "base/clock.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_MAX = 32768, CONNECTIONS_MAX = 1024, EVENTS_MAX = 64, ARRIVALS_MAX = 20000 };
enum { NUMBER_MAX = 16, ANSWER_MAX = 4 * 1024 * 1024 };

struct connection {
	int fd; /* 0: free */
	char data[READ_MAX];
	size_t got;
	int64_t since;           /* of the dial in hand; 0: none */
	struct connection *next; /* in the order of answers */
};

struct arrival {
	char number[NUMBER_MAX];
	int64_t us;
};

static struct {
	int64_t delay_us;
	int epoll, listener;
	struct connection connections[CONNECTIONS_MAX];
	struct connection *first, *last; /* dials that wait for their answer */
	int64_t dials, answered, live, live_max, took_us, first_us, last_us;
	uint64_t id;
	struct arrival arrivals[ARRIVALS_MAX];
} provider;

/* As Vapi describes a call, with what it usually carries along. */
static const char call_format[] =
    "{\"id\":\"00000000-0000-4000-8000-%012" PRIx64 "\","
    "\"orgId\":\"527a4c0a-7e94-7ca7-8bcc-0baba99d5592\",\"type\":\"outboundPhoneCall\","
    "\"createdAt\":\"2026-09-21T13:31:30.000Z\",\"updatedAt\":\"2026-09-21T13:31:58.000Z\","
    "\"assistantId\":\"1a42ee5d-f4fc-7631-874f-5c7b258cdfa6\",\"status\":\"ended\","
    "\"endedReason\":\"customer-ended-call\",\"cost\":0.0396,"
    "\"startedAt\":\"2026-09-21T13:31:40.000Z\",\"endedAt\":\"2026-09-21T13:31:58.000Z\","
    "\"phoneCallTransport\":\"pstn\",\"phoneCallProvider\":\"twilio\","
    "\"monitor\":{\"listenUrl\":\"wss://listen.example/\"},"
    "\"artifact\":{\"transcript\":\"AI: Hello, this is Riley. How can I help?\\n"
    "User: I would like to book a cleaning for Tuesday.\\n\","
    "\"messages\":[{\"role\":\"bot\",\"message\":\"Hello, this is Riley. How can I help?\","
    "\"time\":1789999900123,\"secondsFromStart\":1.2},{\"role\":\"user\",\"message\":"
    "\"I would like to book a cleaning for Tuesday.\",\"time\":1789999904123,"
    "\"secondsFromStart\":5.1}]},"
    "\"analysis\":{\"summary\":\"The caller booked a cleaning.\",\"successEvaluation\":\"true\"}}";

/* ---- answers -------------------------------------------------------- */

static void
answer(struct connection *x, const char *status, const struct text *body)
{
	CLEANUP(text_clear) struct text t = TEXT(ANSWER_MAX);
	size_t sent = 0;
	ssize_t n = 1;

	text_printf(&t,
	    "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", status,
	    body->len);
	text_put(&t, text_str(body), body->len);
	for (; text_ok(&t) && sent < t.len && n > 0; sent += (size_t)n)
		n = send(x->fd, t.data + sent, t.len - sent, MSG_NOSIGNAL);
}

static void
answer_dial(struct connection *x)
{
	CLEANUP(text_clear) struct text t = TEXT(ANSWER_MAX);

	text_printf(&t, call_format, provider.id++);
	answer(x, "201 Created", &t);
	provider.last_us = clock_steady_us();
	provider.took_us += provider.last_us - x->since;
	provider.answered++;
	provider.live--;
	x->since = 0;
}

static void
answer_stats(struct connection *x)
{
	CLEANUP(text_clear) struct text t = TEXT(ANSWER_MAX);

	text_printf(&t,
	    "{\"dials\":%" PRId64 ",\"answered\":%" PRId64 ",\"live_max\":%" PRId64
	    ",\"latency_us\":%" PRId64 ",\"first_us\":%" PRId64 ",\"last_us\":%" PRId64 "}",
	    provider.dials, provider.answered, provider.live_max,
	    provider.answered > 0 ? provider.took_us / provider.answered : 0, provider.first_us,
	    provider.last_us);
	answer(x, "200 OK", &t);
}

static void
answer_arrivals(struct connection *x)
{
	CLEANUP(text_clear) struct text t = TEXT(ANSWER_MAX);
	int64_t i;

	text_putc(&t, '{');
	for (i = 0; i < provider.dials && i < ARRIVALS_MAX; i++)
		text_printf(&t, "%s\"%s\":%" PRId64, i > 0 ? "," : "", provider.arrivals[i].number,
		    provider.arrivals[i].us);
	text_putc(&t, '}');
	answer(x, "200 OK", &t);
}

static void
reset(struct connection *x)
{
	struct text none = TEXT(0);

	provider.dials = provider.answered = provider.live = provider.live_max = 0;
	provider.took_us = provider.first_us = provider.last_us = 0;
	answer(x, "200 OK", &none);
}

/* ---- requests ------------------------------------------------------- */

static void
note_arrival(struct connection *x)
{
	const char *s = memmem(x->data, x->got, "\"number\":\"", 10);
	struct arrival *a;
	size_t n;

	x->since = clock_steady_us();
	if (provider.dials < ARRIVALS_MAX) {
		a = &provider.arrivals[provider.dials];
		n = s ? strspn(s + 10, "+0123456789") : 0;
		snprintf(a->number, sizeof(a->number), "%.*s", (int)n, s ? s + 10 : "");
		a->us = x->since;
	}
	if (provider.dials++ == 0)
		provider.first_us = x->since;
	if (++provider.live > provider.live_max)
		provider.live_max = provider.live;
}

static void
dial(struct connection *x)
{
	note_arrival(x);
	x->next = NULL;
	if (provider.last)
		provider.last->next = x;
	else
		provider.first = x;
	provider.last = x;
}

static bool
is(const struct connection *x, const char *start)
{
	size_t n = strlen(start);

	return x->got >= n && memcmp(x->data, start, n) == 0;
}

static void
take(struct connection *x)
{
	if (is(x, "POST /call "))
		dial(x);
	else if (is(x, "POST /reset "))
		reset(x);
	else if (is(x, "GET /stats "))
		answer_stats(x);
	else if (is(x, "GET /arrivals "))
		answer_arrivals(x);
	else
		answer(x, "404 Not Found", &TEXT(0));
}

/* A caller that leaves while its dial is in hand keeps its place until the answer was due. */
static void
hear(struct connection *x)
{
	ssize_t n = recv(x->fd, x->data + x->got, sizeof(x->data) - x->got, 0);

	if (n <= 0) {
		if (x->since == 0) {
			base_closep(&x->fd);
			x->fd = 0;
		} else
			epoll_ctl(provider.epoll, EPOLL_CTL_DEL, x->fd, NULL);
		return;
	}
	x->got += (size_t)n;
	if (!http_whole(x->data, x->got))
		return;
	take(x);
	x->got = 0;
}

static void
welcome(void)
{
	struct epoll_event e = { .events = EPOLLIN };
	size_t i;
	int fd = accept(provider.listener, NULL, NULL);

	if (fd == -1)
		return;
	for (i = 0; i < CONNECTIONS_MAX && provider.connections[i].fd; i++)
		;
	if (i == CONNECTIONS_MAX) {
		close(fd);
		return;
	}
	provider.connections[i] = (struct connection){ .fd = fd };
	e.data.ptr = &provider.connections[i];
	epoll_ctl(provider.epoll, EPOLL_CTL_ADD, fd, &e);
}

/* ---- the loop ------------------------------------------------------- */

/* Answers all whose time has come; milliseconds until the next one's, -1: there is none. */
static int
answer_due(void)
{
	struct connection *x;
	int64_t left;

	while ((x = provider.first)) {
		left = x->since + provider.delay_us - clock_steady_us();
		if (left > 0)
			return (int)(left / 1000) + 1;
		provider.first = x->next;
		if (!provider.first)
			provider.last = NULL;
		answer_dial(x);
	}
	return -1;
}

static void
serve(void)
{
	struct epoll_event ready[EVENTS_MAX];
	int i, n;

	for (;;) {
		n = epoll_wait(provider.epoll, ready, EVENTS_MAX, answer_due());
		for (i = 0; i < n; i++) {
			if (ready[i].data.ptr)
				hear(ready[i].data.ptr);
			else
				welcome();
		}
	}
}

int
main(int argc, char *argv[])
{
	struct epoll_event e = { .events = EPOLLIN };
	int port = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: provider MILLISECONDS\n");
		return 2;
	}
	provider.delay_us = strtol(argv[1], NULL, 10) * 1000;
	/* Another one's calls must not have the same ids. */
	provider.id = (uint64_t)clock_wall_ms() << 4;
	provider.epoll = epoll_create1(EPOLL_CLOEXEC);
	provider.listener = http_listen(&port);
	if (provider.listener == -1 ||
	    epoll_ctl(provider.epoll, EPOLL_CTL_ADD, provider.listener, &e) == -1) {
		perror("provider");
		return EXIT_FAILURE;
	}
	printf("%d\n", port);
	fflush(stdout);
	serve();
	return EXIT_SUCCESS;
}
