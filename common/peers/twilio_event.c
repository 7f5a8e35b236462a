/*
 * twilio_event.c - Twilio's webhooks: which fields of a form are facts.
 *
 * Nothing is decided here.  Names of cities and whatever else Twilio sends along stay in the raw
 * body.
 */
#include "peers/twilio_event.h"

#include "base/pairs.h"
#include "base/text.h"
#include "lib/crypto.h"
#include "lib/json.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

enum { FACTS_MAX = 256 * 1024, WORD_MAX = 200, BODY_MAX = 16 * 1024, SID_MAX = 64 };
enum { STATUS_MAX = 40, URL_MAX = 2000, MEDIA_MAX = 10 };

struct fact {
	const char *name;
	const char *form;  /* as Twilio calls it */
	const char *older; /* as it called it before; NULL: it never had another name */
	size_t max;        /* bytes; what is longer is not there, but a message's words are cut */
};

static const struct fact of_all[] = { { "from", "From", NULL, WORD_MAX },
	{ "to", "To", NULL, WORD_MAX }, { NULL, NULL, NULL, 0 } };
static const struct fact of_call[] = { { "duration", "CallDuration", NULL, WORD_MAX },
	{ "direction", "Direction", NULL, WORD_MAX }, { NULL, NULL, NULL, 0 } };
static const struct fact of_message[] = { { "error_code", "ErrorCode", NULL, WORD_MAX },
	{ NULL, NULL, NULL, 0 } };
static const struct fact of_sms[] = { { "body", "Body", NULL, BODY_MAX },
	{ "segments", "NumSegments", NULL, WORD_MAX }, { NULL, NULL, NULL, 0 } };
static const struct fact of_voice[] = { { "dialed", "DialCallStatus", NULL, STATUS_MAX },
	{ NULL, NULL, NULL, 0 } };
static const struct fact of_recording[] = { { "recording", "RecordingSid", NULL, SID_MAX },
	{ "url", "RecordingUrl", NULL, URL_MAX },
	{ "duration", "RecordingDuration", NULL, WORD_MAX }, { NULL, NULL, NULL, 0 } };

/* status: the key has it, and there is no event without it, unless it has a word for that. */
static const struct {
	const char *name;
	struct fact sid, status;
	const char *no_status;
	const char *sequence;
	const struct fact *facts;
} kinds[] = {
	[TWILIO_CALL] = { "call", { "sid", "CallSid", NULL, SID_MAX },
	    { "status", "CallStatus", NULL, STATUS_MAX }, NULL, "SequenceNumber", of_call },
	[TWILIO_MESSAGE] = { "message", { "sid", "MessageSid", "SmsSid", SID_MAX },
	    { "status", "MessageStatus", "SmsStatus", STATUS_MAX }, NULL, NULL, of_message },
	[TWILIO_SMS] = { "sms", { "sid", "MessageSid", "SmsSid", SID_MAX }, { NULL, NULL, NULL, 0 },
	    "received", NULL, of_sms },
	[TWILIO_VOICE] = { "voice", { "sid", "CallSid", NULL, SID_MAX },
	    { NULL, "DialCallStatus", NULL, STATUS_MAX }, "voice", NULL, of_voice },
	[TWILIO_RECORDING] = { "recording", { "sid", "CallSid", NULL, SID_MAX },
	    { "status", "RecordingStatus", NULL, STATUS_MAX }, "taken", NULL, of_recording },
};

/* ---- fields ---------------------------------------------------------- */

/* A JSON object's texts, as if they had come in a form. */
static int
add_member(void *arg, const char *name, const struct json *value)
{
	struct pairs *p = arg;
	size_t len = 0;
	const char *s = json_type(value) == JSON_STRING ? json_str_of(value, &len) : NULL;

	if (s)
		((struct pair *)p->items)[p->n++] = (struct pair){ span_of(name), { s, len } };
	return 0;
}

static int
read_fields(struct mem *m, struct span body, struct pairs *ret)
{
	const struct json *j;

	if (body.len == 0 || body.data[0] != '{')
		return pairs_read(m, body, ret);
	if (json_read(m, body.data, body.len, JSON_DEPTH_API, &j) != JSON_OK) {
		errno = EINVAL;
		return -1;
	}
	*ret = (struct pairs){ mem_alloc(m, (json_len(j) + 1) * sizeof(struct pair)), 0 };
	return ret->items ? json_each(j, add_member, ret) : -1;
}

static const char *
value_of(const struct pairs *p, const struct fact *f)
{
	const char *s = f->form ? pairs_find(p, f->form) : NULL;

	return s || !f->older ? s : pairs_find(p, f->older);
}

/* Letters and digits, and what else stands in words of Twilio's. */
static bool
is_word(const char *s, size_t max, const char *also)
{
	size_t n;

	for (n = 0; s && s[n] != '\0'; n++) {
		if (!isalnum((unsigned char)s[n]) && !strchr(also, s[n]))
			return false;
	}
	return s && n > 0 && n <= max;
}

