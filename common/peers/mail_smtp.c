/*
 * mail_smtp.c - any mail server: SMTP_URL taken apart, the mail as a message, replies by their
 * code.
 *
 * SMTP knows no key.  A mail that may have been taken is sent again, with the same Message-ID:
 * many servers and readers show it once.
 */
#include "peers/mail_message.h"

#include "base/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MESSAGE_MAX = 1 << 20, TIMEOUT_MS = 60000, AGAIN_SETTINGS = 300, PART_MAX = 256 };

/* smtp[s]://[user[:password]@]host[:port][?tls=required|never] */
struct server {
	bool smtps;
	bool starttls;
	bool known; /* there is a user */
	char user[PART_MAX];
	char password[PART_MAX];
	char host[PART_MAX]; /* an IPv6 address in brackets */
	int port;
};

/* ---- SMTP_URL ------------------------------------------------------- */

static int
hex_of(char c)
{
	const char *digits = "0123456789abcdef", *p;

	if (c >= 'A' && c <= 'F')
		c = (char)(c - 'A' + 'a');
	p = c ? strchr(digits, c) : NULL;
	return p ? (int)(p - digits) : -1;
}

/* Percent-decoded; -1 when it is too long or would hold a control character. */
static int
decode(const char *s, size_t n, char ret[PART_MAX])
{
	size_t len = 0;
	int c, high;

	for (size_t i = 0; i < n; i++) {
		c = (unsigned char)s[i];
		if (c == '%') {
			high = i + 2 < n ? hex_of(s[i + 1]) : -1;
			c = high >= 0 && hex_of(s[i + 2]) >= 0 ? high * 16 + hex_of(s[i + 2]) : 0;
			i += 2;
		}
		if (c < ' ' || c == 0x7f || len + 1 >= PART_MAX)
			return -1;
		ret[len++] = (char)c;
	}
	ret[len] = '\0';
	return 0;
}

static int
read_account(const char *s, size_t n, struct server *ret)
{
	const char *colon = memchr(s, ':', n);
	size_t user = colon ? (size_t)(colon - s) : n;

	ret->known = true;
	if (user == 0 || decode(s, user, ret->user) != 0)
		return -1;
	return colon ? decode(colon + 1, n - user - 1, ret->password) : 0;
}

static int
read_host(const char *s, size_t n, struct server *ret)
{
	const char *chars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
	size_t host = s[0] == '[' ? strcspn(s, "]") + 1 : strcspn(s, ":/?");
	char *end;
	long port;

	if (host == 0 || host > n || host >= PART_MAX)
		return -1;
	memcpy(ret->host, s, host);
	ret->host[host] = '\0';
	if (s[0] == '[' ? strspn(s + 1, "0123456789abcdefABCDEF:.") != host - 2 :
			  strspn(ret->host, chars) != host)
		return -1;
	ret->port = ret->smtps ? 465 : 587;
	if (host == n)
		return 0;
	port = s[host] == ':' ? strtol(s + host + 1, &end, 10) : 0;
	if (port < 1 || port > 65535 || end != s + n)
		return -1;
	ret->port = (int)port;
	return 0;
}

static bool
is_loopback(const char *host)
{
	return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
	    strncmp(host, "127.", 4) == 0;
}

static int
read_tls(const char *query, struct server *ret)
{
	ret->starttls = !ret->smtps && !is_loopback(ret->host);
	if (!query || query[1] == '\0')
		return 0;
	if (strcmp(query, "?tls=never") == 0 && !ret->smtps)
		ret->starttls = false;
	else if (strcmp(query, "?tls=required") == 0)
		ret->starttls = !ret->smtps;
	else
		return -1;
	return 0;
}

