/*
 * fcgi.c - a request from the web server: by FastCGI over libfcgi, or as a plain CGI program's
 * standard input and environment.
 */
#include "lib/fcgi.h"

#include "base/mem.h"

#include <errno.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { SELF_MEMORY = 16 * 1024, LISTENER = STDIN_FILENO, DRAIN_MAX = 64 * 1024 * 1024 };

struct fcgi {
	struct mem *mem;
	bool cgi;
	bool begun;   /* a request is in hand */
	bool over;    /* plain CGI: the one request was taken */
	int64_t left; /* of the body; -1: no length was told */
	int patience; /* plain CGI: seconds; 0: without end */
	FCGX_Request request;
};

/* ---- beginning and end -------------------------------------------------- */

/* Under CGI standard input may be a socket too, but never one that listens. */
bool
fcgi_is_cgi(void)
{
	int listens = 0;
	socklen_t n = sizeof(listens);

	return getsockopt(LISTENER, SOL_SOCKET, SO_ACCEPTCONN, &listens, &n) != 0 || !listens;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool ready;

/* libfcgi takes some signals for itself; what they do is decided elsewhere. */
static bool
init_library(void)
{
	static const int taken[] = { SIGTERM, SIGUSR1, SIGPIPE };
	struct sigaction before[COUNT(taken)];
	int e;

	for (size_t i = 0; i < COUNT(taken); i++)
		sigaction(taken[i], NULL, &before[i]);
	e = FCGX_Init();
	for (size_t i = 0; i < COUNT(taken); i++)
		sigaction(taken[i], &before[i], NULL);
	return e == 0;
}

static void
start_fcgi(void)
{
	int flags;

	/* A peer that went away is told by the write. */
	signal(SIGPIPE, SIG_IGN);
	if (fcgi_is_cgi()) {
		ready = true;
		return;
	}
	/* Whoever comes second to a new connection shall not hang in accept. */
	flags = fcntl(LISTENER, F_GETFL);
	ready = flags >= 0 && fcntl(LISTENER, F_SETFL, flags | O_NONBLOCK) == 0 && init_library();
}

struct fcgi *
fcgi_new(void)
{
	struct mem *m;
	struct fcgi *f;

	pthread_once(&once, start_fcgi);
	if (!ready) {
		errno = EIO;
		return NULL;
	}
	m = mem_new(SELF_MEMORY);
	f = m ? mem_alloc(m, sizeof(*f)) : NULL;
	if (!f) {
		mem_free(m);
		return NULL;
	}

	f->mem = m;
	f->cgi = fcgi_is_cgi();
	if (!f->cgi)
		FCGX_InitRequest(&f->request, LISTENER, FCGI_FAIL_ACCEPT_ON_INTR);
	return f;
}

void
fcgi_free(struct fcgi *f)
{
	if (!f)
		return;
	if (!f->cgi)
		FCGX_Free(&f->request, 1);
	mem_free(f->mem);
}

/* ---- the request -------------------------------------------------------- */

/* A CGI server need not close standard input: without a length there is no body, unless one came in
 * chunks, which the server has put together and ends by closing. */
static int64_t
body_length(const struct fcgi *f)
{
	const char *s = fcgi_param(f, "CONTENT_LENGTH");
	size_t n = s ? strspn(s, "0123456789") : 0;

	if (n > 0 && n <= 15 && s[n] == '\0')
		return strtoll(s, NULL, 10);
	return f->cgi && !fcgi_param(f, "HTTP_TRANSFER_ENCODING") ? 0 : -1;
}

int
fcgi_accept(struct fcgi *f)
{
	if (f->cgi ? f->over : FCGX_Accept_r(&f->request) != 0)
		return -1;
	f->over = f->cgi;
	f->begun = true;
	f->left = body_length(f);
	f->patience = 0;
	return 0;
}

int
fcgi_patience(struct fcgi *f, int seconds)
{
	const struct timeval t = { .tv_sec = seconds };

	f->patience = seconds;
	return f->cgi ? 0 : setsockopt(f->request.ipcFd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
}

const char *const *
fcgi_params(const struct fcgi *f)
{
	return (const char *const *)(f->cgi ? environ : f->request.envp);
}

const char *
fcgi_param(const struct fcgi *f, const char *name)
{
	size_t n = strlen(name);

	for (const char *const *p = fcgi_params(f); p && *p; p++) {
		if (strncmp(*p, name, n) == 0 && (*p)[n] == '=')
			return *p + n + 1;
	}
	return NULL;
}

/* What has come already, or else what comes next: libfcgi's own reading of many bytes would wait
 * for all of them. */
static int
read_record(FCGX_Stream *in, char *buf, int n)
{
	ptrdiff_t there;
	int first = FCGX_GetChar(in), e;

	if (first < 0) {
		e = FCGX_GetError(in);
		errno = e == EAGAIN || e == EWOULDBLOCK ? ETIMEDOUT : EPIPE;
		return e != 0 ? -1 : 0;
	}
	buf[0] = (char)first;
	there = in->stop - in->rdNext;
	return 1 + FCGX_GetStr(buf + 1, there < n - 1 ? (int)there : n - 1, in);
}

static int
read_some(struct fcgi *f, char *buf, int n)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	ssize_t got;

	if (!f->cgi)
		return read_record(f->request.in, buf, n);
	if (f->patience > 0 && poll(&in, 1, f->patience * 1000) == 0) {
		errno = ETIMEDOUT;
		return -1;
	}
	do
		got = read(STDIN_FILENO, buf, (size_t)n);
	while (got < 0 && errno == EINTR);
	return (int)got;
}

int
fcgi_read(struct fcgi *f, char *buf, int n)
{
	int got;

	if (f->left == 0 || n <= 0)
		return 0;
	if (f->left > 0 && n > f->left)
		n = (int)f->left;
	got = read_some(f, buf, n);
	if (f->left < 0 || got < 0)
		return got;

	f->left -= got;
	if (got == 0)
		errno = EPIPE;
	return got > 0 ? got : -1;
}

/* ---- the answer --------------------------------------------------------- */

int
fcgi_write(struct fcgi *f, const char *data, size_t n)
{
	int part;

	if (f->cgi)
		return fwrite(data, 1, n, stdout) == n ? 0 : -1;
	for (; n > 0; data += part, n -= (size_t)part) {
		part = n > INT32_MAX ? INT32_MAX : (int)n;
		if (FCGX_PutStr(data, part, f->request.out) != part)
			return -1;
	}
	return 0;
}

int
fcgi_flush(struct fcgi *f)
{
	return (f->cgi ? fflush(stdout) : FCGX_FFlush(f->request.out)) ? -1 : 0;
}

/* A program that ends without having read its input is a broken one for some servers. */
static void
drain(struct fcgi *f)
{
	char waste[16 * 1024];
	int64_t left = DRAIN_MAX;
	int n;

	while (left > 0 && (n = fcgi_read(f, waste, sizeof(waste))) > 0)
		left -= n;
}

/* True when the web server has said all that it had to say.  Only then a plain close is safe: what
 * is left unread would reset the connection, and our answer with it. */
static bool
all_was_read(struct fcgi *f)
{
	if (f->left > 0 || FCGX_GetError(f->request.in) != 0)
		return false;
	return FCGX_GetChar(f->request.in) == -1 && FCGX_GetError(f->request.in) == 0;
}

/* A connection that the web server wants to keep would occupy this thread: it is closed all the
 * same.  libfcgi waits for the other side to close first, unless the connection is detached. */
static void
hang_up(struct fcgi *f, bool plainly)
{
	if (plainly)
		FCGX_Detach(&f->request);
	FCGX_Free(&f->request, 1);
	FCGX_Attach(&f->request);
}

/* Without the record that ends a request the web server knows that the program broke off. */
void
fcgi_break(struct fcgi *f)
{
	if (!f->begun)
		return;
	f->begun = false;
	if (f->cgi)
		(void)fcgi_flush(f);
	else
		hang_up(f, all_was_read(f));
}

int
fcgi_finish(struct fcgi *f)
{
	int e;

	if (!f->begun)
		return 0;
	f->begun = false;
	if (f->cgi) {
		e = fcgi_flush(f);
		drain(f);
		return e;
	}

	/* With the other stream closed the rest of the answer and its end leave in one piece. */
	FCGX_FClose(f->request.err);
	e = FCGX_FClose(f->request.out) ? -1 : 0;
	hang_up(f, all_was_read(f));
	return e;
}
