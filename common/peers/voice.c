/*
 * voice.c - what all voice providers share: finding one, its address, reading a refusal.
 */
#include "peers/voice.h"

#include "base/scan.h"
#include "base/settings.h"
#include "lib/seal.h"
#include "peers/peer.h"
#include "peers/raw.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

enum { DETAIL_MAX = 300 };

static const struct voice_provider *const providers[] = { &vapi_provider, &synthflow_provider };

const struct voice_provider *
voice_find(const char *type)
{
	size_t i;

	for (i = 0; type && i < COUNT(providers); i++) {
		if (strcmp(providers[i]->type, type) == 0)
			return providers[i];
	}
	return NULL;
}

/* ---- addresses ------------------------------------------------------ */

/* Hosts that older samples name and that the providers never had. */
static const char *const wrong_hosts[] = { "https://api.vapi.com", "https://api.synthflow.com" };

static bool
is_wrong_host(const char *url)
{
	size_t i, n;

	for (i = 0; i < COUNT(wrong_hosts); i++) {
		n = strlen(wrong_hosts[i]);
		if (strncmp(url, wrong_hosts[i], n) == 0 && (url[n] == '\0' || url[n] == '/'))
			return true;
	}
	return false;
}

const char *
voice_base_url(struct mem *m, const char *type, const char *row_url)
{
	const struct voice_provider *p = voice_find(type);
	const char *url;
	size_t n;

	if (!p)
		return NULL;

	url = setting_str(p->url_setting);
	if (!url && row_url && row_url[0] != '\0' && !is_wrong_host(row_url))
		url = row_url;
	if (!url)
		url = p->default_url;

	for (n = strlen(url); n > 0 && url[n - 1] == '/'; n--)
		;
	return mem_dup(m, url, n);
}

/* ---- accounts ------------------------------------------------------- */

const char *
voice_key(struct mem *m, const struct voice_provider *p, const char *row_key)
{
	const char *key = row_key && *row_key ? row_key : setting_str(p->key_setting);

	return key ? seal_open(m, "provider.api_key", key) : mem_str(m, "");
}

int
voice_account_read(struct mem *m, const struct json *row, struct voice_account *ret)
{
	const struct voice_provider *p = voice_find(json_str(row, "provider_type"));

	if (!p) {
		errno = ENOENT;
		return -1;
	}
	ret->type = p->type;
	ret->timeout_ms =
	    (int)json_int(row, "timeout_ms", setting_int(SET_HOOKSWITCH_DIAL_TIMEOUT_MS));
	ret->base_url = voice_base_url(m, p->type, json_str(row, "base_url"));
	if (!ret->base_url) {
		errno = ENOMEM;
		return -1;
	}
	ret->api_key = voice_key(m, p, json_str(row, "api_key"));
	if (!ret->api_key)
		errno = EACCES;
	return ret->api_key ? 0 : -1;
}

/* 402 and 429 come from whoever knows the account, but also from what stands before him; and so may
 * a 2xx that is no JSON. */
enum voice_key_state
voice_checked(const struct fetch_answer *in)
{
	struct scan_field any = { .path = "id" };

	if (in->outcome != FETCH_ANSWERED)
		return KEY_UNKNOWN;
	if (in->status == 401 || in->status == 403)
		return KEY_REFUSED;
	if (in->status < 200 || in->status > 299)
		return KEY_UNKNOWN;
	return scan_json(in->body, &any, 1, RAW_DEPTH) == SCAN_OK ? KEY_GOOD : KEY_UNKNOWN;
}

/* ---- refusals ------------------------------------------------------- */

/* Words of an explanation that tell more than the status; text of a provider is never relied on for
 * whether it dialled. */
struct word {
	const char *word;
	enum voice_fault fault;
};

static const struct word words_429[] = {
	{ "concurren", FAULT_CONCURRENCY },
};

static const struct word words_400[] = {
	{ "concurren", FAULT_CONCURRENCY },
	{ "rate limit", FAULT_RATE },
	{ "too many requests", FAULT_RATE },
	{ "daily outbound", FAULT_RATE },
	{ "insufficient", FAULT_CREDIT },
	{ "credits", FAULT_CREDIT },
	{ "wallet", FAULT_CREDIT },
	{ "subscription is frozen", FAULT_CREDIT },
	{ "assistant", FAULT_CONFIG },
	{ "phonenumberid", FAULT_CONFIG },
	{ "phone number id", FAULT_CONFIG },
	{ "model_id", FAULT_CONFIG },
	{ "from_phone_number", FAULT_CONFIG },
};

static enum voice_fault
fault_by_words(const char *detail, const struct word *words, size_t n, enum voice_fault dflt)
{
	size_t i;

	for (i = 0; detail && i < n; i++) {
		if (strcasestr(detail, words[i].word))
			return words[i].fault;
	}
	return dflt;
}

static enum voice_fault
fault_of(int status, const char *detail)
{
	switch (status) {
	case 401:
	case 403:
		return FAULT_KEY;
	case 402:
		return FAULT_CREDIT;
	case 400:
	case 422:
		return fault_by_words(detail, words_400, COUNT(words_400), FAULT_CALL);
	case 429:
		return fault_by_words(detail, words_429, COUNT(words_429), FAULT_RATE);
	default:
		return FAULT_CONFIG;
	}
}

/* True when an answer of that status says that nothing was done.  Beyond those of the design (400
 * 401 402 403 404 429): every other 4xx says that the request was not taken, but for 408 and 499,
 * with which something in between gives up waiting; 307 and 308 tell us to ask elsewhere, while 301
 * to 303 also follow a request that was carried out. */
