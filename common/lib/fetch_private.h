/*
 * fetch_private.h - one request of lib/fetch on its way.  Only lib/fetch*.c may include it.
 *
 * fetch_transfer.c knows a request and its answer, fetch_mail.c a mail; fetch.c moves many of them
 * along; fetch_curl.c brings libcurl.
 */
#ifndef LIB_FETCH_PRIVATE_H
#define LIB_FETCH_PRIVATE_H

#include "base/mem.h"
#include "base/text.h"
#include "lib/fetch.h"

/* Its checks of types are for calls by name; ours go through a table. */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>

/* What is called of libcurl, by its names there without "curl_". */
#define LIBCURL_FUNCTIONS(X)                                                                       \
	X(easy_cleanup)                                                                            \
	X(easy_getinfo)                                                                            \
	X(easy_header)                                                                             \
	X(easy_init)                                                                               \
	X(easy_perform)                                                                            \
	X(easy_reset)                                                                              \
	X(easy_setopt)                                                                             \
	X(easy_strerror)                                                                           \
	X(global_init)                                                                             \
	X(multi_add_handle)                                                                        \
	X(multi_cleanup)                                                                           \
	X(multi_info_read)                                                                         \
	X(multi_init)                                                                              \
	X(multi_perform)                                                                           \
	X(multi_poll)                                                                              \
	X(multi_remove_handle)                                                                     \
	X(multi_setopt)                                                                            \
	X(multi_wakeup)                                                                            \
	X(share_cleanup)                                                                           \
	X(share_init)                                                                              \
	X(share_setopt)                                                                            \
	X(slist_append)                                                                            \
	X(slist_free_all)

#define LIBCURL_MEMBER(name) __typeof__(curl_##name) *name;
struct libcurl {
	LIBCURL_FUNCTIONS(LIBCURL_MEMBER)
};

/* curl_load: libcurl is there from here on.  -1 with errno ELIBACC when it cannot be had.  curl:
 * its functions, once it was loaded. */
int curl_load(void);
const struct libcurl *curl(void);

/* A mail on its way: see fetch_mail.c. */
struct mailing {
	bool wanted; /* the transfer is a mail */
	struct curl_slist *to;
	struct text message;
	size_t given; /* bytes of it that libcurl has taken */
	bool ended;   /* the last reply is whole */
	bool replied; /* the server said something after all of it */
	pthread_t thread;
	CURLM *wake;
	CURLcode code;
	_Atomic bool over;
	_Atomic bool abandoned;
};

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
	struct mailing mail;
};

struct queue {
	struct transfer *first;
	struct transfer *last;
};

struct fetch {
	struct mem *mem;
	CURLM *multi;  /* NULL until the first request */
	CURLSH *share; /* TLS sessions, so that a new connection to a known host is cheaper */
	int max;
	int nrunning;
	int nmails; /* of those that run */
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

/* mail_prepare: makes t this mail.  -1 with errno.  mail_forget: before t becomes another one. */
int mail_prepare(struct transfer *t, const struct fetch_request *r);
void mail_forget(struct transfer *t);
/* mail_start: sends it in a thread of its own, which wakes the multi handle at its end; -1 when
 * there can be none.  mail_over: whether that was.  mail_join: waits for it, at once when it is
 * over; else it is given up. */
int mail_start(struct transfer *t, CURLM *wake);
bool mail_over(struct transfer *t);
CURLcode mail_join(struct transfer *t);
/* mail_outcome: what an end of libcurl means for the mail. */
enum fetch_outcome mail_outcome(const struct transfer *t, CURLcode code);

#endif
