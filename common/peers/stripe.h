/*
 * stripe.h - Stripe: builds requests, says what became of them, and reads what it answers into our
 * own words, in both shapes that it has had.
 *
 * It sends nothing itself: a handler does (fetch_one), or a step of a workflow.
 */
#ifndef PEERS_STRIPE_H
#define PEERS_STRIPE_H

#include "base/text.h"
#include "lib/fetch.h"
#include "lib/json.h"

/* What every request asks to be answered in. */
#define STRIPE_VERSION "2026-10-28.endive"

enum { STRIPE_FORM_MAX = 256 * 1024, STRIPE_ID_MAX = 255, STRIPE_KEY_MAX = 255 };

/* ---- requests ------------------------------------------------------- */

/* CLEANUP(stripe_form_clear) struct stripe_form f = STRIPE_FORM; */
struct stripe_form {
	struct text text;
};
#define STRIPE_FORM ((struct stripe_form){ .text = { .max = STRIPE_FORM_MAX } })

/* stripe_put: one parameter ("items[0][price]"); an empty value unsets at Stripe, NULL is not sent.
 * stripe_put_int, stripe_put_bool: the same of a number, of true or false. */
void stripe_put(struct stripe_form *f, const char *name, const char *value);
void stripe_put_int(struct stripe_form *f, const char *name, int64_t value);
void stripe_put_bool(struct stripe_form *f, const char *name, bool value);
void stripe_form_clear(struct stripe_form *f);

/* stripe_ready: whether there is a key: STRIPE_SECRET_KEY. */
bool stripe_ready(void);
/* stripe_path: front, an id of Stripe's, back ("": nothing more); NULL with errno when it is no id
 * (EINVAL) or memory is out. */
const char *stripe_path(struct mem *m, const char *front, const char *id, const char *back);

/* stripe_get / _post / _delete: a request to path ("/v1/..."), with the account's key and our
 * version.  f: what is asked with it, in the address or as body; may be NULL.  key: makes it one
 * request, however often it is sent; 1 to 255 characters.  -1 with errno: EINVAL: there can be no
 * such request (also: path or key is NULL), ENOTCONN: there is no STRIPE_SECRET_KEY, ENOMEM. */
int stripe_get(struct mem *m, const char *path, const struct stripe_form *f,
    struct fetch_request *ret);
int stripe_post(struct mem *m, const char *path, const struct stripe_form *f, const char *key,
    struct fetch_request *ret);
int stripe_delete(struct mem *m, const char *path, const struct stripe_form *f, const char *key,
    struct fetch_request *ret);

/* ---- answers -------------------------------------------------------- */

enum stripe_result {
	STRIPE_OK,
	STRIPE_RETRY,   /* certainly not done; later, perhaps after retry_after */
	STRIPE_UNKNOWN, /* perhaps done: again with the same key */
	STRIPE_FAILED,  /* certainly not done, and never will be */
	STRIPE_ABSENT   /* what the path names is not there */
};

struct stripe_outcome {
	enum stripe_result result;
	int status;             /* 0: no answer came */
	const char *code;       /* short and stable: Stripe's error.code, or error.type where it
				   has none, "timeout", "http_502", ...; NULL: STRIPE_OK */
	const char *decline;    /* of a card that was declined: why; else NULL */
	const char *message;    /* Stripe's words to a developer, NULL: none; never for strangers */
	const char *request_id; /* what Stripe's people ask for; "": none */
	int64_t retry_after;    /* seconds; -1: none is asked for */
	bool person;            /* somebody has to mend the key, or what it may do */
	const struct json *body; /* STRIPE_OK: the object */
};

/* stripe_answer: what became of a request.  Never fails: what cannot be read is STRIPE_UNKNOWN. */
void stripe_answer(struct mem *m, const struct fetch_answer *a, struct stripe_outcome *ret);

/* ---- what it tells, in our words: JSON text for SQL ------------------- */

/* Each is NULL with errno when j is no such object (EINVAL) or memory is out.  read: the number of
 * the reading, from the sequence billing_reads, taken before the request was sent. */
/* Beside what stands in it, "payment_method" and "awaits_payment" (its first invoice is not paid)
 * are told where default_payment_method, customer.invoice_settings.default_payment_method and
 * latest_invoice were expanded. */
const char *stripe_subscription(struct mem *m, const struct json *j, int64_t read);
const char *stripe_customer(struct mem *m, const struct json *j, int64_t read);
const char *stripe_session(struct mem *m, const struct json *j, int64_t read);
const char *stripe_invoice(struct mem *m, const struct json *j, int64_t read);
/* {"provider","id","customer","invoice","payment_intent","amount","refunded","disputed","currency",
 * "created","read"} */
const char *stripe_charge(struct mem *m, const struct json *j, int64_t read);

/* stripe_id: the id of what a member names, by its id or expanded; NULL when it names nothing. */
const char *stripe_id(const struct json *j, const char *member);
/* stripe_subscription_of: the subscription that an invoice is of, in either shape; NULL: none. */
const char *stripe_subscription_of(const struct json *invoice);

#endif
