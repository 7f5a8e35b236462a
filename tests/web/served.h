/*
 * served.h - for the tests of web/: a program that serves FastCGI in a process of its own.
 */
#ifndef TESTS_WEB_SERVED_H
#define TESTS_WEB_SERVED_H

#include "base/clock.h"
#include "child.h"
#include "fcgi_client.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>

static char served_dir[64], served_path[96], served_log[96];
static int served_listener;
static pid_t served_pid; /* what was started last and not seen to end */

static inline int
served_open(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	(void)state;
	snprintf(served_dir, sizeof(served_dir), "/tmp/hookswitch-test-XXXXXX");
	if (!mkdtemp(served_dir))
		return -1;
	snprintf(served_path, sizeof(served_path), "%s/socket", served_dir);
	snprintf(served_log, sizeof(served_log), "%s/log", served_dir);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", served_path);
	served_listener = socket(AF_UNIX, SOCK_STREAM, 0);
	return bind(served_listener, (struct sockaddr *)&a, sizeof(a)) < 0 ||
		listen(served_listener, 100) < 0 ?
	    -1 :
	    0;
}

static inline int
served_close(void **state)
{
	(void)state;
	unlink(served_path);
	unlink(served_log);
	rmdir(served_dir);
	return 0;
}

static inline pid_t
served_start(const struct server *s, const char *const *variables)
{
	char *argv[] = { (char *)(uintptr_t)s->name, NULL };
	pid_t pid;
	int log;

	fflush(NULL);
	unlink(served_log); /* what the one before said is not this one's */
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		/* A test that fails leaves nothing behind. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		child_environment(variables);
		dup2(served_listener, STDIN_FILENO);
		close(served_listener);
		log = open(served_log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		if (dup2(log, STDERR_FILENO) < 0 || dup2(log, STDOUT_FILENO) < 0)
			_exit(99);
		exit(server_main(1, argv, s));
	}
	served_pid = pid;
	return pid;
}

/* After each test, also one that failed. */
static inline int
served_kill(void **state)
{
	(void)state;
	if (served_pid > 0 && kill(served_pid, SIGKILL) == 0)
		waitpid(served_pid, NULL, 0);
	served_pid = 0;
	return 0;
}

/* Ends it and returns its exit status. */
static inline int
served_finish(pid_t pid)
{
	int status;

	kill(pid, SIGTERM);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	served_pid = served_pid == pid ? 0 : served_pid;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline bool
served_said(const char *word)
{
	char text[8192];
	FILE *f = fopen(served_log, "r");
	size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

	text[n] = '\0';
	if (f)
		fclose(f);
	return strstr(text, word) != NULL;
}

static inline bool
served_says(const char *word)
{
	int64_t deadline = clock_steady_ms() + 60000;

	while (!served_said(word) && clock_steady_ms() < deadline)
		poll(NULL, 0, 20);
	return served_said(word);
}

#endif
