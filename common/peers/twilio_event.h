/*
 * twilio_event.h - one webhook of Twilio, read from its form: what makes it one event, what it is
 * called, and the facts that the database decides by.
 */
#ifndef PEERS_TWILIO_EVENT_H
#define PEERS_TWILIO_EVENT_H

#include "base/mem.h"

/* Which address it came to says what it is. */
enum twilio_event_kind {
	TWILIO_CALL,      /* a call of a number is over */
	TWILIO_MESSAGE,   /* what became of a message that we sent */
	TWILIO_SMS,       /* a message to a number */
	TWILIO_VOICE,     /* a call that nobody else answers: what shall be done? */
	TWILIO_RECORDING, /* what a caller said instead */
	TWILIO_EVENT_KINDS
};

struct twilio_event {
	const char *account; /* the AccountSid that it names; NULL: none */
	const char *key;     /* SID, status, sequence number; else the body's SHA-256 */
	const char *type; /* "call:completed", "message:delivered", "sms", "voice", "recording" */
	/* JSON for public.twilio_keep: {"kind", "sid", "from", "to", ...}, all texts; NULL: a shape
	 * that we do not understand. */
	const char *facts;
};

/* twilio_event: reads the body, a form or a JSON object; all of ret is in m.  -1 with errno ENOMEM;
 * what cannot be read has no facts. */
int twilio_event(struct mem *m, enum twilio_event_kind kind, struct span body,
    struct twilio_event *ret);

#endif
