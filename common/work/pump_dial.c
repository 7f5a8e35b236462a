/*
 * pump_dial.c - claims calls, writes the intent, posts them all at once, records what came back.
 *
 * The order is the promise: the intent is committed before the first byte, and an outcome that is
 * not certain is unknown.
 */
#include "work/pump.h"

#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/settings.h"
#include "lib/seal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static const struct db_stmt promote_stmt = { "queue_promote",
	"select public.queue_promote($1::int)" };
static const struct db_stmt claim_stmt = { "calls_claim",
	"select public.calls_claim($1::int, $2::text, $3::double precision)" };
static const struct db_stmt sent_stmt = { "calls_sent",
	"select coalesce(array_to_json(public.calls_sent($1::uuid[], $2::bigint[], $3::int, "
	"$4::double precision)), '[]')" };
static const struct db_stmt record_stmt = { "calls_record",
	"select public.calls_record($1::jsonb)" };

/* ---- outcomes -------------------------------------------------------- */

static const char *const result_names[] = { "accepted", "refused", "unknown" };
static const char *const fault_names[] = { "none", "call", "rate", "concurrency", "credit", "key",
	"config", "connect" };

static void
put_member(struct text *t, const char *name, const char *value)
{
	text_printf(t, ",\"%s\":", name);
	text_json(t, value);
}

/* The outcome as SQL wants it, in the job's memory; NULL when that is out. */
static const char *
outcome_json(struct job *j, const struct voice_outcome *o)
{
	CLEANUP(text_clear) struct text t = TEXT(PUMP_JSON_MAX);

	text_printf(&t, "{\"assignment_id\":\"%s\",\"fence\":%" PRId64, j->assignment_id, j->fence);
	put_member(&t, "provider_type", j->provider ? j->provider->type : "");
	put_member(&t, "result", result_names[o->result]);
	put_member(&t, "fault", fault_names[o->fault]);
	put_member(&t, "reason", o->reason);
	put_member(&t, "detail", o->detail);
	put_member(&t, "provider_call_id", o->provider_call_id);
	put_member(&t, "control_url", o->control_url);
	text_printf(&t, ",\"status\":%d,\"retry_after\":%" PRId64 ",\"key_number\":%" PRId64,
	    o->status, o->retry_after, j->key_number);
	put_member(&t, "report", o->report);
	text_putc(&t, '}');
	return text_ok(&t) ? mem_dup(j->mem, t.data, t.len) : NULL;
}

static void
outcome_keep(struct pump *p, struct job *j, const struct voice_outcome *o)
{
	struct text *r = &p->results;

	j->outcome = outcome_json(j, o);
	j->next = p->done;
	p->done = j;
	upkeep_dialled(p, j->provider ? j->provider->type : "unknown", o->result);
	p->counts.accepted += o->result == VOICE_ACCEPTED;
	p->counts.refused += o->result == VOICE_REFUSED;
	p->counts.unknown += o->result == VOICE_UNKNOWN;
	if (++p->nresults > PUMP_RESULTS_MAX)
		return;
	text_printf(r, "%s{\"success\":%s,\"call_id\":\"%s\"", r->len > 0 ? "," : "",
	    o->result == VOICE_ACCEPTED ? "true" : "false", j->call_id);
	put_member(r, "provider_call_id", o->provider_call_id);
	put_member(r, "error", o->result == VOICE_ACCEPTED ? NULL : o->reason);
	text_putc(r, '}');
}

/* Certain, since no byte was sent. */
static void
outcome_not_sent(struct pump *p, struct job *j, enum voice_fault fault, const char *reason)
{
	struct voice_outcome o = { .result = VOICE_REFUSED,
		.fault = fault,
		.reason = reason,
		.retry_after = -1 };

	outcome_keep(p, j, &o);
}

/* ---- the dial --------------------------------------------------------- */

