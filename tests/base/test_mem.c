/*
 * test_mem.c - request memory: its pieces, its limit, and that a warm region asks for nothing more.
 */
#include "base/mem.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
pieces_are_zeroed_aligned_and_apart(void **state UNUSED)
{
	static const size_t sizes[] = { 1, 3, 16, 17, 0, 4000, 9000, 70000, 300000, 5 };
	CLEANUP(mem_freep) struct mem *m = mem_new(1 << 20);
	unsigned char *p[COUNT(sizes)];
	size_t i, j;

	assert_non_null(m);
	for (i = 0; i < COUNT(sizes); i++) {
		p[i] = mem_alloc(m, sizes[i]);
		assert_non_null(p[i]);
		assert_int_equal((uintptr_t)p[i] % _Alignof(max_align_t), 0);
		for (j = 0; j < sizes[i]; j++)
			assert_int_equal(p[i][j], 0);
		memset(p[i], (int)i + 1, sizes[i]);
	}
	for (i = 0; i < COUNT(sizes); i++) {
		for (j = 0; j < sizes[i]; j++)
			assert_int_equal(p[i][j], i + 1);
	}
}

static void
copies_end_with_a_nul(void **state UNUSED)
{
	CLEANUP(mem_freep) struct mem *m = mem_new(4096);

	assert_memory_equal(mem_dup(m, "a\0b", 3), "a\0b\0", 4);
	assert_string_equal(mem_dup(m, NULL, 0), "");
	assert_string_equal(mem_str(m, "words"), "words");
	assert_string_equal(mem_printf(m, "%s-%d", "n", 7), "n-7");
	assert_string_equal(mem_printf(m, "%s", ""), "");
}

static void
nothing_is_given_beyond_the_limit(void **state UNUSED)
{
	CLEANUP(mem_freep) struct mem *m = mem_new(1000);

	assert_non_null(mem_alloc(m, 600));
	errno = 0;
	assert_null(mem_alloc(m, 401));
	assert_int_equal(errno, ENOMEM);
	assert_non_null(mem_alloc(m, 400));
	assert_null(mem_alloc(m, 1));
	assert_null(mem_str(m, ""));
	assert_null(mem_printf(m, "%d", 1));
	assert_int_equal(mem_on_reset(m, NULL, NULL), -1);
	assert_int_equal(mem_used(m), 1000);

	mem_reset(m);
	assert_int_equal(mem_used(m), 0);
	assert_non_null(mem_alloc(m, 1000));
}

static void
a_size_that_would_wrap_around_is_refused(void **state UNUSED)
{
	CLEANUP(mem_freep) struct mem *m = mem_new(SIZE_MAX);

	assert_null(mem_alloc(m, SIZE_MAX));
	assert_null(mem_alloc(m, SIZE_MAX - 7));
	assert_null(mem_dup(m, "", SIZE_MAX));
	assert_non_null(mem_alloc(m, 8));
}

/* Takes 100 pieces; the distance from the first to the last, both addresses in ret. */
static void
one_request(struct mem *m, char *ret[2])
{
	int i;

	for (i = 0; i < 100; i++) {
		ret[1] = mem_alloc(m, 700);
		assert_non_null(ret[1]);
		if (i == 0)
			ret[0] = ret[1];
	}
}

static void
a_warm_region_stays_in_its_one_block(void **state UNUSED)
{
	CLEANUP(mem_freep) struct mem *m = mem_new(1 << 20);
	char *warm[2], *again[2];
	int i;

	for (i = 0; i < 4; i++) {
		one_request(m, warm);
		mem_reset(m);
	}
	for (i = 0; i < 10; i++) {
		one_request(m, again);
		assert_ptr_equal(again[0], warm[0]);
		assert_ptr_equal(again[1], warm[1]);
		assert_in_range(again[1] - again[0], 99 * 700, 99 * 740);
		mem_reset(m);
	}
}

static char order[8];

static void
note(void *arg)
{
	strncat(order, arg, sizeof(order) - strlen(order) - 1);
}

static void
what_a_library_owns_is_given_back_newest_first_and_once(void **state UNUSED)
{
	struct mem *m = mem_new(4096);
	char a[] = "a", b[] = "b", c[] = "c";

	order[0] = '\0';
	assert_int_equal(mem_on_reset(m, note, a), 0);
	assert_int_equal(mem_on_reset(m, note, b), 0);
	mem_reset(m);
	assert_string_equal(order, "ba");
	assert_int_equal(mem_on_reset(m, note, c), 0);
	mem_freep(&m);
	assert_string_equal(order, "bac");
	assert_null(m);
	mem_free(NULL);
}

static void
an_empty_region_is_as_good_as_new(void **state)
{
	CLEANUP(mem_freep) struct mem *m = mem_new(64 * 1024);
	char *p;

	(void)state;
	assert_non_null(mem_alloc(m, 40000));
	mem_empty(m);
	mem_empty(m);
	mem_give_back();
	assert_int_equal(mem_used(m), 0);
	p = mem_alloc(m, 60000);
	assert_non_null(p);
	assert_int_equal(p[0] + p[59999], 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_are_zeroed_aligned_and_apart),
		cmocka_unit_test(copies_end_with_a_nul),
		cmocka_unit_test(nothing_is_given_beyond_the_limit),
		cmocka_unit_test(a_size_that_would_wrap_around_is_refused),
		cmocka_unit_test(a_warm_region_stays_in_its_one_block),
		cmocka_unit_test(an_empty_region_is_as_good_as_new),
		cmocka_unit_test(what_a_library_owns_is_given_back_newest_first_and_once),
	};

	return cmocka_run_group_tests_name("mem", tests, NULL, NULL);
}
