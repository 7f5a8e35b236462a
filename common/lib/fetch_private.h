/*
 * fetch_private.h - one request of lib/fetch on its way.  Only lib/fetch*.c may include it.
 *
 * fetch_transfer.c knows a request and its answer; fetch.c moves many of them along.
 */
#ifndef LIB_FETCH_PRIVATE_H
#define LIB_FETCH_PRIVATE_H

#include "base/mem.h"
#include "base/text.h"
#include "lib/fetch.h"

#include <curl/curl.h>

struct transfer {
	struct transfer *next;
	struct mem *mem; /* holds the transfer itself; lives as long as it */
	struct mem *own; /* of this request; empty between two */
	CURL *easy;
	struct curl_slist *headers;
	struct text body;
	bool running;
	bool repeatable; /* GET, HEAD */
	bool too_large;
	int sends; /* how often it was about to be sent */
	int64_t began;
	int64_t deadline;
	struct fetch_answer answer;
};

struct queue {
	struct transfer *first;
	struct transfer *last;
};

struct fetch {
	struct mem *mem;
	CURLM *multi;
	CURLSH *share; /* TLS sessions, so that a new connection to a known host is cheaper */
	int max;
	int nrunning;
	int live;
	struct queue waiting;
	struct queue done;
	struct transfer *running;
	struct transfer *given; /* what fetch_next's caller looks at */
	struct transfer *spare;
};

/* transfer_new: an empty one, NULL with errno.  transfer_free takes it back when curl's multi
 * handle has let it go. */
struct transfer *transfer_new(void);
void transfer_free(struct transfer *t);
/* transfer_prepare: makes t this request.  -1 with errno. */
int transfer_prepare(struct transfer *t, const struct fetch_request *r, CURLSH *share);
/* transfer_conclude: fills t->answer from what came of it. */
void transfer_conclude(struct transfer *t, CURLcode code);

#endif
