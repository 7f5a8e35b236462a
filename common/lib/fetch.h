/*
 * fetch.h - libcurl, wrapped: many requests at once with deadlines, size limits and connection
 * reuse; and mails over SMTP, eight at once.
 *
 * One struct fetch belongs to one thread.  It follows no redirects, decodes nothing, uses no proxy
 * of the environment, and never sends a request twice (but a GET or HEAD that met a kept connection
 * just being closed goes out again).
 */
#ifndef LIB_FETCH_H
#define LIB_FETCH_H

#include "base/ctx.h"

struct fetch;

enum fetch_outcome {
	FETCH_ANSWERED, /* a whole answer with a status */
	FETCH_NOT_SENT, /* failed before the first byte of the request was sent: name, connect, TLS;
			   of a mail: before all of it was */
	FETCH_LOST,     /* something was sent and no whole answer came: time-out, reset, cut off */
	FETCH_TOO_LARGE /* the answer was longer than allowed; status is set */
};

/* What a mail needs besides its text.  Addresses are plain: a@b. */
struct fetch_mail {
	const char *from;
	const char *to;
	const char *user; /* NULL: the server asks for none */
	const char *password;
	const char *ca_file; /* whom the server's certificate must be from; NULL: the system's */
	bool starttls;       /* smtp://: not without TLS */
};

struct fetch_request {
	const char *peer;   /* who is asked, for the figures: "twilio"; NULL: not counted */
	const char *method; /* "GET", "POST", ...; of no meaning for a mail */
	const char *url;    /* http(s)://...; with mail: smtp(s)://host:port/name-to-greet-with */
	const char *const *headers; /* "Name: value", ended by NULL; may be NULL */
	struct span body;           /* copied */
	int timeout_ms;             /* for all of it, from fetch_add on */
	int connect_ms;             /* for the connection alone; 0: 5000 */
	size_t max_bytes;           /* of the answer's body; 0: 2 MiB */
	bool https_only;
	/* SMTP: body is the message, its lines ended by CRLF; headers are not for it.  NULL: HTTP.
	 */
	const struct fetch_mail *mail;
	void *tag; /* given back with the answer */
};

struct fetch_answer {
	enum fetch_outcome outcome;
	int status;           /* 0 when none came; of a mail: SMTP's, of the last reply */
	struct span body;     /* what came of it; NUL-terminated; of a mail: the last reply */
	const char *type;     /* Content-Type, "" when none */
	int64_t retry_after;  /* seconds from Retry-After (number or date) or X-RateLimit-Reset; -1:
				 none */
	const char *location; /* Location, "" when none */
	const char *should_retry; /* Stripe-Should-Retry, "" when none */
	const char *request_id;   /* Request-Id, "" when none: what the provider's people ask for */
	const char *why;          /* words for the log when there is no whole answer */
	int64_t ms;               /* how long it took */
	void *tag;
};

/* fetch_new: max requests under way at once (more wait inside).  The caller frees it with
 * fetch_free. NULL with errno. */
struct fetch *fetch_new(int max);
void fetch_free(struct fetch *f); /* ends what is under way */
/* fetch_add: takes a request and starts it at once when there is room; -1 with errno when it cannot
 * be taken (nothing was sent). */
int fetch_add(struct fetch *f, const struct fetch_request *r);
/* fetch_step: moves all along without waiting (sends first bytes). */
void fetch_step(struct fetch *f);
/* fetch_wait: waits until something moved, one of the n extra descriptors is readable, or
 * timeout_ms passed; then moves all along. ready[i] tells which extra descriptors are readable; may
 * be NULL.  -1 with errno. */
int fetch_wait(struct fetch *f, int timeout_ms, const int *fds, size_t n, bool *ready);
/* fetch_next: one finished request; false when there is none.  What ret points to lives until the
 * next fetch_next or fetch_free. */
bool fetch_next(struct fetch *f, struct fetch_answer *ret);
/* fetch_code: what came of it as a short code: "ok" (2xx), "http_404", "not_sent", "no_answer",
 * "too_large"; in buf. */
enum { FETCH_CODE_MAX = 16 };
const char *fetch_code(const struct fetch_answer *a, char buf[FETCH_CODE_MAX]);
/* fetch_live: requests not yet given back by fetch_next. */
int fetch_live(const struct fetch *f);
/* fetch_one: a single request, waited for; the answer's memory is the ctx's.  -1 with errno when it
 * could not be taken. */
int fetch_one(struct ctx *c, const struct fetch_request *r, struct fetch_answer *ret);

#endif
