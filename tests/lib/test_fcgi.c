/*
 * test_fcgi.c - requests by FastCGI and by plain CGI, and peers that do not keep to the rules.
 *
 * The program under test is this one, called with the word "serve": it tells what it understood of
 * each request.
 */
#include "lib/fcgi.h"
#include "tests/lib/fcgi_client.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

enum { LARGE = 1 << 20 };

/* ---- the program -------------------------------------------------------- */

static long
read_body(struct fcgi *f, unsigned *sum)
{
	char buf[5000];
	long n = 0;
	int got;

	while ((got = fcgi_read(f, buf, sizeof(buf))) > 0) {
		for (int i = 0; i < got; i++)
			*sum += (unsigned char)buf[i];
		n += got;
	}
	return got < 0 ? -1 : n;
}

static size_t
count_params(const struct fcgi *f)
{
	size_t n = 0;

	while (fcgi_params(f)[n])
		n++;
	return n;
}

static int
answer(struct fcgi *f, int before)
{
	const char *method = fcgi_param(f, "REQUEST_METHOD"), *want = fcgi_param(f, "WANT");
	char text[300];
	unsigned sum = 0;
	long n;
	int len;

	if (fcgi_param(f, "PATIENCE"))
		(void)fcgi_patience(f, 1);
	n = read_body(f, &sum);
	if (n < 0 && errno == ETIMEDOUT)
		n = -2;

	len = snprintf(text, sizeof(text),
	    "Status: 200\r\n\r\n"
	    "method=%s body=%ld sum=%u cgi=%d some=%d none=%s waits=%d before=%d\n",
	    method ? method : "?", n, sum, fcgi_is_cgi(), count_params(f) >= 2,
	    fcgi_param(f, "REQUEST_METHO") ? "there" : "missing",
	    !(fcntl(STDIN_FILENO, F_GETFL) & O_NONBLOCK), before);
	if (fcgi_write(f, text, (size_t)len))
		return -1;
	for (int i = 0; want && i < LARGE; i += 256) {
		memset(text, 'z', 256);
		if (fcgi_write(f, text, 256) || (i % 65536 == 0 && fcgi_flush(f)))
			return -1;
	}
	return 0;
}

static int
serve(void)
{
	struct pollfd p = { STDIN_FILENO, POLLIN, 0 };
	struct fcgi *f = fcgi_new();
	int before = 0;

	if (!f)
		return 1;
	while (fcgi_is_cgi() || poll(&p, 1, -1) > 0) {
		if (fcgi_accept(f)) {
			if (fcgi_is_cgi())
				break;
			continue;
		}
		before = answer(f, before);
		before = fcgi_finish(f) || before ? -1 : 0;
	}
	fcgi_free(f);
	return 0;
}

/* ---- starting it -------------------------------------------------------- */

struct program {
	char path[108]; /* of its socket */
	char dir[64];
	int listener;
	pid_t pid;
};

static struct program program;
static const char *self;

static pid_t
start(int in, int out, char *const env[])
{
	char *const argv[] = { (char *)(uintptr_t)self, (char[]){ "serve" }, NULL };
	pid_t pid = fork();

	if (pid)
		return pid;
	dup2(in, STDIN_FILENO);
	if (out >= 0)
		dup2(out, STDOUT_FILENO);
	for (int fd = 3; fd < 64; fd++)
		close(fd);
	execve(self, argv, env);
	_exit(127);
}

static int
program_setup(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char *const env[] = { NULL };

	(void)state;
	snprintf(program.dir, sizeof(program.dir), "/tmp/hookswitch-XXXXXX");
	if (!mkdtemp(program.dir))
		return -1;
	snprintf(program.path, sizeof(program.path), "%s/socket", program.dir);
	memcpy(a.sun_path, program.path, sizeof(a.sun_path));
	program.listener = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(program.listener, (struct sockaddr *)&a, sizeof(a)) ||
	    listen(program.listener, 16))
		return -1;
	program.pid = start(program.listener, -1, env);
	return program.pid > 0 ? 0 : -1;
}

