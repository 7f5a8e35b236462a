/*
 * stripe_read.c - Stripe: subscriptions, customers and checkout sessions in our words.
 *
 * Both shapes: a period stands with the subscription (before 2025-03-31.basil) or with its items,
 * which may differ: the earliest begin, the latest end.
 */
#include "peers/stripe_peer.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* ---- writing -------------------------------------------------------- */

static void
put_name(struct text *t, const char *name)
{
	size_t n = t->len;

	if (n > 0 && t->data[n - 1] != '{' && t->data[n - 1] != '[')
		text_putc(t, ',');
	text_json(t, name);
	text_putc(t, ':');
}

void
normal_str(struct text *t, const char *name, const char *value)
{
	put_name(t, name);
	text_json(t, value);
}

void
normal_int(struct text *t, const char *name, const struct json *value)
{
	int64_t n;

	put_name(t, name);
	if (value && json_int_of(value, &n) == 0)
		text_printf(t, "%" PRId64, n);
	else
		text_puts(t, "null");
}

void
normal_bool(struct text *t, const char *name, bool value)
{
	put_name(t, name);
	text_puts(t, value ? "true" : "false");
}

void
normal_strs(struct text *t, const struct json *j, const char *const *names)
{
	for (; *names; names++)
		normal_str(t, *names, json_str(j, *names));
}

void
normal_ints(struct text *t, const struct json *j, const char *const *names)
{
	for (; *names; names++)
		normal_int(t, *names, json_get(j, *names));
}

void
normal_object(struct text *t, const char *name, const struct json *value)
{
	put_name(t, name);
	if (json_type(value) == JSON_OBJECT)
		json_write(t, value);
	else
		text_puts(t, "{}");
}

bool
normal_open(struct text *t, const struct json *j, const char *kind)
{
	const char *object = json_str(j, "object"), *id = json_str(j, "id");

	if (!object || strcmp(object, kind) != 0 || !id || id[0] == '\0') {
		errno = EINVAL;
		return false;
	}
	text_putc(t, '{');
	normal_str(t, "provider", "stripe");
	normal_str(t, "id", id);
	return true;
}

const char *
normal_close(struct mem *m, struct text *t, int64_t read)
{
	put_name(t, "read");
	text_printf(t, "%" PRId64 "}", read);
	if (!text_ok(t)) {
		errno = ENOMEM;
		return NULL;
	}
	return mem_dup(m, text_str(t), t->len);
}

const char *
stripe_id(const struct json *j, const char *member)
{
	const struct json *v = json_get(j, member);
	const char *id = json_type(v) == JSON_OBJECT ? json_str(v, "id") : json_str_of(v, NULL);

	return id && id[0] != '\0' ? id : NULL;
}

/* ---- subscriptions -------------------------------------------------- */

static void
put_item(struct text *t, const struct json *item)
{
	const char *price = stripe_id(item, "price");

	text_putc(t, '{');
	normal_str(t, "id", json_str(item, "id"));
	normal_str(t, "price", price ? price : stripe_id(item, "plan"));
	normal_int(t, "quantity", json_get(item, "quantity"));
	text_putc(t, '}');
}

static void
put_items(struct text *t, const struct json *items)
{
	put_name(t, "items");
	text_putc(t, '[');
	for (size_t i = 0; i < json_len(items); i++) {
		if (i > 0)
			text_putc(t, ',');
		put_item(t, json_at(items, i));
	}
	text_putc(t, ']');
}

/* The subscription's own member if it is a number, else the items' least or greatest. */
static const struct json *
period_of(const struct json *j, const struct json *items, const char *member, bool greatest)
{
	const struct json *best = json_get(j, member);
	int64_t least, n;

	if (best && json_int_of(best, &n) == 0)
		return best;
	best = NULL;
	for (size_t i = 0; i < json_len(items); i++) {
		const struct json *v = json_get(json_at(items, i), member);
		if (!v || json_int_of(v, &n) < 0)
			continue;
		if (!best || (json_int_of(best, &least) == 0 && (greatest ? n > least : n < least)))
			best = v;
	}
	return best;
}

/* How it is paid: an object, null where there is nothing to pay with.  Where it was not expanded
 * that is not known, and nothing is said. */
