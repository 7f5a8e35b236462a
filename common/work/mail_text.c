/*
 * mail_text.c - what our mails say.
 *
 * {names} in the texts are members of the mail's data; they are somebody's words: cut, kept to one
 * line, and escaped in HTML.  The token and the code are made here and kept nowhere.
 *
 * The same values give the same bytes: a mail that is sent again is the same mail.
 */
#include "work/mail_text.h"

#include "base/text.h"
#include "lib/seal.h"

#include <errno.h>
#include <string.h>

enum { TEXT_MAX = 64 * 1024, URL_MAX = 4096 };

struct kind {
	const char *name;
	const char *subject;
	const char *opening;
	const char *button; /* the words of the link; NULL: the mail has none */
	const char *closing;
	const char *purpose; /* of the token; NULL: there is none */
	const char *type;    /* at /auth/v1/verify; NULL: that is no place for it */
	const char *path;    /* among the founder's own pages; NULL: none */
	bool code;           /* six digits can be typed instead */
	bool url;            /* the link is the data's url, where it has one, else the path */
};

#define NOT_YOU "If this was not you, nothing need be done."
#define NOT_YOU_CHANGED "If this was not you, set a new password now and end your sessions."

static const struct kind kinds[] = {
	{ "verify_email", "Confirm your address",
	    "please confirm that this address is yours. Then your account is ready.",
	    "Confirm the address", NOT_YOU, "signup", "signup", "/auth/verify-email", true, false },
	{ "email_change", "Confirm your new address",
	    "please confirm that your account shall have this address from now on.",
	    "Confirm the new address", NOT_YOU " The account keeps its old address.",
	    "email_change", "email_change", "/auth/verify-email", true, false },
	{ "email_changed", "Your address was changed",
	    "the address of your account is now {new_email}. This is the last mail to the old one.",
	    NULL, NOT_YOU_CHANGED, NULL, NULL, NULL, false, false },
	{ "reset_password", "Set a new password",
	    "somebody, you we hope, wants to set a new password for your account.",
	    "Set a new password", NOT_YOU " The password stays as it is.", "recovery", "recovery",
	    "/auth/reset-password", true, false },
	{ "magic_link", "Your link to sign in", "here is your link to sign in. It works once.",
	    "Sign in", NOT_YOU, "magiclink", "magiclink", NULL, true, false },
	{ "password_changed", "Your password was changed",
	    "the password of your account was changed just now.", NULL, NOT_YOU_CHANGED, NULL, NULL,
	    NULL, false, false },
	{ "invitation", "{inviter_name} invites you to {organization_name}",
	    "{inviter_name} invites you to join {organization_name} as {role}.",
	    "Accept the invitation", "If you do not know what this is about, nothing need be done.",
	    "invitation", NULL, "/invitations", false, false },
	{ "organization_deleted", "{organization_name} was deleted",
	    "{organization_name} was deleted. Until its data go for good, an owner can restore it.",
	    NULL, "If this is a mistake, speak to an owner of it.", NULL, NULL, NULL, false,
	    false },
	{ "usage_alert", "{organization_name} has used {percent} % of its {kind}",
	    "{organization_name} has used {used} of {limit} {kind} of its plan, which is {percent} "
	    "%. The period ends on {period_end}.",
	    "See the usage", "{consequence}", NULL, NULL, "/billing", false, false },
	{ "usage_summary", "{organization_name}, {period_start} to {period_end}",
	    "{organization_name} made {calls} calls of {minutes} minutes from {period_start} to "
	    "{period_end}. Its plan includes {included} minutes; beyond that there were {overage} "
	    "minutes, which cost {cost}.",
	    "See the usage", "Each minute can be traced to its call.", NULL, NULL, "/billing",
	    false, false },
	{ "payment_failed", "A payment of {organization_name} failed",
	    "the payment of {amount} for {organization_name} failed. Please see to it that the "
	    "card or account can be charged, or pay with another one.",
	    "Pay now", "Without a payment no more calls are made from {stops_on} on.", NULL, NULL,
	    "/billing", false, true },
	{ "payment_failed_stopped", "{organization_name} makes no more calls",
	    "{amount} of {organization_name} is still not paid. No more calls are taken or made.",
	    "Pay now", "Everything goes on as soon as it is paid.", NULL, NULL, "/billing", false,
	    true },
	{ "payment_recovered", "{organization_name} is paid up",
	    "the payment of {organization_name} has arrived. Everything goes on as before.", NULL,
	    "Thank you. There is nothing that you need to do.", NULL, NULL, NULL, false, false },
	{ "plan_changed", "{organization_name} has the plan {plan}",
	    "the plan of {organization_name} is {plan} now; before it was {old_plan}.",
	    "See the plan", "If this is a mistake, an owner can change it back.", NULL, NULL,
	    "/billing", false, false },
	{ "subscription_canceled", "The subscription of {organization_name} has ended",
	    "the subscription of {organization_name} to {plan} has ended.", "Choose a plan",
	    "Its data stay; from now on it has the plan of who pays for nothing.", NULL, NULL,
	    "/billing", false, false },
	{ "voice_message", "A caller left a message for {organization_name}",
	    "{caller} called {phone_number}, and left a message of {seconds} seconds.", "Hear it",
	    "It is the call's recording.", NULL, NULL, "/calls", false, false },
	{ "number_ready", "{organization_name} can be called: {number}",
	    "the phone number {number} of {organization_name} works. Its assistant answers it.",
	    "See the number", "Call it and hear.", NULL, NULL, "/numbers", false, false },
	{ "number_failed", "A phone number of {organization_name} does not work",
	    "the phone number {number} of {organization_name} does not work. {reason}",
	    "See the numbers", "What was given back costs nothing.", NULL, NULL, "/numbers", false,
	    false },
	{ "number_paused", "The phone number {number} is paused",
	    "the phone number {number} of {organization_name} is paused: nobody answers it. It is "
	    "kept; it is given back on {until}.",
	    "See the number", "A plan that includes it brings it back.", NULL, NULL, "/numbers",
	    false, false },
	{ "number_released", "The phone number {number} was given back",
	    "the phone number {number} of {organization_name} was given back.", NULL,
	    "Who calls it does not reach you any more.", NULL, NULL, NULL, false, false },
};

