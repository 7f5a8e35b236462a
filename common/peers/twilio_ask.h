/*
 * twilio_ask.h - Twilio, asked by SQL: what a function says that is to be read there, and what came
 * of it, both as JSON.
 *
 *   {"path":"/AvailablePhoneNumbers/US/Local.json","query":{"AreaCode":"415","PageSize":20}}
 *   {"result":"ok","status":200,"code":null,"body":{...}}
 *
 * result: ok, retry, unknown, failed, absent (enum outcome_result).  A body is there when the
 * result is ok.  Nothing is changed at Twilio by this: what is bought is bought by a run.
 */
#ifndef PEERS_TWILIO_ASK_H
#define PEERS_TWILIO_ASK_H

#include "peers/twilio.h"

struct twilio_told {
	const char *json;
	int64_t retry_after; /* seconds; -1: none */
	const char *log;     /* what Twilio said when it was no success, without anybody's data */
};

/* twilio_ask: the request; -1 with errno (EINVAL: it cannot be asked). */
int twilio_ask(struct mem *m, const struct json *ask, struct fetch_request *ret);
/* twilio_tell: what came of it; -1 with errno. */
int twilio_tell(struct mem *m, const struct fetch_answer *a, struct twilio_told *ret);

#endif
