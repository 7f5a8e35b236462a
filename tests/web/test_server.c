/*
 * test_server.c - a program's life: it serves over FastCGI, ends by signal after what it has in
 * hand, and leaves the socket to its successor.
 */
#include "served.h"

#include <dirent.h>

/* ---- a program ------------------------------------------------------------ */

static int
echo(struct ctx *c, const void *in)
{
	(void)in;
	return reply_raw(c, 200, "text/plain", request_body(c));
}

/* As a pump's waiting turn: until it is told to end, or for a minute. */
static int
wait_for_stop(struct ctx *c, const void *in)
{
	struct pollfd p = { server_stop_fd(), POLLIN, 0 };

	(void)in;
	fputs("waiting\n", stderr);
	poll(&p, 1, 60000);
	return reply_json(c, 200, server_stopping() ? SPAN("\"stopping\"") : SPAN("\"waited\""));
}

static void
tell_stop(struct ctx *c)
{
	fputs(mem_str(c->mem, "stopped\n"), stderr);
}

static bool
once(int argc, char *argv[], int *ret)
{
	if (argc != 2 || strcmp(argv[1], "--once") != 0)
		return false;
	*ret = server_stop_fd() >= 0 && !server_stopping() ? 7 : 8;
	return true;
}

static const struct route routes[] = {
	{ POST, "/echo", PUBLIC, NO_FIELDS, echo, 200, NULL, "x", .flags = ROUTE_RAW,
	    .body_max = 200000 },
	{ GET, "/wait", PUBLIC, NO_FIELDS, wait_for_stop, 200, NULL, "x" },
};

static const struct server program = { "program", routes, COUNT(routes), .option = once,
	.stop = tell_stop };

static struct child a;

/* Threads, and no database. */
#define ASK_WITHOUT(threads)                                                                       \
	(const char *const[])                                                                      \
	{                                                                                          \
		threads, "DATABASE_URL=", NULL                                                     \
	}

/* ---- tests -------------------------------------------------------------------------- */

static void
bodies_come_through_whole(void **state)
{
	static char large[100001];
	pid_t pid;

	(void)state;
	memset(large, 'x', sizeof(large) - 1);
	large[70000] = 'y';
	pid = served_start(&program, ASK_WITHOUT("HOOKSWITCH_THREADS=2"));
	client_answer(client_ask(served_path, "POST", "/echo", SPAN("hello"), true), &a);
	assert_int_equal(a.status, 200);
	assert_string_equal(a.body, "hello");
	client_answer(client_ask(served_path, "POST", "/echo", SPAN("no length"), false), &a);
	assert_string_equal(a.body, "no length");
	client_answer(client_ask(served_path, "POST", "/echo", (struct span){ large, 100000 },
			  true),
	    &a);
	assert_string_equal(a.body, large);
	client_answer(client_ask(served_path, "POST", "/echo", (struct span){ "", 0 }, false), &a);
	assert_string_equal(a.body, "");
	assert_int_equal(served_finish(pid), 0);
	assert_true(served_said("route=/echo status=200"));
	assert_true(served_said("stopped"));
}

static void
a_body_over_the_limit_is_refused_with_and_without_length(void **state)
{
	static char large[250000];
	pid_t pid;

	(void)state;
	memset(large, 'x', sizeof(large));
	pid = served_start(&program, ASK_WITHOUT("HOOKSWITCH_THREADS=1"));
	client_answer(client_ask(served_path, "POST", "/echo",
			  (struct span){ large, sizeof(large) }, true),
	    &a);
	assert_int_equal(a.status, 413);
	client_answer(client_ask(served_path, "POST", "/echo",
			  (struct span){ large, sizeof(large) }, false),
	    &a);
	assert_int_equal(a.status, 413);
	client_answer(client_ask(served_path, "POST", "/echo", SPAN("next"), true), &a);
	assert_string_equal(a.body, "next");
	assert_int_equal(served_finish(pid), 0);
}

