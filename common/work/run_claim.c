/*
 * run_claim.c - runs that are held: taken when they are due, their leases renewed, let go.
 */
#include "work/run.h"

#include "base/crash.h"
#include "base/log.h"
#include "base/settings.h"

#include <inttypes.h>
#include <string.h>

enum { RUN_MEM_MAX = 32 * 1024 * 1024 };

static const struct db_stmt claim_stmt = {
	"work_claim",
	"select public.work_claim($1::text[], $2::int, $3::text, $4::double precision, $5::boolean)"
};
static const struct db_stmt renew_stmt = { "work_renew",
	"select array_to_json(public.work_renew($1::text[], $2::bigint[], $3::double precision))" };

/* ---- holding ------------------------------------------------------------- */

static bool
run_fill(struct work *w, struct run *r, const struct json *row)
{
	const char *text = json_print(r->mem, row), *name;

	if (!text || json_read(r->mem, text, strlen(text), JSON_DEPTH_PROVIDER, &r->row) != JSON_OK)
		return false;
	r->id = json_str(r->row, "id");
	r->fence = json_int(r->row, "fence", 0);
	r->moves = json_int(r->row, "moves", 0);
	r->suspect = json_bool(r->row, "suspect", false);
	r->todo = true;
	name = json_str(r->row, "workflow");
	for (; name && r->at < w->nworkflows; r->at++) {
		if (strcmp(w->workflows[r->at]->name, name) == 0)
			break;
	}
	if (!r->id || !name || r->at == w->nworkflows)
		return false;
	r->workflow = w->workflows[r->at];
	return true;
}

void
run_hold(struct work *w, const struct json *row)
{
	struct mem *m = mem_new(RUN_MEM_MAX);
	struct run *r = m ? mem_alloc(m, sizeof(*r)) : NULL;

	if (r) {
		*r = (struct run){ .mem = m, .next = w->runs };
		if (run_fill(w, r, row)) {
			w->runs = r;
			w->nruns++;
			return;
		}
	}
	/* Its lease runs out. */
	log_line(LOG_ERROR, "event=run_not_held");
	w->counts.failures++;
	mem_free(m);
}

void
run_sweep(struct work *w)
{
	struct run **at = &w->runs, *r;

	while ((r = *at)) {
		if (!r->over || r->live > 0 || r->items > 0) {
			at = &r->next;
			continue;
		}
		*at = r->next;
		w->nruns--;
		mem_free(r->mem);
	}
}

/* ---- claiming --------------------------------------------------------------- */

/* Who was held up for longer than a lease may get a run that it still holds: what it held goes no
 * further. */
static void
run_again(struct work *w, const char *id)
{
	struct run *r;

	for (r = w->runs; r; r = r->next) {
		if (id && strcmp(r->id, id) == 0) {
			r->todo = false;
			r->over = true;
		}
	}
}

static bool
holds_suspect(const struct work *w)
{
	const struct run *r;

	for (r = w->runs; r && !r->suspect; r = r->next)
		;
	return r != NULL;
}

static void
after_claim_sent(void)
{
	crash_point(work_claim_sent);
}

int
run_claim(struct work *w)
{
	int64_t room = WORK_HELD_MAX - w->nruns, free = WORK_LIVE_MAX - fetch_live(w->fetch);
	int64_t batch = setting_int(SET_HOOKSWITCH_WORK_BATCH);
	const struct json *claim, *rows;
	const char *limit;
	size_t i;

	room = room < free ? room : free;
	room = room < batch ? room : batch;
	limit = mem_printf(w->c.mem, "%" PRId64, room);
	if (room <= 0 || !limit)
		return 0;
	crash_point(work_claim_before);
	claim = work_json(w, &claim_stmt,
	    (const struct span[]){ span_of(w->names), span_of(limit), span_of(w->worker),
		work_lease(w), span_of(holds_suspect(w) ? "false" : "true") },
	    5, after_claim_sent);
	if (!claim)
		return -1;
	rows = json_get(claim, "runs");
	if (json_len(rows) > 0)
		crash_point(work_claimed);
	for (i = 0; i < json_len(rows); i++) {
		if (json_int(json_at(rows, i), "fence", 0) > 1)
			run_again(w, json_str(json_at(rows, i), "id"));
		run_hold(w, json_at(rows, i));
	}
	w->counts.dead += json_int(claim, "dead", 0);
	w->counts.claimed += (int64_t)json_len(rows);
	w->counts.rescued += json_int(claim, "rescued", 0);
	return (int)json_len(rows);
}

/* Those that are not ours any more are found out when their results are recorded. */
void
run_renew(struct work *w)
{
	CLEANUP(text_clear) struct text ids = TEXT(WORK_JSON_MAX);
	CLEANUP(text_clear) struct text fences = TEXT(WORK_JSON_MAX);
	const struct run *r;

	if (!w->runs)
		return;
	text_putc(&ids, '{');
	text_putc(&fences, '{');
	for (r = w->runs; r; r = r->next) {
		text_puts(&ids, ids.len > 1 ? "," : "");
		text_json(&ids, r->id); /* an array's elements are quoted in the same way */
		text_printf(&fences, "%s%" PRId64, fences.len > 1 ? "," : "", r->fence);
	}
	text_putc(&ids, '}');
	text_putc(&fences, '}');
	if (text_ok(&ids) && text_ok(&fences))
		work_json(w, &renew_stmt,
		    (const struct span[]){ { ids.data, ids.len }, { fences.data, fences.len },
			work_lease(w) },
		    3, NULL);
	crash_point(work_renewed);
}
