/*
 * pump_hangup.c - ends live calls that somebody canceled.  Doing it twice does no harm; the end
 * itself is learnt from the provider like any other.
 */
#include "work/pump.h"

#include "base/crash.h"
#include "base/log.h"

static const struct db_stmt claim_stmt = { "hangups_claim",
	"select public.hangups_claim($1::int)" };
static const struct db_stmt record_stmt = { "hangups_record",
	"select public.hangups_record($1::uuid[])" };

static void
hangup_send(struct pump *p, const struct json *row)
{
	struct job *j = job_new(JOB_HANGUP, row);
	struct fetch_request r = { 0 };

	if (!j)
		return;
	if (!j->provider || !j->account.api_key ||
	    j->provider->hangup(j->mem, &j->account, json_str(row, "control_url"), &r) == -1) {
		log_line(LOG_WARN, "event=hangup_impossible assignment=%s", j->assignment_id);
		job_free(j);
		return;
	}
	r.timeout_ms = j->account.timeout_ms;
	r.tag = j;
	if (fetch_add(p->fetch, &r) == -1)
		job_free(j);
}

int
hangup_claim(struct pump *p)
{
	const struct json *rows;
	size_t i;

	rows = pump_json(p, &claim_stmt, (const struct span[]){ SPAN("20") }, 1);
	if (!rows)
		return -1;
	if (json_len(rows) > 0)
		crash_point(hangup_before);
	for (i = 0; i < json_len(rows); i++)
		hangup_send(p, json_at(rows, i));
	return (int)json_len(rows);
}

void
hangup_answered(struct pump *p, struct job *j, const struct fetch_answer *a)
{
	crash_point(hangup_after);
	if (a->outcome == FETCH_ANSWERED && a->status >= 200 && a->status < 300) {
		text_printf(&p->hangups, "%s%s", p->hangups.len > 0 ? "," : "", j->assignment_id);
		p->counts.hung_up++;
	} else {
		log_line(LOG_WARN, "event=hangup_failed assignment=%s status=%d", j->assignment_id,
		    a->status);
	}
	job_free(j);
}

void
hangup_record(struct pump *p)
{
	const char *ids;
	struct span param;
	struct db_step step = { &record_stmt, &param, 1, NULL };

	if (p->hangups.len == 0)
		return;
	ids = mem_printf(p->c.mem, "{%s}", text_str(&p->hangups));
	param = span_of(ids);
	if (ids)
		pump_run(p, DB_REPEATABLE, &step, 1);
	text_empty(&p->hangups);
}
