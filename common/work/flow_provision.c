/*
 * flow_provision.c - numbers that come and go with a subscription.
 *
 * All of it is SQL (sql/functions/36_provision*.sql).  "phone-provision" decides what one
 * organization shall have, and says so to its numbers, each of which has a run of its own
 * (flow_number.c); its input: {"organization_id","log_id"}.  The other two look for whom that has
 * to be decided, or whose time is over, a bounded batch per generation.
 */
#include "work/flow_provision.h"

/* Nobody else can do it: it is tried again until it is done. */
#define RETRY                                                                                      \
	{                                                                                          \
		.first_ms = 500, .factor = 2, .max_ms = 10 * 60 * 1000, .attempts = 1000           \
	}

static const struct step provision[] = {
	{ .name = "decide", .apply = "provision_decide", .retry = RETRY },
};

static const struct step catchup[] = {
	{ .name = "look", .apply = "provision_catchup", .retry = RETRY },
};

static const struct step release[] = {
	{ .name = "release", .apply = "number_release_due", .retry = RETRY },
};

const struct workflow flow_provision = {
	.name = "phone-provision",
	.steps = provision,
	.nsteps = COUNT(provision),
	.doc = "Decides which numbers an organization shall have, and has them bought or paused.",
};

const struct workflow flow_provision_catchup = {
	.name = "provision-catchup",
	.steps = catchup,
	.nsteps = COUNT(catchup),
	.cron = "41 3 * * *",
	.missed = MISSED_ONE,
	.doc = "Finds organizations that ought to have a number and have none, or have too many.",
};

const struct workflow flow_number_release = {
	.name = "number-release",
	.steps = release,
	.nsteps = COUNT(release),
	.cron = "23 * * * *",
	.missed = MISSED_ONE,
	.doc = "Releases paused numbers that were kept long enough.",
};
