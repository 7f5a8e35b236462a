/*
 * flow_number.h - the workflow "phone-number": brings one number to what it shall be.
 */
#ifndef WORK_FLOW_NUMBER_H
#define WORK_FLOW_NUMBER_H

#include "work/step.h"

extern const struct workflow flow_number;

#endif