static void
put_method(struct text *t, const struct json *method)
{
	static const char *const words[] = { "brand", "last4", NULL };
	static const char *const numbers[] = { "exp_month", "exp_year", NULL };
	const char *type = json_str(method, "type");

	if (json_type(method) == JSON_STRING)
		return;
	put_name(t, "payment_method");
	if (!type) {
		text_puts(t, "null");
		return;
	}
	text_putc(t, '{');
	normal_str(t, "type", type);
	normal_strs(t, json_get(method, type), words);
	normal_ints(t, json_get(method, type), numbers);
	text_putc(t, '}');
}

/* The subscription's own, else its customer's. */
static const struct json *
method_of(const struct json *j)
{
	const struct json *own = json_get(j, "default_payment_method"),
			  *customer = json_get(j, "customer");

	if (json_type(own) != JSON_NULL || json_type(customer) != JSON_OBJECT)
		return json_type(own) != JSON_NULL ? own : customer;
	return json_path(customer, "invoice_settings.default_payment_method");
}

/* Whether its first invoice is still to be paid: then it has not begun, whatever it is called.
 * Nothing is said where the invoice was not expanded. */
static void
put_awaits(struct text *t, const struct json *invoice)
{
	const char *reason = json_str(invoice, "billing_reason"),
		   *status = json_str(invoice, "status"),
		   *method = json_str(invoice, "collection_method");
	bool open = status && (strcmp(status, "open") == 0 || strcmp(status, "draft") == 0);
	/* Who pays by invoice begins before he has paid. */
	bool sent = method && strcmp(method, "send_invoice") == 0;

	if (json_type(invoice) == JSON_STRING)
		return;
	normal_bool(t, "awaits_payment",
	    open && !sent && reason && strcmp(reason, "subscription_create") == 0 &&
		json_int(invoice, "amount_remaining", 0) > 0);
}

const char *
stripe_subscription(struct mem *m, const struct json *j, int64_t read)
{
	static const char *const words[] = { "status", "currency", NULL };
	static const char *const times[] = { "cancel_at", "canceled_at", "ended_at", "trial_end",
		"created", NULL };
	CLEANUP(text_clear) struct text t = TEXT(NORMAL_MAX);
	const struct json *items = json_path(j, "items.data");

	if (!normal_open(&t, j, "subscription"))
		return NULL;
	normal_str(&t, "customer", stripe_id(j, "customer"));
	normal_strs(&t, j, words);
	put_items(&t, items);
	normal_int(&t, "period_start", period_of(j, items, "current_period_start", false));
	normal_int(&t, "period_end", period_of(j, items, "current_period_end", true));
	normal_bool(&t, "cancel_at_period_end", json_bool(j, "cancel_at_period_end", false));
	normal_ints(&t, j, times);
	normal_str(&t, "latest_invoice", stripe_id(j, "latest_invoice"));
	normal_object(&t, "metadata", json_get(j, "metadata"));
	put_awaits(&t, json_get(j, "latest_invoice"));
	put_method(&t, method_of(j));
	return normal_close(m, &t, read);
}

/* ---- customers and sessions ----------------------------------------- */

/* Neither name nor address: nothing asks for them, and what is read is kept with its run. */
const char *
stripe_customer(struct mem *m, const struct json *j, int64_t read)
{
	CLEANUP(text_clear) struct text t = TEXT(NORMAL_MAX);

	if (!normal_open(&t, j, "customer"))
		return NULL;
	normal_bool(&t, "deleted", json_bool(j, "deleted", false));
	normal_object(&t, "metadata", json_get(j, "metadata"));
	put_method(&t, json_path(j, "invoice_settings.default_payment_method"));
	return normal_close(m, &t, read);
}

const char *
stripe_session(struct mem *m, const struct json *j, int64_t read)
{
	static const char *const words[] = { "status", "payment_status", "client_reference_id",
		NULL };
	CLEANUP(text_clear) struct text t = TEXT(NORMAL_MAX);

	if (!normal_open(&t, j, "checkout.session"))
		return NULL;
	normal_strs(&t, j, words);
	normal_str(&t, "subscription", stripe_id(j, "subscription"));
	normal_str(&t, "customer", stripe_id(j, "customer"));
	normal_object(&t, "metadata", json_get(j, "metadata"));
	normal_int(&t, "expires_at", json_get(j, "expires_at"));
	return normal_close(m, &t, read);
}
