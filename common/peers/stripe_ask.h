/*
 * stripe_ask.h - Stripe, asked by SQL: what a function says that is to be asked, and what came of
 * it, both as JSON.
 *
 *   {"method":"POST","path":"/v1/customers","form":{"name":"Ann"},"key":"...","read":"customer",
 *    "number":17}
 *   {"result":"ok","status":200,"code":null,"decline":null,"body":{...}}
 *
 * result: ok, retry, unknown, failed, absent (enum stripe_result).  read: subscription, customer,
 * session or invoice: body is that in our words (stripe.h), read under that number; without it body
 * is what Stripe answered.  A body is there when the result is ok.
 */
#ifndef PEERS_STRIPE_ASK_H
#define PEERS_STRIPE_ASK_H

#include "peers/stripe.h"

struct stripe_told {
	const char *json;
	int64_t retry_after; /* seconds; -1: none */
	bool busy;           /* the same is being done just now: ask again in a moment */
	const char *log;     /* what Stripe said when it was no success, without anybody's data */
};

/* stripe_ask: the request; -1 with errno (EINVAL: it cannot be asked). */
int stripe_ask(struct mem *m, const struct json *ask, struct fetch_request *ret);
/* stripe_tell: what came of it; -1 with errno. */
int stripe_tell(struct mem *m, const struct json *ask, const struct fetch_answer *a,
    struct stripe_told *ret);

#endif
