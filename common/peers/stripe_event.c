/*
 * stripe_event.c - Stripe: reads one webhook: which object is to be read anew.
 *
 * The copy of the object in the event is as old as the event, and has the shape of the endpoint's
 * version; so of it only ids are taken, from wherever one version or another has them.
 */
#include "peers/money_event.h"

#include <string.h>

/* Where the id stands of what is to be read. */
enum of { OF_OBJECT, OF_CUSTOMER, OF_CHARGE };

struct kind {
	const char *type;
	const char *kind;
	enum of of;
};

/* What is not in here is kept, and nothing follows. */
static const struct kind kinds[] = {
	{ "checkout.session.completed", "checkout_session", OF_OBJECT },
	{ "checkout.session.async_payment_succeeded", "checkout_session", OF_OBJECT },
	{ "checkout.session.async_payment_failed", "checkout_session", OF_OBJECT },
	{ "checkout.session.expired", "checkout_session", OF_OBJECT },
	{ "customer.subscription.created", "subscription", OF_OBJECT },
	{ "customer.subscription.updated", "subscription", OF_OBJECT },
	{ "customer.subscription.deleted", "subscription", OF_OBJECT },
	{ "customer.subscription.paused", "subscription", OF_OBJECT },
	{ "customer.subscription.resumed", "subscription", OF_OBJECT },
	{ "customer.subscription.trial_will_end", "subscription", OF_OBJECT },
	{ "invoice.created", "invoice", OF_OBJECT },
	{ "invoice.finalized", "invoice", OF_OBJECT },
	{ "invoice.paid", "invoice", OF_OBJECT },
	{ "invoice.payment_succeeded", "invoice", OF_OBJECT },
	{ "invoice.payment_failed", "invoice", OF_OBJECT },
	{ "invoice.payment_action_required", "invoice", OF_OBJECT },
	{ "invoice.voided", "invoice", OF_OBJECT },
	{ "invoice.marked_uncollectible", "invoice", OF_OBJECT },
	{ "customer.updated", "customer", OF_OBJECT },
	{ "customer.deleted", "customer", OF_OBJECT },
	{ "payment_method.attached", "customer", OF_CUSTOMER },
	{ "payment_method.updated", "customer", OF_CUSTOMER },
	{ "payment_method.automatically_updated", "customer", OF_CUSTOMER },
	{ "payment_method.detached", "customer", OF_CUSTOMER },
	{ "charge.refunded", "charge", OF_OBJECT },
	{ "charge.dispute.created", "charge", OF_CHARGE },
	{ "charge.dispute.closed", "charge", OF_CHARGE },
};

/* An id stands by itself or, where it was expanded, in an object. */
enum {
	FACT_EVENT,
	FACT_TYPE,
	FACT_OBJECT,
	FACT_CUSTOMER,
	FACT_SUBSCRIPTION = FACT_CUSTOMER + 2,
	FACT_PARENT = FACT_SUBSCRIPTION + 2,
	FACT_FORMER = FACT_PARENT + 2,
	FACT_CHARGE = FACT_FORMER + 2,
	FACT_COUNT = FACT_CHARGE + 2
};

#define OBJECT "data.object."
#define ID_OR_OBJECT(place)                                                                        \
	{ .path = place },                                                                         \
	{                                                                                          \
		.path = place ".id"                                                                \
	}

static const struct scan_field facts[FACT_COUNT] = {
	{ .path = "id" },
	{ .path = "type" },
	{ .path = OBJECT "id" },
	ID_OR_OBJECT(OBJECT "customer"),
	ID_OR_OBJECT(OBJECT "subscription"),
	ID_OR_OBJECT(OBJECT "parent.subscription_details.subscription"),
	ID_OR_OBJECT("data.previous_attributes.customer"),
	ID_OR_OBJECT(OBJECT "charge"),
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

/* The id at a fact, or at the other one where the first has none. */
static const char *
id_at(struct mem *m, const struct scan_field *f, int first, int other)
{
	const int places[] = { first, first + 1, other, other + 1 };
	const char *id = NULL;
	size_t i;

	for (i = 0; i < COUNT(places) && !id; i++)
		id = money_id(m, &f[places[i]]);
	return id;
}

static const char *
put_object(struct mem *m, const char *kind, const char *id, const char *customer,
    const char *subscription)
{
	CLEANUP(text_clear) struct text t = TEXT(4096);

	text_puts(&t, "{\"kind\":");
	text_json(&t, kind);
	money_put_str(&t, "id", id);
	money_put_str(&t, "customer", customer);
	money_put_str(&t, "subscription", subscription);
	text_putc(&t, '}');
	return text_ok(&t) ? mem_dup(m, t.data, t.len) : NULL;
}

static enum money_event_error
fill_object(struct mem *m, const struct kind *kind, const struct scan_field *f,
    struct money_event *ret)
{
	const char *object = money_id(m, &f[FACT_OBJECT]);
	const char *customer = id_at(m, f, FACT_CUSTOMER, FACT_FORMER);
	const char *subscription = id_at(m, f, FACT_SUBSCRIPTION, FACT_PARENT);
	const char *ids[] = { [OF_OBJECT] = object,
		[OF_CUSTOMER] = customer,
		[OF_CHARGE] = id_at(m, f, FACT_CHARGE, FACT_CHARGE) };
	const char *id = ids[kind->of];

	if (strcmp(kind->kind, "customer") == 0)
		customer = id;
	if (strcmp(kind->kind, "subscription") == 0)
		subscription = id;
	/* A card of nobody is nobody's business. */
	if (!id && object)
		ret->object = "{}";
	if (!id)
		return MONEY_EVENT_OK;
	ret->object = put_object(m, kind->kind, id, customer, subscription);
	return ret->object ? MONEY_EVENT_OK : MONEY_EVENT_NO_MEMORY;
}

enum money_event_error
stripe_event(struct mem *m, struct span body, struct money_event *ret)
{
	struct scan_field f[FACT_COUNT];
	const struct kind *kind;
	enum money_event_error error;

	memcpy(f, facts, sizeof(f));
	error = money_event_open(m, body, ret, f, COUNT(f));
	if (error != MONEY_EVENT_OK || !ret->named)
		return error;

	kind = kind_of(ret->type);
	if (kind)
		return fill_object(m, kind, f, ret);
	ret->object = "{}";
	return MONEY_EVENT_OK;
}
