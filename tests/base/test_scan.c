/*
 * test_scan.c - finding fields in JSON bytes, and that the whole text is checked on the way.
 */
#include "base/scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The scan of a copy that ends where the text ends, so that a byte too far is seen. */
static enum scan_result
scan_text(const char *text, size_t n, int depth)
{
	char *copy = malloc(n + 1);
	enum scan_result r;

	assert_non_null(copy);
	memcpy(copy + 1, text, n);
	r = scan_json((struct span){ copy + 1, n }, NULL, 0, depth);
	free(copy);
	return r;
}

static void
valid_json_is_accepted(void **state UNUSED)
{
	static const char *const cases[] = {
		"null",
		"true",
		" false ",
		"0",
		"-0",
		"-0.0e-0",
		"12.5E+10",
		"1e1",
		"\"\"",
		"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"",
		"\"\xff raw bytes \x01 pass\"",
		"{}",
		"[]",
		"[ ]",
		" { \"a\" : [ 1 , { } , \"x\" ] , \"\" : null }\r\n\t",
		"[[[[]]]]",
		"\"12345678\\u0000\"",
		"\"a longer string with an escape far \\n behind and \\\" a quote\"",
	};
	size_t i;

	for (i = 0; i < COUNT(cases); i++) {
		if (scan_text(cases[i], strlen(cases[i]), 8) != SCAN_OK)
			fail_msg("%s is refused", cases[i]);
	}
}

static const char *const no_json[] = {
	"",
	" ",
	"nul",
	"nulll",
	"True",
	"+1",
	"-",
	"01",
	"-01",
	"1.",
	".5",
	"1e",
	"1e+",
	"1 2",
	"0x10",
	"NaN",
	"Infinity",
	"'a'",
	"\"a",
	"\"a\\",
	"\"a\\\"",
	"\"\\x\"",
	"\"\\u12\"",
	"\"\\u12g4\"",
	"\"\\u",
	"\"\\U0041\"",
	"{",
	"{]",
	"{\"a\"",
	"{\"a\":",
	"{\"a\":1",
	"{\"a\":1,",
	"{\"a\":1,}",
	"{,}",
	"{\"a\" 1}",
	"{a:1}",
	"{1:1}",
	"{\"a\":1 \"b\":2}",
	"[",
	"[1",
	"[1,",
	"[1,]",
	"[,1]",
	"[1 2]",
	"[}",
	"[1]]",
	"{}{}",
	"/* c */ 1",
	"\xef\xbb\xbf{}",
	"\v1",
};

static void
what_is_no_json_is_refused(void **state UNUSED)
{
	size_t i;

	for (i = 0; i < COUNT(no_json); i++) {
		if (scan_text(no_json[i], strlen(no_json[i]), 8) != SCAN_BAD)
			fail_msg("%s is accepted", no_json[i]);
	}
	assert_int_equal(scan_text("1\0", 2, 8), SCAN_BAD);
	assert_int_equal(scan_text("\"\\\0\"", 4, 8), SCAN_BAD);
	assert_int_equal(scan_json(span_of(NULL), NULL, 0, 8), SCAN_BAD);
}

/* Each prefix of a valid text is wrong, unless it is whole. */
static void
a_text_that_breaks_off_is_refused(void **state UNUSED)
{
	static const char text[] =
	    "{\"message\":{\"type\":\"x\\u00e9\\n\",\"n\":[1,-2.5e3,true,null,{}],"
	    "\"s\":\"12345678\"}}";
	size_t i;

	for (i = 0; i < sizeof(text) - 1; i++) {
		if (scan_text(text, i, 8) != SCAN_BAD)
			fail_msg("the first %zu bytes pass", i);
	}
	assert_int_equal(scan_text(text, i, 8), SCAN_OK);
}

static void
nesting_has_a_limit(void **state UNUSED)
{
	assert_int_equal(scan_text("[[[1]]]", 7, 3), SCAN_OK);
	assert_int_equal(scan_text("[[[[]]]]", 8, 3), SCAN_TOO_DEEP);
	assert_int_equal(scan_text("{\"a\":{\"a\":{\"a\":{}}}}", 20, 3), SCAN_TOO_DEEP);
	assert_int_equal(scan_text("{\"a\":[{\"a\":1}]}", 15, 3), SCAN_OK);
	assert_int_equal(scan_text("[]", 2, 0), SCAN_TOO_DEEP);
	assert_int_equal(scan_text("1", 1, 0), SCAN_OK);
}

