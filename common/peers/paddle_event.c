/*
 * paddle_event.c - Paddle: reads one webhook, and brings what it is about into the normal form.
 *
 * The signed event is believed: it holds the whole object as it was in the microsecond in which it
 * occurred, and the database passes over what is older than what it has.  paddle_object.c writes
 * the objects.
 */
#include "peers/paddle_object.h"
#include "peers/raw.h"

#include "base/clock.h"

#include <string.h>

struct kind {
	const char *type;
	const char *kind;
	bool (*put)(struct text *t, const struct paddle_facts *p);
};

/* What is not in here is kept, and nothing follows. */
static const struct kind kinds[] = {
	{ "subscription.created", "subscription", paddle_put_subscription },
	{ "subscription.activated", "subscription", paddle_put_subscription },
	{ "subscription.trialing", "subscription", paddle_put_subscription },
	{ "subscription.updated", "subscription", paddle_put_subscription },
	{ "subscription.past_due", "subscription", paddle_put_subscription },
	{ "subscription.paused", "subscription", paddle_put_subscription },
	{ "subscription.resumed", "subscription", paddle_put_subscription },
	{ "subscription.canceled", "subscription", paddle_put_subscription },
	{ "subscription.imported", "subscription", paddle_put_subscription },
	{ "transaction.completed", "invoice", paddle_put_invoice },
	{ "transaction.payment_failed", "invoice", paddle_put_invoice },
	{ "transaction.past_due", "invoice", paddle_put_invoice },
	{ "transaction.canceled", "invoice", paddle_put_invoice },
	{ "customer.created", "customer", paddle_put_customer },
	{ "customer.updated", "customer", paddle_put_customer },
	{ "customer.imported", "customer", paddle_put_customer },
};

static const struct scan_field facts[PADDLE_FACTS] = {
	[PADDLE_EVENT] = { .path = "event_id" },
	[PADDLE_TYPE] = { .path = "event_type" },
	[PADDLE_OCCURRED] = { .path = "occurred_at" },
	[PADDLE_ID] = { .path = "data.id" },
	[PADDLE_STATUS] = { .path = "data.status" },
	[PADDLE_CUSTOMER] = { .path = "data.customer_id" },
	[PADDLE_CURRENCY] = { .path = "data.currency_code" },
	[PADDLE_CUSTOM] = { .path = "data.custom_data" },
	[PADDLE_CREATED] = { .path = "data.created_at" },
	[PADDLE_ITEMS] = { .path = "data.items" },
	[PADDLE_PERIOD_START] = { .path = "data.current_billing_period.starts_at" },
	[PADDLE_PERIOD_END] = { .path = "data.current_billing_period.ends_at" },
	[PADDLE_CANCELED] = { .path = "data.canceled_at" },
	[PADDLE_CHANGE] = { .path = "data.scheduled_change.action" },
	[PADDLE_CHANGE_AT] = { .path = "data.scheduled_change.effective_at" },
	[PADDLE_TRANSACTION] = { .path = "data.transaction_id" },
	[PADDLE_SUBSCRIPTION] = { .path = "data.subscription_id" },
	[PADDLE_NUMBER] = { .path = "data.invoice_number" },
	[PADDLE_ORIGIN] = { .path = "data.origin" },
	[PADDLE_COLLECTION] = { .path = "data.collection_mode" },
	[PADDLE_BILLED] = { .path = "data.billed_at" },
	[PADDLE_BILLING_START] = { .path = "data.billing_period.starts_at" },
	[PADDLE_BILLING_END] = { .path = "data.billing_period.ends_at" },
	[PADDLE_TOTAL] = { .path = "data.details.totals.total" },
	[PADDLE_TAX] = { .path = "data.details.totals.tax" },
	[PADDLE_GRAND_TOTAL] = { .path = "data.details.totals.grand_total" },
	[PADDLE_BALANCE] = { .path = "data.details.totals.balance" },
	[PADDLE_LINES] = { .path = "data.details.line_items" },
	[PADDLE_PAYMENTS] = { .path = "data.payments" },
	[PADDLE_URL] = { .path = "data.checkout.url" },
	[PADDLE_EMAIL] = { .path = "data.email" },
	[PADDLE_NAME] = { .path = "data.name" },
};

static const struct kind *
kind_of(const char *type)
{
	size_t i;

	for (i = 0; i < COUNT(kinds); i++) {
		if (strcmp(kinds[i].type, type) == 0)
			return &kinds[i];
	}
	return NULL;
}

/* Microseconds since 1970: what the clock reads are milliseconds, the rest are three more digits.
 */
static bool
read_micros(const struct scan_field *f, int64_t *ret)
{
	const char *dot;
	int64_t ms, rest = 0;
	size_t i, n;

	if (f->kind != SCAN_STRING || clock_parse(f->raw.data, f->raw.len, &ms) < 0 || ms <= 0)
		return false;
	dot = memchr(f->raw.data, '.', f->raw.len);
	n = dot ? f->raw.len - (size_t)(dot - f->raw.data) : 0;
	for (i = 4; i <= 6; i++) {
		bool digit = i < n && dot[i] >= '0' && dot[i] <= '9';
		/* Behind the last digit comes the zone. */
		n = digit ? n : 0;
		rest = rest * 10 + (digit ? dot[i] - '0' : 0);
	}
	*ret = ms * 1000 + rest;
	return true;
}

static enum money_event_error
fill_object(const struct kind *kind, const struct paddle_facts *p, struct money_event *ret)
{
	CLEANUP(text_clear) struct text t = TEXT(PADDLE_OBJECT_MAX);

	text_puts(&t, "{\"kind\":");
	text_json(&t, kind->kind);
	money_put_str(&t, "id", p->id);
	money_put_str(&t, "customer", p->customer);
	text_puts(&t, ",\"data\":{\"provider\":\"paddle\"");
	money_put_str(&t, "id", p->id);
	money_put_str(&t, "customer", p->customer);
	if (!kind->put(&t, p))
		return MONEY_EVENT_OK;
	text_printf(&t, ",\"read\":%lld}}", (long long)p->read);
	if (!text_ok(&t))
		return MONEY_EVENT_NO_MEMORY;
	ret->object = mem_dup(p->mem, t.data, t.len);
	return ret->object ? MONEY_EVENT_OK : MONEY_EVENT_NO_MEMORY;
}

enum money_event_error
paddle_event(struct mem *m, struct span body, struct money_event *ret)
{
	struct paddle_facts p = { .mem = m };
	const struct kind *kind;
	enum money_event_error error;

	memcpy(p.f, facts, sizeof(facts));
	error = money_event_open(m, body, ret, p.f, COUNT(p.f));
	if (error != MONEY_EVENT_OK || !ret->named)
		return error;

	kind = kind_of(ret->type);
	if (!kind)
		ret->object = "{}";
	p.id = money_id(m, &p.f[PADDLE_ID]);
	p.customer = money_id(m, &p.f[PADDLE_CUSTOMER]);
	if (kind && strcmp(kind->kind, "customer") == 0)
		p.customer = p.id;
	if (!kind || !p.id || !read_micros(&p.f[PADDLE_OCCURRED], &p.read))
		return MONEY_EVENT_OK;
	return fill_object(kind, &p, ret);
}
