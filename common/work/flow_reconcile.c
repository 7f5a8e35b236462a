/*
 * flow_reconcile.c - the workflow "reconcile": our subscriptions, invoices and reported usage
 * against Stripe's lists, a page at a time, so that it takes no more memory than one page.
 *
 * What is asked for, and what a page says about our books, is decided in SQL
 * (sql/functions/78_reconcile*.sql); each page is a generation of the run.  It only reads: what
 * differs is written down and read again by the workflow stripe-sync.
 */
#include "work/flow_reconcile.h"

#include "peers/stripe.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { PAGE_MAX = 8 * 1024 * 1024, PAGE_TIMEOUT_MS = 60 * 1000 };

/* ---- the request ----------------------------------------------------- */

static int
put_member(void *arg, const char *name, const struct json *value)
{
	const char *text = json_str_of(value, NULL);

	if (text)
		stripe_put(arg, name, text);
	return 0;
}

/* prepared: {"path","query":{...},"what","read"}. */
static int
ask_page(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	CLEANUP(stripe_form_clear) struct stripe_form f = STRIPE_FORM;

	(void)json_each(json_get(in->prepared, "query"), put_member, &f);
	if (stripe_get(m, json_str(in->prepared, "path"), &f, ret) < 0)
		return -1;
	ret->timeout_ms = PAGE_TIMEOUT_MS;
	ret->max_bytes = PAGE_MAX;
	return 0;
}

/* ---- the answer ------------------------------------------------------ */

typedef const char *item_read(struct mem *m, const struct json *j, int64_t read);

/* What a meter counted in a time. */
static const char *
read_summary(struct mem *m, const struct json *j, int64_t read)
{
	const struct json *value = json_get(j, "aggregated_value");
	const char *number = value ? json_print(m, value) : NULL;

	(void)read;
	if (json_type(value) != JSON_INT && json_type(value) != JSON_DOUBLE) {
		errno = EINVAL;
		return NULL;
	}
	return number ? mem_printf(m, "{\"value\":%s}", number) : NULL;
}

/* What was paid back; pending ones may still fail. */
static const char *
read_refund(struct mem *m, const struct json *j, int64_t read)
{
	CLEANUP(text_clear) struct text t = TEXT(4096);

	(void)read;
	if (!json_str(j, "id") || !json_str(j, "status")) {
		errno = EINVAL;
		return NULL;
	}
	text_puts(&t, "{\"charge\":");
	text_json(&t, stripe_id(j, "charge"));
	text_puts(&t, ",\"status\":");
	text_json(&t, json_str(j, "status"));
	text_puts(&t, ",\"currency\":");
	text_json(&t, json_str(j, "currency"));
	text_printf(&t, ",\"amount\":%" PRId64 ",\"created\":%" PRId64 "}",
	    json_int(j, "amount", 0), json_int(j, "created", 0));
	return text_ok(&t) ? mem_dup(m, text_str(&t), t.len) : NULL;
}

static item_read *
reader_of(const char *what)
{
	if (what && strcmp(what, "subscription") == 0)
		return stripe_subscription;
	if (what && strcmp(what, "invoice") == 0)
		return stripe_invoice;
	if (what && strcmp(what, "refund") == 0)
		return read_refund;
	return read_summary;
}

/* One that cannot be read is told by its id: it is a difference, too. */
static int
put_item(struct text *t, struct mem *m, const struct json *j, const struct step_in *in)
{
	item_read *read = reader_of(json_str(in->prepared, "what"));
	const char *item = read(m, j, json_int(in->prepared, "read", 0));

	if (item) {
		text_puts(t, item);
		return 0;
	}
	if (errno != EINVAL || !json_str(j, "id"))
		return -1;
	text_puts(t, "{\"unreadable\":true,\"id\":");
	text_json(t, json_str(j, "id"));
	text_putc(t, '}');
	return 0;
}

/* Each in our words; -1: nothing can be said of this page. */
static int
put_items(struct text *t, struct mem *m, const struct json *data, const struct step_in *in)
{
	size_t i;

	text_puts(t, "{\"items\":[");
	for (i = 0; i < json_len(data); i++) {
		if (i)
			text_putc(t, ',');
		if (put_item(t, m, json_at(data, i), in) < 0)
			return -1;
	}
	text_putc(t, ']');
	return 0;
}

/* {"items","has_more","last","read","query"}: the whole page, or nothing. */
static const char *
page_of(struct mem *m, const struct step_in *in, const struct json *body)
{
	CLEANUP(text_clear) struct text t = TEXT(2 * PAGE_MAX);
	const struct json *data = json_get(body, "data"), *query = json_get(in->prepared, "query");
	const char *last = NULL;

	if (json_type(data) != JSON_ARRAY || put_items(&t, m, data, in) < 0)
		return NULL;
	if (json_len(data))
		last = json_str(json_at(data, json_len(data) - 1), "id");
	text_printf(&t, ",\"has_more\":%s,\"read\":%lld,\"query\":",
	    json_bool(body, "has_more", false) ? "true" : "false",
	    (long long)json_int(in->prepared, "read", 0));
	if (query)
		json_write(&t, query);
	else
		text_puts(&t, "null");
	if (last) {
		text_puts(&t, ",\"last\":");
		text_json(&t, last);
	}
	text_putc(&t, '}');
	return text_ok(&t) ? mem_str(m, text_str(&t)) : NULL;
}

/* It only reads: whatever the reason, asking again does no harm. */
static void
read_page(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret)
{
	struct stripe_outcome o;

	stripe_answer(m, a, &o);
	ret->reason = o.code;
	ret->retry_after = o.retry_after;
	if (o.result == STRIPE_ABSENT || (o.code && strcmp(o.code, "resource_missing") == 0)) {
		ret->result = "{\"absent\":true}";
		ret->reason = NULL;
	} else if (o.result == STRIPE_OK) {
		ret->result = page_of(m, in, o.body);
		ret->verdict = ret->result ? STEP_DONE : STEP_RETRY;
		ret->reason = ret->result ? NULL : "unreadable";
	} else {
		ret->verdict = o.result == STRIPE_FAILED ? STEP_FAILED : STEP_RETRY;
	}
}

static const struct step steps[] = {
	{ .name = "page",
	    .prepare = "reconcile_prepare",
	    .ask = ask_page,
	    .read = read_page,
	    .apply = "reconcile_page",
	    .takes_key = true,
	    .retry = { .first_ms = 2000,
		.factor = 2,
		.max_ms = 10 * 60 * 1000,
		.attempts = 50,
		.timeout_ms = PAGE_TIMEOUT_MS } },
};

const struct workflow flow_reconcile = {
	.name = "reconcile",
	.steps = steps,
	.nsteps = COUNT(steps),
	.cron = "17 4 * * *",
	.missed = MISSED_ONE,
	.doc = "Compares our subscriptions, invoices and reported usage with Stripe's.",
	.ready = stripe_ready,
};
