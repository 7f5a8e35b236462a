/*
 * run_timing.c - how long steps take, and how those answer whom they ask.
 */
#include "work/run.h"

#include "base/timing.h"

#include <string.h>

/* How the database's word is called in the figures. */
static const char *
outcome_of(const char *verdict)
{
	return strcmp(verdict, "done") == 0 ? "ok" : verdict;
}

void
task_time(const struct task *t, const char *verdict, const char *code, int64_t ms)
{
	const char *tail = t->look ? ".look" : t->undo ? ".undo" : "";
	const char *outcome = outcome_of(verdict);
	char name[TIMING_NAME_MAX];

	snprintf(name, sizeof(name), "%s.%s%s", t->run->workflow->name, t->step->name, tail);
	timing_add(TIMING_STEP, name, outcome, ms * 1000);
	if (!t->peer)
		return;
	if (strcmp(outcome, "ok") == 0 || !code)
		code = outcome;
	snprintf(name, sizeof(name), "%s.%s%s", t->peer, t->step->name, tail);
	timing_add(TIMING_PROVIDER, name, code, ms * 1000);
}
