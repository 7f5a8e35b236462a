/*
 * test_pairs.c - the fields of a form, as browsers, Twilio and nobody would send them.
 */
#include "base/pairs.h"

#include "base/text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { MEMORY = 1 << 20 };

static int
set_up(void **state)
{
	*state = mem_new(MEMORY);
	return *state ? 0 : -1;
}

static int
tear_down(void **state)
{
	mem_free(*state);
	return 0;
}

/* All pairs of a body, shown as "name=value|". */
static const char *
shown(struct mem *m, struct span body)
{
	CLEANUP(text_clear) struct text t = TEXT(MEMORY);
	struct pairs p;
	size_t i;

	assert_int_equal(pairs_read(m, body, &p), 0);
	for (i = 0; i < p.n; i++) {
		assert_int_equal(p.items[i].name.data[p.items[i].name.len], '\0');
		assert_int_equal(p.items[i].value.data[p.items[i].value.len], '\0');
		text_put(&t, p.items[i].name.data, p.items[i].name.len);
		text_putc(&t, '=');
		text_put(&t, p.items[i].value.data, p.items[i].value.len);
		text_putc(&t, '|');
	}
	return mem_str(m, text_str(&t));
}

static void
a_form_is_cut_and_decoded(void **state)
{
	static const struct {
		const char *body, *want;
	} rows[] = {
		{ "", "" },
		{ "a=1", "a=1|" },
		{ "a=1&b=2&a=3", "a=1|b=2|a=3|" },
		{ "a=&b&=c&=", "a=|b=|=c|=|" },
		{ "&&a=1&&", "a=1|" },
		{ "a=b=c", "a=b=c|" },
		{ "To=%2B15550100001&Body=a+b%20c", "To=+15550100001|Body=a b c|" },
		{ "%41%3d=%26%3D%25", "A==&=%|" },
		{ "a=%", "a=%|" },
		{ "a=%4", "a=%4|" },
		{ "a=%4g&b=%zz", "a=%4g|b=%zz|" },
		{ "a=%%41", "a=%A|" },
		{ "a=%c4%8C", "a=\xc4\x8c|" },
	};
	size_t i;

	for (i = 0; i < COUNT(rows); i++)
		assert_string_equal(shown(*state, span_of(rows[i].body)), rows[i].want);
}

static void
the_first_of_a_name_is_found(void **state)
{
	struct pairs p;

	assert_int_equal(pairs_read(*state, SPAN("b=1&a=2&b=3&c=x%00y&ab=4"), &p), 0);
	assert_string_equal(pairs_find(&p, "b"), "1");
	assert_string_equal(pairs_find(&p, "a"), "2");
	assert_string_equal(pairs_find(&p, "c"), "x");
	assert_int_equal(p.items[3].value.len, 3);
	assert_null(pairs_find(&p, "d"));
	assert_null(pairs_find(&p, ""));
	assert_null(pairs_find(&p, "B"));
}

static void
too_many_and_too_large_are_told(void **state)
{
	struct mem *small = mem_new(64);
	char many[2 * PAIRS_MAX + 2];
	struct pairs p;
	size_t i;

	for (i = 0; i < sizeof(many); i += 2)
		memcpy(many + i, "a&", 2);
	assert_int_equal(pairs_read(*state, (struct span){ many, 2 * PAIRS_MAX - 1 }, &p), 0);
	assert_int_equal(p.n, PAIRS_MAX);
	errno = 0;
	assert_int_equal(pairs_read(*state, (struct span){ many, 2 * PAIRS_MAX + 1 }, &p), -1);
	assert_int_equal(errno, E2BIG);
	assert_int_equal(pairs_read(small, SPAN("a=1&b=2&c=3"), &p), -1);
	assert_int_equal(errno, ENOMEM);
	mem_free(small);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_form_is_cut_and_decoded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_first_of_a_name_is_found, set_up, tear_down),
		cmocka_unit_test_setup_teardown(too_many_and_too_large_are_told, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("pairs", tests, NULL, NULL);
}
