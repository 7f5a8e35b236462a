/*
 * synthflow_answer.c - SynthFlow: reads the answers of its API.
 */
#include "peers/peer.h"
#include "peers/raw.h"
#include "peers/report.h"
#include "peers/synthflow_peer.h"

#include <string.h>
#include <strings.h>

enum fact {
	FACT_ID,
	FACT_STATUS,
	FACT_CALL_STATUS, /* its name in lists */
	FACT_REASON,
	FACT_DURATION,
	FACT_TRANSCRIPT,
	FACT_RECORDING,
	FACT_START,
	FACT_TELEPHONY_END,
	FACT_COLLECTED,
	FACT_PROMPT,
	FACT_CUSTOM,
	FACT_PROMPT_MARK,
	FACT_CUSTOM_MARK,
	FACT_COUNT
};

static const char *const paths[FACT_COUNT] = {
	[FACT_ID] = "call_id",
	[FACT_STATUS] = "status",
	[FACT_CALL_STATUS] = "call_status",
	[FACT_REASON] = "end_call_reason",
	[FACT_DURATION] = "duration",
	[FACT_TRANSCRIPT] = "transcript",
	[FACT_RECORDING] = "recording_url",
	[FACT_START] = "start_time",
	[FACT_TELEPHONY_END] = "telephony_end",
	[FACT_COLLECTED] = "collected_variables",
	[FACT_PROMPT] = "prompt_variables",
	[FACT_CUSTOM] = "custom_variables",
	[FACT_PROMPT_MARK] = "prompt_variables." SYNTHFLOW_MARK,
	[FACT_CUSTOM_MARK] = "custom_variables." SYNTHFLOW_MARK,
};

struct call {
	struct scan_field fact[FACT_COUNT];
	char id[RAW_ID_MAX + 1];
	char mark[37];  /* "" when it has none */
	bool variables; /* it tells its variables at all */
};

/* ---- a call --------------------------------------------------------- */

/* Our mark in variables of the form [{"key": ..., "value": ...}]. */
static bool
mark_in_list(const struct scan_field *list, char ret[37])
{
	struct scan_field pair[] = { { .path = "key" }, { .path = "value" } };
	char key[RAW_WORD_MAX];
	struct span item;
	size_t pos = 0;

	if (list->kind != SCAN_ARRAY)
		return false;
	while (raw_next(list->raw, &pos, &item)) {
		if (scan_json(item, pair, COUNT(pair), RAW_DEPTH) != SCAN_OK)
			continue;
		if (raw_text(&pair[0], key, sizeof(key)) && strcmp(key, SYNTHFLOW_MARK) == 0 &&
		    raw_uuid(&pair[1], ret))
			return true;
	}
	return false;
}

static bool
is_told(const struct scan_field *f)
{
	return f->kind == SCAN_OBJECT || f->kind == SCAN_ARRAY;
}

/* False when it is no call with an id. */
static bool
read_call(struct span object, struct call *ret)
{
	size_t i;

	*ret = (struct call){ 0 };
	for (i = 0; i < FACT_COUNT; i++)
		ret->fact[i].path = paths[i];
	if (!raw_is(object, '{') || scan_json(object, ret->fact, FACT_COUNT, RAW_DEPTH) != SCAN_OK)
		return false;

	if (ret->fact[FACT_STATUS].kind != SCAN_STRING)
		ret->fact[FACT_STATUS] = ret->fact[FACT_CALL_STATUS];
	ret->variables = is_told(&ret->fact[FACT_PROMPT]) || is_told(&ret->fact[FACT_CUSTOM]);
	if (!raw_uuid(&ret->fact[FACT_PROMPT_MARK], ret->mark) &&
	    !raw_uuid(&ret->fact[FACT_CUSTOM_MARK], ret->mark) &&
	    !mark_in_list(&ret->fact[FACT_PROMPT], ret->mark))
		mark_in_list(&ret->fact[FACT_CUSTOM], ret->mark);
	return raw_id(&ret->fact[FACT_ID], ret->id);
}

/* What a state means.  reason: the state tells more than the end reason beside it.  nobody: nobody
 * was reached, whatever duration is told. */
struct state {
	const char *name;
	const char *status;
	bool reason;
	bool nobody;
};

static const struct state states[] = {
	{ "pending", "queued", false, false },
	{ "registered", "queued", false, false },
	{ "paused", "queued", false, false },
	{ "queued", "queued", false, false },
	{ "ringing", "ringing", false, false },
	{ "in-progress", "in-progress", false, false },
	{ "completed", "ended", false, false },
	{ "no-answer", "ended", true, true },
	{ "busy", "ended", true, true },
	{ "failed", "ended", true, false },
	{ "canceled", "ended", true, false },
	{ "user-canceled", "ended", true, false },
	{ "hangup_on_voicemail", "ended", true, false },
	{ "left_voicemail", "ended", true, false },
	{ "spam", "ended", true, false },
};

