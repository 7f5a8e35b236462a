/*
 * test_poke.c - the socket that wakes the pump: one waiter a host, none is no harm, a dead one is
 * replaced.
 */
#include "base/poke.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/settings.h"

static char dir[] = "/tmp/hookswitch-poke-XXXXXX";

static int
set_up(void **state UNUSED)
{
	if (!mkdtemp(dir) || setenv("HOOKSWITCH_RUN_DIR", dir, 1) != 0)
		return -1;
	return settings_load();
}

static int
tear_down(void **state UNUSED)
{
	char path[80];

	snprintf(path, sizeof(path), "%s/pump.poke.lock", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/pump.poke", dir);
	unlink(path);
	return rmdir(dir);
}

static bool
is_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void
a_poke_wakes_the_waiter(void **state UNUSED)
{
	int fd = poke_open("pump"), i;

	assert_true(fd >= 0);
	assert_false(is_readable(fd));
	poke_send("pump");
	assert_true(is_readable(fd));
	for (i = 0; i < 1000; i++)
		poke_send("pump");
	poke_drain(fd);
	assert_false(is_readable(fd));
	poke_drain(fd);
	poke_close("pump", fd);
}

static void
a_poke_at_nobody_does_no_harm(void **state UNUSED)
{
	poke_send("pump");
	poke_send("nobody");
	poke_close("nobody", -1);
}

static void
only_one_waits(void **state UNUSED)
{
	int fd = poke_open("pump"), again;

	assert_true(fd >= 0);
	errno = 0;
	assert_int_equal(poke_open("pump"), -1);
	assert_int_equal(errno, EADDRINUSE);
	poke_send("pump");
	assert_true(is_readable(fd));
	poke_close("pump", fd);

	again = poke_open("pump");
	assert_true(again >= 0);
	poke_close("pump", again);
}

static void
the_socket_of_a_dead_waiter_is_replaced(void **state UNUSED)
{
	char path[80];
	struct stat st;
	int status, fd;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		_exit(poke_open("pump") >= 0 ? 0 : 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	snprintf(path, sizeof(path), "%s/pump.poke", dir);
	assert_int_equal(stat(path, &st), 0);

	fd = poke_open("pump");
	assert_true(fd >= 0);
	poke_send("pump");
	assert_true(is_readable(fd));
	poke_close("pump", fd);
	assert_int_equal(stat(path, &st), -1);
}

static void
the_socket_of_something_else_is_left_alone(void **state UNUSED)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct stat st;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s/pump.poke", dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(poke_open("pump"), -1);
	assert_int_equal(errno, EADDRINUSE);
	assert_int_equal(stat(at.sun_path, &st), 0);
	close(fd);
	unlink(at.sun_path);
}

static void
a_name_that_does_not_fit_is_refused(void **state UNUSED)
{
	char name[120];

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(poke_open(name), -1);
	assert_int_equal(errno, ENAMETOOLONG);
	poke_send(name);
	assert_int_equal(poke_open("no/such/folder"), -1);
	assert_int_equal(errno, ENOENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_poke_wakes_the_waiter),
		cmocka_unit_test(a_poke_at_nobody_does_no_harm),
		cmocka_unit_test(only_one_waits),
		cmocka_unit_test(the_socket_of_a_dead_waiter_is_replaced),
		cmocka_unit_test(the_socket_of_something_else_is_left_alone),
		cmocka_unit_test(a_name_that_does_not_fit_is_refused),
	};

	return cmocka_run_group_tests_name("poke", tests, set_up, tear_down);
}
