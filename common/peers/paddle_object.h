/*
 * paddle_object.h - Paddle's subscriptions, transactions and customers in the normal form, in which
 * the database hears of every provider's.
 *
 * Times become Unix seconds, amounts numbers in the currency's smallest unit.
 */
#ifndef PEERS_PADDLE_OBJECT_H
#define PEERS_PADDLE_OBJECT_H

#include "peers/money_event.h"

enum { PADDLE_OBJECT_MAX = 16 * 1024 * 1024 };

enum paddle_fact {
	PADDLE_EVENT,
	PADDLE_TYPE,
	PADDLE_OCCURRED,
	PADDLE_ID,
	PADDLE_STATUS,
	PADDLE_CUSTOMER,
	PADDLE_CURRENCY,
	PADDLE_CUSTOM,
	PADDLE_CREATED,
	PADDLE_ITEMS,
	PADDLE_PERIOD_START,
	PADDLE_PERIOD_END,
	PADDLE_CANCELED,
	PADDLE_CHANGE,
	PADDLE_CHANGE_AT,
	PADDLE_TRANSACTION,
	PADDLE_SUBSCRIPTION,
	PADDLE_NUMBER,
	PADDLE_ORIGIN,
	PADDLE_COLLECTION,
	PADDLE_BILLED,
	PADDLE_BILLING_START,
	PADDLE_BILLING_END,
	PADDLE_TOTAL,
	PADDLE_TAX,
	PADDLE_GRAND_TOTAL,
	PADDLE_BALANCE,
	PADDLE_LINES,
	PADDLE_PAYMENTS,
	PADDLE_URL,
	PADDLE_EMAIL,
	PADDLE_NAME,
	PADDLE_FACTS
};

struct paddle_facts {
	struct mem *mem;
	struct scan_field f[PADDLE_FACTS];
	const char *id;
	const char *customer; /* NULL: none */
	int64_t read;         /* the microsecond in which it occurred */
};

/* Each adds the members that its kind has, behind those of all; false when the event lacks what it
 * cannot be without. */
bool paddle_put_subscription(struct text *t, const struct paddle_facts *p);
bool paddle_put_invoice(struct text *t, const struct paddle_facts *p);
bool paddle_put_customer(struct text *t, const struct paddle_facts *p);

#endif
