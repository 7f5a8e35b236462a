/*
 * number_step.h - what the steps of the workflow "phone-number" are told and say; only for
 * flow_number.c, number_twilio.c and number_vapi.c.
 */
#ifndef WORK_NUMBER_STEP_H
#define WORK_NUMBER_STEP_H

#include "base/text.h"
#include "peers/outcome.h"
#include "work/step.h"

/* number_told: a text of what was prepared; NULL: none. */
const char *number_told(const struct step_in *in, const char *name);
/* number_mark: by it a number is known to be ours, and whose, at Twilio. */
const char *number_mark(struct mem *m, const struct step_in *in);

/* A result is an object that these write, which begins empty: a text, JSON, the version of the
 * row's settings that was told.  number_done: it was done, and this came of it. */
void number_put(struct text *t, const char *name, const char *value);
void number_put_raw(struct text *t, const char *name, const char *json);
void number_put_version(struct text *t, const struct step_in *in);
void number_done(struct mem *m, struct text *t, struct step_out *ret);
/* number_refused: done with {"refused": code}: SQL decides what follows. */
void number_refused(struct mem *m, const char *code, struct step_out *ret);
/* number_gone: of a removal: what is not there any more is gone, and what is refused is tried
 * again: nobody else can do it. */
void number_gone(struct mem *m, const struct outcome *o, struct step_out *ret);

#endif