/* ---- facts ----------------------------------------------------------- */

static void
put_fact(struct text *t, const char *name, const char *value, size_t n)
{
	text_printf(t, ",\"%s\":", name);
	text_json_n(t, value, n);
}

/* Words are cut between characters. */
static void
put_facts(struct text *t, const struct pairs *p, const struct fact *f)
{
	for (; f->name; f++) {
		const char *s = value_of(p, f);
		size_t n = s ? strlen(s) : 0;

		if (n == 0 || (n > f->max && f->max != BODY_MAX))
			continue;
		for (n = n < f->max ? n : f->max; n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80;)
			n--;
		put_fact(t, f->name, s, n);
	}
}

/* Pictures and the like: where they are, and what. */
static void
put_media(struct text *t, const struct pairs *p)
{
	char url[32], type[32];
	const char *s, *kind;
	int i;

	text_puts(t, ",\"media\":[");
	for (i = 0; i < MEDIA_MAX; i++) {
		snprintf(url, sizeof(url), "MediaUrl%d", i);
		snprintf(type, sizeof(type), "MediaContentType%d", i);
		s = pairs_find(p, url);
		kind = pairs_find(p, type);
		if (!s || strlen(s) > URL_MAX)
			break;
		text_puts(t, i > 0 ? ",{\"url\":" : "{\"url\":");
		text_json(t, s);
		text_puts(t, ",\"type\":");
		text_json(t, kind && strlen(kind) <= WORD_MAX ? kind : NULL);
		text_putc(t, '}');
	}
	text_putc(t, ']');
}

static const char *
facts_of(struct mem *m, enum twilio_event_kind kind, const struct pairs *p, const char *sid,
    const char *status)
{
	CLEANUP(text_clear) struct text t = TEXT(FACTS_MAX);

	text_printf(&t, "{\"kind\":\"%s\",\"sid\":", kinds[kind].name);
	text_json(&t, sid);
	if (kinds[kind].status.name)
		put_fact(&t, kinds[kind].status.name, status, strlen(status));
	put_facts(&t, p, of_all);
	put_facts(&t, p, kinds[kind].facts);
	if (kind == TWILIO_SMS)
		put_media(&t, p);
	text_putc(&t, '}');
	return text_ok(&t) ? mem_dup(m, t.data, t.len) : NULL;
}

/* ---- the event ------------------------------------------------------- */

static const char *
body_key(struct mem *m, struct span body)
{
	unsigned char hash[SHA256_LEN];
	char hex[2 * SHA256_LEN + 1];

	if (crypto_sha256(body, hash) < 0)
		return NULL;
	crypto_hex(hash, sizeof(hash), hex);
	return mem_printf(m, "body:%s", hex);
}

/* A recording is one event for each of its own SIDs, not for its call's.  How it went with whom a
 * call was put through to is not how the call ended. */
static const char *
key_of(struct mem *m, enum twilio_event_kind kind, const struct pairs *p, const char *sid,
    const char *status)
{
	const char *n = kinds[kind].sequence ? pairs_find(p, kinds[kind].sequence) : NULL;
	const char *own = kind == TWILIO_RECORDING ? pairs_find(p, "RecordingSid") : NULL;

	return mem_printf(m, "%s:%s%s%s%s", is_word(own, SID_MAX, "") ? own : sid,
	    kind == TWILIO_VOICE && status != kinds[kind].no_status ? "dial:" : "", status,
	    n ? ":" : "", is_word(n, STATUS_MAX, "") ? n : "");
}

static int
understood(struct mem *m, enum twilio_event_kind kind, const struct pairs *p,
    struct twilio_event *ret)
{
	const char *sid = value_of(p, &kinds[kind].sid);
	const char *status = value_of(p, &kinds[kind].status);

	if (!status)
		status = kinds[kind].no_status;
	if (!is_word(sid, SID_MAX, "") || !is_word(status, STATUS_MAX, "-_"))
		return 0;
	ret->type = kinds[kind].no_status ? kinds[kind].name :
					    mem_printf(m, "%s:%s", kinds[kind].name, status);
	ret->key = key_of(m, kind, p, sid, status);
	ret->facts = facts_of(m, kind, p, sid, status);
	return ret->type && ret->key && ret->facts ? 0 : -1;
}

int
twilio_event(struct mem *m, enum twilio_event_kind kind, struct span body, struct twilio_event *ret)
{
	struct twilio_event e = { .type = kinds[kind].name };
	struct pairs p = { NULL, 0 };

	e.key = body_key(m, body);
	if (!e.key) {
		errno = ENOMEM;
		return -1;
	}
	if (read_fields(m, body, &p) == 0) {
		e.account = pairs_find(&p, "AccountSid");
		if (understood(m, kind, &p, &e) < 0) {
			errno = ENOMEM;
			return -1;
		}
	} else if (errno == ENOMEM) {
		return -1;
	}
	*ret = e;
	return 0;
}
