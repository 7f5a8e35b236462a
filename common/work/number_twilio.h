/*
 * number_twilio.h - the steps of the workflow "phone-number" that ask Twilio.
 */
#ifndef WORK_NUMBER_TWILIO_H
#define WORK_NUMBER_TWILIO_H

#include "work/step.h"

/* Each step's request, and what is read of its answer (step.h). */
int number_ask_search(struct mem *m, const struct step_in *in, struct fetch_request *ret);
void number_read_search(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret);
int number_ask_buy(struct mem *m, const struct step_in *in, struct fetch_request *ret);
void number_read_buy(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret);
int number_ask_check(struct mem *m, const struct step_in *in, struct fetch_request *ret);
void number_read_check(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret);
int number_ask_configure(struct mem *m, const struct step_in *in, struct fetch_request *ret);
void number_read_configure(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret);
int number_ask_release(struct mem *m, const struct step_in *in, struct fetch_request *ret);
void number_read_release(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret);

#endif
