/*
 * flow_number_sweep.h - the workflow "number-sweep": once a day what Twilio and Vapi have is
 * compared with what we have.
 */
#ifndef WORK_FLOW_NUMBER_SWEEP_H
#define WORK_FLOW_NUMBER_SWEEP_H

#include "work/step.h"

extern const struct workflow flow_number_sweep;

#endif
