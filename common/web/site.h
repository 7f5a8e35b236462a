/*
 * site.h - whether an address lies on one of our own sites: nobody is sent to a stranger's.
 */
#ifndef WEB_SITE_H
#define WEB_SITE_H

#include "base/settings.h"

#include <stdbool.h>
#include <stddef.h>

enum { SITE_URL_MAX = 2048 };

/* site_holds: whether url is an address of the origin of one of these settings; NULL is none. */
bool site_holds(const enum setting *sites, size_t n, const char *url);

#endif
