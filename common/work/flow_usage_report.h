/*
 * flow_usage_report.h - the workflow "usage-report": one call's further seconds are told to
 * Stripe's meter, or taken back.
 */
#ifndef WORK_FLOW_USAGE_REPORT_H
#define WORK_FLOW_USAGE_REPORT_H

#include "work/step.h"

extern const struct workflow flow_usage_report;

#endif
