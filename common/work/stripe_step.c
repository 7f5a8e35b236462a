/*
 * stripe_step.c - what Stripe's answers mean to a step of a workflow.
 */
#include "work/stripe_step.h"

#include "base/text.h"

void
stripe_step(struct mem *m, const struct fetch_answer *a, struct stripe_outcome *o,
    struct step_out *ret)
{
	static const enum step_verdict verdicts[] = { [STRIPE_OK] = STEP_DONE,
		[STRIPE_RETRY] = STEP_RETRY,
		[STRIPE_UNKNOWN] = STEP_UNKNOWN,
		[STRIPE_FAILED] = STEP_FAILED,
		[STRIPE_ABSENT] = STEP_ABSENT };

	stripe_answer(m, a, o);
	*ret = (struct step_out){ .verdict = verdicts[o->result],
		.reason = o->code,
		.retry_after = o->retry_after };
}

void
stripe_step_refused(struct mem *m, const struct fetch_answer *a, struct stripe_outcome *o,
    struct step_out *ret)
{
	CLEANUP(text_clear) struct text t = TEXT(4096);

	stripe_step(m, a, o, ret);
	if (o->result != STRIPE_FAILED && o->result != STRIPE_ABSENT)
		return;
	text_puts(&t, "{\"refused\":");
	text_json(&t, o->code);
	text_putc(&t, '}');
	ret->result = text_ok(&t) ? mem_dup(m, text_str(&t), t.len) : NULL;
	ret->verdict = ret->result ? STEP_DONE : STEP_UNKNOWN;
	ret->reason = NULL;
}

const char *
stripe_step_key(struct mem *m, const struct step_in *in)
{
	return mem_printf(m, "%s:%d", in->key, in->attempt);
}
