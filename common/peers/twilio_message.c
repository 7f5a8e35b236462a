/*
 * twilio_message.c - Twilio: the request for one text message, the look for it, and what each error
 * means.
 */
#include "peers/twilio_message.h"

#include "base/clock.h"
#include "base/scan.h"
#include "base/settings.h"
#include "base/text.h"
#include "lib/crypto.h"
#include "peers/raw.h"
#include "peers/twilio_url.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

enum { FORM_MAX = 32 * 1024, TIMEOUT_MS = 30000, ANSWER_MAX = 64 * 1024, PAGE_SIZE = 200 };
enum { LIST_MAX = 2 * 1024 * 1024, CREDENTIALS_MAX = 512, TEXT_BYTES_MAX = TWILIO_TEXT_MAX * 4 };
/* What an administrator must mend is looked for again after so many seconds. */
enum { AGAIN_SETTINGS = 300, AGAIN_RATE = 5 };

/* ---- the requests ---------------------------------------------------- */

bool
twilio_has_settings(void)
{
	return setting_str(SET_TWILIO_ACCOUNT_SID) && setting_str(SET_TWILIO_AUTH_TOKEN) &&
	    setting_str(SET_TWILIO_SMS_FROM);
}

static bool
is_number(const char *s)
{
	size_t n = s && s[0] == '+' ? strspn(s + 1, "0123456789") : 0;

	return n >= 7 && n <= 15 && s[1] != '0' && s[n + 1] == '\0';
}

/* It becomes a part of a path. */
static bool
is_account(const char *s)
{
	for (; s && *s; s++)
		if (!isalnum((unsigned char)*s))
			return false;
	return s != NULL;
}

static bool
is_text(const char *s)
{
	size_t bytes = s ? strlen(s) : 0, characters = 0;

	for (size_t i = 0; i < bytes; i++)
		characters += ((unsigned char)s[i] & 0xc0) != 0x80;
	return bytes > 0 && characters <= TWILIO_TEXT_MAX && utf8_valid(s, bytes);
}

static bool
can(const struct twilio_message *in)
{
	return twilio_has_settings() && is_account(setting_str(SET_TWILIO_ACCOUNT_SID)) &&
	    is_number(in->to) && is_text(in->text) && (!in->from || is_number(in->from));
}

static const char *const *
headers(struct mem *m, bool form)
{
	const char **h = mem_alloc(m, 3 * sizeof(*h));
	char encoded[CREDENTIALS_MAX * 4 / 3 + 8];
	const char *pair = mem_printf(m, "%s:%s", setting_str(SET_TWILIO_ACCOUNT_SID),
	    setting_str(SET_TWILIO_AUTH_TOKEN));
	int n = pair && strlen(pair) <= CREDENTIALS_MAX ?
	    crypto_base64((const unsigned char *)pair, strlen(pair), encoded, sizeof(encoded)) :
	    -1;

	if (!h || n < 0)
		return NULL;
	h[0] = mem_printf(m, "Authorization: Basic %s", encoded);
	h[1] = form ? "Content-Type: application/x-www-form-urlencoded" : NULL;
	return h[0] ? h : NULL;
}

static const char *
url(struct mem *m, const char *query)
{
	return mem_printf(m, "%s/2010-04-01/Accounts/%s/Messages.json%s",
	    setting_str(SET_TWILIO_BASE_URL), setting_str(SET_TWILIO_ACCOUNT_SID), query);
}

static void
put(struct text *t, const char *name, const char *value)
{
	text_printf(t, "%s%s=", t->len > 0 ? "&" : "", name);
	text_url(t, value);
}

/* A messaging service chooses the number by itself. */
static bool
from_is_service(void)
{
	return strncmp(setting_str(SET_TWILIO_SMS_FROM), "MG", 2) == 0;
}

static int
request(struct mem *m, const struct twilio_message *in, struct fetch_request *r)
{
	r->headers = headers(m, r->body.data != NULL);
	r->timeout_ms = in->timeout_ms ? in->timeout_ms : TIMEOUT_MS;
	errno = ENOMEM;
	return r->url && r->headers ? 0 : -1;
}

int
twilio_message_send(struct mem *m, const struct twilio_message *in, struct fetch_request *ret)
{
	CLEANUP(text_clear) struct text form = TEXT(FORM_MAX);
	struct fetch_request r = { .method = "POST", .max_bytes = ANSWER_MAX };
	const char *told = twilio_webhook_url(m, "/message");

	if (!can(in)) {
		errno = EINVAL;
		return -1;
	}
	put(&form, "To", in->to);
	put(&form, !in->from && from_is_service() ? "MessagingServiceSid" : "From",
	    in->from ? in->from : setting_str(SET_TWILIO_SMS_FROM));
	put(&form, "Body", in->text);
	if (told)
		put(&form, "StatusCallback", told);
	r.url = url(m, "");
	r.body = (struct span){ mem_dup(m, text_str(&form), form.len), form.len };
	if (!text_ok(&form) || !r.body.data || request(m, in, &r) != 0) {
		errno = ENOMEM;
		return -1;
	}
	*ret = r;
	return 0;
}

