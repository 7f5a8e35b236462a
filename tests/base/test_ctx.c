/*
 * test_ctx.c - a request's first failure: what is kept of it, and that it survives a lack of
 * memory.
 */
#include "base/ctx.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* cmocka has a macro of that name. */
#undef fail

static struct ctx ctx;

static int
set_up(void **state)
{
	*state = &ctx;
	return ctx_init(&ctx, 8192);
}

static int
tear_down(void **state)
{
	ctx_free(*state);
	return 0;
}

static void
the_first_failure_is_the_one_that_counts(void **state)
{
	struct ctx *c = *state;

	assert_int_equal(c->failure.err, ERR_NONE);
	assert_int_equal(fail(c, ERR_CALL_NOT_FOUND, "call %d", 7), -1);
	assert_int_equal(fail(c, ERR_INTERNAL, "later"), -1);
	assert_int_equal(fail_field(c, "a", "b", "c"), -1);
	assert_int_equal(fail_sql(c, 409, "call_ended", NULL), -1);
	assert_int_equal(c->failure.err, ERR_CALL_NOT_FOUND);
	assert_int_equal(c->failure.status, 404);
	assert_string_equal(c->failure.code, "call_not_found");
	assert_string_equal(c->failure.title, "There is no such call.");
	assert_string_equal(c->failure.detail, "call 7");
	assert_int_equal(c->failure.nfields, 0);

	fail_clear(c);
	assert_int_equal(c->failure.err, ERR_NONE);
	assert_int_equal(fail(c, ERR_INTERNAL, NULL), -1);
	assert_null(c->failure.detail);
}

static void
an_error_from_sql_keeps_its_code_and_status(void **state)
{
	struct ctx *c = *state;
	char code[] = "call_ended", own[] = "own_code_2", detail[] = "It is over.";

	assert_int_equal(fail_sql(c, 409, code, detail), -1);
	memset(code, 'x', sizeof(code) - 1);
	memset(detail, 'x', sizeof(detail) - 1);
	assert_int_equal(c->failure.err, ERR_CALL_ENDED);
	assert_string_equal(c->failure.code, "call_ended");
	assert_string_equal(c->failure.detail, "It is over.");

	fail_clear(c);
	assert_int_equal(fail_sql(c, 418, own, NULL), -1);
	memset(own, 'x', sizeof(own) - 1);
	assert_int_not_equal(c->failure.err, ERR_NONE);
	assert_int_equal(c->failure.status, 418);
	assert_string_equal(c->failure.code, "own_code_2");
	assert_non_null(c->failure.title);
	assert_null(c->failure.detail);
}

static void
an_sql_message_that_is_no_code_stays_inside(void **state)
{
	static const struct {
		int status;
		const char *code;
	} cases[] = {
		{ 400, "relation \"calls\" does not exist" },
		{ 400, "" },
		{ 400, NULL },
		{ 400, "Upper" },
		{ 400, "1number" },
		{ 400, "_code" },
		{ 200, "call_ended" },
		{ 999, "call_ended" },
		{ 400, "a234567890123456789012345678901234567890123456789012345678901234x" },
	};
	struct ctx *c = *state;
	size_t i;

	for (i = 0; i < COUNT(cases); i++) {
		fail_clear(c);
		assert_int_equal(fail_sql(c, cases[i].status, cases[i].code, "secret"), -1);
		assert_int_equal(c->failure.err, ERR_INTERNAL);
		assert_int_equal(c->failure.status, 500);
		assert_string_equal(c->failure.code, "internal");
		assert_null(c->failure.detail);
		assert_non_null(c->failure.log);
	}
}

static void
wrong_fields_are_gathered_up_to_a_number(void **state)
{
	struct ctx *c = *state;
	char name[8];
	int i;

	for (i = 0; i < CTX_ERRORS_MAX + 5; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		assert_int_equal(fail_field(c, name, "required", i ? "is missing" : NULL), -1);
	}
	assert_int_equal(c->failure.err, ERR_BAD_FIELDS);
	assert_int_equal(c->failure.status, 400);
	assert_int_equal(c->failure.nfields, CTX_ERRORS_MAX);
	assert_string_equal(c->failure.fields[0].field, "f0");
	assert_null(c->failure.fields[0].detail);
	assert_string_equal(c->failure.fields[19].field, "f19");
	assert_string_equal(c->failure.fields[19].code, "required");
	assert_string_equal(c->failure.fields[19].detail, "is missing");

	fail_clear(c);
	assert_int_equal(fail_item(c, ERR_BATCH_REFUSED, "calls.0.x", "unknown", NULL), -1);
	assert_int_equal(fail_item(c, ERR_BATCH_REFUSED, "calls.1", "object", NULL), -1);
	assert_int_equal(fail_field(c, "y", "unknown", NULL), -1);
	assert_int_equal(c->failure.err, ERR_BATCH_REFUSED);
	assert_int_equal(c->failure.nfields, 2);
}

static void
words_for_the_log_are_joined(void **state)
{
	struct ctx *c = *state;

	fail_log(c, "nobody failed yet");
	assert_null(c->failure.log);
	fail(c, ERR_UNAVAILABLE, NULL);
	fail_log(c, "first %d", 1);
	fail_log(c, "second");
	assert_string_equal(c->failure.log, "first 1; second");
}

static void
a_failure_is_recorded_when_memory_is_out(void **state)
{
	struct ctx *c = *state;

	assert_non_null(mem_alloc(c->mem, 8192));
	assert_int_equal(fail(c, ERR_TOO_LARGE, "%s", "words"), -1);
	fail_log(c, "words");
	assert_int_equal(c->failure.err, ERR_TOO_LARGE);
	assert_null(c->failure.detail);
	fail_clear(c);
	assert_int_equal(fail_field(c, "a", "b", "c"), -1);
	assert_int_equal(c->failure.err, ERR_BAD_FIELDS);
	assert_int_equal(c->failure.nfields, 0);
	fail_clear(c);
	assert_int_equal(fail_sql(c, 409, "own_code", "c"), -1);
	assert_int_equal(c->failure.status, 409);
	assert_non_null(c->failure.code);
}

static void
a_reset_forgets_the_request_and_not_its_owner(void **state)
{
	struct ctx *c = *state;
	int owner;

	c->owner = &owner;
	c->request_id[0] = 'r';
	c->organization_id[0] = 'o';
	c->user_id[0] = 'u';
	fail(c, ERR_INTERNAL, "x");
	ctx_reset(c);
	assert_int_equal(c->failure.err, ERR_NONE);
	assert_string_equal(c->request_id, "");
	assert_string_equal(c->organization_id, "");
	assert_string_equal(c->user_id, "");
	assert_ptr_equal(c->owner, &owner);
	assert_int_equal(mem_used(c->mem), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_first_failure_is_the_one_that_counts, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(an_error_from_sql_keeps_its_code_and_status, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(an_sql_message_that_is_no_code_stays_inside, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(wrong_fields_are_gathered_up_to_a_number, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(words_for_the_log_are_joined, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_failure_is_recorded_when_memory_is_out, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(a_reset_forgets_the_request_and_not_its_owner,
		    set_up, tear_down),
	};

	return cmocka_run_group_tests_name("ctx", tests, NULL, NULL);
}
