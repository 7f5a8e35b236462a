/*
 * flow_mail.c - the workflow "mail": one mail, sent once, however long that takes.
 *
 * Its input: {"kind", "to", "data": {"token_id", "redirect_to", ...}}.  Before each try
 * public.mail_prepare (sql/functions/84_mail.sql) says whether the mail is still worth sending.
 * Nothing that opens anything is kept: token and code are made from the token's id for the moment
 * of sending.
 */
#include "work/flow_mail.h"

#include "base/clock.h"
#include "base/settings.h"
#include "base/text.h"
#include "peers/mail.h"
#include "work/mail_text.h"

#include <errno.h>
#include <string.h>

enum { TIMEOUT_MS = 30000, HALF_HOUR_MS = 30 * 60 * 1000 };
/* With waits of 2, 4, 8 ... s, then half hours, so many tries are more than two days. */
enum { TRIES = 110 };
#define TWO_DAYS_MS (INT64_C(48) * 3600 * 1000)

/* "Hookswitch <no-reply@example.com>" is Hookswitch's; a bare address speaks for itself. */
static const char *
service_of(struct mem *m, const char *from)
{
	const char *end = strchr(from, '<');
	size_t n = end ? (size_t)(end - from) : 0;

	while (n > 0 && strchr(" \"", from[n - 1]))
		n--;
	while (n > 0 && strchr(" \"", from[0])) {
		from++;
		n--;
	}
	return n > 0 ? mem_dup(m, from, n) : from;
}

static int
ask(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	const struct mail_provider *p = mail_provider();
	const struct json *data = json_get(in->input, "data");
	const char *app = setting_str(SET_APP_URL), *from = mail_from();
	struct mail_values v = { .app_url = app ? app : setting_str(SET_FRONTEND_URL),
		.api_url = setting_str(SET_API_URL),
		.token_id = json_str(data, "token_id"),
		.redirect_to = json_str(data, "redirect_to"),
		.until = json_str(in->prepared, "until"),
		.data = data };
	struct mail_parts parts;
	struct mail mail;

	if (!p || !from) {
		errno = ENOTCONN;
		return -1;
	}
	v.service = service_of(m, from);
	if (!v.service || mail_text(m, json_str(in->input, "kind"), &v, &parts) != 0)
		return -1;

	mail = (struct mail){ .from = from,
		.to = json_str(in->input, "to"),
		.subject = parts.subject,
		.text = parts.text,
		.html = parts.html,
		.key = in->key,
		.at_ms = clock_wall_ms(),
		.timeout_ms = TIMEOUT_MS };
	return p->send(m, &mail, ret);
}

/* The provider's id is all that is kept of its answer. */
static const char *
result_of(struct mem *m, const struct mail_provider *p, const char *id)
{
	CLEANUP(text_clear) struct text t = TEXT(4096);

	text_puts(&t, "{\"provider\":");
	text_json(&t, p->name);
	text_puts(&t, ",\"id\":");
	text_json(&t, id);
	text_putc(&t, '}');
	return text_ok(&t) ? mem_dup(m, text_str(&t), t.len) : NULL;
}

static void
read_answer(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret)
{
	static const enum step_verdict verdicts[] = { [MAIL_SENT] = STEP_DONE,
		[MAIL_RETRY] = STEP_RETRY,
		[MAIL_UNKNOWN] = STEP_UNKNOWN,
		[MAIL_FAILED] = STEP_FAILED };
	const struct mail_provider *p = mail_provider();
	const struct mail mail = { .from = mail_from(), .key = in->key };
	struct mail_outcome o;

	p->sent(m, &mail, a, &o);
	*ret = (struct step_out){ .verdict = verdicts[o.result],
		.reason = o.reason,
		.retry_after = o.retry_after };
	if (o.result == MAIL_SENT)
		ret->result = result_of(m, p, o.id);
}

static const char *const kept[] = { "provider", "id", "skipped", NULL };

static const struct step steps[] = {
	/* takes_key: Resend honours it; by SMTP a repeated mail bears the same Message-ID, and
	 * twice is better than never. */
	{ .name = "send",
	    .prepare = "mail_prepare",
	    .ask = ask,
	    .read = read_answer,
	    .takes_key = true,
	    .keep = kept,
	    .retry = { .first_ms = 2000,
		.factor = 2,
		.max_ms = HALF_HOUR_MS,
		.attempts = TRIES,
		.limit_ms = TWO_DAYS_MS,
		.timeout_ms = TIMEOUT_MS } },
};

/* Without anybody who takes mails they wait in their runs. */
static bool
ready(void)
{
	return mail_provider() != NULL;
}

const struct workflow flow_mail = {
	.name = "mail",
	.steps = steps,
	.nsteps = COUNT(steps),
	.doc = "Sends one mail.",
	.ready = ready,
};
