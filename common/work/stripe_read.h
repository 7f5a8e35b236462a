/*
 * stripe_read.h - steps that read one object at Stripe, the same for all workflows that do.
 */
#ifndef WORK_STRIPE_READ_H
#define WORK_STRIPE_READ_H

#include "work/step.h"

/* Steps that ask whatever their `prepare` gave them: {"id", "read"}.  Their results hold the object
 * in our words under its name ("subscription"), or {"absent": true}. */
int ask_subscription(struct mem *m, const struct step_in *in, struct fetch_request *ret);
int ask_invoice(struct mem *m, const struct step_in *in, struct fetch_request *ret);
int ask_charge(struct mem *m, const struct step_in *in, struct fetch_request *ret);
int ask_customer(struct mem *m, const struct step_in *in, struct fetch_request *ret);
int ask_session(struct mem *m, const struct step_in *in, struct fetch_request *ret);
void read_subscription(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret);
void read_invoice(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret);
void read_charge(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret);
void read_customer(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret);
void read_session(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret);

/* Waits as long as somebody needs to mend a key or Stripe to come back: three days. */
#define STRIPE_PATIENCE                                                                            \
	{                                                                                          \
		.first_ms = 2000, .factor = 2, .max_ms = 10 * 60 * 1000, .attempts = 1000,         \
		.limit_ms = INT64_C(72) * 3600 * 1000, .timeout_ms = 20000                         \
	}

#endif