static void
a_request_in_hand_is_finished_and_a_successor_takes_over(void **state)
{
	pid_t first, second;
	int waiting, queued;

	(void)state;
	first = served_start(&program, ASK_WITHOUT("HOOKSWITCH_THREADS=1"));
	waiting = client_ask(served_path, "GET", "/wait", SPAN(""), true);
	assert_true(served_says("waiting"));
	/* The only thread is busy: this one stays in the socket's queue, and is not lost. */
	queued = client_ask(served_path, "POST", "/echo", SPAN("later"), true);
	assert_int_equal(served_finish(first), 0);
	client_answer(waiting, &a);
	assert_string_equal(a.body, "\"stopping\"");
	second = served_start(&program, ASK_WITHOUT("HOOKSWITCH_THREADS=1"));
	client_answer(queued, &a);
	assert_string_equal(a.body, "later");
	assert_int_equal(served_finish(second), 0);
}

static void
broken_peers_do_no_harm(void **state)
{
	pid_t pid;
	int fd;

	(void)state;
	pid = served_start(&program, ASK_WITHOUT("HOOKSWITCH_THREADS=2"));
	fd = client_reach(served_path);
	close(fd);
	fd = client_reach(served_path);
	assert_int_equal(send(fd, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL), 18);
	close(fd);
	fd = client_ask(served_path, "POST", "/echo", SPAN("gone"), true);
	close(fd);
	client_answer(client_ask(served_path, "POST", "/echo", SPAN("still here"), true), &a);
	assert_string_equal(a.body, "still here");
	assert_int_equal(served_finish(pid), 0);
}

static void
own_options_and_wrong_settings(void **state)
{
	static const int needs[] = { SET_DATABASE_URL, -1 };
	static const struct route people[] = {
		{ GET, "/", SCOPE("x"), NO_FIELDS, echo, 200, NULL, "x" },
	};
	struct server needy = { "needy", routes, COUNT(routes), .needs = needs };
	struct server api = { "api", people, COUNT(people) };
	struct server twice = { "twice", (const struct route[]){ routes[0], routes[0] }, 2 };

	(void)state;
	child_run(&program, "--once", NULL, "", &a);
	assert_int_equal(a.exit, 7);
	child_run(&program, "--twice", NULL, "", &a);
	assert_int_equal(a.exit, 2);
	child_run(&needy, NULL, (const char *const[]){ "DATABASE_URL=", NULL }, "", &a);
	assert_int_equal(a.exit, 1);
	child_run(&api, NULL,
	    (const char *const[]){ "HOOKSWITCH_JWT_SECRET=", "SUPABASE_JWT_SECRET=", NULL }, "",
	    &a);
	assert_int_equal(a.exit, 1);
	child_run(&twice, NULL, NULL, "", &a);
	assert_int_equal(a.exit, 1);
	child_run(&program, NULL, (const char *const[]){ "HOOKSWITCH_THREADS=none", NULL }, "", &a);
	assert_int_equal(a.exit, 1);
}

/* A list without the newest file would make /readyz lie; the newest file is the one that
 * counts. */
static void
status_knows_the_newest_migration(void **state)
{
	const char *source = getenv("srcdir");
	char newest[256] = "", name[512];
	const struct dirent *e;
	DIR *d;

	(void)state;
	snprintf(name, sizeof(name), "%s/sql/migrations", source ? source : ".");
	d = opendir(name);
	assert_non_null(d);
	while ((e = readdir(d)))
		if (strstr(e->d_name, ".sql") && strcmp(e->d_name, newest) > 0)
			snprintf(newest, sizeof(newest), "%s", e->d_name);
	closedir(d);
	assert_true(strlen(newest) > 4);
	newest[strlen(newest) - 4] = '\0';
	assert_string_equal(NEWEST_MIGRATION, newest);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(bodies_come_through_whole, served_kill),
		cmocka_unit_test_teardown(a_body_over_the_limit_is_refused_with_and_without_length,
		    served_kill),
		cmocka_unit_test_teardown(a_request_in_hand_is_finished_and_a_successor_takes_over,
		    served_kill),
		cmocka_unit_test_teardown(broken_peers_do_no_harm, served_kill),
		cmocka_unit_test_teardown(own_options_and_wrong_settings, served_kill),
		cmocka_unit_test_teardown(status_knows_the_newest_migration, served_kill),
	};

	return cmocka_run_group_tests(tests, served_open, served_close);
}
