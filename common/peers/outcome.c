/*
 * outcome.c - what became of a request, as far as it does not depend on who was asked.
 */
#include "peers/outcome.h"

bool
outcome_open(struct mem *m, const struct fetch_answer *a, struct outcome *ret,
    const struct json **body)
{
	static const struct {
		enum outcome_result result;
		const char *code;
	} none[] = { [FETCH_ANSWERED] = { OUTCOME_UNKNOWN, "unreadable" },
		[FETCH_NOT_SENT] = { OUTCOME_RETRY, "connect_failed" },
		[FETCH_LOST] = { OUTCOME_UNKNOWN, "no_answer" },
		[FETCH_TOO_LARGE] = { OUTCOME_UNKNOWN, "too_large" } };

	*body = NULL;
	*ret = (struct outcome){ .result = none[a->outcome].result,
		.code = none[a->outcome].code,
		.status = a->status,
		.retry_after = -1 };
	if (a->outcome != FETCH_ANSWERED)
		return false;
	if (json_read(m, a->body.data, a->body.len, JSON_DEPTH_PROVIDER, body) != JSON_OK)
		*body = NULL;
	return true;
}

void
outcome_ok(struct outcome *ret, const struct json *body)
{
	ret->result = OUTCOME_OK;
	ret->code = NULL;
	ret->body = body;
}

void
outcome_stranger(struct mem *m, const struct fetch_answer *a, struct outcome *ret)
{
	bool busy = a->status == 408 || a->status == 409 || a->status == 429;
	const char *code = mem_printf(m, "http_%d", a->status);

	ret->code = code ? code : "http_error";
	ret->result = a->status >= 300 && a->status < 500 ? OUTCOME_RETRY : OUTCOME_UNKNOWN;
	ret->person = a->status == 401 || a->status == 403;
	if (ret->result == OUTCOME_RETRY)
		ret->retry_after = busy ? OUTCOME_AGAIN_RATE : OUTCOME_AGAIN_SETTINGS;
	if (a->retry_after > ret->retry_after)
		ret->retry_after = a->retry_after;
}
