/*
 * webhook.h - what all programs for webhooks share: who sent it, keeping it, answering it, counting
 * chatter.
 *
 * What an event says is read by peers/; what it does is decided by the database, in the one
 * statement that keeps it.
 */
#ifndef WEB_WEBHOOK_H
#define WEB_WEBHOOK_H

#include "base/settings.h"
#include "web/route.h"
#include "web/signature.h"

/* What the path of every route for webhooks tells. */
struct webhook_in {
	const char *organization_id;
};

extern const struct field webhook_fields[1];

enum { WEBHOOK_BODY_MAX = 2 * 1024 * 1024 };

/* How one provider's webhooks are proved: static. */
struct webhook {
	const char *provider;
	enum setting secrets; /* those of the whole installation, separated by commas */
	const struct signature_plan *plans; /* how these may be used */
	size_t nplans;
	const char *token_header; /* may hold the token of one call (lib/seal); NULL: never */
	enum setting tolerance;   /* seconds that a timestamp may be off; 0: SIGNATURE_TOLERANCE */
	/* Where the sender was told to come, where that may be another address than API_URL's: the
	 * setting that says so stands for this path; NULL: none does. */
	const char *below;
	enum setting told;
};

/* Who sent it, proved. */
struct webhook_proof {
	const char *signer; /* "call", "organization", "installation" */
	const char *organization_id;
	char
	    assignment_id[37]; /* signer "call": the attempt that the token was made for; else "" */
};

/* One event, in the database's words. */
struct webhook_event {
	const char *class; /* kept, moves, look, unknown, answer; "chatter": counted, and kept only
			      where that is set */
	const char *type;
	const char *key;
	const char *assignment_id;    /* NULL: the body names none */
	const char *provider_call_id; /* NULL: the same */
	const char *report;           /* NULL: it moves nothing */
	const char *reply;            /* JSON */
};

/* One event of a payment provider. */
struct webhook_money {
	const char *id;
	const char *type;
	const char
	    *object; /* JSON for public.money_keep; NULL: a shape that we do not understand */
};

/* One event of Twilio. */
struct webhook_twilio {
	const char *key;
	const char *type;
	const char
	    *facts; /* JSON for public.twilio_keep; NULL: a shape that we do not understand */
};

enum { WEBHOOK_STATE_MAX = 15 };

/* An event on its way into the database, and what became of it there. */
struct webhook_keeping {
	const char *provider;
	const struct webhook_proof *proof;
	const struct webhook_event *event;
	const char *class; /* the event's, but for chatter */
	struct span body;  /* as webhook_text makes it */
	char state[WEBHOOK_STATE_MAX + 1];
};

/* webhook_verify: proves the request in hand, of which signed is what {body} stands for.  -1 with
 * ERR_SIGNATURE_INVALID, or with what the database had against it. */
int webhook_verify(struct ctx *c, const struct webhook *w, const char *organization_id,
    struct span signed_text, struct webhook_proof *ret);
/* webhook_prove: the same where nobody but the installation has secrets. */
int webhook_prove(struct ctx *c, const struct webhook *w, struct span signed_text);
/* webhook_take: keeps the event with the request's raw body, or counts it, and answers 200 with its
 * reply.  -1 when it could not be kept: then the sender has to send it again. */
int webhook_take(struct ctx *c, const struct webhook *w, const struct webhook_proof *p,
    const struct webhook_event *e);
/* webhook_keep: keeps it, together with those that other threads keep at the same time where that
 * makes no difference.  0 after the commit, with its state; -1 when it could not be kept. */
int webhook_keep(struct ctx *c, struct webhook_keeping *k);
/* webhook_take_money: keeps the event of a payment provider with the request's raw body, starts
 * what follows from it, and answers 200.  -1 as for webhook_take. */
int webhook_take_money(struct ctx *c, const struct webhook *w, const struct webhook_money *e);
/* webhook_take_twilio: keeps an event of Twilio and applies it; ret: what shall be answered, as the
 * database has it, NULL: nothing.  It answers nothing itself.  -1 as for webhook_take. */
int webhook_take_twilio(struct ctx *c, const struct webhook *w, const struct webhook_twilio *e,
    const struct json **ret);
/* webhook_count_state: counts what became of one event. */
void webhook_count_state(struct ctx *c, const struct webhook *w, const char *state);
/* webhook_answered: for the route's .after.  webhook_flush: writes down what was counted; for the
 * server's .quiet and .stop. */
void webhook_answered(struct ctx *c);
void webhook_flush(struct ctx *c);

/* webhook_text: the body as text that the database takes: as it is when it is UTF-8 without NUL;
 * else each byte that is wrong is written \u00XX.  In m; data NULL when memory is out. */
struct span webhook_text(struct mem *m, struct span body);

#endif
