/*
 * test_json.c - reading JSON with limits, looking into it, and writing it again.
 */
#include "lib/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct mem *mem;

static int
set_up(void **state UNUSED)
{
	mem = mem_new(1 << 20);
	return mem ? 0 : -1;
}

static int
tear_down(void **state UNUSED)
{
	mem_freep(&mem);
	return 0;
}

static enum json_error
read_n(const char *s, size_t n, int depth, const struct json **ret)
{
	/* A copy without a NUL behind it: one byte too far is seen. */
	char *copy = mem_alloc(mem, n);

	assert_non_null(copy);
	memcpy(copy, s, n);
	return json_read(mem, copy, n, depth, ret);
}

static const struct json *
must_read(const char *s)
{
	const struct json *j = NULL;

	if (read_n(s, strlen(s), JSON_DEPTH_API, &j) != JSON_OK)
		fail_msg("%s is refused", s);
	assert_non_null(j);
	return j;
}

static const struct {
	const char *text;
	enum json_error error;
} bad_cases[] = {
	{ "", JSON_BAD },
	{ "{", JSON_BAD },
	{ "{\"a\":1,}", JSON_BAD },
	{ "{'a':1}", JSON_BAD },
	{ "[1] x", JSON_BAD },
	{ "nan", JSON_BAD },
	{ "\"a\nb\"", JSON_BAD },
	{ "\"a\x1f\"", JSON_BAD },
	{ "{\"a\":1,\"a\":1}", JSON_BAD },
	{ "{\"a\":1,\"\\u0061\":2}", JSON_BAD },
	{ "[{\"x\":{\"a\":{\"b\":1},\"c\":2,\"a\":[]}}]", JSON_BAD },
	{ "\"\xff\"", JSON_BAD_TEXT },
	{ "\"\xed\xa0\x80\"", JSON_BAD_TEXT },
	{ "{\"\xc3\":1}", JSON_BAD_TEXT },
	{ "\"\\u0000\"", JSON_BAD_TEXT },
	{ "{\"\\u0000\":1}", JSON_BAD_TEXT },
	{ "\"\\ud800\"", JSON_BAD_TEXT },
	{ "\"\\udc00\"", JSON_BAD_TEXT },
	{ "\"\\ud800x\\udc00\"", JSON_BAD_TEXT },
	{ "\"\\ud800\\n\"", JSON_BAD_TEXT },
	{ "\"\\ud800\\u0041\"", JSON_BAD_TEXT },
	{ "\"\\udc00\\ud800\"", JSON_BAD_TEXT },
	{ "18446744073709551616", JSON_BAD },
	{ "-9223372036854775809", JSON_BAD },
	{ "[100000000000000000000000000]", JSON_BAD },
	{ "[[[[[1]]]]]", JSON_DEEP },
	{ "{\"a\":[[[{}]]]}", JSON_DEEP },
};

static void
bad_json_is_refused_with_its_reason(void **state UNUSED)
{
	size_t i;

	for (i = 0; i < COUNT(bad_cases); i++) {
		const struct json *j = NULL;

		if (read_n(bad_cases[i].text, strlen(bad_cases[i].text), 4, &j) !=
		    bad_cases[i].error)
			fail_msg("case %zu: %s", i, bad_cases[i].text);
		assert_null(j);
	}
}

static void
a_nul_is_refused_everywhere(void **state UNUSED)
{
	const struct json *j = NULL;

	assert_int_equal(read_n("\"a\0b\"", 5, 4, &j), JSON_BAD_TEXT);
	assert_int_equal(read_n("1\0", 2, 4, &j), JSON_BAD);
	assert_int_equal(read_n("{}\0{}", 5, 4, &j), JSON_BAD);
	assert_null(j);
}

static void
good_json_is_written_as_it_was_read(void **state UNUSED)
{
	static const char *const cases[] = {
		"null",
		"true",
		"false",
		"0",
		"-1",
		"9223372036854775807",
		"-9223372036854775808",
		"18446744073709551615",
		"1.10",
		"1e400",
		"-0.0",
		"123456789012345678901234567890.5",
		"\"\"",
		"\"M\xc3\xbcller \xf0\x9f\x98\x80 \\\" \\\\ \\n\"",
		"[]",
		"{}",
		"[1,\"a\",null,true,[2.5],{}]",
		"{\"b\":1,\"a\":{\"b\":[{\"b\":null}]},\"\":\"x\"}",
		"[[[[]]]]",
		"{\"a:\\\"b\":\"c:d\"}",
	};
	size_t i;

	for (i = 0; i < COUNT(cases); i++)
		assert_string_equal(json_print(mem, must_read(cases[i])), cases[i]);
	assert_string_equal(json_print(mem,
				must_read(" { \"a\" : \"\\u00e9\\/\\ud83d\\ude00\" } \n")),
	    "{\"a\":\"\xc3\xa9/\xf0\x9f\x98\x80\"}");
	assert_string_equal(json_print(mem, NULL), "null");
}