/* By number alone: a message that was not sent on yet has no date that a list could be asked for.
 */
int
twilio_message_look(struct mem *m, const struct twilio_message *in, struct fetch_request *ret)
{
	CLEANUP(text_clear) struct text query = TEXT(FORM_MAX);
	struct fetch_request r = { .method = "GET", .max_bytes = LIST_MAX };

	if (!can(in)) {
		errno = EINVAL;
		return -1;
	}
	text_puts(&query, "?To=");
	text_url(&query, in->to);
	text_printf(&query, "&PageSize=%d", PAGE_SIZE);
	r.url = url(m, text_str(&query));
	if (request(m, in, &r) != 0)
		return -1;
	*ret = r;
	return 0;
}

/* ---- errors ---------------------------------------------------------- */

/* Twilio's errors by code that are not the message's own fault; all other codes of a 4xx are. */
static const struct meaning {
	int code;
	int again; /* seconds; -1: as the step waits */
} later[] = {
	{ 20003, AGAIN_SETTINGS }, /* credentials */
	{ 20005, AGAIN_SETTINGS }, /* the account is not active */
	{ 20008, AGAIN_SETTINGS }, /* test credentials */
	{ 20404, AGAIN_SETTINGS }, /* the account's address */
	{ 20429, AGAIN_RATE },     /* too many requests */
	{ 21212, AGAIN_SETTINGS }, /* From is none */
	{ 21603, AGAIN_SETTINGS }, /* From is missing */
	{ 21606, AGAIN_SETTINGS }, /* From is not ours, or takes no texts */
	{ 21611, AGAIN_SETTINGS }, /* From's queue is full */
	{ 21659, AGAIN_SETTINGS }, /* From is not Twilio's */
	{ 21660, AGAIN_SETTINGS }, /* From is another account's */
	{ 21701, AGAIN_SETTINGS }, /* the messaging service is not there */
	{ 21703, AGAIN_SETTINGS }, /* it has no numbers */
};

static const struct meaning *
meaning_of(int code)
{
	for (size_t i = 0; i < COUNT(later); i++)
		if (later[i].code == code)
			return &later[i];
	return NULL;
}

/* A refusal that is not Twilio's own says nothing about the message. */
static void
read_error(struct mem *m, const struct fetch_answer *a, struct twilio_outcome *ret)
{
	struct scan_field f[] = { { .path = "code" } };
	bool read = scan_json(a->body, f, COUNT(f), RAW_DEPTH) == SCAN_OK;
	double number = 0;
	int code =
	    read && raw_number(&f[0], &number) && number > 0 && number < 1e6 ? (int)number : 0;
	const struct meaning *k = meaning_of(code);
	bool asked = a->status == 408 || a->status == 429;

	ret->reason = code ? mem_printf(m, "twilio_%d", code) : mem_printf(m, "http_%d", a->status);
	if (a->status < 300 || a->status >= 500)
		return;
	ret->result = code && !k && !asked ? TWILIO_FAILED : TWILIO_RETRY;
	if (ret->result == TWILIO_RETRY)
		ret->retry_after = k ? k->again : asked ? AGAIN_RATE : AGAIN_SETTINGS;
	if (ret->result == TWILIO_RETRY && a->retry_after > ret->retry_after)
		ret->retry_after = a->retry_after;
}

/* False when a whole answer came. */
static bool
no_answer(const struct fetch_answer *a, struct twilio_outcome *ret)
{
	*ret = (struct twilio_outcome){ .result = TWILIO_UNKNOWN, .retry_after = -1 };
	if (a->outcome == FETCH_NOT_SENT)
		ret->result = TWILIO_RETRY;
	ret->reason = a->outcome == FETCH_NOT_SENT ? "connect_failed" :
	    a->outcome == FETCH_LOST               ? "no_answer" :
						     "unreadable";
	return a->outcome != FETCH_ANSWERED;
}

/* ---- one message ------------------------------------------------------ */

enum { SID, STATUS, CODE, BODY, CREATED, DIRECTION, MESSAGE_FIELDS };

