/*
 * flow_reconcile.h - the workflow "reconcile": once a day our books are compared with Stripe's.
 */
#ifndef WORK_FLOW_RECONCILE_H
#define WORK_FLOW_RECONCILE_H

#include "work/step.h"

extern const struct workflow flow_reconcile;

#endif
