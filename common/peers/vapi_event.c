/*
 * vapi_event.c - Vapi: reads one webhook: today's messages, and the forms of the older samples.
 *
 * Older samples: {"type": "call-start" | "call-end" | "function-call", "call": {...}} without the
 * envelope, and {call_id, status, duration, transcript, recording_url}, which has no type at all.
 */
#include "peers/event.h"
#include "peers/raw.h"
#include "peers/vapi_call.h"
#include "peers/vapi_tools.h"

#include <string.h>

/* What makes two webhooks one event. */
enum key_kind {
	KEY_BODY,   /* call:type:sha256(body) */
	KEY_TYPE,   /* call:type */
	KEY_STATUS, /* call:type:status */
	KEY_TOOLS   /* call:type:tool call ids */
};

/* A report in the type's own words: status is ours, or that of the message when it is NULL. */
struct kind {
	const char *type;
	enum voice_event_class class;
	enum key_kind key;
	const char *status;
	bool final;
	const char *reply; /* EVENT_ANSWER, EVENT_ASK */
};

#define NO_CALLS "{\"error\":\"Sorry, this number cannot take your call right now.\"}"
#define NO_TRANSFER "{\"error\":\"There is nobody to transfer this call to.\"}"
#define NO_REQUEST "{\"error\":\"This request is not supported.\"}"
#define NO_FUNCTION "{\"result\":\"Error: this function is not available.\"}"

static const struct kind kinds[] = {
	{ "status-update", EVENT_MOVES, KEY_STATUS, NULL, false, NULL },
	{ "end-of-call-report", EVENT_MOVES, KEY_TYPE, "ended", true, NULL },
	{ "tool-calls", EVENT_ANSWER, KEY_TOOLS, NULL, false, NULL },
	{ "assistant-request", EVENT_ASK, KEY_TYPE, "ringing", false, NO_CALLS },
	{ "transfer-destination-request", EVENT_ANSWER, KEY_BODY, NULL, false, NO_TRANSFER },
	{ "handoff-destination-request", EVENT_ANSWER, KEY_BODY, NULL, false, NO_TRANSFER },
	{ "knowledge-base-request", EVENT_ANSWER, KEY_BODY, NULL, false, NO_REQUEST },
	{ "voice-request", EVENT_ANSWER, KEY_BODY, NULL, false, NO_REQUEST },
	{ "call.endpointing.request", EVENT_ANSWER, KEY_BODY, NULL, false, NO_REQUEST },
	{ "speech-update", EVENT_CHATTER, KEY_BODY, NULL, false, NULL },
	{ "model-output", EVENT_CHATTER, KEY_BODY, NULL, false, NULL },
	{ "conversation-update", EVENT_CHATTER, KEY_BODY, NULL, false, NULL },
	{ "transcript", EVENT_KEPT, KEY_BODY, NULL, false, NULL },
	{ "transcript[transcriptType=\"final\"]", EVENT_KEPT, KEY_BODY, NULL, false, NULL },
	{ "transcript[transcriptType=\"partial\"]", EVENT_KEPT, KEY_BODY, NULL, false, NULL },
	{ "hang", EVENT_KEPT, KEY_BODY, NULL, false, NULL },
	{ "transfer-update", EVENT_KEPT, KEY_BODY, NULL, false, NULL },
	{ "user-interrupted", EVENT_KEPT, KEY_BODY, NULL, false, NULL },
	{ "assistant.started", EVENT_KEPT, KEY_BODY, NULL, false, NULL },
	{ "assistant.speechStarted", EVENT_KEPT, KEY_BODY, NULL, false, NULL },
	{ "language-change-detected", EVENT_KEPT, KEY_BODY, NULL, false, NULL },
	{ "phone-call-control", EVENT_KEPT, KEY_BODY, NULL, false, NULL },
	{ "call.deleted", EVENT_KEPT, KEY_BODY, NULL, false, NULL },
	{ "call.delete.failed", EVENT_KEPT, KEY_BODY, NULL, false, NULL },
	{ "call.artifact.upload", EVENT_KEPT, KEY_BODY, NULL, false, NULL },
	/* The older samples' names. */
	{ "call-start", EVENT_MOVES, KEY_TYPE, "in-progress", false, NULL },
	{ "call-end", EVENT_MOVES, KEY_TYPE, "ended", true, NULL },
	{ "function-call", EVENT_ANSWER, KEY_BODY, NULL, false, NO_FUNCTION },
};

static const struct kind flat_kind = { "flat", EVENT_MOVES, KEY_STATUS, NULL, false, NULL };
static const struct kind unknown_kind = { "unknown", EVENT_UNKNOWN, KEY_BODY, NULL, false, NULL };

static const struct kind *
kind_of(const char *type)
{
	size_t i;

	for (i = 0; i < COUNT(kinds); i++) {
		if (strcmp(kinds[i].type, type) == 0)
			return &kinds[i];
	}
	return &unknown_kind;
}

