/*
 * flow_mail.h - the workflow "mail": one mail, sent once, however long that takes.
 */
#ifndef WORK_FLOW_MAIL_H
#define WORK_FLOW_MAIL_H

#include "work/step.h"

extern const struct workflow flow_mail;

#endif
