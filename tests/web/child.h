/*
 * child.h - for the tests of web/: a program in a process of its own, asked once as plain CGI.
 */
#ifndef TESTS_WEB_CHILD_H
#define TESTS_WEB_CHILD_H

#include "fake.h"
#include "lib/json.h"
#include "web/server.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* Answers that hold a secret are stored sealed. */
#define CHILD_SECRET_KEY "child:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

struct child {
	int exit; /* of the process */
	int status;
	char text[128 * 1024]; /* all that came */
	const char *body;
};

/* The environment of the child; the parent's own stays as it is. */
static inline void
child_environment(const char *const *variables)
{
	static char copy[64][4096];
	size_t i;

	/* These databases have no buckets: whoever wants limits says so. */
	setenv("HOOKSWITCH_RATE_PER_KEY", "0", 0);
	setenv("HOOKSWITCH_RATE_PER_ORGANIZATION", "0", 0);
	setenv("HOOKSWITCH_RATE_PER_ADDRESS", "0", 0);
	setenv("HOOKSWITCH_SECRET_KEY", CHILD_SECRET_KEY, 0);
	for (i = 0; variables && variables[i]; i++) {
		assert_true(i < COUNT(copy) && strlen(variables[i]) < sizeof(copy[0]));
		memcpy(copy[i], variables[i], strlen(variables[i]) + 1);
		putenv(copy[i]);
	}
}

static inline int
child_input(const char *body, size_t n)
{
	FILE *f = tmpfile();

	assert_non_null(f);
	assert_int_equal(fwrite(body, 1, n, f), n);
	rewind(f);
	return fileno(f);
}

/* Finds the status and the body in what came. */
static inline void
child_judge(struct child *ret)
{
	ret->status = 0;
	if (strncmp(ret->text, "Status: ", 8) == 0)
		ret->status = (int)strtol(ret->text + 8, NULL, 10);
	ret->body = strstr(ret->text, "\r\n\r\n");
	ret->body = ret->body ? ret->body + 4 : "";
}

static inline void
child_read(int fd, struct child *ret)
{
	size_t have = 0;
	ssize_t n;

	while (have + 1 < sizeof(ret->text) &&
	    (n = read(fd, ret->text + have, sizeof(ret->text) - 1 - have)) > 0)
		have += (size_t)n;
	close(fd);
	ret->text[have] = '\0';
	child_judge(ret);
}

/* Runs the program in a new process with these variables and this input; reads what it writes. */
static inline void
child_run(const struct server *s, const char *option, const char *const *variables,
    const char *body, struct child *ret)
{
	char *argv[] = { (char *)(uintptr_t)s->name, (char *)(uintptr_t)option, NULL };
	int out[2], in = child_input(body, strlen(body)), status;
	pid_t pid;

	assert_int_equal(pipe(out), 0);
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		child_environment(variables);
		dup2(in, STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		close(out[0]);
		close(out[1]);
		exit(server_main(option ? 2 : 1, argv, s));
	}
	close(in);
	close(out[1]);
	child_read(out[0], ret);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	ret->exit = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline bool
child_has(const struct child *a, const char *line)
{
	return strstr(a->text, line) != NULL;
}

#endif