static int
program_teardown(void **state)
{
	int status;

	(void)state;
	/* libfcgi takes SIGTERM for itself when it starts; it must not keep it. */
	kill(program.pid, SIGTERM);
	waitpid(program.pid, &status, 0);
	close(program.listener);
	unlink(program.path);
	rmdir(program.dir);
	/* It must have lived until now. */
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM ? 0 : -1;
}

static const char *
ask(const char *length, size_t body, bool keep)
{
	bool ended;
	size_t n;
	int fd = dial(program.path);
	const char *text;

	send_head(fd, keep, length, false);
	send_body(fd, body);
	send_record(fd, STDIN, NULL, 0);
	text = read_answer(fd, &n, &ended);
	assert_true(ended);
	return text;
}

/* ---- FastCGI ------------------------------------------------------------ */

#define HEAD "Status: 200\r\n\r\nmethod=POST "
#define TAIL " cgi=0 some=1 none=missing "

static void
a_request_is_answered(void **state)
{
	(void)state;
	assert_string_equal(ask("0", 0, false), HEAD "body=0 sum=0" TAIL "waits=0 before=0\n");
	assert_string_equal(ask("70000", 70000, false),
	    HEAD "body=70000 sum=70000" TAIL "waits=0 before=0\n");
	assert_string_equal(ask(NULL, 10, false), HEAD "body=10 sum=10" TAIL "waits=0 before=0\n");
	/* A connection that the web server wants to keep is answered and closed all the same. */
	assert_string_equal(ask("5", 5, true), HEAD "body=5 sum=5" TAIL "waits=0 before=0\n");
	assert_string_equal(ask("5", 5, false), HEAD "body=5 sum=5" TAIL "waits=0 before=0\n");
}

static void
much_goes_both_ways(void **state)
{
	static const char head[] = HEAD "body=1048576 sum=1048576" TAIL "waits=0 before=0\n";
	const char *text;
	bool ended;
	size_t n;
	int fd = dial(program.path);

	(void)state;
	send_head(fd, false, "1048576", true);
	send_body(fd, LARGE);
	send_record(fd, STDIN, NULL, 0);
	text = read_answer(fd, &n, &ended);
	assert_true(ended);
	assert_int_equal(n, sizeof(head) - 1 + LARGE);
	assert_memory_equal(text, head, sizeof(head) - 1);
	assert_int_equal(strspn(text + sizeof(head) - 1, "z"), LARGE);
}

static void
a_body_that_breaks_off_is_told(void **state)
{
	const char *text;
	bool ended;
	size_t n;
	int fd;

	(void)state;
	/* Less than was promised, though properly ended. */
	assert_non_null(strstr(ask("20", 10, false), "body=-1 "));

	fd = dial(program.path);
	send_head(fd, false, "20", false);
	send_body(fd, 10);
	shutdown(fd, SHUT_WR);
	text = read_answer(fd, &n, &ended);
	if (n > 0)
		assert_non_null(strstr(text, "body=-1 "));
	assert_non_null(strstr(ask("1", 1, false), "body=1 "));
}

static void
peers_that_go_away_do_no_harm(void **state)
{
	const char garbage[64] = "GET / HTTP/1.0\r\n\r\n";
	int fd;

	(void)state;
	close(dial(program.path));
	fd = dial(program.path);
	assert_true(send(fd, garbage, sizeof(garbage), MSG_NOSIGNAL) > 0);
	close(fd);
	fd = dial(program.path);
	send_head(fd, false, "20", false);
	close(fd);
	assert_non_null(strstr(ask("1", 1, false), "body=1 "));

	/* Gone before the long answer: the writer is told. */
	fd = dial(program.path);
	send_head(fd, false, "0", true);
	send_record(fd, STDIN, NULL, 0);
	close(fd);
	assert_non_null(strstr(ask("1", 1, false), "before=-1"));
}

