/*
 * twilio.c - Twilio: requests for the account of the settings, and what its answers mean.
 */
#include "peers/twilio.h"

#include "base/settings.h"
#include "lib/crypto.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

enum { TIMEOUT_MS = 15000, ANSWER_MAX = 4 * 1024 * 1024, CREDENTIALS_MAX = 512 };
enum { URL_MAX = 8 * 1024 };

/* ---- requests -------------------------------------------------------- */

void
twilio_put(struct twilio_form *f, const char *name, const char *value)
{
	if (!value)
		return;
	text_printf(&f->text, "%s%s=", f->text.len > 0 ? "&" : "", name);
	text_url(&f->text, value);
}

void
twilio_put_int(struct twilio_form *f, const char *name, int64_t value)
{
	text_printf(&f->text, "%s%s=%lld", f->text.len > 0 ? "&" : "", name, (long long)value);
}

void
twilio_form_clear(struct twilio_form *f)
{
	text_clear(&f->text);
}

/* It becomes a part of a path. */
static bool
is_account(const char *s)
{
	for (; s && *s; s++) {
		if (!isalnum((unsigned char)*s))
			return false;
	}
	return s != NULL;
}

bool
twilio_ready(void)
{
	return is_account(setting_str(SET_TWILIO_ACCOUNT_SID)) &&
	    setting_str(SET_TWILIO_AUTH_TOKEN);
}

const char *
twilio_token(struct mem *m)
{
	const char *s = setting_str(SET_TWILIO_AUTH_TOKEN);
	size_t n;

	if (!s)
		return NULL;
	s += strspn(s, ", ");
	n = strcspn(s, ", ");
	return n > 0 ? mem_dup(m, s, n) : NULL;
}

bool
twilio_is_sid(const char *kind, const char *sid)
{
	return sid && strncmp(sid, kind, 2) == 0 && strlen(sid) == TWILIO_SID_LEN &&
	    strspn(sid + 2, "0123456789abcdef") == TWILIO_SID_LEN - 2;
}

const char *
twilio_path(struct mem *m, const char *front, const char *sid, const char *back)
{
	if (!sid || sid[0] == '\0' || strlen(sid) > TWILIO_SID_LEN || !is_account(sid)) {
		errno = EINVAL;
		return NULL;
	}
	return mem_printf(m, "%s%s%s", front, sid, back);
}

static const char *const *
headers(struct mem *m, bool form)
{
	const char **h = mem_alloc(m, 4 * sizeof(*h));
	char encoded[CREDENTIALS_MAX * 4 / 3 + 8];
	const char *token = twilio_token(m);
	const char *pair =
	    token ? mem_printf(m, "%s:%s", setting_str(SET_TWILIO_ACCOUNT_SID), token) : NULL;
	int n = pair && strlen(pair) <= CREDENTIALS_MAX ?
	    crypto_base64((const unsigned char *)pair, strlen(pair), encoded, sizeof(encoded)) :
	    -1;

	if (!h || n < 0)
		return NULL;
	h[0] = mem_printf(m, "Authorization: Basic %s", encoded);
	h[1] = "User-Agent: hookswitch";
	h[2] = form ? "Content-Type: application/x-www-form-urlencoded" : NULL;
	return h[0] ? h : NULL;
}

static int
build(struct mem *m, const char *method, struct fetch_request *ret)
{
	ret->peer = "twilio";
	ret->method = method;
	ret->headers = headers(m, ret->body.len > 0);
	ret->timeout_ms = TIMEOUT_MS;
	ret->max_bytes = ANSWER_MAX;
	ret->https_only = ret->url && strncmp(ret->url, "https:", 6) == 0;
	if (!ret->url || !ret->headers) {
		errno = ENOMEM;
		return -1;
	}
	return 0;
}

static int
check(const char *path, const struct twilio_form *f)
{
	if (!twilio_ready())
		errno = ENOTCONN;
	else if (!path || path[0] != '/')
		errno = EINVAL;
	else if (f && !text_ok(&f->text))
		errno = ENOMEM;
	else
		return 0;
	return -1;
}

