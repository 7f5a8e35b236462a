/*
 * synthflow_event.c - SynthFlow: reads one webhook.
 *
 * Only the call's id is signed, so the rest of the body is believed no more than a passer-by: it
 * says "look now".
 */
#include "peers/event.h"
#include "peers/raw.h"
#include "peers/synthflow_peer.h"

#include <string.h>

static const char *const states[] = { "pending", "registered", "paused", "ringing", "in-progress",
	"completed", "no-answer", "busy", "failed", "canceled", "user-canceled",
	"hangup_on_voicemail", "left_voicemail", "spam" };

/* The state as part of the key: only known words, since anybody could write others there without
 * end. */
static const char *
state_word(const struct scan_field *f)
{
	char word[RAW_WORD_MAX];
	size_t i;

	raw_text(f, word, sizeof(word));
	for (i = 0; i < COUNT(states); i++) {
		if (strcmp(states[i], word) == 0)
			return states[i];
	}
	return "other";
}

static enum voice_event_error
unknown_event(struct mem *m, struct span body, struct voice_event *ret)
{
	ret->class = EVENT_UNKNOWN;
	ret->type = "unknown";
	ret->key = event_body_key(m, ret, body);
	return ret->key ? EVENT_OK : EVENT_NO_MEMORY;
}

enum voice_event_error
synthflow_event(struct mem *m, struct span body, struct voice_event *ret)
{
	struct scan_field f[] = { { .path = "call.call_id" }, { .path = "call.status" },
		{ .path = "lead.prompt_variables." SYNTHFLOW_MARK } };
	char id[RAW_ID_MAX + 1], mark[37];

	*ret = (struct voice_event){ .class = EVENT_LOOK, .type = "post-call", .reply = "{}" };
	switch (scan_json(body, f, COUNT(f), RAW_DEPTH)) {
	case SCAN_OK:
		break;
	case SCAN_TOO_DEEP:
		return event_unread(m, body, ret);
	default:
		return EVENT_NOT_JSON;
	}
	if (!raw_id(&f[0], id))
		return unknown_event(m, body, ret);
	if (raw_uuid(&f[2], mark)) {
		ret->assignment_id = mem_str(m, mark);
		if (!ret->assignment_id)
			return EVENT_NO_MEMORY;
	}
	ret->provider_call_id = mem_str(m, id);
	ret->key = mem_printf(m, "%s:%s:%s", id, ret->type, state_word(&f[1]));
	return ret->provider_call_id && ret->key ? EVENT_OK : EVENT_NO_MEMORY;
}