static const struct state *
state_of(const char *name)
{
	/* A state that we do not know: the call is there, and nothing more is said of it. */
	static const struct state unknown = { "", "queued", false, false };
	size_t i;

	for (i = 0; i < COUNT(states); i++) {
		if (strcmp(states[i].name, name) == 0)
			return &states[i];
	}
	return &unknown;
}

/* The start is when somebody was reached: the telephone's own time includes the ringing, so it is
 * reckoned back from the end. */
static void
put_times(struct text *t, const struct call *c, const struct state *state)
{
	struct report_times times = { 0, 0, -1 };
	int64_t start = 0;
	bool talked;

	if (!state->nobody)
		raw_number(&c->fact[FACT_DURATION], &times.seconds);
	raw_time(&c->fact[FACT_START], &start);
	raw_time(&c->fact[FACT_TELEPHONY_END], &times.ended);
	talked = times.seconds > 0 && times.seconds < 1e7;
	if (strcmp(state->status, "ended") != 0)
		return;
	if (talked && times.ended > 0) {
		times.started = times.ended - (int64_t)(times.seconds * 1000);
	} else if (talked && start > 0) {
		times.started = start;
		times.ended = start + (int64_t)(times.seconds * 1000);
	}
	report_times(t, &times);
}

static void
put_results(struct text *t, const struct call *c)
{
	if (c->fact[FACT_TRANSCRIPT].kind == SCAN_STRING)
		report_raw(t, "transcript", &c->fact[FACT_TRANSCRIPT]);
	if (c->fact[FACT_RECORDING].kind == SCAN_STRING)
		report_raw(t, "recording_url", &c->fact[FACT_RECORDING]);
	if (c->fact[FACT_COLLECTED].kind == SCAN_OBJECT)
		report_raw(t, "structured", &c->fact[FACT_COLLECTED]);
}

static const char *
report_of(struct mem *m, const struct call *c)
{
	CLEANUP(text_clear) struct text t = TEXT(REPORT_MAX);
	char name[RAW_WORD_MAX], reason[RAW_ID_MAX + 1];
	const struct state *state;
	bool ended;

	raw_text(&c->fact[FACT_STATUS], name, sizeof(name));
	state = state_of(name);
	ended = strcmp(state->status, "ended") == 0;
	report_open(&t, state->status);
	report_str(&t, "provider_call_id", c->id);
	report_str(&t, "assignment_id", c->mark);
	if (ended && !state->reason && raw_text(&c->fact[FACT_REASON], reason, sizeof(reason)) &&
	    strcmp(reason, "undefined") != 0)
		report_str(&t, "reason", reason);
	else if (ended)
		report_str(&t, "reason", state->name);
	put_times(&t, c, state);
	if (ended)
		put_results(&t, c);
	return report_close(m, &t, ended);
}

/* ---- dialled -------------------------------------------------------- */

void
synthflow_dialled(struct mem *m, const struct voice_account *a, const struct fetch_answer *in,
    struct voice_outcome *ret)
{
	struct scan_field id[] = { { .path = "response.call_id" }, { .path = "call_id" } };
	char buf[RAW_ID_MAX + 1];

	if (!peer_is_success(in)) {
		voice_refusal(m, in, ret);
		peer_hide_key(a, ret);
		return;
	}
	*ret = (struct voice_outcome){ .result = VOICE_UNKNOWN,
		.status = in->status,
		.retry_after = -1 };
	if (scan_json(in->body, id, COUNT(id), RAW_DEPTH) != SCAN_OK) {
		ret->reason = "unreadable";
		return;
	}
	ret->reason = "no_id";
	if (!raw_id(&id[0], buf) && !raw_id(&id[1], buf))
		return;
	ret->reason = "out_of_memory";
	ret->provider_call_id = mem_str(m, buf);
	if (!ret->provider_call_id)
		return;

	ret->reason = NULL;
	ret->result = VOICE_ACCEPTED;
}

/* ---- looked --------------------------------------------------------- */

static void
look_failed(struct voice_sight *ret, const char *why)
{
	ret->finding = LOOK_FAILED;
	ret->why = why;
}

static void
found(struct mem *m, const struct call *c, struct voice_sight *ret)
{
	struct voice_outcome *o = &ret->outcome;

	*o = (struct voice_outcome){ .result = VOICE_ACCEPTED, .status = 200, .retry_after = -1 };
	o->provider_call_id = mem_str(m, c->id);
	o->report = report_of(m, c);
	ret->finding = FOUND;
	if (!o->provider_call_id || !o->report)
		look_failed(ret, "out_of_memory");
}

