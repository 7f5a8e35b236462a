/*
 * number_vapi.h - the steps of the workflow "phone-number" that ask Vapi.
 */
#ifndef WORK_NUMBER_VAPI_H
#define WORK_NUMBER_VAPI_H

#include "work/step.h"

/* Each step's request, and what is read of its answer (step.h). */
int number_ask_import(struct mem *m, const struct step_in *in, struct fetch_request *ret);
void number_read_import(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret);
int number_ask_find(struct mem *m, const struct step_in *in, struct fetch_request *ret);
void number_read_find(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret);
int number_ask_link(struct mem *m, const struct step_in *in, struct fetch_request *ret);
void number_read_link(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret);
int number_ask_remove(struct mem *m, const struct step_in *in, struct fetch_request *ret);
void number_read_remove(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret);

#endif