static void
depth_is_counted_as_the_scan_counts_it(void **state UNUSED)
{
	const struct json *j;

	assert_int_equal(read_n("[[[[1]]]]", 9, 4, &j), JSON_OK);
	assert_int_equal(read_n("[[[{\"a\":1}]]]", 13, 4, &j), JSON_OK);
	assert_int_equal(read_n("[[[[]]]]", 8, 3, &j), JSON_DEEP);
	assert_int_equal(read_n("1", 1, 1, &j), JSON_OK);
}

static void
a_null_member_is_not_a_missing_one(void **state UNUSED)
{
	const struct json *j = must_read("{\"a\":null,\"b\":[null]}");

	assert_non_null(json_get(j, "a"));
	assert_int_equal(json_type(json_get(j, "a")), JSON_NULL);
	assert_null(json_get(j, "c"));
	assert_int_equal(json_type(json_get(j, "c")), JSON_NULL);
	assert_int_equal(json_type(json_path(j, "b.0")), JSON_NULL);
	assert_non_null(json_path(j, "b.0"));
	assert_null(json_get(json_get(j, "a"), "x"));
	assert_null(json_str(j, "a"));
	assert_int_equal(json_type(must_read("null")), JSON_NULL);
}

static void
values_are_found_by_path(void **state UNUSED)
{
	const struct json *j = must_read("{\"a\":{\"b\":[10,{\"c\":\"x\"}],\"0\":\"zero\"}}");
	char longer[300];

	assert_string_equal(json_str_of(json_path(j, "a.b.1.c"), NULL), "x");
	assert_string_equal(json_str_of(json_path(j, "a.0"), NULL), "zero");
	assert_null(json_path(j, "a.b.2"));
	assert_null(json_path(j, "a.b.x"));
	assert_null(json_path(j, "a.b.-1"));
	assert_null(json_path(j, "a.b.1x"));
	assert_null(json_path(j, "a..b"));
	assert_null(json_path(j, ""));
	assert_null(json_path(j, "a.b.1.c.d"));
	assert_null(json_path(NULL, "a"));
	assert_null(json_path(j, "a.b.99999999999999999999999"));
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_null(json_path(j, longer));
}

static void
each_kind_of_value_is_told_and_typed(void **state UNUSED)
{
	const struct json *j =
	    must_read("{\"s\":\"x\",\"i\":7,\"d\":2.5,\"w\":3.0,\"t\":true,\"a\":[1,2],"
		      "\"u\":18446744073709551615,\"h\":1e300,\"m\":-4}");
	int64_t v = 5;
	size_t len = 0;

	assert_int_equal(json_type(j), JSON_OBJECT);
	assert_int_equal(json_type(json_get(j, "s")), JSON_STRING);
	assert_int_equal(json_type(json_get(j, "i")), JSON_INT);
	assert_int_equal(json_type(json_get(j, "d")), JSON_DOUBLE);
	assert_int_equal(json_type(json_get(j, "t")), JSON_BOOL);
	assert_int_equal(json_type(json_get(j, "a")), JSON_ARRAY);
	assert_string_equal(json_str(j, "s"), "x");
	assert_null(json_str(j, "i"));
	assert_string_equal(json_str_of(json_get(j, "s"), &len), "x");
	assert_int_equal(len, 1);

	assert_int_equal(json_int(j, "i", -1), 7);
	assert_int_equal(json_int(j, "m", -1), -4);
	assert_int_equal(json_int(j, "w", -1), 3);
	assert_int_equal(json_int(j, "d", -1), -1);
	assert_int_equal(json_int(j, "s", -1), -1);
	assert_int_equal(json_int(j, "no", -1), -1);
	assert_int_equal(json_int_of(json_get(j, "u"), &v), -1);
	assert_int_equal(json_int_of(json_get(j, "h"), &v), -1);
	assert_int_equal(v, 5);
	assert_true(json_double(j, "d", 0) == 2.5);
	assert_true(json_double(j, "i", 0) == 7);
	assert_true(json_double(j, "s", 9) == 9);
	assert_true(json_bool(j, "t", false));
	assert_true(json_bool(j, "i", true));
	assert_false(json_bool(j, "no", false));
}

