/*
 * test_raw.c - pieces of JSON as somebody outside wrote them.
 */
#include "fixture.h"
#include "peers/raw.h"

static struct scan_field
value_of(const char *json, size_t n)
{
	struct scan_field f[] = { { .path = "v" } };

	assert_int_equal(scan_json((struct span){ json, n }, f, 1, RAW_DEPTH), SCAN_OK);
	return f[0];
}

#define VALUE(json) value_of("{\"v\":" json "}", sizeof("{\"v\":" json "}") - 1)

static void
text_is_cut_at_a_character_and_made_harmless(void **state)
{
	char buf[8], wide[32];
	struct scan_field f;

	(void)state;
	f = VALUE("\"abc\"");
	assert_true(raw_text(&f, buf, sizeof(buf)));
	assert_string_equal(buf, "abc");
	f = VALUE("\"abcdef\xc3\xa9\"");
	assert_true(raw_text(&f, buf, sizeof(buf)));
	assert_string_equal(buf, "abcdef");
	f = VALUE("\"abcd\\u00e9x\"");
	assert_true(raw_text(&f, buf, sizeof(buf)));
	assert_string_equal(buf, "abcd");
	f = VALUE("\"a\\nb\xff\"");
	assert_true(raw_text(&f, buf, sizeof(buf)));
	assert_string_equal(buf, "a?b?");
	f = VALUE("\"\\ud83d\\ude00 \\\"q\\\"\"");
	assert_true(raw_text(&f, wide, sizeof(wide)));
	assert_string_equal(wide, "\xf0\x9f\x98\x80 \"q\"");
	f = VALUE("\"\"");
	assert_false(raw_text(&f, buf, sizeof(buf)));
	f = VALUE("7");
	assert_false(raw_text(&f, buf, sizeof(buf)));
	assert_string_equal(buf, "");
}

static void
half_an_id_is_none(void **state)
{
	char id[RAW_ID_MAX + 1], json[RAW_ID_MAX + 32];
	struct scan_field f;
	int n;

	(void)state;
	n = snprintf(json, sizeof(json), "{\"v\":\"%0*d\"}", RAW_ID_MAX, 7);
	f = value_of(json, (size_t)n);
	assert_true(raw_id(&f, id));
	assert_int_equal(strlen(id), RAW_ID_MAX);
	n = snprintf(json, sizeof(json), "{\"v\":\"%0*d\"}", RAW_ID_MAX + 1, 7);
	f = value_of(json, (size_t)n);
	assert_false(raw_id(&f, id));
	assert_string_equal(id, "");
}

static void
a_uuid_is_handed_on_in_lower_case(void **state)
{
	char id[37] = "untouched";
	struct scan_field f;

	(void)state;
	f = VALUE("\"5F0C3A9E-1B2C-4D3E-8F4A-0123456789AB\"");
	assert_true(raw_uuid(&f, id));
	assert_string_equal(id, ASSIGNMENT);
	f = VALUE("\"5F0C3A9E01B2C-4D3E-8F4A-0123456789AB\"");
	assert_false(raw_uuid(&f, id));
	f = VALUE("\"5F0C3A9E-1B2C-4D3E-8F4A-0123456789AG\"");
	assert_false(raw_uuid(&f, id));
	f = VALUE("\"5F0C3A9E-1B2C-4D3E-8F4A-0123456789A\"");
	assert_false(raw_uuid(&f, id));
	assert_string_equal(id, ASSIGNMENT);
}

