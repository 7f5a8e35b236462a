/*
 * twilio_number.h - numbers at Twilio: searched, bought, looked up, set, given back, listed.  It
 * builds requests and reads answers (twilio.h); a handler sends them, or a step of a workflow.
 */
#ifndef PEERS_TWILIO_NUMBER_H
#define PEERS_TWILIO_NUMBER_H

#include "peers/twilio.h"

enum { TWILIO_PAGE_MAX = 1000, TWILIO_CANDIDATES_MAX = 256 * 1024 };

/* What is looked for; NULL: whatever it is. */
struct twilio_search {
	const char *country;   /* two capital letters */
	const char *type;      /* "local", "toll-free", "mobile" */
	const char *area_code; /* digits */
	const char *contains;  /* Twilio's pattern: digits, letters, * % + $ */
	const char *region;    /* a state or province */
	const char *locality;  /* a town */
	const char *postal_code;
	bool sms, mms, fax; /* it must be able to; calls it always must */
	int page_size;      /* 0: Twilio's own */
};

/* twilio_number_search: numbers that can be bought.  -1 with errno as twilio_get; EINVAL also: no
 * country, no such type. */
int twilio_number_search(struct mem *m, const struct twilio_search *s, struct fetch_request *ret);
/* twilio_number_candidates: an answer to that, as JSON: [{"phone_number", "friendly_name",
 * "locality", "region", "postal_code", "country_code", "capabilities": {"voice", "sms", "mms",
 * "fax"}}], those left out that want an address, are on trial at Twilio, or take no calls.
 * False when it is no such answer. */
bool twilio_number_candidates(struct text *t, const struct json *body);

/* How a number shall be at Twilio: a member that is NULL is left as it is. */
struct twilio_number_setup {
	const char *mark;         /* FriendlyName */
	const char *status_url;   /* where the ends of its calls are told */
	const char *sms_url;      /* where text messages to it are told */
	const char *fallback_url; /* asked when the voice URL does not answer */
};

int twilio_number_buy(struct mem *m, const char *number, const struct twilio_number_setup *s,
    struct fetch_request *ret);
int twilio_number_update(struct mem *m, const char *sid, const struct twilio_number_setup *s,
    struct fetch_request *ret);
/* twilio_number_look: is it the account's?  The answer is a list, of at most one. */
int twilio_number_look(struct mem *m, const char *number, struct fetch_request *ret);
int twilio_number_get(struct mem *m, const char *sid, struct fetch_request *ret);
/* twilio_number_release: 404 when it is given back already: OUTCOME_ABSENT. */
int twilio_number_release(struct mem *m, const char *sid, struct fetch_request *ret);
/* twilio_number_list: the first page of all; the others: twilio_next. */
int twilio_number_list(struct mem *m, struct fetch_request *ret);

/* A number as Twilio tells it; "" where it tells nothing. */
struct twilio_number {
	const char *sid, *number, *account, *mark, *voice_url, *sms_url, *status_url, *fallback_url;
	const char *capabilities; /* JSON: {"voice", "sms", "mms", "fax"} */
};

/* twilio_number_read: false when j is none: it has no SID or no number, or memory is out. */
bool twilio_number_read(struct mem *m, const struct json *j, struct twilio_number *ret);
/* twilio_number_find: the one with that number in a list; false: it is not in it.  *whole: the
 * answer was a list. */
bool twilio_number_find(struct mem *m, const struct json *body, const char *number, bool *whole,
    struct twilio_number *ret);

#endif
