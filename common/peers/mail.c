/*
 * mail.c - what all who take our mails share: which one it is, addresses, answers that never came.
 */
#include "peers/mail.h"

#include "base/settings.h"
#include "base/text.h"
#include "peers/mail_message.h"

#include <ctype.h>
#include <string.h>

enum { LOCAL_MAX = 64, ADDRESS_MAX = 254, LABEL_MAX = 63 };

/* ---- addresses ------------------------------------------------------ */

static bool
is_local_part(const char *s, size_t n)
{
	bool dot = true;

	if (n == 0 || n > LOCAL_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c == '.' ? dot :
			       !(c < 0x80 && (isalnum(c) || strchr("!#$%&'*+-/=?^_`{|}~", c))))
			return false;
		dot = c == '.';
	}
	return !dot;
}

static bool
is_label(const char *s, size_t n)
{
	if (n == 0 || n > LABEL_MAX || s[0] == '-' || s[n - 1] == '-')
		return false;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c >= 0x80 || !(isalnum(c) || c == '-'))
			return false;
	}
	return true;
}

/* Two labels at least: a single name is nobody's address in the world. */
static bool
is_domain(const char *s)
{
	int labels = 0;
	size_t n;

	for (;; s += n + 1) {
		n = strcspn(s, ".");
		if (!is_label(s, n))
			return false;
		labels++;
		if (s[n] == '\0')
			return labels >= 2;
	}
}

bool
mail_is_address(const char *s)
{
	const char *at = s ? strrchr(s, '@') : NULL;

	return at && strlen(s) <= ADDRESS_MAX && is_local_part(s, (size_t)(at - s)) &&
	    is_domain(at + 1);
}

/* ---- one mail ------------------------------------------------------- */

static bool
is_line(const char *s, size_t max)
{
	size_t n = s ? strlen(s) : 0;

	if (n == 0 || n > max || !utf8_valid(s, n))
		return false;
	for (; *s; s++) {
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return false;
	}
	return true;
}

bool
mail_can(const struct mail *in)
{
	struct mail_address from;

	if (mail_split(in->from, &from) != 0 || !mail_is_address(in->to))
		return false;
	if (!is_line(in->subject, MAIL_SUBJECT_MAX) || !is_line(in->key, MAIL_KEY_MAX))
		return false;
	return in->text && in->html && utf8_valid(in->text, strlen(in->text)) &&
	    utf8_valid(in->html, strlen(in->html));
}

/* ---- who takes it --------------------------------------------------- */

const char *
mail_from(void)
{
	return setting_str(SET_MAIL_FROM);
}

const struct mail_provider *
mail_provider(void)
{
	if (setting_str(SET_RESEND_API_KEY))
		return &mail_resend;
	return setting_str(SET_SMTP_URL) ? &mail_smtp : NULL;
}

int
mail_ready(void)
{
	const struct mail_provider *p = mail_provider();
	struct mail_address from;

	if (!p)
		return 0;
	if (!mail_from() || mail_split(mail_from(), &from) != 0) {
		fprintf(stderr, "MAIL_FROM: %s\n",
		    mail_from() ? "must be an address, or a name and <an address>" :
				  "is needed to send mails");
		return -1;
	}
	return p->ready();
}

/* ---- answers that never came ---------------------------------------- */

bool
mail_no_answer(const struct fetch_answer *a, struct mail_outcome *ret)
{
	*ret = (struct mail_outcome){ .result = MAIL_UNKNOWN, .retry_after = -1 };
	switch (a->outcome) {
	case FETCH_ANSWERED:
		return false;
	case FETCH_NOT_SENT:
		ret->result = MAIL_RETRY;
		ret->reason = "connect_failed";
		return true;
	case FETCH_LOST:
		ret->reason = "no_answer";
		return true;
	case FETCH_TOO_LARGE:
		ret->reason = "unreadable";
		return true;
	}
	return true;
}
