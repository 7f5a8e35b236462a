/*
 * pump_look.c - asks providers what became of attempts: of unknown ones, of silent ones, of ended
 * ones without a report.
 *
 * A look is a chain of requests: one page, the candidates on it, the next page.  Only a chain that
 * was answered whole proves that a call is absent.
 */
#include "work/pump.h"

#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/settings.h"

#include <inttypes.h>
#include <string.h>

enum { LOOK_TODO_MAX = 4096 };

static const struct db_stmt claim_stmt = { "looks_claim",
	"select public.looks_claim($1::int, $2::double precision)" };
static const struct db_stmt record_stmt = { "looks_record",
	"select public.looks_record($1::jsonb)" };

static void
put_member(struct text *t, const char *name, const char *value)
{
	text_printf(t, ",\"%s\":", name);
	text_json(t, value);
}

/* Writes down what was found and ends the job. */
static void
look_end(struct pump *p, struct job *j, const char *finding, const struct voice_outcome *o)
{
	struct text *t = &p->findings;

	text_puts(t, t->len > 0 ? ",{" : "{");
	text_printf(t, "\"assignment_id\":\"%s\",\"look_fence\":%" PRId64 ",\"began_ms\":%" PRId64,
	    j->assignment_id, j->fence, j->began_ms);
	put_member(t, "provider_type", j->provider ? j->provider->type : "");
	put_member(t, "finding", finding);
	if (o) {
		put_member(t, "provider_call_id", o->provider_call_id);
		put_member(t, "control_url", o->control_url);
		text_printf(t, ",\"report\":%s", o->report ? o->report : "{\"status\":\"queued\"}");
	}
	text_putc(t, '}');
	log_line(LOG_INFO, "event=look assignment=%s finding=%s", j->assignment_id, finding);
	p->counts.looked++;
	job_free(j);
}

static void
look_send(struct pump *p, struct job *j)
{
	struct fetch_request r = { 0 };

	if (!j->provider || !j->account.api_key ||
	    j->provider->look(j->mem, &j->account, &j->look, &r) == -1) {
		look_end(p, j, "failed", NULL);
		return;
	}
	r.timeout_ms = j->account.timeout_ms;
	r.tag = j;
	if (fetch_add(p->fetch, &r) == -1) {
		look_end(p, j, "failed", NULL);
		return;
	}
	p->looks++;
}

static const char *
keep(struct job *j, const char *s)
{
	return s ? mem_str(j->mem, s) : NULL;
}

static void
look_begin(struct pump *p, const struct json *row)
{
	struct job *j = job_new(JOB_LOOK, row);

	if (!j)
		return;
	j->began_ms = clock_wall_ms();
	j->look.assignment_id = j->assignment_id;
	j->look.provider_call_id = keep(j, json_str(row, "provider_call_id"));
	j->look.kind = j->look.provider_call_id ? LOOK_BY_ID : LOOK_BY_LIST;
	j->look.number = keep(j, json_str(row, "number"));
	j->look.assistant = keep(j, json_str(row, "assistant"));
	j->look.caller = keep(j, json_str(row, "caller"));
	j->look.since_ms = json_int(row, "since_ms", 0);
	look_send(p, j);
}

int
look_claim(struct pump *p)
{
	int room = PUMP_LOOKS_MAX - p->looks;
	const char *limit = mem_printf(p->c.mem, "%d", room);
	/* A look is a chain of requests: it may take longer than a dial. */
	const char *lease =
	    mem_printf(p->c.mem, "%" PRId64, 2 * setting_int(SET_HOOKSWITCH_LEASE_SECONDS));
	const struct json *rows;
	size_t i;

	if (room <= 0)
		return 0;
	if (!limit || !lease)
		return -1;
	crash_point(look_claim_before);
	rows =
	    pump_json(p, &claim_stmt, (const struct span[]){ span_of(limit), span_of(lease) }, 2);
	if (!rows)
		return -1;
	if (json_len(rows) == 0)
		return 0;
	crash_point(look_claimed);
	for (i = 0; i < json_len(rows); i++)
		look_begin(p, json_at(rows, i));
	fetch_step(p->fetch);
	crash_point(look_asked);
	return (int)json_len(rows);
}

/* ---- the chain --------------------------------------------------------- */

/* Adds the page's candidates to what is still to be read; false when there are too many to hold. */
static bool
look_add(struct job *j, const struct voice_sight *s)
{
	const char **todo;
	size_t i;

	if (s->ncandidates == 0)
		return true;
	if (j->ntodo + s->ncandidates > LOOK_TODO_MAX)
		return false;
	todo = mem_alloc(j->mem, (j->ntodo + s->ncandidates) * sizeof(*todo));
	if (!todo)
		return false;
	for (i = 0; i < j->ntodo; i++)
		todo[i] = j->todo[i];
	for (i = 0; i < s->ncandidates; i++)
		todo[j->ntodo + i] = s->candidates[i];
	j->todo = todo;
	j->ntodo += s->ncandidates;
	return true;
}

/* The next candidate, else the next page, else the end of the chain. */
static void
look_on(struct pump *p, struct job *j)
{
	if (j->ntodo > 0) {
		if (!j->more || j->look.kind == LOOK_BY_LIST)
			j->page = j->look;
		j->look.kind = LOOK_DETAIL;
		j->look.provider_call_id = j->todo[--j->ntodo];
		look_send(p, j);
	} else if (j->more) {
		if (j->look.kind != LOOK_BY_LIST)
			j->look = j->page;
		j->more = false;
		look_send(p, j);
	} else {
		look_end(p, j, "not_found", NULL);
	}
}

void
look_answered(struct pump *p, struct job *j, const struct fetch_answer *a)
{
	struct voice_sight s = { .outcome.retry_after = -1 };

	p->looks--;
	crash_point(look_answered);
	j->provider->looked(j->mem, &j->account, &j->look, a, &s);
	if (s.finding == FOUND) {
		look_end(p, j, "found", &s.outcome);
	} else if (s.finding == NOT_FOUND && j->look.kind != LOOK_DETAIL) {
		look_end(p, j, "not_found", NULL);
	} else if (s.finding == NOT_FOUND) {
		look_on(p, j);
	} else if (s.finding == LOOK_ON && look_add(j, &s)) {
		j->look = s.next;
		j->look.assignment_id = j->assignment_id;
		j->more = s.next.kind == LOOK_BY_LIST;
		look_on(p, j);
	} else {
		log_line(LOG_WARN, "event=look_failed assignment=%s why=%s", j->assignment_id,
		    s.why ? s.why : "-");
		look_end(p, j, "failed", NULL);
	}
}

/* ---- the record --------------------------------------------------------- */

static void
after_record_sent(void)
{
	crash_point(look_record_sent);
}

/* What cannot be recorded is looked up again when its lease is over. */
void
look_record(struct pump *p)
{
	CLEANUP(text_clear) struct text all = TEXT(PUMP_JSON_MAX);
	struct span param;
	struct db_step step = { &record_stmt, &param, 1, NULL };

	if (p->findings.len == 0)
		return;
	text_putc(&all, '[');
	text_put(&all, p->findings.data, p->findings.len);
	text_putc(&all, ']');
	param = (struct span){ all.data, all.len };
	if (text_ok(&all)) {
		db_after_send(after_record_sent);
		pump_run(p, DB_REPEATABLE, &step, 1);
		db_after_send(NULL);
	}
	crash_point(look_recorded);
	text_empty(&p->findings);
	p->findings.failed = false;
}