static void
numbers_at_the_edge_of_64_bits_are_whole(void **state UNUSED)
{
	const struct json *j = must_read(
	    "[9223372036854775807,-9223372036854775808,9223372036854775808,-1e18,9.3e18]");
	int64_t v;

	assert_int_equal(json_int_of(json_at(j, 0), &v), 0);
	assert_true(v == INT64_MAX);
	assert_int_equal(json_int_of(json_at(j, 1), &v), 0);
	assert_true(v == INT64_MIN);
	assert_int_equal(json_int_of(json_at(j, 2), &v), -1);
	assert_int_equal(json_int_of(json_at(j, 3), &v), 0);
	assert_true(v == -1000000000000000000);
	assert_int_equal(json_int_of(json_at(j, 4), &v), -1);
}

static void
elements_are_counted_and_reached(void **state UNUSED)
{
	const struct json *j = must_read("{\"a\":[1,2,3],\"b\":{}}");

	assert_int_equal(json_len(j), 2);
	assert_int_equal(json_len(json_get(j, "a")), 3);
	assert_int_equal(json_len(json_get(j, "b")), 0);
	assert_int_equal(json_len(json_path(j, "a.0")), 0);
	assert_int_equal(json_len(NULL), 0);
	assert_null(json_at(json_get(j, "a"), 3));
	assert_null(json_at(j, 0));
	assert_non_null(json_at(json_get(j, "a"), 2));
}

static int
join(void *arg, const char *name, const struct json *value)
{
	struct text *t = arg;

	text_puts(t, name);
	json_write(t, value);
	return strcmp(name, "stop") == 0 ? 42 : 0;
}

static void
members_come_in_their_order_until_told_to_stop(void **state UNUSED)
{
	CLEANUP(text_clear) struct text t = TEXT(100);

	assert_int_equal(json_each(must_read("{\"z\":1,\"a\":null,\"m\":\"x\"}"), join, &t), 0);
	assert_string_equal(text_str(&t), "z1anullm\"x\"");
	text_empty(&t);
	assert_int_equal(json_each(must_read("{\"a\":1,\"stop\":2,\"b\":3}"), join, &t), 42);
	assert_string_equal(text_str(&t), "a1stop2");
	assert_int_equal(json_each(must_read("[1]"), join, &t), 0);
	assert_int_equal(json_each(NULL, join, &t), 0);
}

static void
what_does_not_fit_is_not_printed(void **state UNUSED)
{
	CLEANUP(mem_freep) struct mem *small = mem_new(20);
	CLEANUP(text_clear) struct text t = TEXT(5);
	const struct json *j = must_read("\"a string of some thirty letters\"");

	json_write(&t, j);
	assert_false(text_ok(&t));
	errno = 0;
	assert_null(json_print(small, j));
	assert_int_equal(errno, ENOMEM);
}

static void
a_value_that_memory_cannot_keep_is_given_back(void **state UNUSED)
{
	CLEANUP(mem_freep) struct mem *small = mem_new(8);
	const struct json *j = NULL;

	assert_int_equal(json_read(small, "[1]", 3, 4, &j), JSON_NO_MEMORY);
	assert_null(j);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_json_is_refused_with_its_reason),
		cmocka_unit_test(a_nul_is_refused_everywhere),
		cmocka_unit_test(good_json_is_written_as_it_was_read),
		cmocka_unit_test(depth_is_counted_as_the_scan_counts_it),
		cmocka_unit_test(a_null_member_is_not_a_missing_one),
		cmocka_unit_test(values_are_found_by_path),
		cmocka_unit_test(each_kind_of_value_is_told_and_typed),
		cmocka_unit_test(numbers_at_the_edge_of_64_bits_are_whole),
		cmocka_unit_test(elements_are_counted_and_reached),
		cmocka_unit_test(members_come_in_their_order_until_told_to_stop),
		cmocka_unit_test(what_does_not_fit_is_not_printed),
		cmocka_unit_test(a_value_that_memory_cannot_keep_is_given_back),
	};

	return cmocka_run_group_tests_name("json", tests, set_up, tear_down);
}
