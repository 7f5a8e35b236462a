/*
 * twilio_url.h - where Twilio tells us what becomes of calls and text messages.
 */
#ifndef PEERS_TWILIO_URL_H
#define PEERS_TWILIO_URL_H

#include "base/mem.h"

/* twilio_webhook_url: the address of a route of the program twilio-webhook ("/sms"); NULL when it
 * is not known where the world reaches us, or memory is out. */
const char *twilio_webhook_url(struct mem *m, const char *tail);

#endif
