/*
 * flow_dunning.h - the workflow "dunning": a bill that is not paid, from the first mail to the last
 * consequence.
 */
#ifndef WORK_FLOW_DUNNING_H
#define WORK_FLOW_DUNNING_H

#include "work/step.h"

extern const struct workflow flow_dunning;

#endif
