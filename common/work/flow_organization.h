/*
 * flow_organization.h - the workflow "organization-delete": after the grace an organization goes,
 * with everything that belongs to it.
 */
#ifndef WORK_FLOW_ORGANIZATION_H
#define WORK_FLOW_ORGANIZATION_H

#include "work/step.h"

extern const struct workflow flow_organization;

#endif
