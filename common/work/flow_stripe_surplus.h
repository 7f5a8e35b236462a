/*
 * flow_stripe_surplus.h - workflows that see to it that an organization pays for one subscription,
 * and for none once it is deleted.
 */
#ifndef WORK_FLOW_STRIPE_SURPLUS_H
#define WORK_FLOW_STRIPE_SURPLUS_H

#include "work/step.h"

extern const struct workflow flow_stripe_surplus, flow_stripe_expire, flow_stripe_end;

#endif
