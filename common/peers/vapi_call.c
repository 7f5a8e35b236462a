/*
 * vapi_call.c - a call as Vapi describes it, read into a normal report.
 */
#include "peers/vapi_call.h"

#include "base/base.h"
#include "peers/raw.h"
#include "peers/report.h"

#include <string.h>

#define ANY (VAPI_CALL | VAPI_MESSAGE)

/* A place where a fact may stand.  Of one fact's places the first that holds something of the right
 * kind is taken. */
struct place {
	enum vapi_fact fact;
	int forms;
	enum scan_kind kind; /* SCAN_NONE: a string, a number, true or false */
	const char *path;
};

static const struct place places[] = {
	{ FACT_TYPE, VAPI_MESSAGE, SCAN_STRING, "type" },
	{ FACT_ID, VAPI_MESSAGE, SCAN_STRING, "call.id" },
	{ FACT_ID, VAPI_CALL, SCAN_STRING, "id" },
	{ FACT_ID, VAPI_FLAT, SCAN_STRING, "call_id" },
	{ FACT_NAME, VAPI_MESSAGE, SCAN_STRING, "call.name" },
	{ FACT_NAME, VAPI_CALL, SCAN_STRING, "name" },
	{ FACT_MARK, VAPI_MESSAGE, SCAN_STRING, "call.assistantOverrides.metadata.assignment_id" },
	{ FACT_MARK, VAPI_CALL, SCAN_STRING, "assistantOverrides.metadata.assignment_id" },
	{ FACT_STATUS, ANY | VAPI_FLAT, SCAN_STRING, "status" },
	{ FACT_REASON, ANY, SCAN_STRING, "endedReason" },
	{ FACT_REASON, VAPI_MESSAGE, SCAN_STRING, "call.endedReason" },
	{ FACT_CREATED, VAPI_CALL, SCAN_STRING, "createdAt" },
	{ FACT_STARTED, ANY, SCAN_STRING, "startedAt" },
	{ FACT_STARTED, VAPI_MESSAGE, SCAN_STRING, "call.startedAt" },
	{ FACT_ENDED, ANY, SCAN_STRING, "endedAt" },
	{ FACT_ENDED, VAPI_MESSAGE, SCAN_STRING, "call.endedAt" },
	{ FACT_AT, VAPI_MESSAGE, SCAN_NUMBER, "timestamp" },
	{ FACT_AT, VAPI_MESSAGE, SCAN_STRING, "timestamp" },
	{ FACT_SECONDS, ANY, SCAN_NUMBER, "durationSeconds" },
	{ FACT_SECONDS, VAPI_MESSAGE, SCAN_NUMBER, "call.duration" },
	{ FACT_SECONDS, VAPI_FLAT, SCAN_NUMBER, "duration" },
	{ FACT_MILLISECONDS, ANY, SCAN_NUMBER, "durationMs" },
	{ FACT_COST, ANY, SCAN_NUMBER, "cost" },
	{ FACT_COST, VAPI_MESSAGE, SCAN_NUMBER, "call.cost" },
	{ FACT_TRANSCRIPT, ANY, SCAN_STRING, "artifact.transcript" },
	{ FACT_TRANSCRIPT, ANY | VAPI_FLAT, SCAN_STRING, "transcript" },
	{ FACT_TRANSCRIPT, VAPI_MESSAGE, SCAN_STRING, "call.artifact.transcript" },
	{ FACT_TRANSCRIPT, VAPI_MESSAGE, SCAN_STRING, "call.transcript" },
	{ FACT_SUMMARY, ANY, SCAN_STRING, "analysis.summary" },
	{ FACT_SUMMARY, ANY, SCAN_STRING, "summary" },
	{ FACT_SUMMARY, VAPI_MESSAGE, SCAN_STRING, "call.analysis.summary" },
	{ FACT_SUMMARY, VAPI_MESSAGE, SCAN_STRING, "call.summary" },
	{ FACT_MESSAGES, ANY, SCAN_ARRAY, "artifact.messages" },
	{ FACT_MESSAGES, ANY, SCAN_ARRAY, "messages" },
	{ FACT_MESSAGES, VAPI_MESSAGE, SCAN_ARRAY, "call.artifact.messages" },
	{ FACT_MESSAGES, VAPI_MESSAGE, SCAN_ARRAY, "call.messages" },
	{ FACT_STRUCTURED, ANY, SCAN_OBJECT, "analysis.structuredData" },
	{ FACT_STRUCTURED, ANY, SCAN_OBJECT, "artifact.structuredOutputs" },
	{ FACT_STRUCTURED, VAPI_MESSAGE, SCAN_OBJECT, "call.analysis.structuredData" },
	{ FACT_SUCCESS, ANY, SCAN_NONE, "analysis.successEvaluation" },
	{ FACT_SUCCESS, VAPI_MESSAGE, SCAN_NONE, "call.analysis.successEvaluation" },
	{ FACT_RECORDING, ANY, SCAN_STRING, "artifact.recording.mono.combinedUrl" },
	{ FACT_RECORDING, ANY, SCAN_STRING, "artifact.recordingUrl" },
	{ FACT_RECORDING, ANY, SCAN_STRING, "recordingUrl" },
	{ FACT_RECORDING, VAPI_MESSAGE, SCAN_STRING, "call.artifact.recordingUrl" },
	{ FACT_RECORDING, VAPI_MESSAGE, SCAN_STRING, "call.recordingUrl" },
	{ FACT_RECORDING, VAPI_FLAT, SCAN_STRING, "recording_url" },
	{ FACT_STEREO, ANY, SCAN_STRING, "artifact.recording.stereoUrl" },
	{ FACT_STEREO, ANY, SCAN_STRING, "artifact.stereoRecordingUrl" },
	{ FACT_STEREO, ANY, SCAN_STRING, "stereoRecordingUrl" },
	{ FACT_STEREO, VAPI_MESSAGE, SCAN_STRING, "call.stereoRecordingUrl" },
	{ FACT_CONTROL, VAPI_CALL, SCAN_STRING, "monitor.controlUrl" },
	{ FACT_BLOCKED, VAPI_CALL, SCAN_TRUE, "subscriptionLimits.concurrencyBlocked" },
	{ FACT_FUNCTION, VAPI_MESSAGE, SCAN_STRING, "functionCall.name" },
	{ FACT_KIND, VAPI_MESSAGE, SCAN_STRING, "call.type" },
	{ FACT_NUMBER_ID, VAPI_MESSAGE, SCAN_STRING, "call.phoneNumberId" },
	{ FACT_NUMBER_ID, VAPI_MESSAGE, SCAN_STRING, "phoneNumber.id" },
	{ FACT_NUMBER, VAPI_MESSAGE, SCAN_STRING, "phoneNumber.number" },
	{ FACT_CALLER, VAPI_MESSAGE, SCAN_STRING, "call.customer.number" },
	{ FACT_CALLER, VAPI_MESSAGE, SCAN_STRING, "customer.number" },
};

