/*
 * flow_sms.h - the workflow "sms": one text message, sent once.
 */
#ifndef WORK_FLOW_SMS_H
#define WORK_FLOW_SMS_H

#include "work/step.h"

extern const struct workflow flow_sms;

#endif
