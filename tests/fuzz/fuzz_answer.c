/*
 * fuzz_answer.c - any bytes as the answer of a voice provider: nothing is claimed that was not
 * told.
 *
 * The first byte says who answers what, the second with which status; the rest is the body.
 */
#include "peers/voice.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool good)
{
	if (!good)
		abort();
}

static void
check_report(struct mem *m, const char *report)
{
	const struct json *j;

	check(json_read(m, report, strlen(report), JSON_DEPTH_PROVIDER, &j) != JSON_BAD_TEXT);
}

static void
check_outcome(struct mem *m, const struct fetch_answer *in, const struct voice_outcome *o)
{
	bool success = in->status >= 200 && in->status < 300;

	check(o->result != VOICE_ACCEPTED || (success && o->provider_call_id));
	check(o->result == VOICE_ACCEPTED || o->reason);
	check(o->result == VOICE_REFUSED || o->fault == FAULT_NONE);
	check(o->result != VOICE_REFUSED || o->fault != FAULT_NONE);
	/* A success is a refusal only when it says itself that there was no line. */
	check(o->result != VOICE_REFUSED || !success || o->fault == FAULT_CONCURRENCY);
	check(!o->detail || (strlen(o->detail) <= 300 && !strstr(o->detail, "sk-secret")));
	if (o->report)
		check_report(m, o->report);
}

static void
check_sight(struct mem *m, const struct voice_look *l, const struct voice_sight *s)
{
	check(s->ncandidates <= COUNT(s->candidates));
	check(s->finding != LOOK_FAILED || s->why);
	if (s->finding == FOUND) {
		check(s->outcome.provider_call_id && s->outcome.report);
		check_report(m, s->outcome.report);
	}
	if (s->finding != LOOK_ON)
		return;
	check(l->kind == LOOK_BY_LIST);
	check(s->next.kind == LOOK_DETAIL ?
		s->ncandidates > 0 :
		s->next.offset > l->offset || s->next.until_ms < l->until_ms);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int statuses[] = { 200, 201, 400, 401, 402, 403, 404, 408, 429, 500, 302,
		307 };
	static const struct voice_account account = { .base_url = "https://api.vapi.ai",
		.api_key = "sk-secret" };
	struct voice_look l = { .assignment_id = "5f0c3a9e-1b2c-4d3e-8f4a-0123456789ab",
		.provider_call_id = "c-1",
		.since_ms = 1789990000000,
		.until_ms = INT64_MAX };
	struct fetch_answer in = { .outcome = FETCH_ANSWERED, .retry_after = -1 };
	const struct voice_provider *p;
	struct voice_outcome o;
	struct voice_sight s;
	struct mem *m;

	if (size < 2)
		return 0;
	m = mem_new((size_t)64 << 20);
	check(m != NULL);
	p = data[0] & 1 ? &synthflow_provider : &vapi_provider;
	in.status = statuses[data[1] % COUNT(statuses)];
	in.body = (struct span){ (const char *)data + 2, size - 2 };
	if (data[0] & 2) {
		l.kind = (enum voice_look_kind)(data[0] / 4 % 3);
		p->looked(m, &account, &l, &in, &s);
		check_sight(m, &l, &s);
	} else {
		p->dialled(m, &account, &in, &o);
		check_outcome(m, &in, &o);
	}
	mem_free(m);
	return 0;
}
