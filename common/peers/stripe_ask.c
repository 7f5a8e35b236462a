/*
 * stripe_ask.c - Stripe, asked by SQL.
 */
#include "peers/stripe_ask.h"

#include <errno.h>
#include <string.h>

enum { TELL_MAX = 8 * 1024 * 1024 };

/* ---- what is asked -------------------------------------------------- */

/* A member that is null is not sent. */
static int
put_member(void *arg, const char *name, const struct json *value)
{
	struct stripe_form *f = arg;
	int64_t n;

	switch (json_type(value)) {
	case JSON_NULL:
		return 0;
	case JSON_STRING:
		stripe_put(f, name, json_str_of(value, NULL));
		return 0;
	case JSON_INT:
		if (json_int_of(value, &n) < 0)
			return -1;
		stripe_put_int(f, name, n);
		return 0;
	default:
		return -1;
	}
}

int
stripe_ask(struct mem *m, const struct json *ask, struct fetch_request *ret)
{
	CLEANUP(stripe_form_clear) struct stripe_form f = STRIPE_FORM;
	const char *method = json_str(ask, "method"), *path = json_str(ask, "path");
	const char *key = json_str(ask, "key");

	if (json_each(json_get(ask, "form"), put_member, &f) != 0) {
		errno = EINVAL;
		return -1;
	}
	if (method && strcmp(method, "GET") == 0)
		return stripe_get(m, path, &f, ret);
	if (method && strcmp(method, "POST") == 0)
		return stripe_post(m, path, &f, key, ret);
	if (method && strcmp(method, "DELETE") == 0)
		return stripe_delete(m, path, &f, key, ret);
	errno = EINVAL;
	return -1;
}

/* ---- what came of it ------------------------------------------------ */

static const struct {
	const char *name;
	const char *(*read)(struct mem *m, const struct json *j, int64_t read);
} readers[] = { { "subscription", stripe_subscription }, { "customer", stripe_customer },
	{ "session", stripe_session }, { "invoice", stripe_invoice } };

static const char *
body_of(struct mem *m, const struct json *ask, const struct json *body)
{
	const char *what = json_str(ask, "read");

	if (!what)
		return json_print(m, body);
	for (size_t i = 0; i < COUNT(readers); i++)
		if (strcmp(what, readers[i].name) == 0)
			return readers[i].read(m, body, json_int(ask, "number", 0));
	errno = EINVAL;
	return NULL;
}

static const char *
write_told(struct mem *m, const struct stripe_outcome *o, const char *body)
{
	static const char *const results[] = { [STRIPE_OK] = "ok",
		[STRIPE_RETRY] = "retry",
		[STRIPE_UNKNOWN] = "unknown",
		[STRIPE_FAILED] = "failed",
		[STRIPE_ABSENT] = "absent" };
	CLEANUP(text_clear) struct text t = TEXT(TELL_MAX);

	text_printf(&t, "{\"result\":\"%s\",\"status\":%d,\"code\":", results[o->result],
	    o->status);
	text_json(&t, o->code);
	text_puts(&t, ",\"decline\":");
	text_json(&t, o->decline);
	text_printf(&t, ",\"body\":%s}", body ? body : "null");
	if (!text_ok(&t)) {
		errno = ENOMEM;
		return NULL;
	}
	return mem_dup(m, text_str(&t), t.len);
}

int
stripe_tell(struct mem *m, const struct json *ask, const struct fetch_answer *a,
    struct stripe_told *ret)
{
	struct stripe_outcome o;
	const char *body = NULL;

	stripe_answer(m, a, &o);
	if (o.result == STRIPE_OK) {
		body = body_of(m, ask, o.body);
		if (!body && errno == ENOMEM)
			return -1;
		/* A success that is no such object proves nothing. */
		if (!body) {
			o.result = STRIPE_UNKNOWN;
			o.code = "unreadable";
		}
	}
	*ret = (struct stripe_told){ .json = write_told(m, &o, body),
		.retry_after = o.retry_after,
		.busy = o.result == STRIPE_RETRY &&
		    (o.status == 409 || (o.code && strcmp(o.code, "lock_timeout") == 0)) };
	if (o.result != STRIPE_OK)
		ret->log = mem_printf(m, "stripe: status %d %s %s", o.status, o.code ? o.code : "",
		    o.request_id ? o.request_id : "");
	return ret->json ? 0 : -1;
}