static const char event[] = "{\"message.call.id\":\"dotted\",\"type\":\"outer\","
			    "\"message\":{\"call\":{\"id\":\"c1\",\"n\":-1.5e2},"
			    "\"type\":\"in\\\"ner\",\"ok\":true,\"no\":false,\"nil\":null},"
			    "\"results\":[{\"id\":\"r0\"},{\"id\":\"r1\",\"list\":[10,20]}]}";

static const struct {
	enum scan_kind kind;
	const char *raw;
} event_fields[] = {
	{ SCAN_STRING, "c1" },
	{ SCAN_STRING, "outer" },
	{ SCAN_STRING, "in\\\"ner" },
	{ SCAN_NUMBER, "-1.5e2" },
	{ SCAN_TRUE, "true" },
	{ SCAN_FALSE, "false" },
	{ SCAN_NULL, "null" },
	{ SCAN_OBJECT, "{\"id\":\"c1\",\"n\":-1.5e2}" },
	{ SCAN_ARRAY, "[{\"id\":\"r0\"},{\"id\":\"r1\",\"list\":[10,20]}]" },
	{ SCAN_STRING, "r1" },
	{ SCAN_NUMBER, "20" },
	{ SCAN_NONE, NULL },
	{ SCAN_NONE, NULL },
	{ SCAN_NONE, NULL },
	{ SCAN_OBJECT, event },
};

static void
fields_are_found_by_their_path(void **state UNUSED)
{
	struct scan_field f[] = {
		{ .path = "message.call.id" },
		{ .path = "type" },
		{ .path = "message.type" },
		{ .path = "message.call.n" },
		{ .path = "message.ok" },
		{ .path = "message.no" },
		{ .path = "message.nil" },
		{ .path = "message.call" },
		{ .path = "results" },
		{ .path = "results.1.id" },
		{ .path = "results.1.list.1" },
		{ .path = "results.2.id" },
		{ .path = "mess" },
		{ .path = "message.type.x" },
		{ .path = "" },
	};
	size_t i;

	assert_int_equal(scan_json(SPAN(event), f, COUNT(f), 8), SCAN_OK);
	for (i = 0; i < COUNT(f); i++) {
		if (f[i].kind != event_fields[i].kind ||
		    !span_equal(f[i].raw, span_of(event_fields[i].raw)))
			fail_msg("%s is %.*s", f[i].path, (int)f[i].raw.len, f[i].raw.data);
		assert_int_equal(f[i].escaped, i == 2);
	}
}

static void
the_first_of_two_wins(void **state UNUSED)
{
	struct scan_field f[] = { { .path = "a" }, { .path = "a" }, { .path = "b.c" } };

	assert_int_equal(scan_json(SPAN("{\"a\":1,\"a\":2,\"b\":{\"c\":3},\"b\":{\"c\":4}}"), f,
			     COUNT(f), 8),
	    SCAN_OK);
	assert_true(span_equal(f[0].raw, SPAN("1")));
	assert_true(span_equal(f[1].raw, SPAN("1")));
	assert_true(span_equal(f[2].raw, SPAN("3")));
}

static void
a_result_of_an_earlier_scan_does_not_stay(void **state UNUSED)
{
	struct scan_field f = { .path = "a" };

	assert_int_equal(scan_json(SPAN("{\"a\":\"\\n\"}"), &f, 1, 8), SCAN_OK);
	assert_int_equal(f.kind, SCAN_STRING);
	assert_int_equal(scan_json(SPAN("{}"), &f, 1, 8), SCAN_OK);
	assert_int_equal(f.kind, SCAN_NONE);
	assert_null(f.raw.data);
	assert_false(f.escaped);
}

static void
an_escaped_name_is_the_same_name(void **state UNUSED)
{
	struct scan_field f[] = { { .path = "call.id" }, { .path = "a" } };

	assert_int_equal(
	    scan_json(SPAN("{\"c\\u0061ll\":{\"i\\u0064\":7},\"a\\u002eb\":1,\"a\\u0000\":2}"), f,
		2, 8),
	    SCAN_OK);
	assert_true(span_equal(f[0].raw, SPAN("7")));
	assert_int_equal(f[1].kind, SCAN_NONE);
}

