/*
 * flow_usage.c - the workflow "usage-aggregation": each night the sums of the day before are
 * compared with the ledger, and made right.
 *
 * All of it is SQL (sql/functions/56_usage_daily.sql): some organizations, then again from where it
 * was.  The day follows from the slot, so a night that was missed is made up for.
 */
#include "work/flow_usage.h"

static const char *const figures[] = { "date", "organizations", "wrong", NULL };

static const struct step steps[] = {
	{ .name = "aggregate",
	    .apply = "usage_aggregate",
	    .keep = figures,
	    .retry = { .first_ms = 1000, .factor = 2, .max_ms = 10 * 60 * 1000, .attempts = 200 } },
};

const struct workflow flow_usage = {
	.name = "usage-aggregation",
	.steps = steps,
	.nsteps = COUNT(steps),
	.cron = "0 2 * * *",
	.missed = MISSED_ALL,
	.doc = "Compares the sums of the day before with the ledger.",
};
