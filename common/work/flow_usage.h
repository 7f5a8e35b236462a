/*
 * flow_usage.h - the workflow "usage-aggregation".
 */
#ifndef WORK_FLOW_USAGE_H
#define WORK_FLOW_USAGE_H

#include "work/step.h"

extern const struct workflow flow_usage;

#endif
