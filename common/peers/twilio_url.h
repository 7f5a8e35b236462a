/*
 * twilio_url.h - where Twilio is told to come with what happens to numbers, calls and messages.
 */
#ifndef PEERS_TWILIO_URL_H
#define PEERS_TWILIO_URL_H

#include "base/mem.h"

/* Where the program twilio-webhook is, as long as TWILIO_WEBHOOK_URL says nothing else. */
#define TWILIO_WEBHOOK_PATH "/api/webhooks/twilio"

/* twilio_webhook_url: an address below that one ("/sms"), in m; NULL when neither
 * TWILIO_WEBHOOK_URL nor API_URL is set, or memory is out. */
const char *twilio_webhook_url(struct mem *m, const char *tail);

#endif