/* ---- plain CGI ---------------------------------------------------------- */

static char *cgi_more; /* one more variable, where there is a length */

/* Starts the program as CGI with sent bytes of body on in; the descriptor stays open until it has
 * ended. */
static const char *
run_cgi(const int in[2], char *length, size_t sent)
{
	char *const env[] = { (char[]){ "REQUEST_METHOD=POST" }, (char[]){ "SERVER_NAME=x" },
		length, cgi_more, NULL };
	char *buf = answer_buffer();
	int out[2], status;
	size_t n = 0;
	ssize_t k;
	pid_t pid;

	assert_int_equal(pipe(out), 0);
	pid = start(in[0], out[1], env);
	close(out[1]);
	for (size_t i = 0; i < sent; i++)
		assert_int_equal(write(in[1], "\2", 1), 1);
	while ((k = read(out[0], buf + n, ANSWER_MAX - 1 - n)) > 0)
		n += (size_t)k;
	close(out[0]);
	buf[n] = '\0';
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	return buf;
}

static void
cgi_is_one_request(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_string_equal(run_cgi(fds, (char[]){ "CONTENT_LENGTH=3" }, 3),
	    HEAD "body=3 sum=6 cgi=1 some=1 none=missing waits=1 before=0\n");
	/* What lies behind the body's length is not read, and nobody waits for the end. */
	assert_non_null(strstr(run_cgi(fds, (char[]){ "CONTENT_LENGTH=2" }, 3), "body=2 sum=4 "));
	assert_non_null(strstr(run_cgi(fds, NULL, 0), "body=0 "));
	assert_non_null(strstr(run_cgi(fds, (char[]){ "CONTENT_LENGTH=" }, 0), "body=0 "));
	assert_non_null(strstr(run_cgi(fds, (char[]){ "CONTENT_LENGTH=0" }, 0), "body=0 "));
	close(fds[0]);
	close(fds[1]);

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_non_null(
	    strstr(run_cgi(fds, (char[]){ "CONTENT_LENGTH=4" }, 4), "body=4 sum=8 cgi=1"));
	shutdown(fds[1], SHUT_WR);
	assert_non_null(strstr(run_cgi(fds, (char[]){ "CONTENT_LENGTH=4" }, 0), "body=-1 "));
	close(fds[0]);
	close(fds[1]);
}

/* The server puts the chunks together and closes at their end. */
static void
cgi_reads_what_came_in_chunks(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(write(fds[1], "\2\2\2", 3), 3);
	shutdown(fds[1], SHUT_WR);
	assert_non_null(strstr(run_cgi(fds, (char[]){ "HTTP_TRANSFER_ENCODING=chunked" }, 0),
	    "body=3 sum=6 cgi=1"));
	close(fds[0]);
	close(fds[1]);
}

static void
cgi_does_not_wait_without_end(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	cgi_more = (char[]){ "PATIENCE=1" };
	assert_non_null(strstr(run_cgi(fds, (char[]){ "CONTENT_LENGTH=4" }, 0), "body=-2 "));
	cgi_more = NULL;
	close(fds[0]);
	close(fds[1]);
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_request_is_answered, program_setup,
		    program_teardown),
		cmocka_unit_test_setup_teardown(much_goes_both_ways, program_setup,
		    program_teardown),
		cmocka_unit_test_setup_teardown(a_body_that_breaks_off_is_told, program_setup,
		    program_teardown),
		cmocka_unit_test_setup_teardown(peers_that_go_away_do_no_harm, program_setup,
		    program_teardown),
		cmocka_unit_test(cgi_is_one_request),
		cmocka_unit_test(cgi_reads_what_came_in_chunks),
		cmocka_unit_test(cgi_does_not_wait_without_end),
	};

	if (argc > 1 && strcmp(argv[1], "serve") == 0)
		return serve();
	self = argv[0];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
