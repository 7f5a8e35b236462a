/*
 * vapi_rest.h - Vapi's things that are no calls (assistants, phone numbers): requests with an
 * account's key, what became of them, and where their events go.
 *
 * Vapi takes no idempotency key: what may have been done is looked up before it is done again.
 */
#ifndef PEERS_VAPI_REST_H
#define PEERS_VAPI_REST_H

#include "base/text.h"
#include "peers/outcome.h"
#include "peers/voice.h"

/* What is asked. */
struct vapi_ask {
	const char *method;
	const char *path;  /* "/assistant/..." */
	struct text *body; /* JSON; NULL: none */
};

/* vapi_rest: a request with the account's key.  A body that was written too long, or could not be,
 * is ENOMEM.  -1 with errno: EINVAL (also: path is NULL), ENOTCONN: the account has no key, ENOMEM.
 */
int vapi_rest(struct mem *m, const struct voice_account *a, const struct vapi_ask *ask,
    struct fetch_request *ret);
/* vapi_path: front, an id of Vapi's; NULL with errno when it is none (EINVAL) or memory is out. */
const char *vapi_path(struct mem *m, const char *front, const char *id);
/* vapi_rest_answer: what became of a request.  code is "vapi_<status>" where Vapi itself refuses.
 * Never fails: what cannot be read is OUTCOME_UNKNOWN. */
void vapi_rest_answer(struct mem *m, const struct fetch_answer *a, struct outcome *ret);

/* vapi_put_server: the member "server": where events go, with what they are proved by, and the plan
 * without which Vapi never repeats one.  token: NULL: none. */
void vapi_put_server(struct text *t, const char *url, const char *token);

#endif
