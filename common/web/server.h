/*
 * server.h - one program: its routes, its life from start to SIGTERM, and what its handlers may ask
 * of it.
 */
#ifndef WEB_SERVER_H
#define WEB_SERVER_H

#include "base/settings.h"
#include "web/flight.h"
#include "web/reply.h"
#include "web/request.h"
#include "web/route.h"

struct server {
	const char *name;
	const struct route *routes;
	size_t nroutes;
	/* What follows is named where it is needed: .db_role = ... */
	const char *
	    db_role; /* role of every connection; NULL: the login role, each request sets its own */
	const char *about; /* what it is for, in a sentence */
	const int *needs;  /* settings that must be there: { SET_DATABASE_URL, -1 } */
	const char *usage; /* further options in words, for --help; NULL: none */
	/* Called once the settings are read, before anything is served; -1: do not serve (say why
	 * on standard error). */
	int (*start)(void);
	/* Called when the first argument is none of the server's own options: true when it was
	 * understood; then *ret is the exit status.  server_db, server_stopping and server_stop_fd
	 * work already; a ctx must be made (ctx_init). */
	bool (*option)(int argc, char *argv[], int *ret);
	/* Called by a thread that waits, when no request came for about a second since the last
	 * one; never twice without a request in between.  For what is gathered in the process. */
	void (*quiet)(struct ctx *c);
	/* Makes the ctx's failure the answer in the program's own shape, where reply_problem's is
	 * not wanted; headers that belong to the failure are there already. */
	void (*problem)(struct ctx *c);
	/* What stands in that shape for a code of ours, and for its status; for the description. */
	const char *(*problem_code)(const char *code, int *status);
	/* Called once at the end, when all threads are done (under CGI: after the one request). */
	void (*stop)(struct ctx *c);
};

enum { SERVER_MEM_MAX = 16 * 1024 * 1024, SERVER_THREADS_MAX = 64 };

/* server_main: --check, --describe, --describe-settings, --version, --help, or else serves; returns
 * the exit status. */
int server_main(int argc, char *argv[], const struct server *s);

/* server_db: the program's pool; opened with the role of struct server, connects on first use; NULL
 * without DATABASE_URL. */
struct db *server_db(void);
/* server_stopping: true once SIGTERM or SIGINT came.  server_stop_fd: readable from then on, never
 * to be read. */
bool server_stopping(void);
int server_stop_fd(void);
/* server_is_cgi: true when this process serves one request only. */
bool server_is_cgi(void);

#endif