/* One webhook on its way through this file. */
struct incoming {
	struct span body;
	struct span message; /* what is inside the envelope */
	struct vapi_facts f;
	const struct kind *kind;
	char type[RAW_WORD_MAX];
};

/* ---- the key -------------------------------------------------------- */

static const char *
make_key(struct mem *m, const struct incoming *in, const struct voice_event *e)
{
	enum key_kind key = in->kind->key;
	char word[RAW_WORD_MAX], tools[TOOLS_KEY_MAX + 1];

	/* Without the call's id, only the whole body tells one event from another. */
	if (e->provider_call_id && key == KEY_TYPE)
		return mem_printf(m, "%s:%s", e->provider_call_id, e->type);
	if (e->provider_call_id && key == KEY_STATUS &&
	    raw_text(&in->f.fact[FACT_STATUS], word, sizeof(word)))
		return mem_printf(m, "%s:%s:%s", e->provider_call_id, e->type, word);
	if (e->provider_call_id && key == KEY_TOOLS && vapi_tools_key(in->message, tools) == 0)
		return mem_printf(m, "%s:%s:%s", e->provider_call_id, e->type, tools);
	return event_body_key(m, e, in->body);
}

/* ---- the report ----------------------------------------------------- */

/* The flat form's states: ours, and words for how a call ended.  "completed" and all others end it.
 */
static const char *
flat_status(const struct vapi_facts *f)
{
	const char *status = vapi_status(f);

	return status ? status : "ended";
}

/* Sets the report of an event that moves a call; -1 when memory is out. */
static int
make_report(struct mem *m, const struct incoming *in, struct voice_event *e)
{
	const struct kind *kind = in->kind;
	const struct vapi_facts *f = &in->f;
	struct vapi_report_how how = { .status = kind->status,
		.final = kind->final,
		.inbound = vapi_is_inbound(f) || kind->class == EVENT_ASK };
	char word[RAW_WORD_MAX];

	if (kind == &flat_kind) {
		how.status = flat_status(f);
		how.final = strcmp(how.status, "ended") == 0;
		if (how.final && raw_text(&f->fact[FACT_STATUS], word, sizeof(word)))
			how.reason = word;
	} else if (!how.status) {
		how.status = vapi_status(f);
	}
	if (!how.status) {
		/* A status of tomorrow: kept, and it moves nothing. */
		e->class = EVENT_KEPT;
		return 0;
	}
	e->report = vapi_report(m, f, &how);
	return e->report ? 0 : -1;
}

/* ---- the event ------------------------------------------------------ */

/* Finds out which form the body has, and its facts. */
static void
read_facts(struct incoming *in)
{
	struct vapi_facts flat;

	vapi_read(in->message, VAPI_MESSAGE, &in->f);
	if (raw_text(&in->f.fact[FACT_TYPE], in->type, sizeof(in->type))) {
		in->kind = kind_of(in->type);
		return;
	}
	vapi_read(in->body, VAPI_FLAT, &flat);
	in->kind = &unknown_kind;
	if (flat.fact[FACT_ID].kind != SCAN_NONE && flat.fact[FACT_STATUS].kind != SCAN_NONE) {
		in->kind = &flat_kind;
		in->f = flat;
	}
	snprintf(in->type, sizeof(in->type), "%s", in->kind->type);
}

static int
fill_ids(struct mem *m, const struct vapi_facts *f, struct voice_event *e)
{
	char id[RAW_ID_MAX + 1], mark[37];

	if (raw_id(&f->fact[FACT_ID], id)) {
		e->provider_call_id = mem_str(m, id);
		if (!e->provider_call_id)
			return -1;
	}
	if (vapi_mark(f, mark)) {
		e->assignment_id = mem_str(m, mark);
		if (!e->assignment_id)
			return -1;
	}
	return 0;
}

static int
fill(struct mem *m, const struct incoming *in, struct voice_event *e)
{
	e->class = in->kind->class;
	e->type = mem_str(m, in->type);
	e->reply = in->kind->reply ? in->kind->reply : "{}";
	if (in->kind->key == KEY_TOOLS)
		e->reply = vapi_tools_reply(m, in->message);
	if (!e->type || !e->reply || fill_ids(m, &in->f, e) < 0)
		return -1;
	if ((e->class == EVENT_MOVES || e->class == EVENT_ASK) && make_report(m, in, e) < 0)
		return -1;
	e->key = make_key(m, in, e);
	return e->key ? 0 : -1;
}

enum voice_event_error
vapi_event(struct mem *m, struct span body, struct voice_event *ret)
{
	struct incoming in = { .body = body };

	*ret = (struct voice_event){ .class = EVENT_UNKNOWN, .type = "unknown", .reply = "{}" };
	switch (event_inner(body, &in.message)) {
	case SCAN_OK:
		break;
	case SCAN_TOO_DEEP:
		return event_unread(m, body, ret);
	default:
		return EVENT_NOT_JSON;
	}
	read_facts(&in);
	return fill(m, &in, ret) < 0 ? EVENT_NO_MEMORY : EVENT_OK;
}