static void
sixty_four_fields_are_found(void **state UNUSED)
{
	static char paths[SCAN_FIELDS_MAX][8], text[2048];
	struct scan_field f[SCAN_FIELDS_MAX] = { { 0 } };
	size_t i, n = 0;

	for (i = 0; i < COUNT(f); i++) {
		snprintf(paths[i], sizeof(paths[i]), "x.f%zu", i);
		f[i].path = paths[i];
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s\"f%zu\":%zu",
		    i ? "," : "{\"x\":{", i, i);
	}
	n += (size_t)snprintf(text + n, sizeof(text) - n, "}}");
	assert_int_equal(scan_json((struct span){ text, n }, f, COUNT(f), 8), SCAN_OK);
	for (i = 0; i < COUNT(f); i++)
		assert_true(span_equal(f[i].raw, span_of(paths[i] + 3)));
}

static void
a_string_is_unescaped(void **state UNUSED)
{
	static const struct {
		struct span raw;
		const char *out;
	} cases[] = {
		{ SPAN(""), "" },
		{ SPAN("plain"), "plain" },
		{ SPAN("\\\"\\\\\\/\\b\\f\\n\\r\\t"), "\"\\/\b\f\n\r\t" },
		{ SPAN("\\u0041\\u00e9\\u20AC"), "A\xc3\xa9\xe2\x82\xac" },
		{ SPAN("\\ud83d\\ude00!"), "\xf0\x9f\x98\x80!" },
		{ SPAN("\\u0000"), "\xef\xbf\xbd" },
		{ SPAN("a\0b"),
		    "a\xef\xbf\xbd"
		    "b" },
		{ SPAN("\\ud83d"), "\xef\xbf\xbd" },
		{ SPAN("\\ud83dx"), "\xef\xbf\xbdx" },
		{ SPAN("\\ude00"), "\xef\xbf\xbd" },
		{ SPAN("\\ud83d\\u0041"),
		    "\xef\xbf\xbd"
		    "A" },
		{ SPAN("\\ud83d\\ud83d\\ude00"), "\xef\xbf\xbd\xf0\x9f\x98\x80" },
		{ SPAN("\\uffff"), "\xef\xbf\xbf" },
	};
	char buf[32];
	size_t i, n;

	for (i = 0; i < COUNT(cases); i++) {
		struct scan_field f = { .kind = SCAN_STRING, .raw = cases[i].raw };

		f.escaped = memchr(f.raw.data, '\\', f.raw.len) != NULL;
		n = strlen(cases[i].out);
		assert_int_equal(scan_unescape(&f, buf, sizeof(buf)), 0);
		assert_string_equal(buf, cases[i].out);
		assert_int_equal(scan_unescape(&f, buf, n + 1), 0);
		assert_int_equal(scan_unescape(&f, buf, n), -1);
		assert_int_equal(scan_unescape(&f, buf, 0), -1);
	}
}

static void
only_a_string_is_unescaped(void **state UNUSED)
{
	struct scan_field f = { .path = "a" };
	char buf[8];

	assert_int_equal(scan_unescape(&f, buf, sizeof(buf)), -1);
	assert_int_equal(scan_json(SPAN("{\"a\":12}"), &f, 1, 8), SCAN_OK);
	assert_int_equal(scan_unescape(&f, buf, sizeof(buf)), -1);
}

static void
hex_digits_are_read(void **state UNUSED)
{
	assert_int_equal(scan_hex4("00fFx", 5), 0xff);
	assert_int_equal(scan_hex4("abcd", 4), 0xabcd);
	assert_int_equal(scan_hex4("abcd", 3), -1);
	assert_int_equal(scan_hex4("abcg", 4), -1);
	assert_int_equal(scan_hex4("ab:d", 4), -1);
	assert_int_equal(scan_hex4("ab@d", 4), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(valid_json_is_accepted),
		cmocka_unit_test(what_is_no_json_is_refused),
		cmocka_unit_test(a_text_that_breaks_off_is_refused),
		cmocka_unit_test(nesting_has_a_limit),
		cmocka_unit_test(fields_are_found_by_their_path),
		cmocka_unit_test(the_first_of_two_wins),
		cmocka_unit_test(a_result_of_an_earlier_scan_does_not_stay),
		cmocka_unit_test(an_escaped_name_is_the_same_name),
		cmocka_unit_test(sixty_four_fields_are_found),
		cmocka_unit_test(a_string_is_unescaped),
		cmocka_unit_test(only_a_string_is_unescaped),
		cmocka_unit_test(hex_digits_are_read),
	};

	return cmocka_run_group_tests_name("scan", tests, NULL, NULL);
}
