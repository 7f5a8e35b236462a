/*
 * flow_dunning.c - one step in SQL, again and again: public.dunning_act
 * (sql/functions/77_dunning.sql) does what the day brings and says until when to wait for the
 * payment.
 */
#include "work/flow_dunning.h"

/* Nobody else can do it: it is tried again until it is done. */
static const struct step steps[] = {
	{ .name = "act",
	    .apply = "dunning_act",
	    .retry = { .first_ms = 1000,
		.factor = 2,
		.max_ms = 10 * 60 * 1000,
		.attempts = 1000 } },
};

const struct workflow flow_dunning = {
	.name = "dunning",
	.steps = steps,
	.nsteps = COUNT(steps),
	.doc = "Sends mails about an unpaid bill, then closes step by step, until it is paid.",
};
