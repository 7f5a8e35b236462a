/*
 * flow_verify.h - the workflow "verify-number": a code is brought to somebody's telephone, once.
 */
#ifndef WORK_FLOW_VERIFY_H
#define WORK_FLOW_VERIFY_H

#include "work/step.h"

/* What codes of people's numbers are sealed for (lib/seal.h); the id is the row's. */
#define VERIFY_PURPOSE "verify_number"

extern const struct workflow flow_verify;

#endif
