/*
 * twiml.h - what Twilio is told to do with a call, as the XML that it reads.
 */
#ifndef PEERS_TWIML_H
#define PEERS_TWIML_H

#include "base/mem.h"
#include "lib/json.h"

/* Nothing: no answer to a message, the end of a call. */
#define TWIML_EMPTY "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response/>\n"
#define TWIML_TYPE "text/xml"

/* twiml_voice: what the database decided for a call (public.twilio_voice_answer): {"dial",
 * "caller_id"}: it is put through; {"record": true}: a message is taken; {"hangup": true}; anything
 * else: it is not taken.  In m; NULL when memory is out, or there is no address to send Twilio to.
 */
const char *twiml_voice(struct mem *m, const struct json *answer);

#endif
