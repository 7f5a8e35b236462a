/*
 * paddle_object.c - writes Paddle's objects in the normal form.
 */
#include "peers/paddle_object.h"

#include "base/clock.h"
#include "peers/raw.h"

#include <ctype.h>
#include <string.h>

/* Longer than any address of a page. */
enum { WORD_MAX = 2000 };

/* ---- members --------------------------------------------------------- */

static void
put_name(struct text *t, const char *name)
{
	text_putc(t, ',');
	text_json(t, name);
	text_putc(t, ':');
}

static void
put_number(struct text *t, const char *name, int64_t n)
{
	put_name(t, name);
	text_printf(t, "%lld", (long long)n);
}

static void
put_bool(struct text *t, const char *name, bool value)
{
	put_name(t, name);
	text_puts(t, value ? "true" : "false");
}

static void
put_word(struct text *t, const char *name, const struct scan_field *f)
{
	char word[WORD_MAX];

	money_put_str(t, name, raw_text(f, word, sizeof(word)) ? word : NULL);
}

static void
put_lower(struct text *t, const char *name, const struct scan_field *f)
{
	char word[RAW_WORD_MAX];
	size_t i;

	raw_text(f, word, sizeof(word));
	for (i = 0; word[i]; i++)
		word[i] = (char)tolower((unsigned char)word[i]);
	money_put_str(t, name, word[0] != '\0' ? word : NULL);
}

static bool
read_seconds(const struct scan_field *f, int64_t *ret)
{
	int64_t ms;

	if (f->kind != SCAN_STRING || clock_parse(f->raw.data, f->raw.len, &ms) < 0)
		return false;
	*ret = ms / 1000;
	return true;
}

static void
put_time(struct text *t, const char *name, const struct scan_field *f)
{
	int64_t seconds;

	put_name(t, name);
	if (read_seconds(f, &seconds))
		text_printf(t, "%lld", (long long)seconds);
	else
		text_puts(t, "null");
}

/* An amount is a whole number in a string. */
static bool
read_amount(const struct scan_field *f, int64_t *ret)
{
	const char *s = f->raw.data;
	bool negative = f->kind == SCAN_STRING && f->raw.len > 0 && s[0] == '-';
	size_t i = negative ? 1 : 0;
	int64_t n = 0;

	if (f->kind != SCAN_STRING || f->raw.len == i || f->raw.len > 15)
		return false;
	for (; i < f->raw.len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		n = n * 10 + (s[i] - '0');
	}
	*ret = negative ? -n : n;
	return true;
}

/* What its seller wrote to it: an object, or nothing. */
static void
put_custom(struct text *t, const struct scan_field *f)
{
	put_name(t, "metadata");
	if (f->kind == SCAN_OBJECT)
		raw_clean(t, f->raw);
	else
		text_puts(t, "{}");
}

static bool
is_word(const struct scan_field *f, const char *word)
{
	return f->kind == SCAN_STRING && span_equal(f->raw, span_of(word));
}

/* ---- subscriptions ----------------------------------------------------- */

/* Paddle's items have no ids of their own: the price is what tells them apart.  The greatest end of
 * a trial is the subscription's. */
static bool
put_items(struct text *t, const struct paddle_facts *p, int64_t *trial_end)
{
	const struct scan_field *items = &p->f[PADDLE_ITEMS];
	struct span item;
	size_t pos = 0, n = 0;
	int64_t end;
	double quantity;

	put_name(t, "items");
	text_putc(t, '[');
	while (items->kind == SCAN_ARRAY && raw_next(items->raw, &pos, &item)) {
		struct scan_field f[] = { { .path = "price.id" }, { .path = "quantity" },
			{ .path = "trial_dates.ends_at" }, { .path = "status" } };
		const char *price = scan_json(item, f, COUNT(f), RAW_DEPTH) == SCAN_OK ?
		    money_id(p->mem, &f[0]) :
		    NULL;

		text_puts(t, n++ > 0 ? ",{\"id\":" : "{\"id\":");
		text_json(t, price);
		money_put_str(t, "price", price);
		/* What is switched off buys nothing. */
		if (is_word(&f[3], "inactive"))
			put_number(t, "quantity", 0);
		else if (raw_number(&f[1], &quantity) && quantity >= 0 && quantity < 1e9)
			put_number(t, "quantity", (int64_t)quantity);
		text_putc(t, '}');
		if (read_seconds(&f[2], &end) && end > *trial_end)
			*trial_end = end;
	}
	text_putc(t, ']');
	return items->kind == SCAN_ARRAY;
}

