/*
 * cors.h - which web pages may call the API: HOOKSWITCH_CORS_ORIGINS, else the origins of APP_URL
 * and FRONTEND_URL.
 *
 * Nobody is let in by a cookie here, so a page of another origin gets no further than anybody with
 * the same token.  Routes for this host only and webhooks are for no page at all.
 */
#ifndef WEB_CORS_H
#define WEB_CORS_H

#include "base/ctx.h"
#include "base/text.h"

/* cors_ready: -1 when HOOKSWITCH_CORS_ORIGINS cannot be read, which is said on standard error. */
int cors_ready(void);
/* cors_preflight: what a page may do here, for an answer to OPTIONS; allow: the path's methods, a
 * bit each. */
void cors_preflight(struct ctx *c, unsigned allow);
/* cors_write: the headers that let the page of the request read the answer. */
void cors_write(struct ctx *c, struct text *t);

#endif
