/*
 * flow_organization.c - the workflow "organization-delete": after the grace an organization goes,
 * with everything that belongs to it.
 *
 * Its input: {"organization_id"}.  All of it is SQL (sql/functions/26_organizations_delete.sql):
 * each step does a bounded batch and asks to be done again, as a new generation of the run, while
 * there is more.  A run whose organization was restored, or is gone, does nothing.
 */
#include "work/flow_organization.h"

/* Nobody else can do it: it is tried again until it is done. */
#define RETRY                                                                                      \
	{                                                                                          \
		.first_ms = 1000, .factor = 2, .max_ms = 10 * 60 * 1000, .attempts = 1000          \
	}

static const struct step steps[] = {
	{ .name = "wait", .apply = "organization_delete_wait", .retry = RETRY },
	{ .name = "remove", .apply = "organization_delete_remove", .retry = RETRY },
};

const struct workflow flow_organization = {
	.name = "organization-delete",
	.steps = steps,
	.nsteps = COUNT(steps),
	.doc = "Removes a deleted organization when its grace is over.",
};
