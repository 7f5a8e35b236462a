/*
 * flow_cycle.h - the workflows "billing-cycle", which closes a period, and "billing-periods", which
 * finds by the clock those that nobody else closes.
 */
#ifndef WORK_FLOW_CYCLE_H
#define WORK_FLOW_CYCLE_H

#include "work/step.h"

extern const struct workflow flow_cycle, flow_periods;

#endif
