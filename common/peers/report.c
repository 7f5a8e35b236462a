/*
 * report.c - writes a normal report.
 */
#include "peers/report.h"

#include "base/clock.h"
#include "peers/raw.h"

static void
put_name(struct text *t, const char *name)
{
	text_putc(t, ',');
	text_json(t, name);
	text_putc(t, ':');
}

void
report_open(struct text *t, const char *status)
{
	text_puts(t, "{\"status\":");
	text_json(t, status);
}

void
report_str(struct text *t, const char *name, const char *value)
{
	if (!value || value[0] == '\0')
		return;
	put_name(t, name);
	text_json(t, value);
}

void
report_raw(struct text *t, const char *name, const struct scan_field *f)
{
	if (f->kind == SCAN_NONE || f->kind == SCAN_NULL || f->raw.len == 0)
		return;
	put_name(t, name);
	if (f->kind == SCAN_STRING)
		raw_clean_string(t, f->raw);
	else
		raw_clean(t, f->raw);
}

void
report_time(struct text *t, const char *name, int64_t ms)
{
	char buf[CLOCK_TEXT_MAX];

	if (ms > 0)
		report_str(t, name, clock_format(ms, buf));
}

static void
put_number(struct text *t, const char *name, double value)
{
	put_name(t, name);
	text_printf(t, "%.4f", value);
}

void
report_cost(struct text *t, double dollars)
{
	/* What nobody would be asked for one call is a mistake in the answer. */
	if (dollars >= 0 && dollars < 1e6)
		put_number(t, "cost_cents", dollars * 100);
}

void
report_times(struct text *t, const struct report_times *times)
{
	report_time(t, "started_at", times->started);
	report_time(t, "ended_at", times->ended);
	if (times->started > 0 && times->ended > 0)
		return;
	if (times->seconds >= 0 && times->seconds < 1e7)
		put_number(t, "duration_seconds", times->seconds);
}

const char *
report_close(struct mem *m, struct text *t, bool final)
{
	const char *out = NULL;

	text_puts(t, final ? ",\"final\":true}" : "}");
	if (text_ok(t))
		out = mem_dup(m, t->data, t->len);
	text_clear(t);
	return out;
}
