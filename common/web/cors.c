/*
 * cors.c - compares a page's origin with the settings.
 */
#include "web/cors.h"

#include "base/settings.h"
#include "web/server.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { METHODS_MAX = 200 };

#define MAX_AGE "7200"
#define LIST_ENDS " \t,"
/* The last of each are what Supabase's own clients send and read. */
#define ALLOW_HEADERS                                                                              \
	"Authorization, Content-Type, X-API-Key, X-Organization-Id, Idempotency-Key, If-Match,"    \
	" If-None-Match, apikey, X-Client-Info, X-Supabase-Api-Version"
#define EXPOSE_HEADERS                                                                             \
	"ETag, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, RateLimit-Policy,"           \
	" X-Request-Id, Idempotent-Replayed, Retry-After, Content-Disposition,"                    \
	" X-Supabase-Api-Version, X-Sb-Error-Code, X-Total-Count, Link"

/* ---- the settings ------------------------------------------------------------ */

/* The part of a URL that is its origin. */
static struct span
origin_of(const char *url)
{
	const char *host = strstr(url, "://");

	return host ? (struct span){ url, (size_t)(host + 3 - url) + strcspn(host + 3, "/") } :
		      (struct span){ url, 0 };
}

static bool
next_origin(const char **at, struct span *ret)
{
	*at += strspn(*at, LIST_ENDS);
	*ret = (struct span){ *at, strcspn(*at, LIST_ENDS) };
	*at += ret->len;
	return ret->len > 0;
}

static bool
is_all(struct span s)
{
	return s.len == 1 && *s.data == '*';
}

static bool
is_origin(struct span s)
{
	size_t scheme = strncasecmp(s.data, "https://", 8) == 0 ? 8 : 7;

	if (scheme == 7 && strncasecmp(s.data, "http://", 7) != 0)
		return false;
	return s.len > scheme && !memchr(s.data + scheme, '/', s.len - scheme) &&
	    !memchr(s.data, '*', s.len);
}

int
cors_ready(void)
{
	const char *at = setting_str(SET_HOOKSWITCH_CORS_ORIGINS);
	struct span origin;

	while (at && next_origin(&at, &origin))
		if (!is_all(origin) && !is_origin(origin)) {
			fprintf(stderr,
			    "HOOKSWITCH_CORS_ORIGINS: '%.*s' is neither * nor an origin like "
			    "https://app.example.com\n",
			    (int)(origin.len < 100 ? origin.len : 100), origin.data);
			return -1;
		}
	return 0;
}

static bool
same_origin(struct span a, const char *b)
{
	return a.len && strlen(b) == a.len && strncasecmp(a.data, b, a.len) == 0;
}

/* ---- the request ---------------------------------------------------------------- */

enum pages { PAGES_NONE, PAGES_SOME, PAGES_ALL };

/* Whose pages may come; *ret: whether origin's may, which may be NULL. */
static enum pages
pages(const char *origin, bool *ret)
{
	static const enum setting urls[] = { SET_APP_URL, SET_FRONTEND_URL };
	const char *list = setting_str(SET_HOOKSWITCH_CORS_ORIGINS), *url;
	enum pages some = PAGES_NONE;
	struct span one;
	size_t i;

	*ret = false;
	for (; list && next_origin(&list, &one); some = PAGES_SOME) {
		if (is_all(one))
			return PAGES_ALL;
		*ret = *ret || (origin && same_origin(one, origin));
	}
	if (some)
		return some;
	for (i = 0; i < COUNT(urls); i++) {
		url = setting_str(urls[i]);
		*ret = *ret || (url && origin && same_origin(origin_of(url), origin));
		some = url ? PAGES_SOME : some;
	}
	return some;
}

static bool
is_for_pages(const struct route *r)
{
	return !r ||
	    (r->access.kind != ACCESS_LOCAL && r->access.kind != ACCESS_INTERNAL &&
		!(r->flags & ROUTE_RAW));
}

void
cors_write(struct ctx *c, struct text *t)
{
	const char *origin = request_header(c, "Origin");
	bool let_in;

	if (!is_for_pages(request_of(c)->route))
		return;
	switch (pages(origin, &let_in)) {
	case PAGES_NONE:
		return;
	case PAGES_ALL:
		text_puts(t, "Access-Control-Allow-Origin: *\r\n");
		break;
	case PAGES_SOME:
		text_puts(t, "Vary: Origin\r\n");
		if (!let_in)
			return;
		text_printf(t, "Access-Control-Allow-Origin: %s\r\n", origin);
		break;
	}
	text_puts(t, "Access-Control-Expose-Headers: " EXPOSE_HEADERS "\r\n");
}

static const char *
write_methods(struct text *t, unsigned allow)
{
	int m;

	for (m = GET; m < OPTIONS; m++)
		if (allow & 1u << m)
			text_printf(t, "%s%s", t->len ? ", " : "",
			    m == GET ? "GET, HEAD" : method_name((enum method)m));
	return text_str(t);
}

void
cors_preflight(struct ctx *c, unsigned allow)
{
	CLEANUP(text_clear) struct text t = TEXT(METHODS_MAX);
	const struct request *r = request_of(c);
	const char *wanted = request_header(c, "Access-Control-Request-Method");
	const char *origin = request_header(c, "Origin");
	struct route_match found;
	enum pages who;
	bool let_in;

	who = pages(origin, &let_in);
	if (!wanted || !origin || (who != PAGES_ALL && !let_in))
		return;
	found = route_find(r->server->routes, r->server->nroutes, method_of(wanted), &r->parts);
	if (!is_for_pages(found.route))
		return;
	reply_header(c, "Access-Control-Allow-Methods", write_methods(&t, allow));
	reply_header(c, "Access-Control-Allow-Headers", ALLOW_HEADERS);
	reply_header(c, "Access-Control-Max-Age", MAX_AGE);
}
