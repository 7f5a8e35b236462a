/*
 * fetch_mail.c - one mail over SMTP: its envelope, its text, and whether the server has it.
 *
 * libcurl waits for the answer to a mail's last byte without letting anything else move, for as
 * long as the server takes.  So each mail has a thread of its own; fetch.c looks after its end.
 *
 * A server has a mail only once it has read all of it: what fails before is not sent.
 */
#include "lib/fetch_private.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGE_MAX = 1024 * 1024, ADDRESS_MAX = 320 };

/* ---- callbacks ---------------------------------------------------------- */

static size_t
give_message(char *buf, size_t size, size_t n, void *arg)
{
	struct mailing *m = arg;
	size_t left = m->message.len - m->given, len = size * n < left ? size * n : left;

	if (len > 0)
		memcpy(buf, m->message.data + m->given, len);
	m->given += len;
	return len;
}

/* A line of a reply: "250-more comes" or "250 the last one". */
static bool
is_last_line(const char *line, size_t n)
{
	return n > 3 && isdigit((unsigned char)line[0]) && isdigit((unsigned char)line[1]) &&
	    isdigit((unsigned char)line[2]) && isspace((unsigned char)line[3]);
}

/* After the mail's own reply, and the answer to the goodbye is 221, nothing is of interest; libcurl
 * would wait two minutes for that answer. */
static size_t
take_reply(char *line, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	struct mailing *m = &t->mail;
	bool last = is_last_line(line, size * n);

	if (m->replied || (last && strncmp(line, "221", 3) == 0))
		return size * n;
	if (m->ended)
		text_empty(&t->body);
	m->ended = last;
	if (size * n <= t->body.max - t->body.len)
		text_put(&t->body, line, size * n);
	if (last && m->given == m->message.len) {
		m->replied = true;
		curl()->easy_setopt(t->easy, CURLOPT_SERVER_RESPONSE_TIMEOUT, 1L);
	}
	return size * n;
}

static int
look_up(void *arg, curl_off_t a UNUSED, curl_off_t b UNUSED, curl_off_t c UNUSED,
    curl_off_t d UNUSED)
{
	struct mailing *m = arg;

	return atomic_load(&m->abandoned);
}

/* ---- the mail ----------------------------------------------------------- */

/* One address without anything that SMTP would read as more than that. */
static bool
is_address(const char *s)
{
	size_t n = s ? strlen(s) : 0;

	if (n == 0 || n > ADDRESS_MAX || !strchr(s, '@'))
		return false;
	for (; *s; s++) {
		if ((unsigned char)*s <= ' ' || *s == 0x7f || *s == '<' || *s == '>')
			return false;
	}
	return true;
}

/* Whole lines: a line break of another kind is where servers disagree about what is a mail's end.
 */
static bool
is_message(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		bool pair = s.data[i] == '\r' && i + 1 < s.len && s.data[i + 1] == '\n';

		if (s.data[i] == '\0' || (!pair && (s.data[i] == '\r' || s.data[i] == '\n')))
			return false;
		i += pair;
	}
	return s.len > 0 && s.data[s.len - 1] == '\n';
}

static CURLcode
set_account(CURL *e, const struct fetch_mail *m)
{
	CURLcode code = CURLE_OK;

	if (m->user)
		code = curl()->easy_setopt(e, CURLOPT_USERNAME, m->user);
	if (!code && m->user)
		code = curl()->easy_setopt(e, CURLOPT_PASSWORD, m->password ? m->password : "");
	if (!code && m->ca_file)
		code = curl()->easy_setopt(e, CURLOPT_CAINFO, m->ca_file);
	if (!code)
		code = curl()->easy_setopt(e, CURLOPT_MAIL_FROM, m->from);
	return code;
}

