/*
 * stripe_step.h - what Stripe's answers mean to a step of a workflow.
 */
#ifndef WORK_STRIPE_STEP_H
#define WORK_STRIPE_STEP_H

#include "peers/stripe.h"
#include "work/step.h"

/* stripe_step: reads the answer into o and gives *ret its verdict, reason and wait: STRIPE_ABSENT
 * is STEP_ABSENT, which only looks may say. */
void stripe_step(struct mem *m, const struct fetch_answer *a, struct stripe_outcome *o,
    struct step_out *ret);
/* stripe_step_refused: as stripe_step, but what Stripe refuses for good, or does not have, is done
 * with {"refused": code}: whoever applies it decides what follows. */
void stripe_step_refused(struct mem *m, const struct fetch_answer *a, struct stripe_outcome *o,
    struct step_out *ret);
/* stripe_step_key: another key for each try, for what does no harm twice: under one key Stripe
 * would answer a failure of its own again and again for a day.  NULL with errno ENOMEM. */
const char *stripe_step_key(struct mem *m, const struct step_in *in);

#endif