/* Vapi's words and ours; "completed" and the like belong to the flat form and are looked at there.
 */
static const char *const statuses[][2] = {
	{ "scheduled", "queued" },
	{ "queued", "queued" },
	{ "ringing", "ringing" },
	{ "in-progress", "in-progress" },
	{ "forwarding", "forwarding" },
	{ "ended", "ended" },
};

static bool
is_kind(const struct scan_field *f, enum scan_kind kind)
{
	if (f->kind == SCAN_STRING && f->raw.len == 0)
		return false;
	if (kind != SCAN_NONE)
		return f->kind == kind;
	return f->kind == SCAN_STRING || f->kind == SCAN_NUMBER || f->kind == SCAN_TRUE ||
	    f->kind == SCAN_FALSE;
}

enum scan_result
vapi_read(struct span object, enum vapi_form form, struct vapi_facts *ret)
{
	struct scan_field fields[COUNT(places)] = { 0 };
	const struct place *used[COUNT(places)];
	enum scan_result result;
	size_t i, n = 0;

	for (i = 0; i < COUNT(places); i++) {
		if (!(places[i].forms & (int)form))
			continue;
		fields[n].path = places[i].path;
		used[n++] = &places[i];
	}
	result = scan_json(object, fields, n, RAW_DEPTH);
	*ret = (struct vapi_facts){ 0 };
	if (result != SCAN_OK)
		return result;

	for (i = 0; i < n; i++) {
		struct scan_field *fact = &ret->fact[used[i]->fact];
		if (fact->kind == SCAN_NONE && is_kind(&fields[i], used[i]->kind))
			*fact = fields[i];
	}
	return SCAN_OK;
}

