/*
 * twilio_ask.c - Twilio, asked by SQL.
 */
#include "peers/twilio_ask.h"

#include <errno.h>

enum { TELL_MAX = 8 * 1024 * 1024 };

/* A member that is null is not sent. */
static int
put_member(void *arg, const char *name, const struct json *value)
{
	struct twilio_form *f = arg;
	int64_t n;

	switch (json_type(value)) {
	case JSON_NULL:
		return 0;
	case JSON_STRING:
		twilio_put(f, name, json_str_of(value, NULL));
		return 0;
	case JSON_INT:
		if (json_int_of(value, &n) < 0)
			return -1;
		twilio_put_int(f, name, n);
		return 0;
	default:
		return -1;
	}
}

int
twilio_ask(struct mem *m, const struct json *ask, struct fetch_request *ret)
{
	CLEANUP(twilio_form_clear) struct twilio_form f = TWILIO_FORM;

	if (json_each(json_get(ask, "query"), put_member, &f) != 0) {
		errno = EINVAL;
		return -1;
	}
	return twilio_get(m, json_str(ask, "path"), &f, ret);
}

static const char *
write_told(struct mem *m, const struct outcome *o)
{
	CLEANUP(text_clear) struct text t = TEXT(TELL_MAX);
	static const char *const results[] = { [OUTCOME_OK] = "ok",
		[OUTCOME_RETRY] = "retry",
		[OUTCOME_UNKNOWN] = "unknown",
		[OUTCOME_FAILED] = "failed",
		[OUTCOME_ABSENT] = "absent" };

	text_printf(&t, "{\"result\":\"%s\",\"status\":%d,\"code\":", results[o->result],
	    o->status);
	text_json(&t, o->code);
	text_puts(&t, ",\"body\":");
	if (o->body)
		json_write(&t, o->body);
	else
		text_puts(&t, "null");
	text_putc(&t, '}');
	if (!text_ok(&t)) {
		errno = ENOMEM;
		return NULL;
	}
	return mem_dup(m, text_str(&t), t.len);
}

int
twilio_tell(struct mem *m, const struct fetch_answer *a, struct twilio_told *ret)
{
	struct outcome o;

	twilio_answer(m, a, &o);
	*ret = (struct twilio_told){ .json = write_told(m, &o), .retry_after = o.retry_after };
	if (o.result != OUTCOME_OK)
		ret->log = mem_printf(m, "twilio: status %d %s", o.status, o.code ? o.code : "");
	return ret->json ? 0 : -1;
}
