/*
 * outcome_step.h - what an outcome (peers/outcome.h) means to a step of a workflow.
 */
#ifndef WORK_OUTCOME_STEP_H
#define WORK_OUTCOME_STEP_H

#include "peers/outcome.h"
#include "work/step.h"

/* outcome_step: the verdict, reason and wait; OUTCOME_ABSENT is STEP_ABSENT, which only looks may
 * say. */
void outcome_step(const struct outcome *o, struct step_out *ret);
/* outcome_step_refused: the same, but what is refused for good, or is not there, is done with
 * {"refused": code}: whoever applies it decides what follows. */
void outcome_step_refused(struct mem *m, const struct outcome *o, struct step_out *ret);

#endif