/* The array of calls of a complete answer; NULL when it is none. */
static bool
calls_of(const struct fetch_answer *in, struct span *calls, double *total)
{
	struct scan_field f[] = { { .path = "response.calls" },
		{ .path = "response.pagination.total_records" } };

	if (!peer_is_success(in) || scan_json(in->body, f, COUNT(f), RAW_DEPTH) != SCAN_OK ||
	    f[0].kind != SCAN_ARRAY)
		return false;
	*calls = f[0].raw;
	*total = -1;
	raw_number(&f[1], total);
	return true;
}

/* One call was asked for.  As a candidate it is ours only by our mark: one without any variables
 * proves nothing. */
static void
looked_by_id(struct mem *m, const struct voice_look *l, const struct fetch_answer *in,
    struct voice_sight *ret)
{
	bool detail = l->kind == LOOK_DETAIL;
	struct span calls, item;
	struct call call;
	size_t pos = 0;
	double total;

	if (!detail && in->outcome == FETCH_ANSWERED && in->status == 404) {
		ret->finding = NOT_FOUND;
		return;
	}
	if (!calls_of(in, &calls, &total)) {
		peer_look_failed(m, in, ret);
		return;
	}
	if (!raw_next(calls, &pos, &item) && !detail)
		ret->finding = NOT_FOUND;
	else if (pos == 0 || !read_call(item, &call) || strcmp(call.id, l->provider_call_id) != 0)
		look_failed(ret, "other_call");
	else if (call.mark[0] != '\0' && l->assignment_id &&
	    strcasecmp(call.mark, l->assignment_id) == 0)
		found(m, &call, ret);
	else if (detail && !call.variables)
		look_failed(ret, "no_variables");
	else if (detail)
		ret->finding = NOT_FOUND;
	else if (call.mark[0] != '\0' && l->assignment_id)
		look_failed(ret, "other_call");
	else
		found(m, &call, ret);
}

/* A page without our call in it: more pages, or candidates to read, or the end. */
static void
next_page(const struct voice_look *l, size_t n, double total, struct voice_sight *ret)
{
	/* Where the total is not told, only an empty page is the end. */
	bool last = total < 0 ? n == 0 : (double)l->offset + (double)n >= total;

	if (!last && n == 0) {
		look_failed(ret, "list_does_not_progress");
		return;
	}
	ret->finding = last && ret->ncandidates == 0 ? NOT_FOUND : LOOK_ON;
	ret->next = *l;
	ret->next.kind = last ? LOOK_DETAIL : LOOK_BY_LIST;
	if (!last)
		ret->next.offset = l->offset + (int)n;
	else if (ret->ncandidates > 0)
		ret->next.provider_call_id = ret->candidates[0];
}

/* Looks at one item of a list: true when it is ours; otherwise it may become a candidate.  -1: it
 * cannot be told. */
static int
judge(struct mem *m, const struct voice_look *l, const struct call *c, struct voice_sight *ret)
{
	int64_t start;

	if (c->mark[0] != '\0')
		return strcasecmp(c->mark, l->assignment_id) == 0;
	if (raw_time(&c->fact[FACT_START], &start) && start < l->since_ms)
		return 0;
	if (ret->ncandidates >= COUNT(ret->candidates))
		return -1;
	ret->candidates[ret->ncandidates] = mem_str(m, c->id);
	return ret->candidates[ret->ncandidates++] ? 0 : -1;
}

static void
looked_by_list(struct mem *m, const struct voice_look *l, const struct fetch_answer *in,
    struct voice_sight *ret)
{
	struct span calls, item;
	struct call call;
	size_t pos = 0, n;
	double total;
	int ours;

	if (!calls_of(in, &calls, &total)) {
		peer_look_failed(m, in, ret);
		return;
	}
	for (n = 0; raw_next(calls, &pos, &item); n++) {
		ours = read_call(item, &call) ? judge(m, l, &call, ret) : -1;
		if (ours < 0) {
			look_failed(ret, "unreadable");
			return;
		}
		if (ours > 0) {
			found(m, &call, ret);
			return;
		}
	}
	next_page(l, n, total, ret);
}

void
synthflow_looked(struct mem *m, const struct voice_account *a, const struct voice_look *l,
    const struct fetch_answer *in, struct voice_sight *ret)
{
	(void)a;
	*ret = (struct voice_sight){ 0 };
	ret->outcome.retry_after = in->retry_after;
	if (l->kind == LOOK_BY_LIST)
		looked_by_list(m, l, in, ret);
	else
		looked_by_id(m, l, in, ret);
}
