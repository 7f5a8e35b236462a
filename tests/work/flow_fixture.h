/*
 * flow_fixture.h - for the tests of workflows that ask Stripe: that their tables and their SQL
 * speak of the same, requests and answers.
 */
#ifndef TESTS_WORK_FLOW_FIXTURE_H
#define TESTS_WORK_FLOW_FIXTURE_H

#include "tests/peers/stripe_fixture.h"

#include "work/step.h"

enum { SQL_MAX = 128 * 1024 };

/* A file of sql/functions. */
static inline const char *
functions(struct mem *m, const char *name)
{
	const char *top = getenv("srcdir");
	const char *path = mem_printf(m, "%s/sql/functions/%s", top ? top : ".", name);
	char *text = mem_alloc(m, SQL_MAX);
	FILE *f = fopen(path, "r");
	size_t n;

	if (!f)
		fail_msg("%s is not there", path);
	n = fread(text, 1, SQL_MAX - 1, f);
	fclose(f);
	assert_true(n > 0 && n < SQL_MAX - 1);
	text[n] = '\0';
	return text;
}

/* Each function that the table names is made by that file, for a step to call. */
static inline void
assert_made(struct mem *m, const struct workflow *f, const char *file)
{
	const char *text = functions(m, file);

	for (size_t i = 0; i < f->nsteps; i++) {
		const char *names[] = { f->steps[i].prepare, f->steps[i].apply };

		assert_true(names[0] || names[1] || f->steps[i].ask);
		for (size_t k = 0; k < COUNT(names); k++) {
			if (names[k] &&
			    !strstr(text,
				mem_printf(m, "function public.%s(p_run jsonb) returns jsonb",
				    names[k])))
				fail_msg("%s does not make %s", file, names[k]);
		}
	}
}

static inline const struct step *
step_of(const struct workflow *f, const char *name)
{
	for (size_t i = 0; i < f->nsteps; i++) {
		if (strcmp(f->steps[i].name, name) == 0)
			return &f->steps[i];
	}
	fail_msg("%s has no step %s", f->name, name);
	return NULL;
}

/* What a step is told of a run with that input, that was prepared so. */
static inline struct step_in
told(struct mem *m, const char *input, const char *prepared)
{
	return (struct step_in){ .run_id = "r",
		.organization_id = "",
		.key = "r:1:s",
		.attempt = 1,
		.sent_s = -1,
		.input = parsed(m, input),
		.prepared = parsed(m, prepared) };
}

static inline struct step_out
verdict(struct mem *m, const struct step *s, const struct step_in *in, int status, const char *body)
{
	struct fetch_answer a = answer(status, span_of(body));
	struct step_out out = { .retry_after = -1 };

	s->read(m, in, &a, &out);
	return out;
}

static inline const char *
body_of(struct mem *m, const struct fetch_request *r)
{
	return mem_dup(m, r->body.data, r->body.len);
}

#endif
