/*
 * vapi_assistant.h - an assistant as Vapi wants it, made from our row, and found again in Vapi's
 * list.
 */
#ifndef PEERS_VAPI_ASSISTANT_H
#define PEERS_VAPI_ASSISTANT_H

#include "base/text.h"
#include "lib/json.h"

enum { VAPI_ASSISTANT_MAX = 512 * 1024, VAPI_ASSISTANTS_LISTED = 1000 };

/* vapi_assistant_write: the body of POST or PATCH /assistant.  row: public.assistants as JSON;
 * whole: also what is not set, so that a change clears it at Vapi.  url: where events go; token:
 * what they are proved by.  What our row keeps and Vapi knows no more (silence_timeout_seconds)
 * stays here. */
void vapi_assistant_write(struct text *t, const struct json *row, bool whole, const char *url,
    const char *token);
/* vapi_assistant_find: Vapi's id of the one in its list that is marked with our id; NULL: none is.
 */
const char *vapi_assistant_find(const struct json *list, const char *id);

#endif
