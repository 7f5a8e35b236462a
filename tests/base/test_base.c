/*
 * test_base.c - spans, the UUID form, closing at the end of a scope.
 */
#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void
a_span_is_the_bytes_of_a_string(void **state UNUSED)
{
	struct span s = span_of("abc");

	assert_int_equal(s.len, 3);
	assert_memory_equal(s.data, "abc", 3);
	assert_int_equal(span_of("").len, 0);
	assert_non_null(span_of("").data);
	assert_null(span_of(NULL).data);
	assert_int_equal(span_of(NULL).len, 0);
	assert_int_equal(SPAN("a\0b").len, 3);
}

static void
spans_are_equal_by_their_bytes(void **state UNUSED)
{
	assert_true(span_equal(SPAN("a\0b"), SPAN("a\0b")));
	assert_false(span_equal(SPAN("a\0b"), SPAN("a\0c")));
	assert_false(span_equal(SPAN("a"), SPAN("ab")));
	assert_true(span_equal(span_of(NULL), span_of("")));
}

static void
a_uuid_has_its_form(void **state UNUSED)
{
	static const char *const wrong[] = {
		"",
		"11111111-1111-4111-8111-11111111111",
		"11111111-1111-4111-8111-1111111111111",
		"11111111-1111-4111-8111-11111111111g",
		"1111111111111-4111-8111-111111111111",
		"111111111111-1111-1111-1111111111111",
		"{1111111-1111-4111-8111-11111111111}",
		"11111111-1111-4111-8111-11111111111 ",
	};
	size_t i;

	assert_true(base_is_uuid("0189abcd-ef01-4ABC-8DEF-000000000000"));
	assert_false(base_is_uuid(NULL));
	for (i = 0; i < COUNT(wrong); i++) {
		if (base_is_uuid(wrong[i]))
			fail_msg("'%s' passed for a UUID", wrong[i]);
	}
}

static void
what_goes_out_of_scope_is_closed_and_errno_kept(void **state UNUSED)
{
	int copy, fd = open("/dev/null", O_RDONLY);
	FILE *f = fopen("/dev/null", "r");

	assert_true(fd >= 0);
	assert_non_null(f);
	copy = fd;
	errno = ENOTTY;
	base_closep(&fd);
	assert_int_equal(errno, ENOTTY);
	assert_int_equal(fd, -1);
	assert_int_equal(fcntl(copy, F_GETFD), -1);
	base_closep(&fd);

	fd = 7;
	assert_int_equal(base_give_fd(&fd), 7);
	assert_int_equal(fd, -1);

	errno = ENOTTY;
	base_fclosep(&f);
	assert_int_equal(errno, ENOTTY);
	assert_null(f);
	base_fclosep(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_span_is_the_bytes_of_a_string),
		cmocka_unit_test(spans_are_equal_by_their_bytes),
		cmocka_unit_test(a_uuid_has_its_form),
		cmocka_unit_test(what_goes_out_of_scope_is_closed_and_errno_kept),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
