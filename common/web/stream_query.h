/*
 * stream_query.h - an export whose pages are made by the route's function of schema api.
 */
#ifndef WEB_STREAM_QUERY_H
#define WEB_STREAM_QUERY_H

#include "base/ctx.h"

/* stream_query: asks the route's function again and again, each time in a transaction of its own,
 * with these arguments and, last, next_cursor of the page before (NULL at first).  It answers
 * {"text": what is sent as it is, "next_cursor": or null}.  What the first page is refused for is
 * the answer.  0, or -1 with the failure recorded. */
int stream_query(struct ctx *c, const char *type, const char *file, const char *const *args,
    size_t n);

#endif
