/*
 * fetch_transfer.c - one request as libcurl sees it: its options, its answer, and what its end
 * means.
 */
#include "base/clock.h"
#include "lib/fetch_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SELF_MEMORY = 16 * 1024, OWN_MEMORY = 64 * 1024 };
enum { BODY_MAX = 2 * 1024 * 1024, CONNECT_MS = 5000 };
/* A connection unused for this long is not used again: most servers close theirs after five
 * seconds, and a request that meets the closing is lost. */
enum { KEEP_SECONDS = 4 };
/* X-RateLimit-Reset is a time when it is greater than this, else a number of seconds. */
#define EPOCH_MIN INT64_C(1000000000)
#define EPOCH_MS_MIN INT64_C(100000000000)

struct transfer *
transfer_new(void)
{
	struct mem *m = mem_new(SELF_MEMORY);
	struct transfer *t = m ? mem_alloc(m, sizeof(*t)) : NULL;

	if (!t) {
		mem_free(m);
		return NULL;
	}
	t->mem = m;
	t->own = mem_new(OWN_MEMORY);
	t->easy = curl()->easy_init();
	if (!t->own || !t->easy) {
		transfer_free(t);
		errno = ENOMEM;
		return NULL;
	}
	return t;
}

void
transfer_free(struct transfer *t)
{
	if (!t)
		return;
	mail_forget(t);
	curl()->easy_cleanup(t->easy);
	curl()->slist_free_all(t->headers);
	text_clear(&t->body);
	mem_free(t->own);
	mem_free(t->mem);
}

/* ---- callbacks ---------------------------------------------------------- */

/* Called by libcurl when a connection is ready and nothing of the request has been sent on it yet.
 */
static int
before_send(void *arg, char *ip UNUSED, char *local_ip UNUSED, int port UNUSED,
    int local_port UNUSED)
{
	struct transfer *t = arg;

	if (t->sends > 0 && !t->repeatable)
		return CURL_PREREQFUNC_ABORT;
	t->sends++;
	return CURL_PREREQFUNC_OK;
}

static size_t
take_body(char *data, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;

	if (size * n > t->body.max - t->body.len) {
		t->too_large = true;
		return 0;
	}
	text_put(&t->body, data, size * n);
	return text_ok(&t->body) ? size * n : 0;
}

/* ---- the request -------------------------------------------------------- */

static bool
is_line(const char *s)
{
	for (; *s; s++) {
		if ((unsigned char)*s < ' ' && *s != '\t')
			return false;
	}
	return true;
}

static bool
is_url(const struct fetch_request *r)
{
	const char *s = r->url;
	const char *plain = r->mail ? "smtp://" : "http://",
		   *tls = r->mail ? "smtps://" : "https://";
	bool safe = s && strncasecmp(s, tls, strlen(tls)) == 0;

	if (!safe && (r->https_only || !s || strncasecmp(s, plain, strlen(plain)) != 0))
		return false;
	for (; *s; s++) {
		if ((unsigned char)*s <= ' ' || *s == 0x7f)
			return false;
	}
	return true;
}

static int
add_header(struct transfer *t, const char *line)
{
	struct curl_slist *l = is_line(line) ? curl()->slist_append(t->headers, line) : NULL;

	if (!l) {
		errno = is_line(line) ? ENOMEM : EINVAL;
		return -1;
	}
	t->headers = l;
	return 0;
}

static int
add_headers(struct transfer *t, const struct fetch_request *r)
{
	bool typed = false;

	for (const char *const *h = r->headers; h && *h; h++) {
		typed = typed || strncasecmp(*h, "content-type:", 13) == 0;
		if (add_header(t, *h))
			return -1;
	}
	/* With "Expect" libcurl sends a request again when it is refused; the type it would claim
	 * is a form's. */
	if (add_header(t, "Expect:") || (!typed && add_header(t, "Content-Type:")))
		return -1;
	curl()->easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
	return 0;
}

static int
set_method(struct transfer *t, const struct fetch_request *r)
{
	bool get = strcmp(r->method, "GET") == 0, head = strcmp(r->method, "HEAD") == 0;
	bool body = r->body.len > 0 || strcmp(r->method, "POST") == 0 ||
	    strcmp(r->method, "PUT") == 0 || strcmp(r->method, "PATCH") == 0;
	CURLcode e = CURLE_OK;

	t->repeatable = get || head;
	if (head) {
		curl()->easy_setopt(t->easy, CURLOPT_NOBODY, 1L);
		return 0;
	}
	if (body) {
		curl()->easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
		e = curl()->easy_setopt(t->easy, CURLOPT_COPYPOSTFIELDS,
		    r->body.len ? r->body.data : "");
	}
	if (!e && (!get || body))
		e = curl()->easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, r->method);
	errno = ENOMEM;
	return e ? -1 : 0;
}

