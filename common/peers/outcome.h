/*
 * outcome.h - what became of a request to a system whose API speaks JSON: one form for Twilio's and
 * Vapi's answers alike, for steps of workflows and for handlers.
 */
#ifndef PEERS_OUTCOME_H
#define PEERS_OUTCOME_H

#include "lib/fetch.h"
#include "lib/json.h"

enum outcome_result {
	OUTCOME_OK,
	OUTCOME_RETRY,   /* certainly not done; later, perhaps after retry_after */
	OUTCOME_UNKNOWN, /* perhaps done: look before it is done again */
	OUTCOME_FAILED,  /* certainly not done, and never will be */
	OUTCOME_ABSENT   /* what the path names is not there; of a look: it was not done */
};

struct outcome {
	enum outcome_result result;
	int status;       /* 0: no answer came */
	const char *code; /* short and stable: "twilio_21422", "http_502", "no_answer"; NULL: OK */
	const char
	    *message; /* the system's words to a developer, NULL: none; never for strangers */
	int64_t retry_after;     /* seconds; -1: none is asked for */
	bool person;             /* somebody has to mend the key, or what it may do */
	const struct json *body; /* OK: what it answered; NULL: nothing (204) */
};

/* outcome_open: false when no whole answer came: ret says so.  Else ret is UNKNOWN "unreadable",
 * with the status, and *body the JSON that came (NULL: none, or it cannot be read). */
bool outcome_open(struct mem *m, const struct fetch_answer *a, struct outcome *ret,
    const struct json **body);
/* outcome_ok: an answer of 2xx: OK with its body. */
void outcome_ok(struct outcome *ret, const struct json *body);
/* outcome_stranger: a refusal in which the system's own words are missing: somebody on the way
 * answered, and nothing was refused for good. */
void outcome_stranger(struct mem *m, const struct fetch_answer *a, struct outcome *ret);

/* What an administrator must mend is looked for again after so many seconds; and what was too fast,
 * where no other time is told. */
enum { OUTCOME_AGAIN_SETTINGS = 300, OUTCOME_AGAIN_RATE = 2 };

#endif