static void
times_come_as_text_or_as_milliseconds(void **state)
{
	struct scan_field f;
	int64_t ms = 0;

	(void)state;
	f = VALUE("\"2026-09-21T13:31:40.000Z\"");
	assert_true(raw_time(&f, &ms));
	assert_int_equal(ms, 1789997500000);
	f = VALUE("\"2026-09-21T09:31:40.205134-04:00\"");
	assert_true(raw_time(&f, &ms));
	assert_int_equal(ms, 1789997500205);
	f = VALUE("1789999918123.5");
	assert_true(raw_time(&f, &ms));
	assert_int_equal(ms, 1789999918123);
	f = VALUE("\"1789999900000\"");
	assert_true(raw_time(&f, &ms));
	assert_int_equal(ms, 1789999900000);
	f = VALUE("1789999900");
	assert_false(raw_time(&f, &ms));
	f = VALUE("\"nan\"");
	assert_false(raw_time(&f, &ms));
	f = VALUE("1e300");
	assert_false(raw_time(&f, &ms));
	f = VALUE("null");
	assert_false(raw_time(&f, &ms));
	assert_int_equal(ms, 1789999900000);
}

static void
elements_come_one_by_one(void **state)
{
	static const char array[] = " [ {\"a\":[1,2,\"]\"]} , \"x\\\"],\" ,3,[ ],null ] ";
	static const char *const want[] = { "{\"a\":[1,2,\"]\"]}", "\"x\\\"],\"", "3", "[ ]",
		"null" };
	struct span item;
	size_t pos = 0, i;

	(void)state;
	for (i = 0; i < COUNT(want); i++) {
		assert_true(raw_next(span_of(array), &pos, &item));
		assert_true(span_equal(item, span_of(want[i])));
	}
	assert_false(raw_next(span_of(array), &pos, &item));
	pos = 0;
	assert_false(raw_next(SPAN("[]"), &pos, &item));
	assert_false(raw_next(SPAN(" [ ] "), &pos, &item));
	assert_false(raw_next(SPAN("{\"a\":1}"), &pos, &item));
}

static void
assert_clean(const char *json, size_t n, const char *want)
{
	CLEANUP(text_clear) struct text t = TEXT(4096);
	struct scan_field whole[] = { { .path = "" } };

	assert_int_equal(scan_json((struct span){ json, n }, whole, 1, RAW_DEPTH), SCAN_OK);
	raw_clean(&t, (struct span){ json, n });
	assert_true(text_ok(&t));
	assert_string_equal(text_str(&t), want);
}

#define CLEAN(json, want) assert_clean(json, sizeof(json) - 1, want)

static void
what_jsonb_refuses_is_made_good(void **state)
{
	(void)state;
	CLEAN("{ \"a\" : [1, -2.5e3, true] }", "{ \"a\" : [1, -2.5e3, true] }");
	CLEAN("\"a\\u0000b\"", "\"a\\ufffdb\"");
	CLEAN("\"a\0b\"", "\"a\\ufffdb\"");
	CLEAN("\"\\ud83d\\ude00\"", "\"\\ud83d\\ude00\"");
	CLEAN("\"\\ud83dx\"", "\"\\ufffdx\"");
	CLEAN("\"\\ude00\\ud83d\"", "\"\\ufffd\\ufffd\"");
	CLEAN("\"\\ud83d\\ud83d\\ude00\"", "\"\\ufffd\\ud83d\\ude00\"");
	CLEAN("\"\\\\u0000\"", "\"\\\\u0000\"");
	CLEAN("\"tab\there\"", "\"tab\\u0009here\"");
	CLEAN("\"\xc3\xa9\xff\xe2\x82\"", "\"\xc3\xa9\\u00ff\\u00e2\\u0082\"");
	CLEAN("[\"\xed\xa0\x80\"]", "[\"\\u00ed\\u00a0\\u0080\"]");
	CLEAN("{\"k\\u0000\":1e400000,\"n\":123}", "{\"k\\ufffd\":null,\"n\":123}");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_cut_at_a_character_and_made_harmless),
		cmocka_unit_test(half_an_id_is_none),
		cmocka_unit_test(a_uuid_is_handed_on_in_lower_case),
		cmocka_unit_test(times_come_as_text_or_as_milliseconds),
		cmocka_unit_test(elements_come_one_by_one),
		cmocka_unit_test(what_jsonb_refuses_is_made_good),
	};

	return cmocka_run_group_tests_name("raw", tests, NULL, NULL);
}
