/*
 * test_errors.c - the table of errors: complete, in form, and found by code.
 */
#include "base/errors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
each_error_has_a_status_a_code_and_a_sentence(void **state UNUSED)
{
	const struct err_info *info;
	size_t n;
	int e;

	for (e = ERR_NONE + 1; e < ERR_COUNT; e++) {
		info = err_info((enum err)e);
		assert_in_range(info->status, 400, 599);
		n = strlen(info->code);
		assert_int_equal(strspn(info->code, "abcdefghijklmnopqrstuvwxyz0123456789_"), n);
		assert_in_range(n, 1, 64);
		assert_int_equal(info->title[strlen(info->title) - 1], '.');
		/* By code one finds the same error again, so no code stands there twice. */
		assert_int_equal(err_by_code(info->code), e);
	}
}

static void
what_is_out_of_range_is_an_internal_error(void **state UNUSED)
{
	assert_string_equal(err_info(ERR_NONE)->code, "internal");
	assert_string_equal(err_info(ERR_COUNT)->code, "internal");
	assert_string_equal(err_info((enum err)9999)->code, "internal");
	assert_int_equal(err_info(ERR_INTERNAL)->status, 500);
}

static void
an_unknown_code_is_no_error(void **state UNUSED)
{
	assert_int_equal(err_by_code("no_such_code"), ERR_NONE);
	assert_int_equal(err_by_code(""), ERR_NONE);
	assert_int_equal(err_by_code("call_not_found"), ERR_CALL_NOT_FOUND);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_error_has_a_status_a_code_and_a_sentence),
		cmocka_unit_test(what_is_out_of_range_is_an_internal_error),
		cmocka_unit_test(an_unknown_code_is_no_error),
	};

	return cmocka_run_group_tests_name("errors", tests, NULL, NULL);
}
