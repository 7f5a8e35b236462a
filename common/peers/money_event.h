/*
 * money_event.h - one webhook of a payment provider, read in one pass over its bytes: what makes it
 * one event, what it is called, and what follows from it.
 *
 * Nothing is decided here.  Stripe's says only which object to read anew; Paddle's brings the
 * object along, in the normal form that the database takes.
 */
#ifndef PEERS_MONEY_EVENT_H
#define PEERS_MONEY_EVENT_H

#include "base/mem.h"
#include "base/scan.h"
#include "base/text.h"

struct money_event {
	const char *id;   /* the event's own; one without is known by the SHA-256 of its body */
	const char *type; /* as the provider calls it; "unknown" */
	bool named;       /* it has an id and a type of its own */
	/* JSON for public.money_keep: {"kind", "id", ...}; "{}": nothing follows; NULL: a shape
	 * that we do not understand. */
	const char *object;
};

enum money_event_error { MONEY_EVENT_OK, MONEY_EVENT_NOT_JSON, MONEY_EVENT_NO_MEMORY };

/* stripe_event: {"kind": "subscription" | "invoice" | "customer" | "checkout_session" | "charge",
 * "id", "customer", "subscription"}; the last two may be null.  Any version of the API. */
enum money_event_error stripe_event(struct mem *m, struct span body, struct money_event *ret);
/* paddle_event: {"kind": "subscription" | "invoice" | "customer", "id", "data": the normal form},
 * with the microsecond in which it occurred as its "read". */
enum money_event_error paddle_event(struct mem *m, struct span body, struct money_event *ret);

/* For those two.  money_event_open: scans body for the fields, of which the first is the event's id
 * and the second its type, and fills ret with these; *go tells whether there is more to read. */
enum money_event_error money_event_open(struct mem *m, struct span body, struct money_event *ret,
    struct scan_field *fields, size_t n);
/* money_id: f, if it is an id as payment providers make them: letters, digits, _ and -.  In m;
 * NULL when it is none, or memory is out. */
const char *money_id(struct mem *m, const struct scan_field *f);
/* money_put_str: ,"name":"value", or null. */
void money_put_str(struct text *t, const char *name, const char *value);

#endif
