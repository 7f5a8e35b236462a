/*
 * run_record.c - results on their way to the database: all of a round in one commit.
 */
#include "work/run.h"

#include "base/crash.h"
#include "base/log.h"
#include "base/settings.h"

#include <inttypes.h>
#include <string.h>

enum { REFUSED_MAX = 3 };

static const struct db_stmt record_stmt = { "work_record",
	"select public.work_record($1::jsonb, $2::jsonb, $3::double precision, $4::boolean)" };

/* ---- one result ---------------------------------------------------------- */

static void
put_words(struct text *t, const char *name, const char *value)
{
	if (!value)
		return;
	text_printf(t, ",\"%s\":", name);
	text_json(t, value);
}

static void
put_json(struct text *t, const char *name, const char *json)
{
	if (json)
		text_printf(t, ",\"%s\":%s", name, json);
}

static void
put_flag(struct text *t, const char *name, bool set)
{
	if (set)
		text_printf(t, ",\"%s\":true", name);
}

static const char *
item_json(const struct run *r, const struct verdict *v)
{
	CLEANUP(text_clear) struct text t = TEXT(WORK_JSON_MAX);

	text_puts(&t, "{\"run\":");
	text_json(&t, r->id);
	text_printf(&t, ",\"fence\":%" PRId64 ",\"moves\":%" PRId64, r->fence, r->moves);
	put_words(&t, "step", v->step);
	put_flag(&t, "undo", v->undo);
	put_words(&t, "verdict", v->verdict);
	put_json(&t, "result", v->result);
	put_json(&t, "directive", v->directive);
	put_words(&t, "reason", v->reason);
	if (v->retry_ms > 0)
		text_printf(&t, ",\"retry_ms\":%" PRId64, v->retry_ms);
	put_flag(&t, "sql", v->sql);
	put_flag(&t, "stored", v->stored);
	put_flag(&t, "suffix", v->suffix);
	text_puts(&t, v->looked ? ",\"looked\":1}" : "}");
	return text_ok(&t) ? mem_dup(r->mem, t.data, t.len) : NULL;
}

static void
item_count(struct work *w, const struct verdict *v)
{
	if (!v->verdict)
		return;
	w->counts.done += strcmp(v->verdict, "done") == 0 || strcmp(v->verdict, "settled") == 0;
	w->counts.retried += strcmp(v->verdict, "retry") == 0;
	w->counts.unknown += strcmp(v->verdict, "unknown") == 0;
	w->counts.failed += strcmp(v->verdict, "failed") == 0;
}

void
item_add(struct work *w, struct run *r, const struct verdict *v)
{
	struct item *i = mem_alloc(r->mem, sizeof(*i));

	if (i)
		*i = (struct item){ .run = r, .json = item_json(r, v) };
	if (!i || !i->json) {
		log_line(LOG_ERROR, "event=result_lost workflow=%s", r->workflow->name);
		r->over = true; /* its lease runs out */
		return;
	}
	item_count(w, v);
	r->items++;
	*w->items_end = i;
	w->items_end = &i->next;
}

/* ---- all of a round --------------------------------------------------------- */

static void
after_record_sent(void)
{
	crash_point(work_record_sent);
}

/* The tables of the workflows that are spoken of. */
static void
tables_join(const struct work *w, const struct item *first, const struct item *end,
    struct text *ret)
{
	CLEANUP(text_clear) struct text seen = TEXT(4096);
	const struct item *i;

	text_putc(ret, '{');
	for (i = first; i != end; i = i->next) {
		size_t at = i->run->at;
		while (seen.len <= at)
			text_putc(&seen, '-');
		if (seen.data[at] == '+')
			continue;
		seen.data[at] = '+';
		text_puts(ret, ret->len > 1 ? "," : "");
		text_json(ret, w->workflows[at]->name);
		text_printf(ret, ":%s", w->tables[at]);
	}
	text_putc(ret, '}');
}

static const struct json *
record_some(struct work *w, const struct item *first, const struct item *end)
{
	CLEANUP(text_clear) struct text all = TEXT(WORK_JSON_MAX);
	CLEANUP(text_clear) struct text tables = TEXT(WORK_JSON_MAX);
	const struct item *i;

	text_putc(&all, '[');
	for (i = first; i != end; i = i->next) {
		text_puts(&all, all.len > 1 ? "," : "");
		text_puts(&all, i->json);
	}
	text_putc(&all, ']');
	tables_join(w, first, end, &tables);
	if (!text_ok(&all) || !text_ok(&tables))
		return NULL;
	return work_json(w, &record_stmt,
	    (const struct span[]){ { all.data, all.len }, { tables.data, tables.len },
		work_lease(w), span_of(w->stopping ? "false" : "true") },
	    4, after_record_sent);
}

static struct run *
run_find(const struct work *w, const char *id)
{
	struct run *r;

	for (r = w->runs; r && strcmp(r->id, id) != 0; r = r->next)
		;
	return r;
}

/* What the database says has become of a run. */
static void
run_told(struct work *w, const struct json *answer)
{
	const char *id = json_str(answer, "id"), *state = json_str(answer, "state");
	const struct json *row = json_get(answer, "row");
	struct run *r = id ? run_find(w, id) : NULL;

	if (!r || !state)
		return;
	w->counts.finished += strcmp(state, "done") == 0;
	w->counts.dead += strcmp(state, "failed") == 0;
	if (r->live > 0 || r->items > 0)
		return;
	/* One that goes on is held anew. */
	r->over = true;
	if (json_type(row) == JSON_OBJECT)
		run_hold(w, row);
}

static void
records_told(struct work *w, struct item *first, const struct item *end, const struct json *answers)
{
	struct item *i, *next;
	size_t k;

	/* Who is not named is not ours any more. */
	for (i = first; i != end; i = next) {
		next = i->next;
		i->run->items--;
		i->run->over = i->run->live == 0 && i->run->items == 0;
	}
	for (k = 0; k < json_len(answers); k++)
		run_told(w, json_at(answers, k));
}

/* One by one, so that one result that the database does not take holds up no other.  That run's
 * lease runs out. */
static void
record_singly(struct work *w)
{
	struct item *i, *next;

	for (i = w->items; i; i = next) {
		const struct json *answers = record_some(w, i, i->next);
		next = i->next;
		if (!answers) {
			log_line(LOG_ERROR, "event=record_failed workflow=%s",
			    i->run->workflow->name);
			w->counts.failures++;
		}
		records_told(w, i, next, answers);
	}
}

/* While the database does not answer, results are kept for the next round.  If it answers, but not
 * to these: perhaps one of them holds up all others. */
static bool
is_away(struct work *w)
{
	if (w->c.failure.status != 503)
		return false;
	return ++w->refused < REFUSED_MAX || work_due(w) == -1;
}

void
items_record(struct work *w)
{
	const struct json *answers;

	if (!w->items)
		return;
	crash_point(work_record_before);
	answers = record_some(w, w->items, NULL);
	if (answers)
		records_told(w, w->items, NULL, answers);
	else if (is_away(w))
		return;
	else
		record_singly(w);
	crash_point(work_recorded);
	w->items = NULL;
	w->items_end = &w->items;
	w->refused = 0;
}
