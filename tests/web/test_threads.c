/*
 * test_threads.c - the threads of a program: as many as requests need at once, and no more.
 */
#include "served.h"

#include <dirent.h>
#include <stdatomic.h>

/* ---- a program ------------------------------------------------------------ */

static int
echo(struct ctx *c, const void *in)
{
	(void)in;
	return reply_raw(c, 200, "text/plain", request_body(c));
}

enum { THREADS = 8 };

/* Answers only once all threads have met here. */
static int
meet(struct ctx *c, const void *in)
{
	static atomic_int met;
	int64_t until = clock_steady_ms() + 60000;

	(void)in;
	atomic_fetch_add(&met, 1);
	while (atomic_load(&met) < THREADS && clock_steady_ms() < until)
		poll(NULL, 0, 5);
	return reply_json(c, 200, atomic_load(&met) < THREADS ? SPAN("0") : SPAN("\"met\""));
}

/* Until it is told to end, or for a minute. */
static int
wait_for_stop(struct ctx *c, const void *in)
{
	struct pollfd p = { server_stop_fd(), POLLIN, 0 };

	(void)in;
	fputs(mem_printf(c->mem, "waiting %s\n", request_path(c)), stderr);
	poll(&p, 1, 60000);
	return reply_json(c, 200, SPAN("\"stopping\""));
}

static void
tell_quiet(struct ctx *c)
{
	(void)c;
	fputs("quiet\n", stderr);
}

static const struct route routes[] = {
	{ POST, "/echo", PUBLIC, NO_FIELDS, echo, 200, NULL, "x", .flags = ROUTE_RAW },
	{ GET, "/meet", PUBLIC, NO_FIELDS, meet, 200, NULL, "x" },
	{ GET, "/one", PUBLIC, NO_FIELDS, wait_for_stop, 200, NULL, "x" },
	{ GET, "/two", PUBLIC, NO_FIELDS, wait_for_stop, 200, NULL, "x" },
};

static const struct server program = { "program", routes, COUNT(routes), .quiet = tell_quiet };

static struct child a;

/* Threads, and no database. */
#define ASK_WITHOUT(threads)                                                                       \
	(const char *const[])                                                                      \
	{                                                                                          \
		threads, "DATABASE_URL=", NULL                                                     \
	}

/* What waits for signals, and what a sanitizer brings along. */
static int others;

/* How many threads of the program take requests. */
static int
threads_of(pid_t pid)
{
	char path[64];
	int n = -2;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%ld/task", (long)pid);
	d = opendir(path);
	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - others;
}

/* At its start there is one. */
static pid_t
start(const char *threads)
{
	pid_t pid = served_start(&program, ASK_WITHOUT(threads));

	assert_true(served_says("event=start"));
	others = 0;
	others = threads_of(pid) - 1;
	return pid;
}

static void
wait_for_threads(pid_t pid, int least, int most)
{
	int64_t until = clock_steady_ms() + 60000;

	while ((threads_of(pid) < least || threads_of(pid) > most) && clock_steady_ms() < until)
		poll(NULL, 0, 20);
	assert_in_range(threads_of(pid), least, most);
}

static void
echo_once(void)
{
	client_answer(client_ask(served_path, "POST", "/echo", SPAN("x"), true), &a);
	assert_string_equal(a.body, "x");
}

/* ---- tests -------------------------------------------------------------------------- */

static void
threads_serve_at_once(void **state)
{
	int fds[THREADS];
	pid_t pid;
	size_t i;

	(void)state;
	pid = start("HOOKSWITCH_THREADS=8");
	for (i = 0; i < COUNT(fds); i++)
		fds[i] = client_ask(served_path, "GET", "/meet", SPAN(""), true);
	for (i = 0; i < COUNT(fds); i++) {
		client_answer(fds[i], &a);
		assert_string_equal(a.body, "\"met\"");
	}
	assert_int_equal(served_finish(pid), 0);
}

static void
threads_come_when_they_are_needed_and_go_again(void **state)
{
	int fds[THREADS];
	pid_t pid;
	size_t i;

	(void)state;
	pid = start("HOOKSWITCH_THREADS=16");
	assert_int_equal(threads_of(pid), 1);
	for (i = 0; i < COUNT(fds); i++)
		fds[i] = client_ask(served_path, "GET", "/meet", SPAN(""), true);
	for (i = 0; i < COUNT(fds); i++) {
		client_answer(fds[i], &a);
		assert_string_equal(a.body, "\"met\"");
	}
	wait_for_threads(pid, 1, 1);
	echo_once();
	wait_for_threads(pid, 1, 1);
	assert_int_equal(served_finish(pid), 0);
}

static void
there_are_never_more_than_the_settings_allow(void **state)
{
	int fds[2], queued;
	pid_t pid;

	(void)state;
	pid = start("HOOKSWITCH_THREADS=2");
	fds[0] = client_ask(served_path, "GET", "/one", SPAN(""), true);
	fds[1] = client_ask(served_path, "GET", "/two", SPAN(""), true);
	queued = client_ask(served_path, "POST", "/echo", SPAN("later"), true);
	assert_true(served_says("waiting /one") && served_says("waiting /two"));
	assert_int_equal(threads_of(pid), 2);
	assert_int_equal(served_finish(pid), 0);
	client_answer(fds[0], &a);
	client_answer(fds[1], &a);
	assert_string_equal(a.body, "\"stopping\"");
	pid = start("HOOKSWITCH_THREADS=2");
	client_answer(queued, &a);
	assert_string_equal(a.body, "later");
	assert_int_equal(served_finish(pid), 0);
}

static void
a_thread_that_is_held_up_leaves_one_that_serves(void **state)
{
	pid_t pid;
	int fd;

	(void)state;
	pid = start("HOOKSWITCH_THREADS=4");
	fd = client_ask(served_path, "GET", "/one", SPAN(""), true);
	assert_true(served_says("waiting /one"));
	echo_once();
	wait_for_threads(pid, 2, 2);
	echo_once();
	assert_int_equal(served_finish(pid), 0);
	client_answer(fd, &a);
	assert_string_equal(a.body, "\"stopping\"");
}

static void
quiet_is_told_once_after_requests(void **state)
{
	pid_t pid;

	(void)state;
	pid = start("HOOKSWITCH_THREADS=2");
	poll(NULL, 0, 1300);
	assert_false(served_said("quiet"));
	client_answer(client_ask(served_path, "POST", "/echo", SPAN("x"), true), &a);
	assert_true(served_says("quiet"));
	poll(NULL, 0, 2300);
	assert_false(served_said("quiet\nquiet"));
	assert_int_equal(served_finish(pid), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(threads_serve_at_once, served_kill),
		cmocka_unit_test_teardown(threads_come_when_they_are_needed_and_go_again,
		    served_kill),
		cmocka_unit_test_teardown(there_are_never_more_than_the_settings_allow,
		    served_kill),
		cmocka_unit_test_teardown(a_thread_that_is_held_up_leaves_one_that_serves,
		    served_kill),
		cmocka_unit_test_teardown(quiet_is_told_once_after_requests, served_kill),
	};

	return cmocka_run_group_tests(tests, served_open, served_close);
}