static int
dial_build(struct job *j, const struct json *row, struct fetch_request *ret)
{
	struct voice_dial d = {
		.assignment_id = j->assignment_id,
		.call_id = j->call_id,
		.organization_id = json_str(row, "organization_id"),
		.number = json_str(row, "number"),
		.name = json_str(row, "name"),
		.email = json_str(row, "email"),
		.assistant = json_str(row, "assistant"),
		.caller = json_str(row, "caller"),
		.variables = json_get(row, "variables"),
		.voice = json_get(row, "voice"),
		.says = json_get(row, "says"),
		.token = seal_token(j->mem, SEAL_CALL, j->assignment_id),
	};

	if (json_type(d.voice) != JSON_OBJECT)
		d.voice = NULL;
	if (j->provider->dial(j->mem, &j->account, &d, ret) == -1)
		return -1;
	ret->timeout_ms = j->account.timeout_ms;
	ret->tag = j;
	return 0;
}

static void
dial_send(struct pump *p, struct job *j, const struct json *row)
{
	struct fetch_request r = { 0 };

	if (!j->provider) {
		outcome_not_sent(p, j, FAULT_CONFIG, "provider_type_unknown");
		return;
	}
	if (!j->account.api_key) {
		outcome_not_sent(p, j, FAULT_KEY, "key_unreadable");
		return;
	}
	if (dial_build(j, row, &r) == -1) {
		outcome_not_sent(p, j, errno == ENOMEM ? FAULT_CONNECT : FAULT_CONFIG,
		    "dial_not_built");
		return;
	}
	if (fetch_add(p->fetch, &r) == -1) {
		outcome_not_sent(p, j, FAULT_CONNECT, "dial_not_started");
		return;
	}
	p->dials++;
}

/* ---- the intent -------------------------------------------------------- */

/* The rows of dials as two SQL arrays: ids and fences. */
static void
intent_arrays(const struct json *dials, struct text *ids, struct text *fences)
{
	size_t i;

	text_putc(ids, '{');
	text_putc(fences, '{');
	for (i = 0; i < json_len(dials); i++) {
		const struct json *row = json_at(dials, i);
		text_printf(ids, "%s%s", i > 0 ? "," : "", json_str(row, "assignment_id"));
		text_printf(fences, "%s%" PRId64, i > 0 ? "," : "", json_int(row, "fence", 0));
	}
	text_putc(ids, '}');
	text_putc(fences, '}');
}

static const struct json *
intent_write(struct pump *p, const struct json *dials)
{
	CLEANUP(text_clear) struct text ids = TEXT(PUMP_JSON_MAX);
	CLEANUP(text_clear) struct text fences = TEXT(PUMP_JSON_MAX);
	const char *timeout =
	    mem_printf(p->c.mem, "%" PRId64, setting_int(SET_HOOKSWITCH_DIAL_TIMEOUT_MS));
	const char *lease =
	    mem_printf(p->c.mem, "%" PRId64, setting_int(SET_HOOKSWITCH_LEASE_SECONDS));

	intent_arrays(dials, &ids, &fences);
	if (!text_ok(&ids) || !text_ok(&fences) || !timeout || !lease)
		return NULL;
	return pump_json(p, &sent_stmt,
	    (const struct span[]){ { ids.data, ids.len }, { fences.data, fences.len },
		span_of(timeout), span_of(lease) },
	    4);
}

static bool
json_has(const struct json *ids, const char *id)
{
	size_t i;
	const char *s;

	for (i = 0; i < json_len(ids); i++) {
		s = json_str_of(json_at(ids, i), NULL);
		if (s && id && strcmp(s, id) == 0)
			return true;
	}
	return false;
}

/* Posts what may be posted.  A process that was held up for longer than a dial may take posts
 * nothing: others count its attempts as unknown by then. */
static int
dials_send(struct pump *p, const struct json *dials)
{
	int64_t began = clock_steady_ms();
	const struct json *sent;
	struct job *j;
	size_t i;
	int n = 0;

	crash_point(sent_before);
	sent = intent_write(p, dials);
	if (!sent)
		return -1;
	crash_point(sent_after);
	for (i = 0; i < json_len(dials); i++) {
		const struct json *row = json_at(dials, i);
		if (!json_has(sent, json_str(row, "assignment_id")))
			continue;
		j = job_new(JOB_DIAL, row);
		if (!j)
			break;
		if (clock_steady_ms() - began > j->account.timeout_ms && j->account.timeout_ms > 0)
			outcome_not_sent(p, j, FAULT_CONNECT, "held_up");
		else
			dial_send(p, j, row);
		n++;
	}
	fetch_step(p->fetch);
	crash_point(post_started);
	return n;
}

