/*
 * mail_text.h - what our mails say: one table of kinds, each as text and as HTML.
 */
#ifndef WORK_MAIL_TEXT_H
#define WORK_MAIL_TEXT_H

#include "base/ctx.h"
#include "lib/json.h"

enum { MAIL_VALUE_MAX = 60 };

/* What a mail is made of besides its kind. */
struct mail_values {
	const char *service;  /* whose mail it is: a name */
	const char *app_url;  /* the founder's own pages; NULL: none */
	const char *api_url;  /* NULL: none */
	const char *token_id; /* what its token and code are made from; NULL: none */
	const char *until;    /* "21 Sep 2026 13:31 UTC"; NULL: no end is told */
	const char *redirect_to;
	const struct json *data; /* names by which texts call them: organization_name, ... */
};

struct mail_parts {
	const char *subject;
	const char *text;
	const char *html;
};

/* mail_text: the mail of that kind, in m.  -1 with errno: ENOENT: there is no such kind, EINVAL: it
 * needs a token and has none, ENOMEM (also when there is no key to make tokens with). */
int mail_text(struct mem *m, const char *kind, const struct mail_values *v, struct mail_parts *ret);

#endif
