/*
 * twilio.h - Twilio's API: builds requests for the account of the settings, and says what became of
 * them.  It sends nothing itself: a handler does (fetch_one), or a step of a workflow.
 *
 * Twilio takes no idempotency key: what may have been done is looked up before it is done again.
 */
#ifndef PEERS_TWILIO_H
#define PEERS_TWILIO_H

#include "base/text.h"
#include "peers/outcome.h"

enum { TWILIO_FORM_MAX = 64 * 1024, TWILIO_SID_LEN = 34 };

/* CLEANUP(twilio_form_clear) struct twilio_form f = TWILIO_FORM; */
struct twilio_form {
	struct text text;
};
#define TWILIO_FORM ((struct twilio_form){ .text = { .max = TWILIO_FORM_MAX } })

/* twilio_put: one parameter ("VoiceUrl"); an empty value unsets at Twilio, NULL is not sent.
 * twilio_put_int: the same of a number. */
void twilio_put(struct twilio_form *f, const char *name, const char *value);
void twilio_put_int(struct twilio_form *f, const char *name, int64_t value);
void twilio_form_clear(struct twilio_form *f);

/* twilio_ready: whether there is an account: TWILIO_ACCOUNT_SID (letters and digits) and
 * TWILIO_AUTH_TOKEN. */
bool twilio_ready(void);
/* twilio_token: the token that requests go with: the first of TWILIO_AUTH_TOKEN; in m, NULL when
 * there is none or memory is out. */
const char *twilio_token(struct mem *m);
/* twilio_is_sid: two letters of kind ("PN") and 32 hexadecimal digits. */
bool twilio_is_sid(const char *kind, const char *sid);
/* twilio_path: front, a SID, back; NULL with errno when it is none (EINVAL) or memory is out. */
const char *twilio_path(struct mem *m, const char *front, const char *sid, const char *back);

/* twilio_get / _post / _delete: a request to what lies below the account ("/Messages.json"), with
 * its credentials.  f: in the address, or as body; may be NULL.  -1 with errno: EINVAL: there can
 * be no such request (also: path is NULL), ENOTCONN: the settings are missing, ENOMEM. */
int twilio_get(struct mem *m, const char *path, const struct twilio_form *f,
    struct fetch_request *ret);
int twilio_post(struct mem *m, const char *path, const struct twilio_form *f,
    struct fetch_request *ret);
int twilio_delete(struct mem *m, const char *path, struct fetch_request *ret);
/* twilio_next: the next page of a list, as its next_page_uri tells it; it must lie below our own
 * account (EINVAL). */
int twilio_next(struct mem *m, const char *next_page_uri, struct fetch_request *ret);

/* twilio_answer: what became of a request.  code is "twilio_<their code>" where they tell one.
 * Never fails: what cannot be read is OUTCOME_UNKNOWN. */
void twilio_answer(struct mem *m, const struct fetch_answer *a, struct outcome *ret);

#endif
