/*
 * test_run_timing.c - what steps are called in the figures, and what came of them.
 */
#include "base/timing.h"
#include "work/run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct step step = { .name = "buy" };
static const struct workflow flow = { .name = "phone-number", .steps = &step, .nsteps = 1 };

static const struct {
	struct task task;
	const char *verdict, *code;
	const char *name, *outcome, *provider, *answer;
} cases[] = {
	{ { .peer = "twilio" }, "done", "a_word_beside", "phone-number.buy", "ok", "twilio.buy",
	    "ok" },
	{ { .peer = "twilio" }, "failed", "twilio_21422", "phone-number.buy", "failed",
	    "twilio.buy", "twilio_21422" },
	{ { .peer = "twilio", .look = true }, "absent", "absent", "phone-number.buy.look", "absent",
	    "twilio.buy.look", "absent" },
	{ { .peer = "vapi", .undo = true }, "unknown", "no_answer", "phone-number.buy.undo",
	    "unknown", "vapi.buy.undo", "no_answer" },
	{ { .peer = "vapi" }, "retry", NULL, "phone-number.buy", "retry", "vapi.buy", "retry" },
	{ { .peer = NULL }, "done", NULL, "phone-number.buy", "ok", NULL, NULL },
};

static void
a_step_and_whom_it_asks(void **state UNUSED)
{
	struct run r = { .workflow = &flow };
	struct mem *m = mem_new(65536);
	struct timing *rows;
	size_t i;

	timing_take(m, &rows);
	for (i = 0; i < COUNT(cases); i++) {
		struct task t = cases[i].task;

		t.run = &r;
		t.step = &step;
		task_time(&t, cases[i].verdict, cases[i].code, 250);
		assert_int_equal(timing_take(m, &rows), cases[i].provider ? 2 : 1);
		assert_string_equal(rows[0].kind, TIMING_STEP);
		assert_string_equal(rows[0].name, cases[i].name);
		assert_string_equal(rows[0].outcome, cases[i].outcome);
		assert_int_equal(rows[0].us, 250000);
		if (!cases[i].provider)
			continue;
		assert_string_equal(rows[1].kind, TIMING_PROVIDER);
		assert_string_equal(rows[1].name, cases[i].provider);
		assert_string_equal(rows[1].outcome, cases[i].answer);
	}
	mem_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_step_and_whom_it_asks) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