static int
read_url(const char *url, struct server *ret)
{
	const char *query, *at;
	size_t n;

	*ret = (struct server){ .smtps = strncasecmp(url, "smtps://", 8) == 0 };
	if (!ret->smtps && strncasecmp(url, "smtp://", 7) != 0)
		return -1;
	url += ret->smtps ? 8 : 7;
	query = strrchr(url, '?');
	n = query ? (size_t)(query - url) : strlen(url);
	at = memrchr(url, '@', n);
	if (at && read_account(url, (size_t)(at - url), ret) != 0)
		return -1;
	if (at) {
		n -= (size_t)(at + 1 - url);
		url = at + 1;
	}
	if (n > 0 && url[n - 1] == '/')
		n--;
	return read_host(url, n, ret) == 0 && read_tls(query, ret) == 0 ? 0 : -1;
}

static int
ready(void)
{
	struct server s;

	if (read_url(setting_str(SET_SMTP_URL), &s) == 0)
		return 0;
	fputs("SMTP_URL: must be smtp[s]://[user:password@]host[:port], perhaps with ?tls=required "
	      "or ?tls=never\n",
	    stderr);
	return -1;
}

/* ---- the request ---------------------------------------------------- */

static int
envelope(struct mem *m, const struct mail *in, const struct server *s, struct fetch_request *r)
{
	struct fetch_mail *f = mem_alloc(m, sizeof(*f));
	struct mail_address from;

	if (!f || mail_split(in->from, &from) != 0)
		return -1;
	*f = (struct fetch_mail){ .from = mem_str(m, from.address),
		.to = in->to,
		.user = s->known ? mem_str(m, s->user) : NULL,
		.password = s->known ? mem_str(m, s->password) : NULL,
		.ca_file = setting_str(SET_SMTP_CA_FILE),
		.starttls = s->starttls };
	r->mail = f;
	/* libcurl greets with what stands behind the host. */
	r->url = mem_printf(m, "%s://%s:%d/%s", s->smtps ? "smtps" : "smtp", s->host, s->port,
	    from.domain);
	return f->from && r->url && (!s->known || (f->user && f->password)) ? 0 : -1;
}

static int
send_mail(struct mem *m, const struct mail *in, struct fetch_request *ret)
{
	CLEANUP(text_clear) struct text message = TEXT(MESSAGE_MAX);
	struct fetch_request r = { .peer = "smtp",
		.timeout_ms = in->timeout_ms ? in->timeout_ms : TIMEOUT_MS };
	struct server s;

	if (read_url(setting_str(SET_SMTP_URL), &s) != 0) {
		errno = EINVAL;
		return -1;
	}
	if (mail_message(m, in, &message) != 0)
		return -1;
	r.body = (struct span){ mem_dup(m, text_str(&message), message.len), message.len };
	if (envelope(m, in, &s, &r) != 0 || !r.body.data) {
		errno = ENOMEM;
		return -1;
	}
	*ret = r;
	return 0;
}

/* ---- the answer ----------------------------------------------------- */

/* Who may send at all is the settings' business, and no mail's fault (RFC 4954, 3207). */
static bool
is_about_settings(int status)
{
	return status == 530 || status == 534 || status == 535 || status == 538;
}

static void
sent(struct mem *m, const struct mail *in, const struct fetch_answer *a, struct mail_outcome *ret)
{
	struct mail_address from;

	if (mail_no_answer(a, ret))
		return;
	ret->reason = mem_printf(m, "smtp_%d", a->status);
	if (is_about_settings(a->status)) {
		ret->result = MAIL_RETRY;
		ret->retry_after = AGAIN_SETTINGS;
	} else if (a->status >= 500 && a->status < 600) {
		ret->result = MAIL_FAILED;
	} else if (a->status >= 400 && a->status < 500) {
		ret->result = MAIL_RETRY;
	} else if (a->status >= 200 && a->status < 300 && mail_split(in->from, &from) == 0) {
		ret->result = MAIL_SENT;
		ret->reason = NULL;
		ret->id = mail_message_id(m, in->key, from.domain);
	}
}

const struct mail_provider mail_smtp = {
	.name = "smtp",
	.ready = ready,
	.send = send_mail,
	.sent = sent,
};
