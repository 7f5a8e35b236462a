/*
 * signature.h - proofs that a webhook comes from who knows a secret: the secret itself in a header,
 * or an HMAC of the event.
 *
 * How a sender signs is a plan: data, made from the credential that was entered at the provider, or
 * one of the plans below.
 */
#ifndef WEB_SIGNATURE_H
#define WEB_SIGNATURE_H

#include "lib/crypto.h"
#include "lib/json.h"

/* A timestamp may be this many seconds old, or ahead, unless the request says other. */
enum { SIGNATURE_TOLERANCE = 300 };

/* What was received.  header: the value of a header by its name in any case, NULL when it is not
 * there. */
struct signed_request {
	const char *(*header)(const void *arg, const char *name);
	const void *arg;
	const char *method;
	const char *url; /* as the sender was told it; NULL: not known */
	struct span
	    body;    /* what {body} stands for: the raw bytes, or the part of them that is signed */
	int64_t now; /* Unix seconds */
	int64_t tolerance; /* seconds that a timestamp may be off; 0: SIGNATURE_TOLERANCE */
};

enum signature_kind { SIGNATURE_SECRET, SIGNATURE_HMAC, SIGNATURE_TWILIO };

struct signature_plan {
	enum signature_kind kind;
	const char *header;
	const char *prefix; /* before the secret or the signature; "" when there is none */
	/* SIGNATURE_HMAC: */
	enum digest digest;
	const char *format; /* text with {body} {timestamp} {svix-id} {method} {url} */
	const char *timestamp_header;
	const char *id_header;
	bool base64;        /* the signature; else hex */
	bool secret_base64; /* the secret; a "whsec_" in front is taken off */
	/* A header of pairs ("t=1790000000,v1=ab12") holds both: what stands between the pairs, and
	 * what the timestamp and the signatures, of which there may be several, are called in it.
	 * '\0': the header is the signature. */
	char between;
	const char *timestamp_name;
	const char *signature_name; /* lower-case hex, exactly */
};

/* signature_plan_read: the plan of a credential as Vapi describes it ({"type": "bearer" | "hmac",
 * ...}; kind is its type where the config has none).  Its texts are config's.  -1 with EINVAL when
 * the config cannot be understood. */
int signature_plan_read(const struct json *config, const char *kind, struct signature_plan *ret);
/* signature_fits: true when r proves that its sender knows secret.  An empty secret proves nothing.
 */
bool signature_fits(const struct signature_plan *p, struct span secret,
    const struct signed_request *r);

/* What Vapi may send without a credential that we know: X-Vapi-Secret, a bearer token, its HMAC
 * defaults, and x-vapi-signature. */
enum { SIGNATURE_VAPI_PLANS = 4, SIGNATURE_SYNTHFLOW_PLANS = 3 };
extern const struct signature_plan signature_vapi[SIGNATURE_VAPI_PLANS];
/* SynthFlow: HMAC of the call's id (the body of the signed_request), under each name that its
 * header may have on the way. */
extern const struct signature_plan signature_synthflow[SIGNATURE_SYNTHFLOW_PLANS];
/* Stripe: one v1 for each secret that is good at the time; other schemes (v0) count for nothing.
 * Paddle: the same, called h1.  The key is the whole text of the secret. */
enum { SIGNATURE_STRIPE_PLANS = 1, SIGNATURE_PADDLE_PLANS = 1 };
extern const struct signature_plan signature_stripe[SIGNATURE_STRIPE_PLANS];
extern const struct signature_plan signature_paddle[SIGNATURE_PADDLE_PLANS];
/* Twilio: the address, then the fields of the form (the body of the signed_request); or the address
 * alone, with the hash of any other body in it.  signature_twilio_fits is for signature_fits. */
enum { SIGNATURE_TWILIO_PLANS = 1 };
extern const struct signature_plan signature_twilio[SIGNATURE_TWILIO_PLANS];
bool signature_twilio_fits(const struct signature_plan *p, struct span secret,
    const struct signed_request *r);

#endif
