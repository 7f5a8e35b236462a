/*
 * mail_resend.c - Resend: the request for one mail, and what each of its errors means.
 *
 * The key of a mail is its Idempotency-Key: for a day a repeated mail is the same one.
 */
#include "peers/mail.h"

#include "base/scan.h"
#include "base/settings.h"
#include "base/text.h"
#include "peers/raw.h"

#include <errno.h>
#include <string.h>

enum { BODY_MAX = 1 << 20, TIMEOUT_MS = 30000, ANSWER_MAX = 64 * 1024 };
/* What an administrator must mend, or a quota's end, is looked for again after so many seconds. */
enum { AGAIN_SETTINGS = 300, AGAIN_DAY = 3600, AGAIN_MONTH = 6 * 3600, AGAIN_RATE = 1 };

/* ---- the request ---------------------------------------------------- */

static void
put(struct text *t, const char *name, const char *value)
{
	text_printf(t, "%s\"%s\":", t->len > 1 ? "," : "", name);
	text_json(t, value);
}

static const char *const *
headers(struct mem *m, const struct mail *in)
{
	const char **h = mem_alloc(m, 5 * sizeof(*h));

	if (!h)
		return NULL;
	h[0] = mem_printf(m, "Authorization: Bearer %s", setting_str(SET_RESEND_API_KEY));
	h[1] = mem_printf(m, "Idempotency-Key: %s", in->key);
	h[2] = "Content-Type: application/json";
	h[3] = "User-Agent: hookswitch";
	return h[0] && h[1] ? h : NULL;
}

static int
send_mail(struct mem *m, const struct mail *in, struct fetch_request *ret)
{
	CLEANUP(text_clear) struct text body = TEXT(BODY_MAX);
	struct fetch_request r = { .peer = "resend", .method = "POST", .max_bytes = ANSWER_MAX };

	if (!mail_can(in)) {
		errno = EINVAL;
		return -1;
	}
	text_putc(&body, '{');
	put(&body, "from", in->from);
	text_puts(&body, ",\"to\":[");
	text_json(&body, in->to);
	text_putc(&body, ']');
	put(&body, "subject", in->subject);
	put(&body, "text", in->text);
	put(&body, "html", in->html);
	text_putc(&body, '}');

	r.url = mem_printf(m, "%s/emails", setting_str(SET_RESEND_BASE_URL));
	r.headers = headers(m, in);
	r.body = (struct span){ mem_dup(m, text_str(&body), body.len), body.len };
	r.timeout_ms = in->timeout_ms ? in->timeout_ms : TIMEOUT_MS;
	if (!text_ok(&body) || !r.url || !r.headers || !r.body.data) {
		errno = ENOMEM;
		return -1;
	}
	*ret = r;
	return 0;
}

/* ---- the answer ----------------------------------------------------- */

/* Resend's errors by name.  validation_error is told by its status: 403 is a domain that is not
 * verified yet, 400 the mail's own fault. */