static void
set_manners(struct transfer *t, const struct fetch_request *r, CURLSH *share)
{
	CURL *e = t->easy;

	curl()->easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl()->easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl()->easy_setopt(e, CURLOPT_PROTOCOLS_STR, r->https_only ? "https" : "http,https");
	curl()->easy_setopt(e, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	curl()->easy_setopt(e, CURLOPT_HTTP_CONTENT_DECODING, 0L);
	curl()->easy_setopt(e, CURLOPT_MAXAGE_CONN, (long)KEEP_SECONDS);
	curl()->easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
	/* Not by the environment's proxies: what is sent where is said by our settings alone. */
	curl()->easy_setopt(e, CURLOPT_PROXY, "");
	curl()->easy_setopt(e, CURLOPT_USERAGENT, "hookswitch");
	curl()->easy_setopt(e, CURLOPT_SHARE, share);
	curl()->easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS,
	    (long)(r->connect_ms ? r->connect_ms : CONNECT_MS));
	curl()->easy_setopt(e, CURLOPT_PREREQFUNCTION, before_send);
	curl()->easy_setopt(e, CURLOPT_PREREQDATA, t);
	curl()->easy_setopt(e, CURLOPT_WRITEFUNCTION, take_body);
	curl()->easy_setopt(e, CURLOPT_WRITEDATA, t);
	curl()->easy_setopt(e, CURLOPT_PRIVATE, t);
}

/* -1 when there is no handle for the next one. */
static int
forget_last(struct transfer *t)
{
	mail_forget(t);
	if (t->easy)
		curl()->easy_reset(t->easy);
	else
		t->easy = curl()->easy_init();
	curl()->slist_free_all(t->headers);
	t->headers = NULL;
	text_clear(&t->body);
	mem_reset(t->own);
	t->too_large = false;
	t->sends = 0;
	errno = ENOMEM;
	return t->easy ? 0 : -1;
}

int
transfer_prepare(struct transfer *t, const struct fetch_request *r, CURLSH *share)
{
	if (forget_last(t))
		return -1;
	if (!is_url(r) || (!r->mail && !r->method) || r->timeout_ms <= 0) {
		errno = EINVAL;
		return -1;
	}
	t->body = TEXT(r->max_bytes ? r->max_bytes : BODY_MAX);
	t->began = clock_steady_ms();
	t->deadline = t->began + r->timeout_ms;
	t->answer = (struct fetch_answer){ .tag = r->tag };
	set_manners(t, r, share);
	if (curl()->easy_setopt(t->easy, CURLOPT_URL, r->url) != CURLE_OK) {
		errno = ENOMEM;
		return -1;
	}
	if (r->mail)
		return mail_prepare(t, r);
	return add_headers(t, r) || set_method(t, r) ? -1 : 0;
}

/* ---- the answer --------------------------------------------------------- */

static const char *
header_of(struct transfer *t, const char *name)
{
	struct curl_header *h;

	if (curl()->easy_header(t->easy, name, 0, CURLH_HEADER, -1, &h) != CURLHE_OK)
		return NULL;
	return mem_str(t->own, h->value);
}

/* A header's value, "" when there is none; a mail has none. */
static const char *
word_of(struct transfer *t, const char *name)
{
	const char *value = t->mail.wanted ? NULL : header_of(t, name);

	return value ? value : "";
}

/* A whole number that is all of s; -1 when it is none. */
static int64_t
whole_number(const char *s)
{
	size_t n = s ? strspn(s, "0123456789") : 0;

	return n > 0 && n <= 15 && s[n] == '\0' ? strtoll(s, NULL, 10) : -1;
}

static int64_t
seconds_until(int64_t wall_ms)
{
	int64_t left = wall_ms - clock_wall_ms();

	return left > 0 ? (left + 999) / 1000 : 0;
}

static int64_t
read_retry_after(struct transfer *t)
{
	const char *s = header_of(t, "Retry-After");
	int64_t n = whole_number(s), at;

	if (n >= 0)
		return n;
	if (s && clock_parse_http_date(s, &at) == 0)
		return seconds_until(at);

	n = whole_number(header_of(t, "X-RateLimit-Reset"));
	if (n >= EPOCH_MS_MIN)
		return seconds_until(n);
	return n >= EPOCH_MIN ? seconds_until(n * 1000) : n;
}

static enum fetch_outcome
outcome_of(const struct transfer *t, CURLcode code)
{
	if (t->mail.wanted)
		return mail_outcome(t, code);
	if (t->too_large)
		return FETCH_TOO_LARGE;
	if (code == CURLE_OK && t->answer.status > 0)
		return FETCH_ANSWERED;
	return t->sends > 0 ? FETCH_LOST : FETCH_NOT_SENT;
}

static const char *
words_of(const struct transfer *t, CURLcode code)
{
	if (t->answer.outcome == FETCH_ANSWERED)
		return NULL;
	if (t->too_large)
		return "the answer is too large";
	if (code == CURLE_ABORTED_BY_CALLBACK)
		return "the kept connection was closed; it may not be sent twice";
	if (code == CURLE_OPERATION_TIMEDOUT)
		return t->answer.outcome == FETCH_LOST ? "no whole answer in time" :
							 "no connection in time";
	return curl()->easy_strerror(code);
}

void
transfer_conclude(struct transfer *t, CURLcode code)
{
	struct fetch_answer *a = &t->answer;
	bool http = !t->mail.wanted;
	long status = 0;

	curl()->easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	a->status = (int)status;
	a->outcome = outcome_of(t, code);
	a->why = words_of(t, code);
	a->body = (struct span){ text_str(&t->body), t->body.len };
	a->type = word_of(t, "Content-Type");
	a->location = word_of(t, "Location");
	a->should_retry = word_of(t, "Stripe-Should-Retry");
	a->request_id = word_of(t, "Request-Id");
	a->retry_after = http ? read_retry_after(t) : -1;
	a->ms = clock_steady_ms() - t->began;
}
