/*
 * http.h - as much of HTTP/1.1 as the bench programs need: whole messages with a Content-Length.
 */
#ifndef TESTS_BENCH_HTTP_H
#define TESTS_BENCH_HTTP_H

#include "base/base.h"

/* http_whole: how long the message at the front of the n bytes is, head and body; 0 while it is not
 * whole.  A message without Content-Length ends with its head. */
size_t http_whole(const char *data, size_t n);
/* http_status: the status of an answer; -1 when it has none. */
int http_status(const char *data, size_t n);

/* http_listen: a listening socket on a free port of 127.0.0.1, told in *port; http_dial: connected
 * to a port there.  Both do not block later; -1 with errno. */
int http_listen(int *port);
int http_dial(int port);

#endif
