/*
 * flow_stripe.h - workflows that read at Stripe: what an event names, and daily what none has told
 * of.
 */
#ifndef WORK_FLOW_STRIPE_H
#define WORK_FLOW_STRIPE_H

#include "work/step.h"

extern const struct workflow flow_stripe_sync, flow_subscription_sync;

#endif
