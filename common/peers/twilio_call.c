/*
 * twilio_call.c - Twilio: a call that says something, made and looked for.
 */
#include "peers/twilio_call.h"

#include "base/clock.h"
#include "base/settings.h"

#include <errno.h>
#include <string.h>

enum { PAGE_SIZE = 50, TWIML_MAX = 4000 };

/* A messaging service cannot call. */
bool
twilio_call_ready(void)
{
	const char *from = setting_str(SET_TWILIO_SMS_FROM);

	return twilio_ready() && from && from[0] == '+';
}

static bool
can(const struct twilio_call *in)
{
	if (twilio_call_ready() && in->to && in->to[0] == '+' && in->twiml &&
	    strlen(in->twiml) <= TWIML_MAX)
		return true;
	errno = EINVAL;
	return false;
}

int
twilio_call_make(struct mem *m, const struct twilio_call *in, struct fetch_request *ret)
{
	CLEANUP(twilio_form_clear) struct twilio_form f = TWILIO_FORM;

	if (!can(in))
		return -1;
	twilio_put(&f, "To", in->to);
	twilio_put(&f, "From", setting_str(SET_TWILIO_SMS_FROM));
	twilio_put(&f, "Twiml", in->twiml);
	return twilio_post(m, "/Calls.json", &f, ret);
}

/* By number alone: a call that was not put through yet has no time that a list could be asked for.
 */
int
twilio_call_look(struct mem *m, const struct twilio_call *in, struct fetch_request *ret)
{
	CLEANUP(twilio_form_clear) struct twilio_form f = TWILIO_FORM;

	if (!can(in))
		return -1;
	twilio_put(&f, "To", in->to);
	twilio_put(&f, "From", setting_str(SET_TWILIO_SMS_FROM));
	twilio_put_int(&f, "PageSize", PAGE_SIZE);
	return twilio_get(m, "/Calls.json", &f, ret);
}

static void
take(const struct json *call, struct outcome *ret, const char **sid)
{
	*sid = json_str(call, "sid");
	if (twilio_is_sid("CA", *sid))
		return;
	*sid = NULL;
	ret->result = OUTCOME_UNKNOWN;
	ret->code = "unreadable";
}

void
twilio_call_made(struct mem *m, const struct fetch_answer *a, struct outcome *ret, const char **sid)
{
	*sid = NULL;
	twilio_answer(m, a, ret);
	if (ret->result == OUTCOME_OK)
		take(ret->body, ret, sid);
}

/* "Mon, 21 Sep 2026 13:33:20 +0000"; -1: that is none. */
static int64_t
made_at(const struct json *call)
{
	const char *date = json_str(call, "date_created");
	char gmt[40];
	int64_t at;

	if (!date || strlen(date) != 31 || strcmp(date + 25, " +0000") != 0)
		return -1;
	snprintf(gmt, sizeof(gmt), "%.25s GMT", date);
	return clock_parse_http_date(gmt, &at) == 0 ? at : -1;
}

static bool
is_ours(const struct twilio_call *in, const struct json *call)
{
	const char *direction = json_str(call, "direction"), *to = json_str(call, "to");

	return direction && to && strcmp(direction, "outbound-api") == 0 && strcmp(to, in->to) == 0;
}

/* The list is newest first: one that goes back past the time of the call, or is all there is, and
 * does not hold it says that it was not made. */
void
twilio_call_looked(struct mem *m, const struct twilio_call *in, const struct fetch_answer *a,
    struct outcome *ret, const char **sid)
{
	const struct json *calls, *one;
	bool all;

	*sid = NULL;
	twilio_answer(m, a, ret);
	calls = ret->result == OUTCOME_OK ? json_get(ret->body, "calls") : NULL;
	all = !json_str(ret->body, "next_page_uri");
	ret->code = ret->code ? ret->code : "list_not_whole";
	if (ret->result != OUTCOME_OK || json_type(calls) != JSON_ARRAY) {
		ret->result = OUTCOME_UNKNOWN;
		return;
	}
	for (size_t i = 0; i < json_len(calls); i++) {
		one = json_at(calls, i);
		if (made_at(one) < in->since_ms) {
			all = all || made_at(one) >= 0;
		} else if (is_ours(in, one)) {
			ret->code = NULL;
			take(one, ret, sid);
			return;
		}
	}
	ret->result = all ? OUTCOME_ABSENT : OUTCOME_UNKNOWN;
}
