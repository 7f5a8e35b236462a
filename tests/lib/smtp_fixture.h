/*
 * smtp_fixture.h - for the tests of mails: a small SMTP server in a thread, which keeps what it
 * reads and answers as the test says.
 */
#ifndef TESTS_LIB_SMTP_FIXTURE_H
#define TESTS_LIB_SMTP_FIXTURE_H

#include "tests/lib/http_fixture.h"

enum { HEARD_MAX = 1 << 16, SMTP_HABITS_MAX = 4 };

/* The reply to a command that begins with it; NULL: the connection is closed. */
struct smtp_habit {
	const char *command; /* "" is the greeting, "." the end of the text */
	const char *reply;   /* NULL: close; "": say nothing for long */
};

static struct {
	int listener;
	int port;
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows */
	struct smtp_habit habits[SMTP_HABITS_MAX];
	size_t nhabits;
	char heard[HEARD_MAX]; /* all lines, of all connections */
	size_t len;
	_Atomic int connections;
	_Atomic int done; /* connections that are over */
} smtp;

static const struct smtp_habit smtp_good[] = {
	{ "", "220 ready\r\n" },
	{ "EHLO", "250-here\r\n250 8BITMIME\r\n" },
	{ "HELO", "250 here\r\n" },
	{ "MAIL", "250 ok\r\n" },
	{ "RCPT", "250 ok\r\n" },
	{ "DATA", "354 go on\r\n" },
	{ ".", "250 2.0.0 queued as 4711\r\n" },
	{ "QUIT", "221 bye\r\n" },
};

static inline const struct smtp_habit *
smtp_find(const struct smtp_habit *all, size_t n, const char *line)
{
	for (size_t i = 0; i < n; i++) {
		size_t k = strlen(all[i].command);

		if (k == 0 ? line[0] == '\0' : strncmp(line, all[i].command, k) == 0)
			return &all[i];
	}
	return NULL;
}

/* What is said to that line now; false when there is nothing for it. */
static inline bool
smtp_reply(const char *line, const char **ret)
{
	const struct smtp_habit *h;

	pthread_mutex_lock(&smtp.lock);
	h = smtp_find(smtp.habits, smtp.nhabits, line);
	if (!h)
		h = smtp_find(smtp_good, COUNT(smtp_good), line);
	*ret = h ? h->reply : NULL;
	pthread_mutex_unlock(&smtp.lock);
	return h != NULL;
}

/* False: the connection is to be closed. */
static inline bool
smtp_say(int fd, const char *line)
{
	const char *reply;

	if (!smtp_reply(line, &reply))
		reply = "500 what\r\n";
	if (!reply)
		return false;
	if (reply[0] == '\0')
		poll(NULL, 0, 800);
	else
		say(fd, reply);
	return reply[0] != '\0';
}

static inline void
smtp_note(char c)
{
	pthread_mutex_lock(&smtp.lock);
	if (smtp.len < HEARD_MAX - 1)
		smtp.heard[smtp.len++] = c;
	pthread_mutex_unlock(&smtp.lock);
}

/* One line with its end into line; false when there is no more. */
static inline bool
smtp_line(int fd, char *line, size_t size)
{
	size_t n = 0;

	while (n < size - 1 && recv(fd, line + n, 1, 0) == 1) {
		smtp_note(line[n]);
		line[++n] = '\0';
		if (line[n - 1] == '\n')
			return true;
	}
	return false;
}

static inline void
smtp_talk(int fd)
{
	char line[2048] = "";
	bool text = false;

	if (!smtp_say(fd, ""))
		return;
	while (smtp_line(fd, line, sizeof(line))) {
		if (text && strcmp(line, ".\r\n") != 0)
			continue;
		if (!smtp_say(fd, line))
			return;
		text = strncmp(line, "DATA", 4) == 0;
	}
}

static inline void *
smtp_serve(void *arg)
{
	for (;;) {
		int fd = accept(smtp.listener, NULL, NULL);

		if (fd < 0)
			return arg;
		smtp.connections++;
		smtp_talk(fd);
		close(fd);
		smtp.done++;
	}
}

static inline int
smtp_setup(void **state)
{
	(void)state;
	memset(&smtp, 0, sizeof(smtp));
	pthread_mutex_init(&smtp.lock, NULL);
	smtp.listener = listen_somewhere(&smtp.port);
	return pthread_create(&smtp.thread, NULL, smtp_serve, NULL);
}

static inline int
smtp_teardown(void **state)
{
	(void)state;
	shutdown(smtp.listener, SHUT_RDWR);
	pthread_join(smtp.thread, NULL);
	close(smtp.listener);
	pthread_mutex_destroy(&smtp.lock);
	return 0;
}

/* The server does so from now on; n 0: all as a good one. */
static inline void
smtp_behave(const struct smtp_habit *h, size_t n)
{
	pthread_mutex_lock(&smtp.lock);
	assert_true(n <= SMTP_HABITS_MAX);
	memcpy(smtp.habits, h, n * sizeof(*h));
	smtp.nhabits = n;
	pthread_mutex_unlock(&smtp.lock);
}

/* Whether it has heard that by now. */
static inline bool
smtp_has_heard(const char *s)
{
	bool found;

	pthread_mutex_lock(&smtp.lock);
	smtp.heard[smtp.len] = '\0';
	found = strstr(smtp.heard, s) != NULL;
	pthread_mutex_unlock(&smtp.lock);
	return found;
}

/* All that was heard, once the connections are over. */
static inline const char *
smtp_heard(void)
{
	for (int i = 0; i < 500 && smtp.done < smtp.connections; i++)
		poll(NULL, 0, 10);
	assert_int_equal(smtp.done, smtp.connections);
	smtp_has_heard("");
	return smtp.heard;
}

#endif
