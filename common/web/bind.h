/*
 * bind.h - takes a request's path, query and JSON body apart and checks them against the fields of
 * its route.
 */
#ifndef WEB_BIND_H
#define WEB_BIND_H

#include "web/request.h"

/* bind_fields: fills the request's form and the handler's struct; -1 with all wrong fields recorded
 * (up to CTX_ERRORS_MAX). */
int bind_fields(struct ctx *c);
/* bind_query: checks a raw query string ("a=1&b=2") against the QUERY rows of a form; loose:
 * unknown fields are let through. */
void bind_query(struct ctx *c, const struct form *form, const char *query, bool loose);
/* bind_body: checks a JSON body against the BODY rows; -1 only when the body is no JSON object at
 * all. */
int bind_body(struct ctx *c, const struct form *form, struct span body);

#endif
