/*
 * number_step.c - what the steps of the workflow "phone-number" are told and say.
 */
#include "work/number_step.h"

#include "work/outcome_step.h"

const char *
number_told(const struct step_in *in, const char *name)
{
	return json_str(in->prepared, name);
}

static const char *
id_of(const struct step_in *in)
{
	const char *id = json_str(in->input, "number_id");

	return id ? id : "";
}

const char *
number_mark(struct mem *m, const struct step_in *in)
{
	return mem_printf(m, "hookswitch:%s", id_of(in));
}

void
number_put(struct text *t, const char *name, const char *value)
{
	text_putc(t, text_str(t)[0] ? ',' : '{');
	text_json(t, name);
	text_putc(t, ':');
	text_json(t, value);
}

void
number_put_raw(struct text *t, const char *name, const char *json)
{
	text_putc(t, text_str(t)[0] ? ',' : '{');
	text_json(t, name);
	text_printf(t, ":%s", json);
}

void
number_put_version(struct text *t, const struct step_in *in)
{
	text_printf(t, "%c\"version\":%lld", text_str(t)[0] ? ',' : '{',
	    (long long)json_int(in->prepared, "version", 0));
}

void
number_done(struct mem *m, struct text *t, struct step_out *ret)
{
	text_putc(t, text_str(t)[0] ? '}' : '{');
	if (t->len == 1)
		text_putc(t, '}');
	ret->result = text_ok(t) ? mem_dup(m, text_str(t), t->len) : NULL;
	ret->verdict = ret->result ? STEP_DONE : STEP_UNKNOWN;
	ret->reason = ret->result ? NULL : "out_of_memory";
}

void
number_refused(struct mem *m, const char *code, struct step_out *ret)
{
	CLEANUP(text_clear) struct text t = TEXT(4096);

	number_put(&t, "refused", code ? code : "not_there");
	number_done(m, &t, ret);
}

void
number_gone(struct mem *m, const struct outcome *o, struct step_out *ret)
{
	CLEANUP(text_clear) struct text t = TEXT(64);

	outcome_step(o, ret);
	if (o->result == OUTCOME_ABSENT)
		number_put_raw(&t, "gone", "true");
	if (o->result == OUTCOME_ABSENT || o->result == OUTCOME_OK)
		number_done(m, &t, ret);
	/* Nobody but us can give it back: it is tried again. */
	if (o->result == OUTCOME_FAILED)
		*ret = (struct step_out){ .verdict = STEP_RETRY,
			.reason = o->code,
			.retry_after = OUTCOME_AGAIN_SETTINGS };
}