bool
paddle_put_subscription(struct text *t, const struct paddle_facts *p)
{
	const struct scan_field *f = p->f;
	bool cancels = is_word(&f[PADDLE_CHANGE], "cancel");
	static const struct scan_field none = { .kind = SCAN_NONE };
	int64_t trial_end = 0;

	if (f[PADDLE_STATUS].kind != SCAN_STRING || !p->customer)
		return false;
	put_word(t, "status", &f[PADDLE_STATUS]);
	if (!put_items(t, p, &trial_end))
		return false;
	put_lower(t, "currency", &f[PADDLE_CURRENCY]);
	put_time(t, "period_start", &f[PADDLE_PERIOD_START]);
	put_time(t, "period_end", &f[PADDLE_PERIOD_END]);
	put_bool(t, "cancel_at_period_end", cancels);
	put_time(t, "cancel_at", cancels ? &f[PADDLE_CHANGE_AT] : &none);
	put_time(t, "canceled_at", &f[PADDLE_CANCELED]);
	put_time(t, "ended_at",
	    is_word(&f[PADDLE_STATUS], "canceled") ? &f[PADDLE_CANCELED] : &none);
	put_name(t, "trial_end");
	text_printf(t, trial_end > 0 ? "%lld" : "null", (long long)trial_end);
	put_time(t, "created", &f[PADDLE_CREATED]);
	put_word(t, "latest_invoice", &f[PADDLE_TRANSACTION]);
	put_custom(t, &f[PADDLE_CUSTOM]);
	return true;
}

/* ---- transactions ------------------------------------------------------ */

static void
put_line(struct text *t, const struct paddle_facts *p, struct span line)
{
	struct scan_field f[] = { { .path = "id" }, { .path = "price_id" }, { .path = "quantity" },
		{ .path = "totals.total" }, { .path = "totals.tax" }, { .path = "product.name" },
		{ .path = "proration" } };
	int64_t total = 0, tax = 0;
	double quantity;

	(void)scan_json(line, f, COUNT(f), RAW_DEPTH);
	text_puts(t, "{\"id\":");
	text_json(t, money_id(p->mem, &f[0]));
	put_word(t, "description", &f[5]);
	/* Like another provider's: without the tax. */
	if (read_amount(&f[3], &total) && (read_amount(&f[4], &tax) || f[4].kind == SCAN_NONE))
		put_number(t, "amount", total - tax);
	if (raw_number(&f[2], &quantity) && quantity >= 0 && quantity < 1e9)
		put_number(t, "quantity", (int64_t)quantity);
	money_put_str(t, "price", money_id(p->mem, &f[1]));
	put_bool(t, "proration", f[6].kind == SCAN_OBJECT);
	put_time(t, "period_start", &p->f[PADDLE_BILLING_START]);
	put_time(t, "period_end", &p->f[PADDLE_BILLING_END]);
	text_putc(t, '}');
}

static void
put_lines(struct text *t, const struct paddle_facts *p)
{
	const struct scan_field *lines = &p->f[PADDLE_LINES];
	struct span line;
	size_t pos = 0, n = 0;

	put_name(t, "lines");
	text_putc(t, '[');
	while (lines->kind == SCAN_ARRAY && raw_next(lines->raw, &pos, &line)) {
		if (n++ > 0)
			text_putc(t, ',');
		put_line(t, p, line);
	}
	text_putc(t, ']');
}

