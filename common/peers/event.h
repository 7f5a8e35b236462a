/*
 * event.h - what the readers of webhooks share, made in event.c.
 */
#ifndef PEERS_EVENT_H
#define PEERS_EVENT_H

#include "base/scan.h"
#include "peers/voice.h"

/* event_inner: reads the whole body; ret is its object "message" where there is one, else the body.
 */
enum scan_result event_inner(struct span body, struct span *ret);
/* event_body_key: call:type:sha256(body); NULL when memory is out. */
const char *event_body_key(struct mem *m, const struct voice_event *e, struct span body);
/* event_unread: a body that is nested too deeply to be read is kept as it is. */
enum voice_event_error event_unread(struct mem *m, struct span body, struct voice_event *ret);

#endif
