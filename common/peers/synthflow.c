/*
 * synthflow.c - SynthFlow: builds the requests.  synthflow_answer.c reads the answers,
 * synthflow_event.c the webhooks.
 */
#include "peers/peer.h"
#include "peers/raw.h"
#include "peers/synthflow_peer.h"

#include <errno.h>
#include <string.h>

/* The name is required and agents say it: "Hello there" is better than a number read aloud. */
static const char unknown_name[] = "there";

/* ---- dial ----------------------------------------------------------- */

static void
put_variable(struct text *t, const char *key, const char *value)
{
	if (t->len > 0 && t->data[t->len - 1] != '[')
		text_putc(t, ',');
	text_putc(t, '{');
	peer_put(t, "key", key);
	text_puts(t, ",\"value\":");
	text_json(t, value);
	text_putc(t, '}');
}

/* Values are strings here: others are written as their JSON, null and our own name are left out. */
static int
put_json_variable(void *arg, const char *name, const struct json *value)
{
	CLEANUP(text_clear) struct text print = TEXT(PEER_BODY_MAX);
	struct text *t = arg;

	if (name[0] == '\0' || strcmp(name, SYNTHFLOW_MARK) == 0 || json_type(value) == JSON_NULL)
		return 0;
	if (json_type(value) == JSON_STRING) {
		put_variable(t, name, json_str_of(value, NULL));
		return 0;
	}
	json_write(&print, value);
	if (!text_ok(&print))
		t->failed = true;
	put_variable(t, name, text_str(&print));
	return 0;
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
	peer_put(&body, "model_id", d->assistant);
	peer_put(&body, "phone", d->number);
	peer_put(&body, "name", d->name && d->name[0] != '\0' ? d->name : unknown_name);
	peer_put(&body, "from_phone_number", d->caller);
	peer_put(&body, "lead_email", d->email);
	peer_put(&body, "external_webhook_url", a->webhook_url);
	if (json_type(d->says) == JSON_OBJECT) {
		peer_put(&body, "prompt", json_str(d->says, "prompt"));
		peer_put(&body, "greeting", json_str(d->says, "first_message"));
	}
	text_puts(&body, ",\"custom_variables\":[");
	put_variable(&body, SYNTHFLOW_MARK, d->assignment_id);
	json_each(d->variables, put_json_variable, &body);
	text_puts(&body, "]}");
	return peer_request(m, a, mem_printf(m, "%s/calls", a->base_url), &body, ret);
}

/* ---- look ----------------------------------------------------------- */

/* No from_date: it is a call's time only after the call has started, so it could hide one that
 * still waits.  The answer is filtered instead. */
static int
list(struct mem *m, const struct voice_account *a, const struct voice_look *l,
    struct fetch_request *ret)
{
	CLEANUP(text_clear) struct text url = TEXT(PEER_URL_MAX);

	if (!l->assistant || !l->number) {
		errno = EINVAL;
		return -1;
	}
	text_printf(&url, "%s/calls?model_id=", a->base_url);
	text_url(&url, l->assistant);
	text_puts(&url, "&lead_phone_number=");
	text_url(&url, l->number);
	text_printf(&url, "&limit=%d&offset=%d", SYNTHFLOW_LIST_LIMIT, l->offset);
	if (peer_request(m, a, peer_url(m, &url), NULL, ret) < 0)
		return -1;

	ret->max_bytes = SYNTHFLOW_LIST_BYTES;
	return 0;
}

static int
look(struct mem *m, const struct voice_account *a, const struct voice_look *l,
    struct fetch_request *ret)
{
	CLEANUP(text_clear) struct text url = TEXT(PEER_URL_MAX);

	if (l->kind == LOOK_BY_LIST)
		return list(m, a, l, ret);

	text_printf(&url, "%s/calls/", a->base_url);
	if (peer_put_id(&url, l->provider_call_id) < 0)
		return -1;
	if (peer_request(m, a, peer_url(m, &url), NULL, ret) < 0)
		return -1;

	ret->max_bytes = SYNTHFLOW_CALL_BYTES;
	return 0;
}

/* ---- check ---------------------------------------------------------- */

/* SynthFlow's own way to try a key. */
static int
check(struct mem *m, const struct voice_account *a, struct fetch_request *ret)
{
	if (peer_request(m, a, mem_printf(m, "%s/assistants/?limit=1", a->base_url), NULL, ret) < 0)
		return -1;

	ret->max_bytes = SYNTHFLOW_LIST_BYTES;
	return 0;
}

/* ---- hang up -------------------------------------------------------- */

static int
hangup(struct mem *m, const struct voice_account *a, const char *control_url,
    struct fetch_request *ret)
{
	(void)m;
	(void)a;
	(void)control_url;
	(void)ret;
	errno = ENOTSUP;
	return -1;
}

/* ---- recording ------------------------------------------------------ */

static enum voice_finding
recording(struct mem *m, const struct voice_account *a, const struct voice_look *l,
    const struct fetch_answer *in, struct voice_recording *ret)
{
	struct scan_field url[] = { { .path = "response.calls.0.recording_url" } };
	struct voice_sight sight;

	*ret = (struct voice_recording){ 0 };
	synthflow_looked(m, a, l, in, &sight);
	ret->why = sight.why;
	if (sight.finding != FOUND)
		return sight.finding;
	if (scan_json(in->body, url, COUNT(url), RAW_DEPTH) == SCAN_OK)
		ret->url = peer_text(m, &url[0]);
	return ret->url ? FOUND : NOT_FOUND;
}

const struct voice_provider synthflow_provider = {
	.type = "synthflow",
	.default_url = "https://api.synthflow.ai/v2",
	.url_setting = SET_SYNTHFLOW_BASE_URL,
	.key_setting = SET_SYNTHFLOW_API_KEY,
	.dial = dial,
	.look = look,
	.check = check,
	.hangup = hangup,
	.dialled = synthflow_dialled,
	.looked = synthflow_looked,
	.recording = recording,
};
