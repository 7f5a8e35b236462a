/*
 * outcome_step.c - what an outcome means to a step of a workflow.
 */
#include "work/outcome_step.h"

#include "base/text.h"

void
outcome_step(const struct outcome *o, struct step_out *ret)
{
	static const enum step_verdict verdicts[] = { [OUTCOME_OK] = STEP_DONE,
		[OUTCOME_RETRY] = STEP_RETRY,
		[OUTCOME_UNKNOWN] = STEP_UNKNOWN,
		[OUTCOME_FAILED] = STEP_FAILED,
		[OUTCOME_ABSENT] = STEP_ABSENT };

	*ret = (struct step_out){ .verdict = verdicts[o->result],
		.reason = o->code,
		.retry_after = o->retry_after };
}

void
outcome_step_refused(struct mem *m, const struct outcome *o, struct step_out *ret)
{
	CLEANUP(text_clear) struct text t = TEXT(4096);

	outcome_step(o, ret);
	if (o->result != OUTCOME_FAILED && o->result != OUTCOME_ABSENT)
		return;
	text_puts(&t, "{\"refused\":");
	text_json(&t, o->code);
	text_putc(&t, '}');
	ret->result = text_ok(&t) ? mem_dup(m, text_str(&t), t.len) : NULL;
	ret->verdict = ret->result ? STEP_DONE : STEP_UNKNOWN;
	ret->reason = NULL;
}
