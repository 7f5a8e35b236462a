/*
 * flow_auth.h - the workflow "auth_upkeep": sessions, links and counts that are over are taken
 * away, once a day.
 */
#ifndef WORK_FLOW_AUTH_H
#define WORK_FLOW_AUTH_H

#include "work/step.h"

extern const struct workflow flow_auth;

#endif