static const struct meaning {
	const char *name;
	int status; /* 0: any */
	enum mail_result result;
	int again; /* seconds; -1: as the step waits */
} meanings[] = {
	{ "rate_limit_exceeded", 0, MAIL_RETRY, AGAIN_RATE },
	{ "daily_quota_exceeded", 0, MAIL_RETRY, AGAIN_DAY },
	{ "monthly_quota_exceeded", 0, MAIL_RETRY, AGAIN_MONTH },
	{ "concurrent_idempotent_requests", 0, MAIL_RETRY, -1 },
	{ "missing_api_key", 0, MAIL_RETRY, AGAIN_SETTINGS },
	{ "restricted_api_key", 0, MAIL_RETRY, AGAIN_SETTINGS },
	{ "invalid_api_key", 0, MAIL_RETRY, AGAIN_SETTINGS },
	{ "validation_error", 403, MAIL_RETRY, AGAIN_SETTINGS },
	{ "invalid_from_address", 0, MAIL_RETRY, AGAIN_SETTINGS },
	{ "invalid_access", 0, MAIL_RETRY, AGAIN_SETTINGS },
	{ "invalid_region", 0, MAIL_RETRY, AGAIN_SETTINGS },
	{ "not_found", 0, MAIL_RETRY, AGAIN_SETTINGS },
	{ "method_not_allowed", 0, MAIL_RETRY, AGAIN_SETTINGS },
	{ "validation_error", 0, MAIL_FAILED, -1 },
	{ "missing_required_field", 0, MAIL_FAILED, -1 },
	{ "invalid_parameter", 0, MAIL_FAILED, -1 },
	{ "invalid_attachment", 0, MAIL_FAILED, -1 },
	{ "invalid_idempotency_key", 0, MAIL_FAILED, -1 },
	/* Something was sent under this key before, and it was not the same: a person must look. */
	{ "invalid_idempotent_request", 0, MAIL_FAILED, -1 },
	{ "security_error", 0, MAIL_FAILED, -1 },
	{ "application_error", 0, MAIL_UNKNOWN, -1 },
	{ "internal_server_error", 0, MAIL_UNKNOWN, -1 },
};

static const struct meaning *
meaning_of(const char *name, int status)
{
	for (size_t i = 0; i < COUNT(meanings); i++) {
		if (strcmp(meanings[i].name, name) == 0 &&
		    (meanings[i].status == 0 || meanings[i].status == status))
			return &meanings[i];
	}
	return NULL;
}

/* An error that Resend does not name, or somebody else on the way answered.  A refusal that is not
 * Resend's own says nothing about the mail. */
static void
read_status(struct mem *m, int status, bool named, struct mail_outcome *ret)
{
	ret->reason = mem_printf(m, "http_%d", status);
	if (status >= 400 && status < 500)
		ret->result = named && status != 408 && status != 429 ? MAIL_FAILED : MAIL_RETRY;
	else if (status >= 300 && status < 400)
		ret->result = MAIL_RETRY;
	if (ret->result == MAIL_RETRY && status != 408 && status != 429)
		ret->retry_after = AGAIN_SETTINGS;
}

static void
read_error(struct mem *m, const struct fetch_answer *a, const struct scan_field *field,
    struct mail_outcome *ret)
{
	char name[RAW_WORD_MAX + 1];
	bool named = raw_text(field, name, sizeof(name));
	const struct meaning *k = named ? meaning_of(name, a->status) : NULL;

	if (k && a->status >= 400) {
		/* A 5xx is no refusal, whatever it calls itself. */
		ret->result = a->status >= 500 ? MAIL_UNKNOWN : k->result;
		ret->reason = k->name;
		ret->retry_after = ret->result == MAIL_RETRY ? k->again : -1;
	} else {
		read_status(m, a->status, named, ret);
	}
	if (a->retry_after >= 0 && a->retry_after > ret->retry_after && ret->result != MAIL_FAILED)
		ret->retry_after = a->retry_after;
}

static void
sent(struct mem *m, const struct mail *in UNUSED, const struct fetch_answer *a,
    struct mail_outcome *ret)
{
	struct scan_field f[] = { { .path = "id" }, { .path = "name" } };
	char id[RAW_ID_MAX + 1];

	if (mail_no_answer(a, ret))
		return;
	if (scan_json(a->body, f, COUNT(f), RAW_DEPTH) != SCAN_OK)
		f[0].kind = f[1].kind = SCAN_NONE;
	if (a->status < 200 || a->status >= 300) {
		read_error(m, a, &f[1], ret);
		return;
	}
	ret->reason = "unreadable";
	if (!raw_id(&f[0], id))
		return;
	ret->id = mem_str(m, id);
	if (!ret->id)
		return;
	ret->result = MAIL_SENT;
	ret->reason = NULL;
}

static int
ready(void)
{
	return 0;
}

const struct mail_provider mail_resend = {
	.name = "resend",
	.ready = ready,
	.send = send_mail,
	.sent = sent,
};
