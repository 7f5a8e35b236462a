/*
 * db_timings.c - how long flights take; and writing down all that was gathered in the process.
 */
#include "base/timing.h"

#include "base/clock.h"
#include "base/text.h"
#include "lib/db_private.h"

#include <inttypes.h>
#include <string.h>

enum { ROWS_MAX = TIMING_SLOTS * 1024 };

static const struct db_stmt add_stmt = { "timings_add", "select public.timings_add($1::jsonb)" };

/* ---- a flight ----------------------------------------------------------- */

/* The statement's name; where one text is prepared for several routes, what stands before the '#'.
 */
static void
query_name(const struct db_flight *f, char ret[TIMING_NAME_MAX])
{
	const char *s = f->nlegs > 0 ? f->legs[f->nlegs - 1].step->stmt->name : "commit";
	size_t n = strcspn(s, "#");

	snprintf(ret, TIMING_NAME_MAX, "%.*s", n < TIMING_NAME_MAX ? (int)n : TIMING_NAME_MAX - 1,
	    s);
}

/* The server ended it, or we waited no longer. */
static bool
is_late(const struct db_flight *f)
{
	const char *state = f->error ? PQresultErrorField(f->error, PG_DIAG_SQLSTATE) : NULL;

	return f->late || (state && strcmp(state, "57014") == 0);
}

void
flight_time(const struct db_flight *f, enum db_verdict v, int64_t began_us)
{
	static const char *const names[] = { [DB_DONE] = "ok",
		[DB_REFUSED] = "refused",
		[DB_LOST] = "lost",
		[DB_UNSURE] = "unsure",
		[DB_LATE] = "late" };
	char name[TIMING_NAME_MAX];

	/* What is written down is no news to write down. */
	if (f->nlegs == 1 && f->legs[0].step->stmt == &add_stmt)
		return;
	query_name(f, name);
	timing_add(TIMING_QUERY, name, v != DB_DONE && is_late(f) ? "late" : names[v],
	    clock_steady_us() - began_us);
	if (v != DB_DONE && is_late(f))
		timing_count(TIMING_TIMEOUT, "database", "late");
}

/* ---- writing down ---------------------------------------------------------- */

static void
put_row(struct text *t, const struct timing *x)
{
	size_t b;

	text_printf(t, "%s{\"kind\":", t->len > 1 ? "," : "");
	text_json(t, x->kind);
	text_puts(t, ",\"name\":");
	text_json(t, x->name);
	text_puts(t, ",\"outcome\":");
	text_json(t, x->outcome);
	text_printf(t, ",\"n\":%" PRId64 ",\"seconds\":%.6f,\"buckets\":[", x->n,
	    (double)x->us / 1e6);
	for (b = 0; b < TIMING_BUCKETS; b++)
		text_printf(t, "%s%" PRIu32, b > 0 ? "," : "", x->buckets[b]);
	text_puts(t, "]}");
}

void
db_timings(struct ctx *c, struct db *db)
{
	CLEANUP(text_clear) struct text t = TEXT(ROWS_MAX);
	struct timing *rows;
	size_t i, n = timing_take(c->mem, &rows);
	struct span param;
	struct db_step step = { &add_stmt, &param, 1, NULL };

	if (n == 0)
		return;
	text_putc(&t, '[');
	for (i = 0; i < n; i++)
		put_row(&t, &rows[i]);
	text_putc(&t, ']');
	param = (struct span){ t.data, t.len };
	if (text_ok(&t) && db_run(c, db, 0, &step, 1) == 0)
		return;
	timing_give_back(rows, n);
	fail_clear(c);
}