/* How often somebody tried to pay, and when it went well. */
static void
put_payments(struct text *t, const struct paddle_facts *p)
{
	const struct scan_field *payments = &p->f[PADDLE_PAYMENTS];
	struct scan_field paid = { .kind = SCAN_NONE };
	struct span payment;
	size_t pos = 0, n = 0;

	while (payments->kind == SCAN_ARRAY && raw_next(payments->raw, &pos, &payment)) {
		struct scan_field f[] = { { .path = "status" }, { .path = "captured_at" } };
		(void)scan_json(payment, f, COUNT(f), RAW_DEPTH);
		if (is_word(&f[0], "captured") && paid.kind == SCAN_NONE)
			paid = f[1];
		n++;
	}
	if (paid.kind == SCAN_NONE && is_word(&p->f[PADDLE_STATUS], "completed"))
		paid = p->f[PADDLE_BILLED];
	put_number(t, "attempt_count", (int64_t)n);
	put_time(t, "paid_at", &paid);
}

/* A transaction's status in the words that all invoices have. */
static const char *
invoice_status(const struct scan_field *f)
{
	static const struct {
		const char *theirs, *ours;
	} words[] = { { "draft", "draft" }, { "ready", "open" }, { "billed", "open" },
		{ "past_due", "open" }, { "paid", "paid" }, { "completed", "paid" },
		{ "canceled", "void" } };
	size_t i;

	for (i = 0; i < COUNT(words); i++) {
		if (is_word(f, words[i].theirs))
			return words[i].ours;
	}
	return "unknown";
}

/* Without a sum, a currency or a customer it is no bill of anybody's. */
bool
paddle_put_invoice(struct text *t, const struct paddle_facts *p)
{
	const struct scan_field *f = p->f;
	int64_t total, tax, due, left;

	if (f[PADDLE_STATUS].kind != SCAN_STRING || f[PADDLE_CURRENCY].kind != SCAN_STRING ||
	    !p->customer || !read_amount(&f[PADDLE_TOTAL], &total))
		return false;
	if (!read_amount(&f[PADDLE_GRAND_TOTAL], &due))
		due = total;
	if (!read_amount(&f[PADDLE_BALANCE], &left))
		left = is_word(&f[PADDLE_STATUS], "completed") ? 0 : due;
	money_put_str(t, "subscription", money_id(p->mem, &f[PADDLE_SUBSCRIPTION]));
	money_put_str(t, "status", invoice_status(&f[PADDLE_STATUS]));
	put_word(t, "number", &f[PADDLE_NUMBER]);
	put_word(t, "billing_reason", &f[PADDLE_ORIGIN]);
	put_lower(t, "currency", &f[PADDLE_CURRENCY]);
	put_number(t, "total", total);
	if (read_amount(&f[PADDLE_TAX], &tax))
		put_number(t, "tax", tax);
	put_number(t, "amount_due", due);
	put_number(t, "amount_paid", due - left);
	put_number(t, "amount_remaining", left);
	put_time(t, "period_start", &f[PADDLE_BILLING_START]);
	put_time(t, "period_end", &f[PADDLE_BILLING_END]);
	put_word(t, "hosted_url", &f[PADDLE_URL]);
	text_puts(t, ",\"pdf_url\":null,\"next_attempt\":null");
	put_payments(t, p);
	put_time(t, "finalized_at", &f[PADDLE_BILLED]);
	put_time(t, "created", &f[PADDLE_CREATED]);
	put_bool(t, "auto_advance", is_word(&f[PADDLE_COLLECTION], "automatic"));
	put_lines(t, p);
	put_custom(t, &f[PADDLE_CUSTOM]);
	return true;
}

/* ---- customers ----------------------------------------------------------- */

bool
paddle_put_customer(struct text *t, const struct paddle_facts *p)
{
	put_bool(t, "deleted", is_word(&p->f[PADDLE_STATUS], "archived"));
	put_word(t, "email", &p->f[PADDLE_EMAIL]);
	put_word(t, "name", &p->f[PADDLE_NAME]);
	put_custom(t, &p->f[PADDLE_CUSTOM]);
	return true;
}