/* What is said where the data name nothing. */
static const struct {
	const char *name, *otherwise;
} names[] = {
	{ "organization_name", "an organization" },
	{ "inviter_name", "Somebody" },
	{ "role", "a member" },
	{ "new_email", "another one" },
	{ "percent", "much" },
	{ "kind", "minutes" },
	{ "used", "many" },
	{ "limit", "its" },
	{ "consequence", "There is nothing that you need to do." },
	{ "calls", "its" },
	{ "minutes", "some" },
	{ "included", "all" },
	{ "overage", "no" },
	{ "cost", "nothing" },
	{ "period_start", "the period's beginning" },
	{ "period_end", "the period's end" },
	{ "amount", "a bill" },
	{ "stops_on", "soon" },
	{ "plan", "another one" },
	{ "old_plan", "another one" },
	{ "caller", "Somebody" },
	{ "phone_number", "a number" },
	{ "seconds", "some" },
	{ "number", "that you asked for" },
	{ "reason", "It could not be set up." },
	{ "until", "no day that is set" },
};

/* What is made for one mail. */
struct made {
	const char *link;  /* NULL: none */
	const char *token; /* said as it is, where no link can carry it */
	const char *code;
};

/* ---- words ---------------------------------------------------------- */

static void
put_html(struct text *t, const char *s, size_t n)
{
	static const char odd[] = "&<>\"'";
	static const char *const words[] = { "&amp;", "&lt;", "&gt;", "&quot;", "&#39;" };

	for (size_t i = 0; i < n; i++) {
		const char *p = s[i] ? strchr(odd, s[i]) : NULL;

		if (p)
			text_puts(t, words[p - odd]);
		else
			text_putc(t, s[i]);
	}
}

