/*
 * flow_provision.h - the workflows "phone-provision", "provision-catchup" and "number-release":
 * numbers that come and go with a subscription.
 */
#ifndef WORK_FLOW_PROVISION_H
#define WORK_FLOW_PROVISION_H

#include "work/step.h"

extern const struct workflow flow_provision, flow_provision_catchup, flow_number_release;

#endif
