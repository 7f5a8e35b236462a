/*
 * site.c - addresses of our own sites, by their origins.
 */
#include "web/site.h"

#include <string.h>
#include <strings.h>

/* Up to the end of scheme, host and port. */
static size_t
origin_length(const char *url)
{
	const char *host = strstr(url, "://");

	return host ? (size_t)(host + 3 - url) + strcspn(host + 3, "/?#\\@") : 0;
}

static bool
is_plain(const char *url)
{
	for (; *url; url++)
		if ((unsigned char)*url <= 0x20 || (unsigned char)*url >= 0x7f || *url == '\\')
			return false;
	return true;
}

/* An address that goes on behind the origin with anything but a path, a query or a fragment names
 * another host. */
bool
site_holds(const enum setting *sites, size_t n, const char *url)
{
	const char *site;
	size_t i, length;

	if (!url || strlen(url) > SITE_URL_MAX || !is_plain(url))
		return false;
	for (i = 0; i < n; i++) {
		site = setting_str(sites[i]);
		length = site ? origin_length(site) : 0;
		if (length && strncasecmp(url, site, length) == 0 && strchr("/?#", url[length]))
			return true;
	}
	return false;
}
