/*
 * stripe_answer.c - Stripe: what became of a request.
 *
 * What Stripe says of trying again (Stripe-Should-Retry) counts more than the status; what is no
 * answer of Stripe's says nothing about the request.
 */
#include "peers/stripe.h"

#include <string.h>

/* What an administrator must mend is looked for again after so many seconds. */
enum { AGAIN_SETTINGS = 300 };

static void
set(struct stripe_outcome *o, enum stripe_result result, const char *code)
{
	o->result = result;
	o->code = code;
}

static const char *
http_code(struct mem *m, int status)
{
	const char *code = mem_printf(m, "http_%d", status);

	return code ? code : "http_error";
}

/* An answer that is none. */
static bool
no_answer(const struct fetch_answer *a, struct stripe_outcome *ret)
{
	switch (a->outcome) {
	case FETCH_NOT_SENT:
		set(ret, STRIPE_RETRY, "connect_failed");
		return true;
	case FETCH_LOST:
		set(ret, STRIPE_UNKNOWN, "timeout");
		return true;
	case FETCH_TOO_LARGE:
		set(ret, STRIPE_UNKNOWN, "too_large");
		return true;
	default:
		return false;
	}
}

/* Somebody on the way answered, or a Stripe that cannot speak: nothing was refused for good. */
static void
read_stranger(int status, struct stripe_outcome *ret)
{
	bool busy = status == 408 || status == 409 || status == 429;

	ret->result = status >= 300 && status < 500 ? STRIPE_RETRY : STRIPE_UNKNOWN;
	ret->person = status == 401 || status == 403;
	if (ret->result == STRIPE_RETRY && !busy)
		ret->retry_after = AGAIN_SETTINGS;
}

/* 0: it never will be done; 1: later; -1: Stripe leaves it to the status. */
static int
should_retry(const struct fetch_answer *a)
{
	if (!a->should_retry)
		return -1;
	if (strcmp(a->should_retry, "true") == 0)
		return 1;
	return strcmp(a->should_retry, "false") == 0 ? 0 : -1;
}

static enum stripe_result
result_of(const struct fetch_answer *a, const struct stripe_outcome *o)
{
	int again = should_retry(a);
	bool idempotency = strcmp(o->code, "idempotency_error") == 0;

	/* A failure of Stripe's own proves nothing, whatever it advises. */
	if (a->status >= 500)
		return STRIPE_UNKNOWN;
	if (a->status == 401 || a->status == 403 || a->status == 429 || a->status == 408)
		return STRIPE_RETRY;
	if (again == 1 || (a->status == 409 && again != 0 && !idempotency))
		return STRIPE_RETRY;
	if (a->status == 404 && strcmp(o->code, "resource_missing") == 0)
		return STRIPE_ABSENT;
	return STRIPE_FAILED;
}

static void
read_error(struct mem *m, const struct fetch_answer *a, const struct json *error,
    struct stripe_outcome *ret)
{
	const char *code = json_str(error, "code"), *type = json_str(error, "type");

	if (!code && !type) {
		ret->code = http_code(m, a->status);
		read_stranger(a->status, ret);
		return;
	}
	ret->code = code ? code : type;
	ret->decline = json_str(error, "decline_code");
	ret->message = json_str(error, "message");
	ret->result = result_of(a, ret);
	ret->person = a->status == 401 || a->status == 403;
	/* Stripe's 401 names no code: this one says what is wrong. */
	if (ret->person && !code)
		ret->code = a->status == 401 ? "key_refused" : "not_permitted";
	if (ret->person)
		ret->retry_after = AGAIN_SETTINGS;
}

void
stripe_answer(struct mem *m, const struct fetch_answer *a, struct stripe_outcome *ret)
{
	const struct json *j = NULL;

	*ret = (struct stripe_outcome){ .result = STRIPE_UNKNOWN,
		.status = a->status,
		.code = "unreadable",
		.request_id = a->request_id,
		.retry_after = -1 };
	if (no_answer(a, ret))
		return;
	if (json_read(m, a->body.data, a->body.len, JSON_DEPTH_PROVIDER, &j) != JSON_OK)
		j = NULL;
	if (a->status >= 200 && a->status < 300) {
		if (json_type(j) != JSON_OBJECT)
			return;
		set(ret, STRIPE_OK, NULL);
		ret->body = j;
		return;
	}
	read_error(m, a, json_get(j, "error"), ret);
	if (a->retry_after > ret->retry_after &&
	    (ret->result == STRIPE_RETRY || ret->result == STRIPE_UNKNOWN))
		ret->retry_after = a->retry_after;
}