static void
put_as(struct text *t, const char *s, size_t n, bool html)
{
	if (html)
		put_html(t, s, n);
	else
		text_put(t, s, n);
}

/* A value on one line, cut between characters; it never looks like an address to follow. */
static void
put_value(struct text *t, const char *s, bool html)
{
	size_t i = 0;

	for (int chars = 0; s[i] && chars < MAIL_VALUE_MAX; chars++) {
		size_t n = 1;

		while (((unsigned char)s[i + n] & 0xc0) == 0x80)
			n++;
		if ((unsigned char)s[i] < ' ' || s[i] == 0x7f || s[i] == '/' || s[i] == ':')
			text_putc(t, ' ');
		else
			put_as(t, s + i, n, html);
		i += n;
	}
	if (s[i])
		text_puts(t, "...");
}

static const char *
value_of(const struct json *data, const char *name, size_t n)
{
	for (size_t i = 0; i < COUNT(names); i++) {
		const char *s;

		if (strlen(names[i].name) != n || memcmp(names[i].name, name, n) != 0)
			continue;
		s = json_str(data, names[i].name);
		return s && s[0] != '\0' ? s : names[i].otherwise;
	}
	return "";
}

/* A sentence of the table with its {names} filled in. */
static void
put_words(struct text *t, const char *s, const struct json *data, bool html)
{
	size_t n;

	while (*s) {
		n = strcspn(s, "{");
		put_as(t, s, n, html);
		s += n;
		if (*s == '\0')
			break;
		n = strcspn(s, "}");
		put_value(t, value_of(data, s + 1, n - 1), html);
		s += n + 1;
	}
}

/* ---- links ---------------------------------------------------------- */

static const char *
make_link(struct mem *m, const struct kind *k, const struct mail_values *v, const char *token)
{
	CLEANUP(text_clear) struct text url = TEXT(URL_MAX);
	bool app = v->app_url && k->path;

	if (!app && !(v->api_url && k->type))
		return NULL;
	if (app)
		text_printf(&url, "%s%s?token=", v->app_url, k->path);
	else
		text_printf(&url, "%s/auth/v1/verify?token=", v->api_url);
	text_url(&url, token);
	if (!app)
		text_printf(&url, "&type=%s", k->type);
	if (v->redirect_to && v->redirect_to[0] != '\0') {
		text_puts(&url, "&redirect_to=");
		text_url(&url, v->redirect_to);
	}
	return text_ok(&url) ? mem_dup(m, text_str(&url), url.len) : NULL;
}

/* A link that opens nothing by itself: a provider's page for one bill, or one of the founder's. */
static int
make_plain(struct mem *m, const struct kind *k, const struct mail_values *v, struct made *ret)
{
	const char *url = k->url ? json_str(v->data, "url") : NULL;

	if (url && strlen(url) < URL_MAX &&
	    (strncmp(url, "https://", 8) == 0 || strncmp(url, "http://", 7) == 0))
		ret->link = mem_str(m, url);
	else if (k->path && v->app_url)
		ret->link = mem_printf(m, "%s%s", v->app_url, k->path);
	else
		return 0;
	return ret->link ? 0 : -1;
}

static int
make(struct mem *m, const struct kind *k, const struct mail_values *v, struct made *ret)
{
	const char *token;

	*ret = (struct made){ NULL, NULL, NULL };
	if (!k->purpose)
		return make_plain(m, k, v, ret);
	if (!v->token_id || !base_is_uuid(v->token_id)) {
		errno = EINVAL;
		return -1;
	}
	token = seal_token(m, k->purpose, v->token_id);
	ret->code = k->code ? seal_code(m, k->purpose, v->token_id) : NULL;
	if (!token || (k->code && !ret->code)) {
		errno = ENOMEM;
		return -1;
	}
	ret->link = make_link(m, k, v, token);
	ret->token = ret->link || k->code ? NULL : token;
	return 0;
}

