/*
 * run_table.c - a workflow's table: whether it is right, and what SQL is told of it.
 */
#include "work/run.h"

#include <inttypes.h>
#include <string.h>

struct step_retry
table_retry(const struct step *s)
{
	struct step_retry r = s->retry;

	r.first_ms = r.first_ms ? r.first_ms : 1000;
	r.factor = r.factor >= 1 ? r.factor : 2;
	r.max_ms = r.max_ms ? r.max_ms : 300000;
	r.attempts = r.attempts ? r.attempts : 10;
	r.timeout_ms = r.timeout_ms ? r.timeout_ms : 15000;
	return r;
}

static const char *
step_wrong(const struct step *s)
{
	if (!s->name || !s->name[0])
		return "a step has no name";
	if (!s->ask && (s->read || s->look_ask || s->prepare || s->takes_key))
		return "an SQL step has an apply function only";
	if (!s->look_ask != !s->look_read)
		return "look_ask and look_read belong together";
	return NULL;
}

static const char *
undo_wrong(const struct step *s)
{
	if (!s->undo)
		return NULL;
	if (s->undo->undo || s->undo->with_next)
		return "what undoes a step stands alone";
	return step_wrong(s->undo);
}

const char *
table_wrong(const struct workflow *f)
{
	size_t i, k;

	if (!f->name || !f->name[0] || f->nsteps == 0)
		return "a workflow has a name and steps";
	for (i = 0; i < f->nsteps; i++) {
		const char *wrong = step_wrong(&f->steps[i]);
		if (!wrong)
			wrong = undo_wrong(&f->steps[i]);
		if (wrong)
			return wrong;
		for (k = 0; k < i; k++) {
			if (strcmp(f->steps[i].name, f->steps[k].name) == 0)
				return "two steps have one name";
		}
	}
	return f->steps[f->nsteps - 1].with_next ? "the last step has no next one" : NULL;
}

bool
table_group(const struct workflow *f, const char *name, size_t *first, size_t *last)
{
	size_t i, a, b;

	for (i = 0; i < f->nsteps && strcmp(f->steps[i].name, name) != 0; i++)
		;
	if (i == f->nsteps)
		return false;
	for (a = i; a > 0 && f->steps[a - 1].with_next; a--)
		;
	for (b = i; f->steps[b].with_next; b++)
		;
	*first = a;
	*last = b;
	return true;
}

/* ---- for SQL -------------------------------------------------------------- */

static void
put_policy(struct text *t, const struct step *s)
{
	struct step_retry r = table_retry(s);
	size_t i;

	text_puts(t, "{\"apply\":");
	text_json(t, s->apply);
	text_puts(t, ",\"keep\":[");
	for (i = 0; s->keep && s->keep[i]; i++) {
		text_puts(t, i > 0 ? "," : "");
		text_json(t, s->keep[i]);
	}
	text_printf(t,
	    "],\"first_ms\":%d,\"factor\":%.3f,\"max_ms\":%d,\"attempts\":%d,\"limit_ms\":%" PRId64
	    ",\"looks\":%s,\"sql\":%s",
	    r.first_ms, r.factor, r.max_ms, r.attempts, r.limit_ms, s->look_ask ? "true" : "false",
	    s->ask ? "false" : "true");
}

static void
put_step(struct text *t, const struct workflow *f, size_t at)
{
	size_t first = at, last = at, i;

	table_group(f, f->steps[at].name, &first, &last);
	text_json(t, f->steps[at].name);
	text_putc(t, ':');
	put_policy(t, &f->steps[at]);
	text_printf(t, ",\"parallel\":%s,\"next\":", last > first ? "true" : "false");
	text_json(t, last + 1 < f->nsteps ? f->steps[last + 1].name : NULL);
	text_puts(t, ",\"group\":[");
	for (i = first; i <= last; i++) {
		text_puts(t, i > first ? "," : "");
		text_json(t, f->steps[i].name);
	}
	text_puts(t, "]}");
}

static void
put_undo(struct text *t, const struct step *s)
{
	if (t->data[t->len - 1] != '{')
		text_putc(t, ',');
	text_json(t, s->name);
	text_putc(t, ':');
	put_policy(t, s->undo);
	text_putc(t, '}');
}

const char *
table_json(struct mem *m, const struct workflow *f)
{
	CLEANUP(text_clear) struct text t = TEXT(WORK_JSON_MAX);
	size_t i;

	text_puts(&t, "{\"first\":");
	text_json(&t, f->steps[0].name);
	text_printf(&t, ",\"undo_on_failure\":%s,\"steps\":{",
	    f->undo_on_failure ? "true" : "false");
	for (i = 0; i < f->nsteps; i++) {
		text_puts(&t, i > 0 ? "," : "");
		put_step(&t, f, i);
	}
	text_puts(&t, "},\"undo\":{");
	for (i = 0; i < f->nsteps && text_ok(&t); i++) {
		if (f->steps[i].undo)
			put_undo(&t, &f->steps[i]);
	}
	text_puts(&t, "}}");
	return text_ok(&t) ? mem_dup(m, t.data, t.len) : NULL;
}