int
dial_claim(struct pump *p)
{
	int64_t room = PUMP_LIVE_MAX - fetch_live(p->fetch);
	int64_t batch = setting_int(SET_HOOKSWITCH_PUMP_BATCH);
	const char *limit = mem_printf(p->c.mem, "%" PRId64, room < batch ? room : batch);
	const char *lease =
	    mem_printf(p->c.mem, "%" PRId64, setting_int(SET_HOOKSWITCH_LEASE_SECONDS));
	const struct json *claim, *dials;
	struct db_step promote = { &promote_stmt, (const struct span[]){ SPAN("1000") }, 1, NULL };

	if (room <= 0)
		return 0;
	if (!limit || !lease)
		return -1;

	crash_point(claim_before);
	if (pump_run(p, DB_REPEATABLE, &promote, 1) == -1)
		return -1;
	claim = pump_json(p, &claim_stmt,
	    (const struct span[]){ span_of(limit), span_of(p->worker), span_of(lease) }, 3);
	if (!claim)
		return -1;
	crash_point(claim_after);
	text_empty(&p->waiting);
	json_write(&p->waiting, json_get(claim, "waiting"));
	dials = json_get(claim, "dials");
	p->counts.claimed += (int64_t)json_len(dials);
	return json_len(dials) > 0 ? dials_send(p, dials) : 0;
}

void
dial_answered(struct pump *p, struct job *j, const struct fetch_answer *a)
{
	struct voice_outcome o = { .retry_after = -1 };

	p->dials--;
	j->provider->dialled(j->mem, &j->account, a, &o);
	log_line(o.result == VOICE_ACCEPTED ? LOG_DEBUG : LOG_WARN,
	    "event=dial assignment=%s result=%s reason=%s status=%d ms=%" PRId64, j->assignment_id,
	    result_names[o.result], o.reason ? o.reason : "-", o.status, a->ms);
	crash_point(post_answered);
	outcome_keep(p, j, &o);
}

/* ---- the record --------------------------------------------------------- */

static void
after_record_sent(void)
{
	crash_point(record_sent);
}

static int
record_text(struct pump *p, const struct text *outcomes)
{
	struct span param = { outcomes->data, outcomes->len };
	struct db_step step = { &record_stmt, &param, 1, NULL };
	int failed;

	if (!text_ok(outcomes))
		return -1;
	db_after_send(after_record_sent);
	failed = pump_run(p, DB_REPEATABLE, &step, 1);
	db_after_send(NULL);
	return failed;
}

static void
outcomes_join(const struct job *first, const struct job *end, struct text *ret)
{
	const struct job *j;

	text_putc(ret, '[');
	for (j = first; j && j != end; j = j->next) {
		if (!j->outcome)
			continue;
		if (ret->len > 1)
			text_putc(ret, ',');
		text_puts(ret, j->outcome);
	}
	text_putc(ret, ']');
}

/* One by one, so that one outcome that the database does not take holds up no other.  That one
 * stays sent: its lease runs out, and the provider is asked. */
static void
record_singly(struct pump *p)
{
	struct job *j;

	for (j = p->done; j; j = j->next) {
		CLEANUP(text_clear) struct text one = TEXT(PUMP_JSON_MAX);
		fail_clear(&p->c);
		outcomes_join(j, j->next, &one);
		if (record_text(p, &one) == -1)
			log_line(LOG_ERROR, "event=record_failed assignment=%s", j->assignment_id);
	}
}

/* Recorded together.  While the database does not answer at all they are kept for the next round.
 */
void
dial_record(struct pump *p)
{
	CLEANUP(text_clear) struct text all = TEXT(PUMP_JSON_MAX);
	struct job *j, *next;

	if (!p->done)
		return;
	crash_point(record_before);
	outcomes_join(p->done, NULL, &all);
	if (record_text(p, &all) == -1) {
		if (p->c.failure.status == 503)
			return;
		record_singly(p);
	}
	crash_point(record_after);
	for (j = p->done; j; j = next) {
		next = j->next;
		job_free(j);
	}
	p->done = NULL;
}
