/*
 * threads.h - the threads of a program: as many as are needed, each with one request in hand.
 */
#ifndef WEB_THREADS_H
#define WEB_THREADS_H

#include "web/server.h"

/* threads_serve: serves until server_stopping, and what is in hand then.  One thread waits for
 * requests; when it gets one and no other waits, another is started, up to max; one that is not
 * needed for some seconds ends.  Calls the server's quiet.  -1 with errno when it could not start.
 */
int threads_serve(const struct server *s, const struct route_sql *sql, size_t max);

/* threads_serve_one: the one request of plain CGI.  -1 when there is none. */
int threads_serve_one(const struct server *s, const struct route_sql *sql);

#endif
