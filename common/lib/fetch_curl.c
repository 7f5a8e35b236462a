/*
 * fetch_curl.c - brings libcurl when the first request is made, and not before.
 *
 * It comes with a dozen libraries of its own.  Most programs can fetch, but hardly ever do: they
 * start sooner and are smaller without.
 */
#include "lib/fetch_private.h"

#include <dlfcn.h>
#include <errno.h>

static void *library; /* stays as long as the process */
static struct libcurl functions;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool ready;

/* LIBCURL is the name that a program linked with it would ask for; configure finds it. */
static void
load(void)
{
	library = dlopen(LIBCURL, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		return;
	ready = true;
#define LIBCURL_FIND(name)                                                                         \
	*(void **)&functions.name = dlsym(library, "curl_" #name);                                 \
	ready = ready && functions.name;
	LIBCURL_FUNCTIONS(LIBCURL_FIND)
	ready = ready && functions.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

int
curl_load(void)
{
	pthread_once(&once, load);
	if (!ready)
		errno = ELIBACC;
	return ready ? 0 : -1;
}

const struct libcurl *
curl(void)
{
	return &functions;
}

const char *
fetch_code(const struct fetch_answer *a, char buf[FETCH_CODE_MAX])
{
	static const char *const none[] = { [FETCH_NOT_SENT] = "not_sent",
		[FETCH_LOST] = "no_answer",
		[FETCH_TOO_LARGE] = "too_large" };

	if (a->outcome == FETCH_ANSWERED && a->status >= 200 && a->status < 300)
		snprintf(buf, FETCH_CODE_MAX, "ok");
	else if (a->outcome == FETCH_ANSWERED)
		snprintf(buf, FETCH_CODE_MAX, "http_%d", a->status);
	else
		snprintf(buf, FETCH_CODE_MAX, "%s", none[a->outcome]);
	return buf;
}
