/*
 * redis_url.h - the address of a Redis: redis://[[user]:password@]host[:port][/database], or
 * unix:///path[?db=n].
 */
#ifndef LIB_REDIS_URL_H
#define LIB_REDIS_URL_H

#include "base/mem.h"

struct redis_url {
	const char *path; /* of a socket; NULL: host and port */
	const char *host;
	int port;
	const char *user;     /* NULL: none */
	const char *password; /* NULL: none */
	int database;
};

/* redis_url_read: takes url apart, into m; -1 when it is none of these. */
int redis_url_read(struct mem *m, const char *url, struct redis_url *ret);

#endif
