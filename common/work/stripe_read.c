/*
 * stripe_read.c - steps that read one object at Stripe.
 */
#include "work/stripe_read.h"

#include "work/stripe_step.h"

#include <errno.h>
#include <string.h>

/* ---- asking --------------------------------------------------------- */

/* The object that prepare named, with what is to be expanded (ended by NULL). */
static int
ask_one(struct mem *m, const struct step_in *in, const char *front, const char *const *expand,
    struct fetch_request *ret)
{
	CLEANUP(stripe_form_clear) struct stripe_form f = STRIPE_FORM;
	const char *path = stripe_path(m, front, json_str(in->prepared, "id"), "");

	if (!path)
		return -1;
	for (; *expand; expand++)
		stripe_put(&f, "expand[]", *expand);
	return stripe_get(m, path, &f, ret);
}

int
ask_subscription(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	static const char *const expand[] = { "default_payment_method", "latest_invoice",
		"customer.invoice_settings.default_payment_method", NULL };

	return ask_one(m, in, "/v1/subscriptions/", expand, ret);
}

static const char *const nothing[] = { NULL };

/* Of one who is gone there is nothing to expand. */
int
ask_customer(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	static const char *const expand[] = { "invoice_settings.default_payment_method", NULL };
	bool gone = json_bool(in->prepared, "gone", false);

	return ask_one(m, in, "/v1/customers/", gone ? nothing : expand, ret);
}

int
ask_invoice(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	return ask_one(m, in, "/v1/invoices/", nothing, ret);
}

int
ask_charge(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	return ask_one(m, in, "/v1/charges/", nothing, ret);
}

int
ask_session(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	return ask_one(m, in, "/v1/checkout/sessions/", nothing, ret);
}

/* ---- reading -------------------------------------------------------- */

/* What was asked for, in our words; another object than that is no answer. */
static const char *
words_of(struct mem *m, const struct step_in *in, const struct json *j,
    const char *(*words)(struct mem *, const struct json *, int64_t))
{
	const char *asked = json_str(in->prepared, "id"), *got = json_str(j, "id");

	if (!asked || !got || strcmp(asked, got) != 0)
		return NULL;
	return words(m, j, json_int(in->prepared, "read", 0));
}

static void
read_one(struct mem *m, const struct step_in *in, const struct fetch_answer *a, const char *name,
    struct step_out *ret)
{
	static const struct {
		const char *name;
		const char *(*words)(struct mem *, const struct json *, int64_t);
	} kinds[] = { { "subscription", stripe_subscription }, { "invoice", stripe_invoice },
		{ "charge", stripe_charge }, { "customer", stripe_customer },
		{ "session", stripe_session } };
	struct stripe_outcome o;
	const char *text = NULL;

	stripe_step(m, a, &o, ret);
	if (o.result == STRIPE_ABSENT) {
		*ret = (struct step_out){ .result = "{\"absent\":true}", .retry_after = -1 };
		return;
	}
	/* Nothing was done, whatever came of it. */
	if (o.result == STRIPE_UNKNOWN)
		ret->verdict = STEP_RETRY;
	if (o.result != STRIPE_OK)
		return;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		if (strcmp(kinds[i].name, name) == 0)
			text = words_of(m, in, o.body, kinds[i].words);
	}
	ret->result = text ? mem_printf(m, "{\"%s\":%s}", name, text) : NULL;
	if (ret->result)
		return;
	ret->verdict = STEP_RETRY;
	ret->reason = "unreadable";
}

void
read_subscription(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret)
{
	read_one(m, in, a, "subscription", ret);
}

void
read_invoice(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret)
{
	read_one(m, in, a, "invoice", ret);
}

void
read_charge(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret)
{
	read_one(m, in, a, "charge", ret);
}

void
read_customer(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret)
{
	read_one(m, in, a, "customer", ret);
}

void
read_session(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret)
{
	read_one(m, in, a, "session", ret);
}