/* ---- the mail ------------------------------------------------------- */

static void
put_plain(struct text *t, const struct kind *k, const struct mail_values *v, const struct made *d)
{
	text_puts(t, "Hello,\n\n");
	put_words(t, k->opening, v->data, false);
	if (d->link)
		text_printf(t, "\n\n%s:\n%s", k->button, d->link);
	if (d->code)
		text_printf(t, "\n\n%s code: %s", d->link ? "Or type this" : "Type this", d->code);
	if (d->token)
		text_printf(t, "\n\n%s with this token: %s", k->button, d->token);
	if (k->purpose && v->until)
		text_printf(t, "\n\nThis works until %s.", v->until);
	text_puts(t, "\n\n");
	put_words(t, k->closing, v->data, false);
	text_puts(t, "\n\n-- \n");
	put_value(t, v->service, false);
	text_putc(t, '\n');
}

static void
put_link(struct text *t, const char *link, const char *words)
{
	text_puts(t, "<p><a href=\"");
	put_html(t, link, strlen(link));
	text_printf(t,
	    "\" style=\"display:inline-block;padding:10px 18px;background:#1a56db;color:#ffffff;"
	    "text-decoration:none;border-radius:4px\">%s</a></p>\n",
	    words);
}

static void
put_marked(struct text *t, const struct kind *k, const struct mail_values *v, const struct made *d)
{
	text_puts(t,
	    "<!doctype html>\n<html><head><meta charset=\"utf-8\"></head>\n"
	    "<body style=\"font-family:sans-serif;font-size:16px;line-height:1.5\">\n"
	    "<p>Hello,</p>\n<p>");
	put_words(t, k->opening, v->data, true);
	text_puts(t, "</p>\n");
	if (d->link)
		put_link(t, d->link, k->button);
	if (d->code)
		text_printf(t, "<p>%s code: <b>%s</b></p>\n",
		    d->link ? "Or type this" : "Type this", d->code);
	if (d->token)
		text_printf(t, "<p>%s with this token: <code>%s</code></p>\n", k->button, d->token);
	if (k->purpose && v->until) {
		text_puts(t, "<p>This works until ");
		put_html(t, v->until, strlen(v->until));
		text_puts(t, ".</p>\n");
	}
	text_puts(t, "<p>");
	put_words(t, k->closing, v->data, true);
	text_puts(t, "</p>\n<p style=\"color:#666666\">");
	put_value(t, v->service, true);
	text_puts(t, "</p>\n</body></html>\n");
}

static const struct kind *
find_kind(const char *name)
{
	for (size_t i = 0; name && i < COUNT(kinds); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

static const char *
taken(struct mem *m, struct text *t)
{
	const char *s = text_ok(t) ? mem_dup(m, text_str(t), t->len) : NULL;

	text_empty(t);
	return s;
}

int
mail_text(struct mem *m, const char *kind, const struct mail_values *v, struct mail_parts *ret)
{
	CLEANUP(text_clear) struct text t = TEXT(TEXT_MAX);
	const struct kind *k = find_kind(kind);
	struct mail_parts p;
	struct made d;

	if (!k) {
		errno = ENOENT;
		return -1;
	}
	if (make(m, k, v, &d) != 0)
		return -1;
	put_words(&t, k->subject, v->data, false);
	p.subject = taken(m, &t);
	put_plain(&t, k, v, &d);
	p.text = taken(m, &t);
	put_marked(&t, k, v, &d);
	p.html = taken(m, &t);
	if (!p.subject || !p.text || !p.html) {
		errno = ENOMEM;
		return -1;
	}
	*ret = p;
	return 0;
}