static bool
read_message(struct span json, struct scan_field f[MESSAGE_FIELDS])
{
	static const char *const paths[] = { [SID] = "sid",
		[STATUS] = "status",
		[CODE] = "error_code",
		[BODY] = "body",
		[CREATED] = "date_created",
		[DIRECTION] = "direction" };

	for (size_t i = 0; i < MESSAGE_FIELDS; i++)
		f[i] = (struct scan_field){ .path = paths[i] };
	return scan_json(json, f, MESSAGE_FIELDS, RAW_DEPTH) == SCAN_OK;
}

/* What Twilio has taken it does not take again, but what it has refused was not sent. */
static void
take_message(struct mem *m, const struct scan_field f[MESSAGE_FIELDS], struct twilio_outcome *ret)
{
	char id[RAW_ID_MAX + 1], status[RAW_WORD_MAX + 1];
	double code;

	ret->result = TWILIO_UNKNOWN;
	ret->reason = "unreadable";
	if (!raw_id(&f[SID], id))
		return;
	ret->id = mem_str(m, id);
	ret->status = raw_text(&f[STATUS], status, sizeof(status)) ? mem_str(m, status) : "queued";
	if (!ret->id || !ret->status)
		return;
	ret->result = TWILIO_SENT;
	ret->reason = NULL;
	if (strcmp(ret->status, "failed") != 0)
		return;
	ret->result = TWILIO_FAILED;
	ret->reason = raw_number(&f[CODE], &code) && code > 0 && code < 1e6 ?
	    mem_printf(m, "twilio_%d", (int)code) :
	    "failed";
}

void
twilio_message_sent(struct mem *m, const struct fetch_answer *a, struct twilio_outcome *ret)
{
	struct scan_field f[MESSAGE_FIELDS];

	if (no_answer(a, ret))
		return;
	if (a->status < 200 || a->status >= 300) {
		read_error(m, a, ret);
		return;
	}
	if (!read_message(a->body, f))
		f[SID].kind = SCAN_NONE;
	take_message(m, f, ret);
}

/* ---- the look --------------------------------------------------------- */

/* "Mon, 21 Sep 2026 13:33:20 +0000" */
static bool
read_date(const struct scan_field *f, int64_t *ret)
{
	char date[40];
	size_t n;

	if (!raw_text(f, date, sizeof(date)))
		return false;
	n = strlen(date);
	if (n != 31 || strcmp(date + 25, " +0000") != 0)
		return false;
	snprintf(date + 25, sizeof(date) - 25, " GMT");
	return clock_parse_http_date(date, ret) == 0;
}

static bool
is_ours(const struct twilio_message *in, const struct scan_field f[MESSAGE_FIELDS])
{
	char direction[RAW_WORD_MAX + 1], body[TEXT_BYTES_MAX + 1];

	return raw_text(&f[DIRECTION], direction, sizeof(direction)) &&
	    strncmp(direction, "outbound", 8) == 0 &&
	    scan_unescape(&f[BODY], body, sizeof(body)) == 0 && strcmp(body, in->text) == 0;
}

/* Goes through the list.  *ret_all: it goes back past the time of the message, so that what is not
 * in it is not there. */
static bool
find(const struct twilio_message *in, struct span list, bool *ret_all,
    struct scan_field f[MESSAGE_FIELDS])
{
	struct span item;
	size_t pos = 0;
	int64_t at;

	while (raw_next(list, &pos, &item)) {
		if (!read_message(item, f) || !read_date(&f[CREATED], &at)) {
			*ret_all = false;
			return false;
		}
		if (at < in->since_ms)
			*ret_all = true;
		else if (is_ours(in, f))
			return true;
	}
	return false;
}

void
twilio_message_looked(struct mem *m, const struct twilio_message *in, const struct fetch_answer *a,
    struct twilio_outcome *ret)
{
	struct scan_field top[] = { { .path = "messages" }, { .path = "next_page_uri" } };
	struct scan_field f[MESSAGE_FIELDS];
	bool all;

	if (no_answer(a, ret) || a->status != 200) {
		ret->result = TWILIO_UNKNOWN;
		ret->reason = ret->reason && a->outcome != FETCH_ANSWERED ?
		    ret->reason :
		    mem_printf(m, "http_%d", a->status);
		return;
	}
	if (scan_json(a->body, top, COUNT(top), RAW_DEPTH) != SCAN_OK || top[0].kind != SCAN_ARRAY)
		return;
	all = top[1].kind == SCAN_NULL;
	if (find(in, top[0].raw, &all, f)) {
		take_message(m, f, ret);
	} else {
		ret->result = all ? TWILIO_ABSENT : TWILIO_UNKNOWN;
		ret->reason = all ? NULL : "list_not_whole";
	}
}
