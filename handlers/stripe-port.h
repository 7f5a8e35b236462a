/*
 * stripe-port.h - Stripe as who is asked outside, and where people come back to: for billing.c and
 * checkout.c.
 */
#ifndef HANDLERS_STRIPE_PORT_H
#define HANDLERS_STRIPE_PORT_H

#include "base/poke.h"
#include "base/settings.h"
#include "peers/stripe_ask.h"
#include "web/flight.h"
#include "web/outside.h"
#include "web/site.h"

#define ROOT "/api/v1/billing"

/* What every route that asks Stripe may be refused with. */
#define STRIPE_ERRORS ERR_BILLING_NOT_CONFIGURED, ERR_PAYMENT_PROVIDER_REFUSED, ERR_UNAVAILABLE

static int
stripe_port_read(struct mem *m, const struct json *ask, const struct fetch_answer *a,
    struct outside_answer *ret)
{
	struct stripe_told told;

	if (stripe_tell(m, ask, a, &told) < 0)
		return -1;
	*ret = (struct outside_answer){ told.json, told.retry_after, told.busy, told.log };
	return 0;
}

static const struct outside stripe_port = { stripe_ready, ERR_BILLING_NOT_CONFIGURED, stripe_ask,
	stripe_port_read };

/* Where people are sent back to unless the request says otherwise; NULL: no setting tells. */
static inline const char *
stripe_port_site(void)
{
	static const enum setting sites[] = { SET_FRONTEND_URL, SET_APP_URL, SET_API_URL };
	size_t i;

	for (i = 0; i < COUNT(sites) - 1; i++)
		if (setting_str(sites[i]))
			break;
	return setting_str(sites[i]);
}

/* An address that somebody wishes must be on our own sites; NULL is none. */
static inline int
stripe_port_allow(struct ctx *c, const char *field, const char *url)
{
	static const enum setting sites[] = { SET_APP_URL, SET_FRONTEND_URL };

	if (!url || site_holds(sites, COUNT(sites), url))
		return 0;
	if (flight_prove(c) < 0)
		return -1;
	fail_field(c, field, "not_allowed", "An address of APP_URL or FRONTEND_URL.");
	return -1;
}

/* What was told may have started runs. */
static void
poke_work(struct ctx *c)
{
	(void)c;
	poke_send("work");
}

#endif
