/*
 * vapi_tools.h - the tool calls of a message: which they are, and the answer to them.  Only for
 * vapi_event.c.
 */
#ifndef PEERS_VAPI_TOOLS_H
#define PEERS_VAPI_TOOLS_H

#include "base/mem.h"

enum { TOOLS_KEY_MAX = 200 };

/* vapi_tools_key: the ids of the message's tool calls with commas between, or a hash of them where
 * they are many or odd; -1 when it names none. */
int vapi_tools_key(struct span message, char ret[TOOLS_KEY_MAX + 1]);
/* vapi_tools_reply: an error for each tool call; NULL when memory is out. */
const char *vapi_tools_reply(struct mem *m, struct span message);

#endif
