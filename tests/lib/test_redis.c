/*
 * test_redis.c - addresses of a Redis; a real one that is there, gone, and back.
 */
#include "lib/redis.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "lib/redis_url.h"

#define SERVER "/usr/bin/redis-server"
#define SCRIPT "return {redis.call('INCRBY', KEYS[1], ARGV[1]), 7}"

static char dir[64], path[96], url[128];
static pid_t server;

/* ---- addresses -------------------------------------------------------------- */

static const struct {
	const char *url;
	bool fine;
	struct redis_url is;
} urls[] = {
	{ "redis://localhost", true, { .host = "localhost", .port = 6379 } },
	{ "redis://127.0.0.1:7000/3", true, { .host = "127.0.0.1", .port = 7000, .database = 3 } },
	{ "redis://:secret@h/", true, { .host = "h", .port = 6379, .password = "secret" } },
	{ "redis://secret@h", true, { .host = "h", .port = 6379, .password = "secret" } },
	{ "redis://u:p%40%3a@h:1", true,
	    { .host = "h", .port = 1, .user = "u", .password = "p@:" } },
	{ "redis://u:a@b@h", true, { .host = "h", .port = 6379, .user = "u", .password = "a@b" } },
	{ "redis://[::1]:7000", true, { .host = "::1", .port = 7000 } },
	{ "unix:///run/redis.sock", true, { .path = "/run/redis.sock" } },
	{ "unix:///run/redis.sock?db=2", true, { .path = "/run/redis.sock", .database = 2 } },
	{ .url = "" },
	{ .url = "localhost" },
	{ .url = "rediss://h" },
	{ .url = "redis://" },
	{ .url = "redis://:6379" },
	{ .url = "redis://h:port" },
	{ .url = "redis://h:70000" },
	{ .url = "redis://h/x" },
	{ .url = "redis://h/-1" },
	{ .url = "redis://h?x=1" },
	{ .url = "redis://:%zz@h" },
	{ .url = "redis://:%0@h" },
	{ .url = "redis://:%00@h" },
	{ .url = "redis://[::1" },
	{ .url = "unix://redis.sock" },
	{ .url = "unix:///x?port=1" },
};

static bool
same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static void
addresses_are_taken_apart(void **state UNUSED)
{
	CLEANUP(mem_freep) struct mem *m = mem_new(1 << 20);
	struct redis_url is;
	size_t i;

	for (i = 0; i < COUNT(urls); i++) {
		is = (struct redis_url){ .port = 0 };
		if ((redis_url_read(m, urls[i].url, &is) == 0) != urls[i].fine)
			fail_msg("%s is judged wrongly", urls[i].url);
		if (!urls[i].fine)
			continue;
		if (!same(is.path, urls[i].is.path) || !same(is.host, urls[i].is.host) ||
		    !same(is.user, urls[i].is.user) || !same(is.password, urls[i].is.password) ||
		    is.database != urls[i].is.database || (!is.path && is.port != urls[i].is.port))
			fail_msg("%s is taken apart wrongly", urls[i].url);
	}
	assert_null(redis_open("http://h", 100, SCRIPT));
}

/* ---- a real one ----------------------------------------------------------------- */

static void
need_server(void)
{
	if (access(SERVER, X_OK) != 0)
		skip();
}

static void
server_start(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int i, fd;

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	server = fork();
	if (server == 0) {
		/* A test that fails leaves nothing behind. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(STDOUT_FILENO);
		close(STDERR_FILENO);
		execl(SERVER, "redis-server", "--port", "0", "--unixsocket", path, "--save", "",
		    "--dir", dir, "--logfile", "/dev/null", NULL);
		_exit(127);
	}
	for (i = 0; i < 1000; i++) {
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
			break;
		close(fd);
		poll(NULL, 0, 10);
	}
	close(fd);
	assert_true(i < 1000);
}

static void
server_stop(void)
{
	if (server <= 0)
		return;
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	unlink(path);
	server = 0;
}

static int
add(struct redis *r, const char *n, int64_t *sum)
{
	const struct span args[] = { SPAN("test:sum"), span_of(n) };
	int64_t got[REDIS_NUMBERS_MAX] = { 0 };
	int rc = redis_run(r, args, 1, 2, got);

	*sum = got[0];
	return rc == 2 && got[1] == 7 ? 0 : -1;
}

static void
it_goes_away_and_comes_back(void **state UNUSED)
{
	struct redis *r;
	char why[128];
	int64_t sum;
	bool up;
	int i;

	need_server();
	server_start();
	r = redis_open(url, 200, SCRIPT);
	assert_non_null(r);
	assert_int_equal(add(r, "5", &sum), 0);
	assert_int_equal(add(r, "2", &sum), 0);
	assert_int_equal(sum, 7);
	assert_false(redis_turned(r, &up, why));

	/* A new one has neither the connection nor the script, and that is no trouble. */
	server_stop();
	server_start();
	assert_int_equal(add(r, "3", &sum), 0);
	assert_int_equal(sum, 3);
	assert_false(redis_turned(r, &up, why));

	server_stop();
	assert_int_equal(add(r, "1", &sum), -1);
	assert_true(redis_turned(r, &up, why));
	assert_false(up);
	assert_true(why[0]);
	assert_false(redis_turned(r, &up, why));
	assert_false(redis_ping(r));

	server_start();
	for (i = 0; i < 500 && add(r, "4", &sum) < 0; i++)
		poll(NULL, 0, 10);
	assert_int_equal(sum, 4);
	assert_true(redis_turned(r, &up, why));
	assert_true(up);
	assert_true(redis_ping(r));
	redis_close(r);
	server_stop();
}

/* It answers nothing: one caller waits as long as is set, and then for a second nobody does. */
static void
a_silent_one_costs_little(void **state UNUSED)
{
	struct redis *r;
	int64_t sum, began;

	need_server();
	server_start();
	r = redis_open(url, 100, SCRIPT);
	assert_int_equal(add(r, "1", &sum), 0);
	kill(server, SIGSTOP);
	began = clock_steady_ms();
	assert_int_equal(add(r, "1", &sum), -1);
	assert_in_range(clock_steady_ms() - began, 90, 2000);
	began = clock_steady_ms();
	assert_int_equal(add(r, "1", &sum), -1);
	assert_in_range(clock_steady_ms() - began, 0, 80);
	kill(server, SIGCONT);
	redis_close(r);
	server_stop();
}

static void
what_is_no_answer_of_the_script_is_trouble(void **state UNUSED)
{
	static const char *const scripts[] = { "return 1", "return {'a', 1}", "return nonsense",
		"syntax error", "return redis.call('NOSUCH')" };
	struct redis *r;
	int64_t sum;
	size_t i;

	need_server();
	server_start();
	for (i = 0; i < COUNT(scripts); i++) {
		r = redis_open(url, 200, scripts[i]);
		assert_int_equal(add(r, "1", &sum), -1);
		redis_close(r);
	}
	server_stop();
}

static int
set_up(void **state UNUSED)
{
	signal(SIGPIPE, SIG_IGN);
	snprintf(dir, sizeof(dir), "/tmp/hookswitch-redis-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/redis.sock", dir);
	snprintf(url, sizeof(url), "unix://%s", path);
	return 0;
}

static int
tear_down(void **state UNUSED)
{
	server_stop();
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_taken_apart),
		cmocka_unit_test(it_goes_away_and_comes_back),
		cmocka_unit_test(a_silent_one_costs_little),
		cmocka_unit_test(what_is_no_answer_of_the_script_is_trouble),
	};

	return cmocka_run_group_tests_name("redis", tests, set_up, tear_down);
}
