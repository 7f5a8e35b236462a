/*
 * check.h - what a program tells about itself (--describe, --help, ...) and proves against the
 * database (--check).
 */
#ifndef WEB_CHECK_H
#define WEB_CHECK_H

#include "lib/db.h"

struct server;

/* check_option: does what one of the options that need no settings asks for; false when option is
 * none of them. */
bool check_option(const struct server *s, const char *option);
/* check_routes: proves each route's query: it exists once, takes the fields as arguments of fitting
 * types, lacks none.  Prints what is wrong; -1 when something is. */
int check_routes(const struct server *s, struct db *db);

#endif
