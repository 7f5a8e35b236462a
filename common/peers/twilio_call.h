/*
 * twilio_call.h - Twilio's Calls API: the request for one call that says something, and the look
 * for it in Twilio's list.
 *
 * Calls of assistants are not made here (peers/voice.h).  Twilio takes no key and keeps no name of
 * ours: a call whose outcome is unknown is found by its number and its time.
 */
#ifndef PEERS_TWILIO_CALL_H
#define PEERS_TWILIO_CALL_H

#include "peers/twilio.h"

struct twilio_call {
	const char *to;    /* E.164 */
	const char *twiml; /* what it does: TwiML */
	int64_t since_ms;  /* of a look: not made before that */
};

/* twilio_call_ready: whether calls can be made: an account, and TWILIO_SMS_FROM is a number. */
bool twilio_call_ready(void);
/* twilio_call_make / _look: the request; -1 with errno: EINVAL: no such call can be made, ENOMEM.
 */
int twilio_call_make(struct mem *m, const struct twilio_call *in, struct fetch_request *ret);
int twilio_call_look(struct mem *m, const struct twilio_call *in, struct fetch_request *ret);
/* twilio_call_made / _looked: OUTCOME_OK: *sid is Twilio's id of it; a look's OUTCOME_ABSENT: it
 * was not made. */
void twilio_call_made(struct mem *m, const struct fetch_answer *a, struct outcome *ret,
    const char **sid);
void twilio_call_looked(struct mem *m, const struct twilio_call *in, const struct fetch_answer *a,
    struct outcome *ret, const char **sid);

#endif
