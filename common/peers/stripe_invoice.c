/*
 * stripe_invoice.c - Stripe: invoices and charges in our words, in both shapes (before and since
 * 2025-03-31.basil).
 */
#include "peers/stripe_peer.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

const char *
stripe_subscription_of(const struct json *invoice)
{
	const char *id = stripe_id(invoice, "subscription");

	return id ? id :
		    stripe_id(json_path(invoice, "parent.subscription_details"), "subscription");
}

/* ---- lines ---------------------------------------------------------- */

static const char *
price_of(const struct json *line)
{
	const char *price = stripe_id(line, "price");

	if (!price)
		price = stripe_id(json_path(line, "pricing.price_details"), "price");
	return price ? price : stripe_id(line, "plan");
}

static bool
is_proration(const struct json *line)
{
	const struct json *parent = json_get(line, "parent");

	return json_bool(line, "proration", false) ||
	    json_bool(json_get(parent, "subscription_item_details"), "proration", false) ||
	    json_bool(json_get(parent, "invoice_item_details"), "proration", false);
}

static void
put_line(struct text *t, const struct json *line)
{
	static const char *const numbers[] = { "amount", "quantity", NULL };

	text_putc(t, '{');
	normal_str(t, "id", json_str(line, "id"));
	normal_str(t, "description", json_str(line, "description"));
	normal_ints(t, line, numbers);
	normal_str(t, "price", price_of(line));
	normal_bool(t, "proration", is_proration(line));
	normal_int(t, "period_start", json_path(line, "period.start"));
	normal_int(t, "period_end", json_path(line, "period.end"));
	text_putc(t, '}');
}

static void
put_lines(struct text *t, const struct json *lines)
{
	text_puts(t, ",\"lines\":[");
	for (size_t i = 0; i < json_len(lines); i++) {
		if (i > 0)
			text_putc(t, ',');
		put_line(t, json_at(lines, i));
	}
	text_putc(t, ']');
}

/* ---- the invoice ---------------------------------------------------- */

static void
put_tax(struct text *t, const struct json *j)
{
	const struct json *taxes = json_get(j, "total_taxes");
	int64_t sum = 0;

	if (json_len(taxes) == 0) {
		normal_int(t, "tax", json_get(j, "tax"));
		return;
	}
	for (size_t i = 0; i < json_len(taxes); i++)
		sum += json_int(json_at(taxes, i), "amount", 0);
	text_printf(t, ",\"tax\":%" PRId64, sum);
}

const char *
stripe_invoice(struct mem *m, const struct json *j, int64_t read)
{
	static const char *const words[] = { "status", "number", "billing_reason", "currency",
		NULL };
	static const char *const numbers[] = { "total", "amount_due", "amount_paid",
		"amount_remaining", "period_start", "period_end", "attempt_count", "created",
		NULL };
	CLEANUP(text_clear) struct text t = TEXT(NORMAL_MAX);

	if (!normal_open(&t, j, "invoice"))
		return NULL;
	normal_str(&t, "customer", stripe_id(j, "customer"));
	normal_str(&t, "subscription", stripe_subscription_of(j));
	normal_strs(&t, j, words);
	normal_ints(&t, j, numbers);
	put_tax(&t, j);
	/* Nothing in an invoice says what was paid back: its charge does. */
	normal_int(&t, "refunded", NULL);
	normal_str(&t, "hosted_url", json_str(j, "hosted_invoice_url"));
	normal_str(&t, "pdf_url", json_str(j, "invoice_pdf"));
	normal_int(&t, "next_attempt", json_get(j, "next_payment_attempt"));
	normal_int(&t, "paid_at", json_path(j, "status_transitions.paid_at"));
	normal_int(&t, "finalized_at", json_path(j, "status_transitions.finalized_at"));
	normal_bool(&t, "auto_advance", json_bool(j, "auto_advance", false));
	put_lines(&t, json_path(j, "lines.data"));
	return normal_close(m, &t, read);
}

/* ---- charges -------------------------------------------------------- */

const char *
stripe_charge(struct mem *m, const struct json *j, int64_t read)
{
	CLEANUP(text_clear) struct text t = TEXT(NORMAL_MAX);

	if (!normal_open(&t, j, "charge"))
		return NULL;
	normal_str(&t, "customer", stripe_id(j, "customer"));
	normal_str(&t, "invoice", stripe_id(j, "invoice"));
	normal_str(&t, "payment_intent", stripe_id(j, "payment_intent"));
	normal_int(&t, "amount", json_get(j, "amount"));
	normal_int(&t, "refunded", json_get(j, "amount_refunded"));
	normal_bool(&t, "disputed", json_bool(j, "disputed", false));
	normal_str(&t, "currency", json_str(j, "currency"));
	normal_int(&t, "created", json_get(j, "created"));
	return normal_close(m, &t, read);
}
