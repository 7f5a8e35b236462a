/*
 * report.h - writes a normal report (voice.h): the one form in which the database hears of a call.
 */
#ifndef PEERS_REPORT_H
#define PEERS_REPORT_H

#include "base/mem.h"
#include "base/scan.h"
#include "base/text.h"

/* A report holds a transcript twice at most, and each byte of it grows sixfold at worst. */
#define REPORT_MAX ((size_t)32 << 20)

/* Times as a provider tells them; 0: not told. */
struct report_times {
	int64_t started;
	int64_t ended;
	double seconds; /* < 0: not told */
};

/* report_open: begins the report; status is one of voice.h's words. */
void report_open(struct text *t, const char *status);
/* Each adds one member; a NULL or empty value, or a field of another kind, adds nothing. */
void report_str(struct text *t, const char *name, const char *value);
void report_raw(struct text *t, const char *name, const struct scan_field *f);
void report_time(struct text *t, const char *name, int64_t ms);
/* report_cost: dollars as "cost_cents". */
void report_cost(struct text *t, double dollars);
/* report_times: "started_at", "ended_at", and "duration_seconds" where these two do not tell it. */
void report_times(struct text *t, const struct report_times *times);
/* report_close: the whole report in m; NULL when memory is out.  It clears t. */
const char *report_close(struct mem *m, struct text *t, bool final);

#endif
