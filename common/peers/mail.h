/*
 * mail.h - the port to whoever takes our mails: Resend by its API, or any server by SMTP.
 *
 * A provider builds the request for one mail and reads its answer; it sends nothing itself (work/
 * does) and decides nothing.
 */
#ifndef PEERS_MAIL_H
#define PEERS_MAIL_H

#include "base/ctx.h"
#include "lib/fetch.h"

enum { MAIL_KEY_MAX = 256, MAIL_SUBJECT_MAX = 500 };

struct mail {
	const char *from; /* "a@b" or "Name <a@b>": mail_from() */
	const char *to;   /* a@b */
	const char *subject;
	const char *text;
	const char *html;
	const char *key; /* what makes it one mail, however often it is sent; 1 to 256 characters */
	int64_t at_ms;   /* when: its Date */
	int timeout_ms;  /* of the request; 0: 30 s */
};

enum mail_result {
	MAIL_SENT,
	MAIL_RETRY,   /* certainly not sent; later, perhaps after retry_after */
	MAIL_UNKNOWN, /* perhaps sent: again with the same key */
	MAIL_FAILED   /* certainly not sent, and never will be */
};

struct mail_outcome {
	enum mail_result result;
	const char *reason;  /* short, stable, snake_case: "rate_limit_exceeded", "smtp_550",
				"timeout", "connect_failed"; NULL: sent */
	const char *id;      /* sent: the provider's id of it, or its Message-ID */
	int64_t retry_after; /* seconds; -1: none is asked for */
};

struct mail_provider {
	const char *name;
	/* -1 with a reason on standard error when the settings for it are wrong. */
	int (*ready)(void);
	/* -1 with errno: EINVAL: no such mail can be sent, ENOMEM. */
	int (*send)(struct mem *m, const struct mail *in, struct fetch_request *ret);
	/* Never fails: what cannot be read is MAIL_UNKNOWN. */
	void (*sent)(struct mem *m, const struct mail *in, const struct fetch_answer *a,
	    struct mail_outcome *ret);
};

/* mail_provider: by the settings: Resend when RESEND_API_KEY is set, else SMTP when SMTP_URL is,
 * else NULL: mails wait. */
const struct mail_provider *mail_provider(void);
/* mail_ready: -1 with a reason on standard error when the settings for mails are wrong; nothing set
 * is right. */
int mail_ready(void);
/* mail_from: the setting MAIL_FROM, NULL when it is not set. */
const char *mail_from(void);
/* mail_is_address: one plain address that every mail server takes: ASCII, no quotes, no comment. */
bool mail_is_address(const char *s);
/* mail_can: whether this mail can be sent at all: its addresses, its key, a subject of one line. */
bool mail_can(const struct mail *in);
/* mail_no_answer: what all share: the outcome of an answer that never came.  False when one
 * came. */
bool mail_no_answer(const struct fetch_answer *a, struct mail_outcome *ret);

extern const struct mail_provider mail_resend;
extern const struct mail_provider mail_smtp;

#endif
