/*
 * flow_auth.c - one step in SQL: public.auth_upkeep (sql/functions/24_auth.sql).
 */
#include "work/flow_auth.h"

static const char *const kept[] = { "sessions", "tokens", "throttles", NULL };

static const struct step steps[] = {
	{ .name = "prune", .apply = "auth_upkeep", .keep = kept },
};

const struct workflow flow_auth = {
	.name = "auth_upkeep",
	.steps = steps,
	.nsteps = COUNT(steps),
	.cron = "23 3 * * *",
	.missed = MISSED_ONE,
	.doc = "Takes sessions, links and counts away that are over.",
};
