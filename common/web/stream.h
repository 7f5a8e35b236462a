/*
 * stream.h - answers that are sent while they are made: exports, of whatever length, in a memory
 *that stays as it is.
 *
 *	if (reply_stream_open(c, "text/csv", "audit.csv") < 0)
 *		return -1;
 *	if (reply_stream_pages(c, write_page, &place) < 0)
 *		return -1;
 *	return reply_stream_close(c);
 *
 * No transaction may be open while it is written: each page is one flight of its own.
 */
#ifndef WEB_STREAM_H
#define WEB_STREAM_H

#include "base/ctx.h"

enum stream_page { STREAM_FAILED = -1, STREAM_END, STREAM_MORE };

/* reply_stream_open: sends the head of a 200 of that type; file: the name under which a browser
 * keeps it, NULL: none.  From then on nothing can be taken back: what fails later breaks the answer
 * off. */
int reply_stream_open(struct ctx *c, const char *type, const char *file);
/* reply_stream_write: sends these bytes now; -1 when nobody wants them any more (the client is
 * gone, or asked by HEAD): then stop, and close. */
int reply_stream_write(struct ctx *c, struct span bytes);
/* reply_stream_pages: calls page again and again until it does not say STREAM_MORE.  Each call gets
 * a ctx with memory of its own, which is forgotten after it; what goes on to the next page is in
 * arg.  0, also when nobody wants the rest; -1 with the failure recorded in c. */
int reply_stream_pages(struct ctx *c, enum stream_page (*page)(struct ctx *c, void *arg),
    void *arg);
/* reply_stream_close: the answer is whole; 0. */
int reply_stream_close(struct ctx *c);

#endif