static bool
certainly_refused(int status)
{
	if (status == 307 || status == 308)
		return true;
	return status >= 400 && status < 500 && status != 408 && status != 499;
}

/* The provider's own words: the first message, whatever it is called. */
static const char *
detail_of(struct mem *m, const struct fetch_answer *in)
{
	struct scan_field f[] = { { .path = "message" }, { .path = "message.0" },
		{ .path = "detail.description" }, { .path = "detail" }, { .path = "error.message" },
		{ .path = "error" } };
	char buf[DETAIL_MAX + 1];
	size_t i;

	if (in->outcome != FETCH_ANSWERED || scan_json(in->body, f, COUNT(f), RAW_DEPTH) != SCAN_OK)
		return NULL;
	for (i = 0; i < COUNT(f); i++) {
		if (raw_text(&f[i], buf, sizeof(buf)))
			return mem_str(m, buf);
	}
	return NULL;
}

static const char *
status_reason(struct mem *m, int status)
{
	const char *reason = mem_printf(m, "http_%d", status);

	return reason ? reason : "http";
}

static void
no_answer(struct mem *m, const struct fetch_answer *in, struct voice_outcome *ret)
{
	if (in->why)
		ret->detail = mem_printf(m, "%.*s", DETAIL_MAX, in->why);
	if (in->outcome == FETCH_NOT_SENT) {
		ret->result = VOICE_REFUSED;
		ret->fault = FAULT_CONNECT;
		ret->reason = "connect_failed";
	} else {
		ret->reason = in->outcome == FETCH_TOO_LARGE ? "too_large" : "answer_lost";
	}
}

void
voice_refusal(struct mem *m, const struct fetch_answer *in, struct voice_outcome *ret)
{
	*ret = (struct voice_outcome){ .result = VOICE_UNKNOWN,
		.status = in->status,
		.retry_after = in->retry_after };

	if (in->outcome != FETCH_ANSWERED) {
		no_answer(m, in, ret);
		return;
	}
	ret->detail = detail_of(m, in);
	ret->reason = status_reason(m, in->status);
	if (!certainly_refused(in->status))
		return;

	ret->result = VOICE_REFUSED;
	ret->fault = fault_of(in->status, ret->detail);
	if (ret->fault == FAULT_CONCURRENCY)
		ret->reason = "concurrency";
}

/* ---- for the providers' files --------------------------------------- */

bool
peer_is_success(const struct fetch_answer *in)
{
	return in->outcome == FETCH_ANSWERED && in->status >= 200 && in->status < 300;
}

void
peer_hide_key(const struct voice_account *a, struct voice_outcome *o)
{
	if (o->detail && a->api_key && a->api_key[0] != '\0' && strstr(o->detail, a->api_key))
		o->detail = NULL;
}

static const char *
peer_bearer(struct mem *m, const char *key)
{
	const unsigned char *s = (const unsigned char *)key;

	if (!key || key[0] == '\0') {
		errno = EINVAL;
		return NULL;
	}
	for (; *s != '\0'; s++) {
		if (!isgraph(*s)) {
			errno = EINVAL;
			return NULL;
		}
	}
	return mem_printf(m, "Authorization: Bearer %s", key);
}

int
peer_request(struct mem *m, const struct voice_account *a, const char *url, struct text *body,
    struct fetch_request *ret)
{
	const char **headers = mem_alloc(m, 4 * sizeof(*headers));
	const char *bearer = peer_bearer(m, a->api_key);
	const char *data = NULL;

	if (body && text_ok(body))
		data = mem_dup(m, body->data, body->len);
	if (!headers || !url || (body && !data))
		errno = ENOMEM;
	if (!headers || !url || !bearer || (body && !data))
		return -1;

	headers[0] = bearer;
	headers[1] = "Accept: application/json";
	headers[2] = body ? "Content-Type: application/json" : NULL;
	headers[3] = NULL;
	*ret = (struct fetch_request){ .peer = a->type,
		.method = body ? "POST" : "GET",
		.url = url,
		.headers = headers,
		.timeout_ms = a->timeout_ms,
		.https_only = strncmp(url, "https:", 6) == 0 };
	if (body)
		ret->body = (struct span){ data, body->len };
	return 0;
}

void
peer_put(struct text *t, const char *name, const char *value)
{
	if (!value || value[0] == '\0')
		return;
	if (t->len > 0 && t->data[t->len - 1] != '{')
		text_putc(t, ',');
	text_json(t, name);
	text_putc(t, ':');
	text_json(t, value);
}

const char *
peer_url(struct mem *m, struct text *url)
{
	const char *out = text_ok(url) ? mem_dup(m, text_str(url), url->len) : NULL;

	text_clear(url);
	return out;
}

const char *
peer_text(struct mem *m, const struct scan_field *f)
{
	char *buf = f->kind == SCAN_STRING ? mem_alloc(m, f->raw.len + 1) : NULL;

	return buf && raw_text(f, buf, f->raw.len + 1) ? buf : NULL;
}

int
peer_put_id(struct text *url, const char *id)
{
	if (!id || id[0] == '\0' || id[0] == '.') {
		errno = EINVAL;
		return -1;
	}
	text_url(url, id);
	return 0;
}

void
peer_look_failed(struct mem *m, const struct fetch_answer *in, struct voice_sight *ret)
{
	ret->finding = LOOK_FAILED;
	if (in->outcome == FETCH_ANSWERED)
		ret->why = peer_is_success(in) ? "unreadable" : status_reason(m, in->status);
	else if (in->outcome == FETCH_NOT_SENT)
		ret->why = "connect_failed";
	else
		ret->why = in->outcome == FETCH_TOO_LARGE ? "too_large" : "answer_lost";
}
