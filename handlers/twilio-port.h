/*
 * twilio-port.h - Twilio as who is asked outside: for phone-numbers.c.
 */
#ifndef HANDLERS_TWILIO_PORT_H
#define HANDLERS_TWILIO_PORT_H

#include "peers/twilio_ask.h"
#include "web/outside.h"

static int
twilio_port_read(struct mem *m, const struct json *ask UNUSED, const struct fetch_answer *a,
    struct outside_answer *ret)
{
	struct twilio_told told;

	if (twilio_tell(m, a, &told) < 0)
		return -1;
	*ret = (struct outside_answer){ told.json, told.retry_after, false, told.log };
	return 0;
}

static const struct outside twilio_port = { twilio_ready, ERR_NUMBERS_NOT_CONFIGURED, twilio_ask,
	twilio_port_read };

#endif
