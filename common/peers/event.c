/*
 * event.c - what the readers of webhooks share.
 */
#include "peers/event.h"

#include "lib/crypto.h"
#include "peers/raw.h"

const char *voice_class_name(enum voice_event_class class)
{
	static const char *const names[] = { [EVENT_UNKNOWN] = "unknown",
		[EVENT_CHATTER] = "chatter",
		[EVENT_KEPT] = "kept",
		[EVENT_MOVES] = "moves",
		[EVENT_LOOK] = "look",
		[EVENT_ANSWER] = "answer",
		[EVENT_ASK] = "ask" };

	return names[class];
}

enum scan_result
event_inner(struct span body, struct span *ret)
{
	struct scan_field message[] = { { .path = "message" } };
	enum scan_result result = scan_json(body, message, COUNT(message), RAW_DEPTH);

	*ret = message[0].kind == SCAN_OBJECT ? message[0].raw : body;
	return result;
}

const char *
event_body_key(struct mem *m, const struct voice_event *e, struct span body)
{
	unsigned char hash[SHA256_LEN];
	char hex[2 * SHA256_LEN + 1];

	if (crypto_sha256(body, hash) < 0)
		return NULL;
	crypto_hex(hash, sizeof(hash), hex);
	return mem_printf(m, "%s:%s:%s", e->provider_call_id ? e->provider_call_id : "", e->type,
	    hex);
}

enum voice_event_error
event_unread(struct mem *m, struct span body, struct voice_event *ret)
{
	*ret = (struct voice_event){ .class = EVENT_UNKNOWN, .type = "unknown", .reply = "{}" };
	ret->key = event_body_key(m, ret, body);
	return ret->key ? EVENT_OK : EVENT_NO_MEMORY;
}
