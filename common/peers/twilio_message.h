/*
 * twilio_message.h - Twilio's Messages API: the request for one text message, the look for it in
 * Twilio's list, and what their answers mean.
 *
 * Twilio takes no idempotency key and keeps no name of ours: a message whose outcome is unknown is
 * found by its number, its text and its time.
 */
#ifndef PEERS_TWILIO_MESSAGE_H
#define PEERS_TWILIO_MESSAGE_H

#include "base/ctx.h"
#include "lib/fetch.h"

enum { TWILIO_TEXT_MAX = 1600 };

struct twilio_message {
	const char *to;   /* E.164 */
	const char *from; /* a number of the account, E.164; NULL: TWILIO_SMS_FROM */
	const char *text; /* at most TWILIO_TEXT_MAX characters */
	int64_t since_ms; /* of a look: not sent before that */
	int timeout_ms;   /* of the request; 0: 30 s */
};

enum twilio_result {
	TWILIO_SENT,
	TWILIO_RETRY,   /* certainly not sent; later, perhaps after retry_after */
	TWILIO_UNKNOWN, /* perhaps sent: look */
	TWILIO_FAILED,  /* certainly not sent, and never will be */
	TWILIO_ABSENT   /* of a look: it is not there */
};

struct twilio_outcome {
	enum twilio_result result;
	const char *reason; /* short, stable, snake_case: "twilio_21610", "no_answer"; NULL: sent */
	const char *id;     /* sent: Twilio's SID of it */
	const char *status; /* sent: "queued", "sent", ... */
	int64_t retry_after; /* seconds; -1: none is asked for */
};

/* twilio_has_settings: whether texts can be sent at all. */
bool twilio_has_settings(void);
/* twilio_message_send / _look: the request; -1 with errno: EINVAL: no such message can be sent,
 * ENOMEM. */
int twilio_message_send(struct mem *m, const struct twilio_message *in, struct fetch_request *ret);
int twilio_message_look(struct mem *m, const struct twilio_message *in, struct fetch_request *ret);
/* twilio_message_sent / _looked: never fail: what cannot be read is TWILIO_UNKNOWN. */
void twilio_message_sent(struct mem *m, const struct fetch_answer *a, struct twilio_outcome *ret);
void twilio_message_looked(struct mem *m, const struct twilio_message *in,
    const struct fetch_answer *a, struct twilio_outcome *ret);

#endif
