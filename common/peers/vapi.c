/*
 * vapi.c - Vapi: builds the requests.  vapi_answer.c reads the answers, vapi_event.c the webhooks.
 */
#include "base/clock.h"
#include "peers/peer.h"
#include "peers/vapi_peer.h"
#include "peers/vapi_rest.h"

#include <errno.h>
#include <string.h>

/* Vapi refuses a longer name or address of a person; it counts as JavaScript does. */
enum { SHORT_TEXT = 40 };

/* What Hookswitch makes use of.  transcript and conversation-update would come many times a call.
 */
static const char server_messages[] =
    "[\"status-update\",\"end-of-call-report\",\"tool-calls\",\"transfer-destination-request\"]";

/* ---- dial ----------------------------------------------------------- */

/* The bytes of the longest beginning of s that has at most max UTF-16 units and splits no
 * character. */
static size_t
short_len(const char *s, size_t max)
{
	size_t i = 0, units = 0, n;

	while (s[i] != '\0') {
		unsigned char c = (unsigned char)s[i];
		n = c >= 0xf0 ? 2 : 1;
		if (units + n > max)
			break;
		units += n;
		for (i++; ((unsigned char)s[i] & 0xc0) == 0x80; i++)
			;
	}
	return i;
}

static void
put_customer(struct text *t, const struct voice_dial *d)
{
	text_puts(t, ",\"customer\":{");
	peer_put(t, "number", d->number);
	if (d->name && d->name[0] != '\0') {
		text_puts(t, ",\"name\":");
		text_json_n(t, d->name, short_len(d->name, SHORT_TEXT));
	}
	/* Half an address is worse than none. */
	if (d->email && strlen(d->email) <= SHORT_TEXT)
		peer_put(t, "email", d->email);
	peer_put(t, "externalId", d->call_id);
	text_putc(t, '}');
}

static void
put_server(struct text *t, const struct voice_account *a, const struct voice_dial *d)
{
	if (!a->webhook_url)
		return;

	text_putc(t, ',');
	vapi_put_server(t, a->webhook_url, d->token);
	text_printf(t, ",\"serverMessages\":%s", server_messages);
}

/* At Vapi a prompt is part of a model, which is overridden as a whole. */
static void
put_says(struct text *t, const struct json *says)
{
	const char *prompt = json_str(says, "prompt");

	peer_put(t, "firstMessage", json_str(says, "first_message"));
	if (!prompt || prompt[0] == '\0')
		return;
	text_puts(t, ",\"model\":{");
	peer_put(t, "provider", json_str(says, "model_provider"));
	peer_put(t, "model", json_str(says, "model_name"));
	text_puts(t, ",\"messages\":[{\"role\":\"system\"");
	peer_put(t, "content", prompt);
	text_puts(t, "}]}");
}

static void
put_overrides(struct text *t, const struct voice_account *a, const struct voice_dial *d)
{
	text_puts(t, ",\"assistantOverrides\":{\"metadata\":{");
	peer_put(t, "assignment_id", d->assignment_id);
	peer_put(t, "call_id", d->call_id);
	peer_put(t, "organization_id", d->organization_id);
	text_putc(t, '}');
	if (json_type(d->variables) == JSON_OBJECT) {
		text_puts(t, ",\"variableValues\":");
		json_write(t, d->variables);
	}
	if (json_type(d->voice) == JSON_OBJECT) {
		text_puts(t, ",\"voice\":");
		json_write(t, d->voice);
	}
	if (json_type(d->says) == JSON_OBJECT)
		put_says(t, d->says);
	put_server(t, a, d);
	text_putc(t, '}');
}

static int
dial(struct mem *m, const struct voice_account *a, const struct voice_dial *d,
    struct fetch_request *ret)
{
	CLEANUP(text_clear) struct text body = TEXT(PEER_BODY_MAX);

	if (!d->assignment_id || !d->number || !d->assistant) {
		errno = EINVAL;
		return -1;
	}
	text_putc(&body, '{');
	peer_put(&body, "assistantId", d->assistant);
	peer_put(&body, "phoneNumberId", d->caller);
	/* A UUID fits into a name's 40 characters, and lists give the name back: it is our mark. */
	peer_put(&body, "name", d->assignment_id);
	put_customer(&body, d);
	put_overrides(&body, a, d);
	text_putc(&body, '}');
	return peer_request(m, a, mem_printf(m, "%s/call", a->base_url), &body, ret);
}

/* ---- look ----------------------------------------------------------- */

static int
list(struct mem *m, const struct voice_account *a, const struct voice_look *l,
    struct fetch_request *ret)
{
	CLEANUP(text_clear) struct text url = TEXT(PEER_URL_MAX);
	char buf[CLOCK_TEXT_MAX];

	text_printf(&url, "%s/call?limit=%d", a->base_url, VAPI_LIST_LIMIT);
	if (l->caller && l->caller[0] != '\0') {
		text_puts(&url, "&phoneNumberId=");
		text_url(&url, l->caller);
	}
	text_puts(&url, "&createdAtGe=");
	text_url(&url, clock_format(l->since_ms, buf));
	if (l->until_ms > 0) {
		text_puts(&url, "&createdAtLt=");
		text_url(&url, clock_format(l->until_ms, buf));
	}
	if (peer_request(m, a, peer_url(m, &url), NULL, ret) < 0)
		return -1;

	ret->max_bytes = VAPI_LIST_BYTES;
	return 0;
}

static int
look(struct mem *m, const struct voice_account *a, const struct voice_look *l,
    struct fetch_request *ret)
{
	CLEANUP(text_clear) struct text url = TEXT(PEER_URL_MAX);

	if (l->kind == LOOK_BY_LIST)
		return list(m, a, l, ret);

	text_printf(&url, "%s/call/", a->base_url);
	if (peer_put_id(&url, l->provider_call_id) < 0)
		return -1;
	if (peer_request(m, a, peer_url(m, &url), NULL, ret) < 0)
		return -1;

	ret->max_bytes = VAPI_CALL_BYTES;
	return 0;
}

/* ---- check ---------------------------------------------------------- */

static int
check(struct mem *m, const struct voice_account *a, struct fetch_request *ret)
{
	if (peer_request(m, a, mem_printf(m, "%s/call?limit=1", a->base_url), NULL, ret) < 0)
		return -1;

	ret->max_bytes = VAPI_LIST_BYTES;
	return 0;
}

/* ---- hang up -------------------------------------------------------- */

/* The control address is a secret of the one call; the account's key has no business there. */
static int
hangup(struct mem *m, const struct voice_account *a, const char *control_url,
    struct fetch_request *ret)
{
	static const char *const headers[] = { "Content-Type: application/json", NULL };

	if (!vapi_control_url(m, a, span_of(control_url))) {
		errno = EINVAL;
		return -1;
	}
	*ret = (struct fetch_request){ .peer = "vapi",
		.method = "POST",
		.url = control_url,
		.headers = headers,
		.body = SPAN("{\"type\":\"end-call\"}"),
		.timeout_ms = a->timeout_ms,
		.https_only = strncmp(control_url, "https:", 6) == 0 };
	return 0;
}

const struct voice_provider vapi_provider = {
	.type = "vapi",
	.default_url = "https://api.vapi.ai",
	.url_setting = SET_VAPI_BASE_URL,
	.key_setting = SET_VAPI_API_KEY,
	.dial = dial,
	.look = look,
	.check = check,
	.hangup = hangup,
	.dialled = vapi_dialled,
	.looked = vapi_looked,
	.recording = vapi_recording,
};