static const char *
url(struct mem *m, const char *path, const char *query)
{
	return mem_printf(m, "%s/2010-04-01/Accounts/%s%s%s%s", setting_str(SET_TWILIO_BASE_URL),
	    setting_str(SET_TWILIO_ACCOUNT_SID), path, query[0] != '\0' ? "?" : "", query);
}

int
twilio_get(struct mem *m, const char *path, const struct twilio_form *f, struct fetch_request *ret)
{
	if (check(path, f) < 0)
		return -1;
	if (f && f->text.len > URL_MAX) {
		errno = EINVAL;
		return -1;
	}
	*ret = (struct fetch_request){ .url = url(m, path,
					   f && f->text.len ? text_str(&f->text) : "") };
	return build(m, "GET", ret);
}

int
twilio_post(struct mem *m, const char *path, const struct twilio_form *f, struct fetch_request *ret)
{
	if (check(path, f) < 0)
		return -1;
	*ret = (struct fetch_request){ .url = url(m, path, "") };
	if (f && f->text.len > 0) {
		ret->body =
		    (struct span){ mem_dup(m, text_str(&f->text), f->text.len), f->text.len };
		if (!ret->body.data)
			return -1;
	}
	return build(m, "POST", ret);
}

int
twilio_delete(struct mem *m, const char *path, struct fetch_request *ret)
{
	if (check(path, NULL) < 0)
		return -1;
	*ret = (struct fetch_request){ .url = url(m, path, "") };
	return build(m, "DELETE", ret);
}

int
twilio_next(struct mem *m, const char *next_page_uri, struct fetch_request *ret)
{
	const char *front;

	if (check("/", NULL) < 0)
		return -1;
	front = mem_printf(m, "/2010-04-01/Accounts/%s/", setting_str(SET_TWILIO_ACCOUNT_SID));
	if (!front)
		return -1;
	if (!next_page_uri || strlen(next_page_uri) > URL_MAX ||
	    strncmp(next_page_uri, front, strlen(front)) != 0 || strstr(next_page_uri, "..") ||
	    strpbrk(next_page_uri, "#\\ ")) {
		errno = EINVAL;
		return -1;
	}
	*ret = (struct fetch_request){ .url = mem_printf(m, "%s%s",
					   setting_str(SET_TWILIO_BASE_URL), next_page_uri) };
	return build(m, "GET", ret);
}

/* ---- answers --------------------------------------------------------- */

/* Twilio's own words for what a person has to mend: nothing that was asked is at fault. */
static bool
is_persons(int code)
{
	return code == 20003 || code == 20005 || code == 20008;
}

static void
read_error(struct mem *m, const struct fetch_answer *a, const struct json *body,
    struct outcome *ret)
{
	int64_t code = json_int(body, "code", 0);

	if (code <= 0 || code > 999999) {
		outcome_stranger(m, a, ret);
		return;
	}
	ret->code = mem_printf(m, "twilio_%d", (int)code);
	ret->message = json_str(body, "message");
	ret->person = is_persons((int)code);
	if (a->status >= 500)
		ret->result = OUTCOME_UNKNOWN;
	else if (a->status == 429 || a->status == 408 || code == 20429 || ret->person)
		ret->result = OUTCOME_RETRY;
	else if (a->status == 404)
		ret->result = OUTCOME_ABSENT;
	else
		ret->result = OUTCOME_FAILED;
	if (ret->result == OUTCOME_RETRY)
		ret->retry_after = ret->person ? OUTCOME_AGAIN_SETTINGS : OUTCOME_AGAIN_RATE;
	if (a->retry_after > ret->retry_after && ret->result <= OUTCOME_UNKNOWN)
		ret->retry_after = a->retry_after;
	if (!ret->code)
		ret->code = "twilio_error";
}

void
twilio_answer(struct mem *m, const struct fetch_answer *a, struct outcome *ret)
{
	const struct json *body;

	if (!outcome_open(m, a, ret, &body))
		return;
	if (a->status == 204 ||
	    (a->status >= 200 && a->status < 300 && json_type(body) == JSON_OBJECT))
		outcome_ok(ret, a->status == 204 ? NULL : body);
	else if (a->status < 200 || a->status >= 300)
		read_error(m, a, body, ret);
}
