/*
 * flow_assistant.h - the workflow "assistant-sync": an assistant is brought to Vapi, changed and
 * removed there.
 */
#ifndef WORK_FLOW_ASSISTANT_H
#define WORK_FLOW_ASSISTANT_H

#include "work/step.h"

extern const struct workflow flow_assistant;

#endif
