/*
 * fcgi.h - libfcgi, wrapped: one request from FastCGI or from plain CGI, the same to the caller.
 *
 * FastCGI: the listening socket is descriptor 0 (spawn-fcgi, multiwatch, systemd).  Plain CGI:
 * descriptor 0 is no socket; then there is exactly one request, in the environment and on standard
 * input.
 */
#ifndef LIB_FCGI_H
#define LIB_FCGI_H

#include "base/base.h"

struct fcgi; /* one thread's place for requests */

/* fcgi_is_cgi: true when this process was started as plain CGI (asked once, before threads). */
bool fcgi_is_cgi(void);
struct fcgi *fcgi_new(void);
void fcgi_free(struct fcgi *f);
/* fcgi_accept: takes the next request; the caller has polled the socket and holds the accept lock.
 * 0; -1 when there is none (somebody else took it, the peer went away, or under CGI the one request
 * is over). */
int fcgi_accept(struct fcgi *f);
/* fcgi_param: a CGI variable ("REQUEST_URI", "HTTP_X_VAPI_SECRET"), NULL when it is not there. */
const char *fcgi_param(const struct fcgi *f, const char *name);
/* fcgi_each_param: all of them, "NAME=value", NULL-ended. */
const char *const *fcgi_params(const struct fcgi *f);
/* fcgi_read: up to n bytes of the body; 0 at its end; -1 when the peer broke off, or (errno
 * ETIMEDOUT) when its patience was over. */
int fcgi_read(struct fcgi *f, char *buf, int n);
/* fcgi_patience: from now on this request's body is given up when nothing of it comes for so many
 * seconds. */
int fcgi_patience(struct fcgi *f, int seconds);
/* fcgi_write: queues n bytes of the answer (CGI form: "Status: 200\r\n", headers, empty line,
 * body); -1 when the peer is gone. */
int fcgi_write(struct fcgi *f, const char *data, size_t n);
/* fcgi_flush: sends what was written so far (for long answers).  fcgi_finish: ends the request. */
int fcgi_flush(struct fcgi *f);
int fcgi_finish(struct fcgi *f);
/* fcgi_break: ends the request so that the web server sees that the answer is not whole.  Under
 * plain CGI nobody can be told. */
void fcgi_break(struct fcgi *f);

#endif