bool
vapi_mark(const struct vapi_facts *f, char ret[37])
{
	return raw_uuid(&f->fact[FACT_MARK], ret) || raw_uuid(&f->fact[FACT_NAME], ret);
}

const char *
vapi_status(const struct vapi_facts *f)
{
	char word[RAW_WORD_MAX];
	size_t i;

	if (!raw_text(&f->fact[FACT_STATUS], word, sizeof(word)))
		return NULL;
	for (i = 0; i < COUNT(statuses); i++) {
		if (strcmp(statuses[i][0], word) == 0)
			return statuses[i][1];
	}
	return NULL;
}

static void
put_times(struct text *t, const struct vapi_facts *f)
{
	struct report_times times = { 0, 0, -1 };
	double ms;

	raw_time(&f->fact[FACT_STARTED], &times.started);
	raw_time(&f->fact[FACT_ENDED], &times.ended);
	if (!raw_number(&f->fact[FACT_SECONDS], &times.seconds) &&
	    raw_number(&f->fact[FACT_MILLISECONDS], &ms))
		times.seconds = ms / 1000;
	report_times(t, &times);
}

/* The success evaluation is text; some rubrics answer with a number or with true. */
static void
put_success(struct text *t, const struct vapi_facts *f)
{
	struct scan_field success = f->fact[FACT_SUCCESS];

	if (success.kind == SCAN_NONE)
		return;
	success.kind = SCAN_STRING;
	report_raw(t, "success", &success);
}

static void
put_results(struct text *t, const struct vapi_facts *f)
{
	double cost;

	if (raw_number(&f->fact[FACT_COST], &cost))
		report_cost(t, cost);
	report_raw(t, "transcript", &f->fact[FACT_TRANSCRIPT]);
	report_raw(t, "summary", &f->fact[FACT_SUMMARY]);
	report_raw(t, "messages", &f->fact[FACT_MESSAGES]);
	report_raw(t, "structured", &f->fact[FACT_STRUCTURED]);
	put_success(t, f);
	report_raw(t, "recording_url", &f->fact[FACT_RECORDING]);
	report_raw(t, "stereo_recording_url", &f->fact[FACT_STEREO]);
}

bool
vapi_is_inbound(const struct vapi_facts *f)
{
	char word[RAW_WORD_MAX];

	return raw_text(&f->fact[FACT_KIND], word, sizeof(word)) &&
	    strcmp(word, "inboundPhoneCall") == 0;
}

/* Whose call it is: the number that was called, by its id and by its digits, and who called. */
static void
put_inbound(struct text *t, const struct vapi_facts *f)
{
	static const struct {
		const char *name;
		enum vapi_fact fact;
	} members[] = { { "number_id", FACT_NUMBER_ID }, { "number", FACT_NUMBER },
		{ "caller", FACT_CALLER } };
	char word[RAW_ID_MAX + 1];
	const char *between = "";
	size_t i;

	text_puts(t, ",\"inbound\":{");
	for (i = 0; i < COUNT(members); i++) {
		if (!raw_id(&f->fact[members[i].fact], word))
			continue;
		text_printf(t, "%s\"%s\":", between, members[i].name);
		text_json(t, word);
		between = ",";
	}
	text_putc(t, '}');
}

const char *
vapi_report(struct mem *m, const struct vapi_facts *f, const struct vapi_report_how *how)
{
	CLEANUP(text_clear) struct text t = TEXT(REPORT_MAX);
	char id[RAW_ID_MAX + 1], mark[37], reason[RAW_ID_MAX + 1];
	int64_t at;

	report_open(&t, how->status);
	if (raw_id(&f->fact[FACT_ID], id))
		report_str(&t, "provider_call_id", id);
	if (vapi_mark(f, mark))
		report_str(&t, "assignment_id", mark);
	if (how->reason)
		report_str(&t, "reason", how->reason);
	else if (raw_text(&f->fact[FACT_REASON], reason, sizeof(reason)))
		report_str(&t, "reason", reason);
	put_times(&t, f);
	if (how->inbound)
		put_inbound(&t, f);
	if (how->final)
		put_results(&t, f);
	report_str(&t, "control_url", how->control_url);
	if (raw_time(&f->fact[FACT_AT], &at))
		report_time(&t, "at", at);
	return report_close(m, &t, how->final);
}
