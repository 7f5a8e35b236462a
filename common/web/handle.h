/*
 * handle.h - one request from its head to its log line.
 */
#ifndef WEB_HANDLE_H
#define WEB_HANDLE_H

#include "web/request.h"

/* handle_request: answers the request that r->fcgi holds, ends it, logs it, and runs the route's
 * after hook.  r->server, r->fcgi and r->variables are set; the caller resets c. */
void handle_request(struct ctx *c, struct request *r, const struct route_sql *sql);

#endif