static void
set_manners(struct transfer *t, const struct fetch_request *r)
{
	CURL *e = t->easy;

	curl()->easy_setopt(e, CURLOPT_PROTOCOLS_STR, r->https_only ? "smtps" : "smtp,smtps");
	curl()->easy_setopt(e, CURLOPT_USE_SSL,
	    (long)(r->mail->starttls ? CURLUSESSL_ALL : CURLUSESSL_NONE));
	/* A thread's connection is its own; what is shared is shared without a lock. */
	curl()->easy_setopt(e, CURLOPT_SHARE, NULL);
	curl()->easy_setopt(e, CURLOPT_FORBID_REUSE, 1L);
	curl()->easy_setopt(e, CURLOPT_SERVER_RESPONSE_TIMEOUT, (long)(r->timeout_ms / 1000 + 1));
	curl()->easy_setopt(e, CURLOPT_UPLOAD, 1L);
	curl()->easy_setopt(e, CURLOPT_READFUNCTION, give_message);
	curl()->easy_setopt(e, CURLOPT_READDATA, &t->mail);
	curl()->easy_setopt(e, CURLOPT_HEADERFUNCTION, take_reply);
	curl()->easy_setopt(e, CURLOPT_HEADERDATA, t);
	curl()->easy_setopt(e, CURLOPT_PREREQFUNCTION, NULL);
	curl()->easy_setopt(e, CURLOPT_NOPROGRESS, 0L);
	curl()->easy_setopt(e, CURLOPT_XFERINFOFUNCTION, look_up);
	curl()->easy_setopt(e, CURLOPT_XFERINFODATA, &t->mail);
}

int
mail_prepare(struct transfer *t, const struct fetch_request *r)
{
	struct mailing *m = &t->mail;

	if (!is_address(r->mail->from) || !is_address(r->mail->to) || !is_message(r->body)) {
		errno = EINVAL;
		return -1;
	}
	m->wanted = true;
	m->message = TEXT(MESSAGE_MAX);
	text_put(&m->message, r->body.data, r->body.len);
	m->to = curl()->slist_append(NULL, r->mail->to);
	set_manners(t, r);
	if (!m->to || !text_ok(&m->message) || set_account(t->easy, r->mail) != CURLE_OK ||
	    curl()->easy_setopt(t->easy, CURLOPT_MAIL_RCPT, m->to) != CURLE_OK) {
		errno = ENOMEM;
		return -1;
	}
	return 0;
}

void
mail_forget(struct transfer *t)
{
	struct mailing *m = &t->mail;

	/* A handle that has sent a mail by itself loses memory with the next one. */
	if (m->wanted) {
		curl()->easy_cleanup(t->easy);
		t->easy = NULL;
	}
	curl()->slist_free_all(m->to);
	text_clear(&m->message);
	memset(m, 0, sizeof(*m));
}

/* ---- its thread --------------------------------------------------------- */

static void *
run_mail(void *arg)
{
	struct transfer *t = arg;
	CURLM *wake = t->mail.wake;

	t->mail.code = curl()->easy_perform(t->easy);
	atomic_store(&t->mail.over, true);
	curl()->multi_wakeup(wake);
	return NULL;
}

int
mail_start(struct transfer *t, CURLM *wake)
{
	sigset_t all, old;
	int e;

	t->mail.wake = wake;
	sigfillset(&all);
	/* Signals are for the thread that waits for them. */
	pthread_sigmask(SIG_BLOCK, &all, &old);
	e = pthread_create(&t->mail.thread, NULL, run_mail, t);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return e ? -1 : 0;
}

bool
mail_over(struct transfer *t)
{
	return atomic_load(&t->mail.over);
}

CURLcode
mail_join(struct transfer *t)
{
	atomic_store(&t->mail.abandoned, true);
	pthread_join(t->mail.thread, NULL);
	return t->mail.code;
}

/* The last reply counts, whatever libcurl thinks of it: 354 asked for the text, so it is none. */
enum fetch_outcome
mail_outcome(const struct transfer *t, CURLcode code)
{
	const struct mailing *m = &t->mail;

	if (code == CURLE_OK || m->replied || t->answer.status >= 400)
		return FETCH_ANSWERED;
	return m->given == m->message.len ? FETCH_LOST : FETCH_NOT_SENT;
}
