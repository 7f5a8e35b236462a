/*
 * test_field.c - each type takes what it should, refuses the rest by its code, and hands on one
 * form only.
 */
#include "fake.h"
#include "web/field.h"

#define ROW(...) &(const struct field)FIELD(x, BODY, __VA_ARGS__, .doc = "x")

struct text_case {
	const struct field *field;
	const char *text;
	const char *result; /* what SQL gets; NULL: refused */
	const char *code;
};

static void
check_text(struct fake *f, const struct text_case *t)
{
	struct value v = { .given = false };
	int rc;

	fail_clear(&f->c);
	rc = field_from_text(&f->c, t->field, "x", t->text, &v);
	if (t->result) {
		assert_int_equal(rc, 0);
		assert_true(v.given);
		assert_string_equal(v.text.data, t->result);
		assert_int_equal(v.text.len, strlen(t->result));
		return;
	}
	assert_int_equal(rc, -1);
	assert_false(v.given);
	if (!fake_names(&f->c, "x", t->code))
		fake_fail("%s: not refused as %s", t->text, t->code);
}

static void
check_texts(const struct text_case *cases, size_t n)
{
	struct fake f;
	size_t i;

	fake_open(&f);
	for (i = 0; i < n; i++)
		check_text(&f, &cases[i]);
	fake_close(&f);
}

static void
texts(void **state)
{
	const struct field *some = ROW(T_STR, .min = 1, .max = 3), *any = ROW(T_STR);
	const struct field *one = ROW(T_ENUM, VALUES("a", "in-progress"));
	const struct text_case cases[] = {
		{ some, "a", "a", NULL },
		{ some, "\xc3\xa9\xc3\xa9\xc3\xa9", "\xc3\xa9\xc3\xa9\xc3\xa9", NULL },
		{ some, "", NULL, "length" },
		{ some, "abcd", NULL, "length" },
		{ any, "", "", NULL },
		{ one, "in-progress", "in-progress", NULL },
		{ one, "A", NULL, "enum" },
		{ one, "", NULL, "enum" },
	};

	(void)state;
	check_texts(cases, COUNT(cases));
}

static void
numbers_are_written_as_in_json(void **state)
{
	const struct field *limit = ROW(T_INT, .min = 1, .max = 100), *any = ROW(T_INT);
	const struct field *wide = ROW(T_INT, .min = INT64_MIN, .max = INT64_MAX);
	const struct field *real = ROW(T_NUMBER), *bounded = ROW(T_NUMBER, .min = -1, .max = 1);
	const struct text_case cases[] = {
		{ limit, "20", "20", NULL },
		{ limit, "0", NULL, "range" },
		{ limit, "101", NULL, "range" },
		{ limit, "020", NULL, "int" },
		{ limit, "+20", NULL, "int" },
		{ limit, " 20", NULL, "int" },
		{ limit, "20 ", NULL, "int" },
		{ limit, "20\n", NULL, "int" },
		{ limit, "", NULL, "int" },
		{ limit, "2.5", NULL, "int" },
		{ limit, "\"20\"", NULL, "int" },
		{ limit, "0x14", NULL, "int" },
		{ limit, "true", NULL, "int" },
		{ any, "-2147483648", "-2147483648", NULL },
		{ any, "2147483648", NULL, "range" },
		{ any, "99999999999999999999999", NULL, "int" },
		{ wide, "9007199254740993", "9007199254740993", NULL },
		{ real, "0.5", "0.5", NULL },
		{ real, "-3", "-3", NULL },
		{ real, "1e5", "100000", NULL },
		{ real, "1e999", NULL, "number" },
		{ real, "NaN", NULL, "number" },
		{ real, "Infinity", NULL, "number" },
		{ bounded, "1.01", NULL, "range" },
		{ ROW(T_BOOL), "true", "true", NULL },
		{ ROW(T_BOOL), "false", "false", NULL },
		{ ROW(T_BOOL), "1", NULL, "bool" },
		{ ROW(T_BOOL), "TRUE", NULL, "bool" },
	};

	(void)state;
	check_texts(cases, COUNT(cases));
}

static void
ids_and_cursors(void **state)
{
	const struct field *id = ROW(T_UUID);
	const struct text_case cases[] = {
		{ id, "0F8FAD5B-D9CB-469F-A165-70867728950E",
		    "0f8fad5b-d9cb-469f-a165-70867728950e", NULL },
		{ id, "0f8fad5b-d9cb-469f-a165-70867728950", NULL, "uuid" },
		{ id, "0f8fad5b-d9cb-469f-a165-70867728950e ", NULL, "uuid" },
		{ id, "0f8fad5bd9cb469fa16570867728950e", NULL, "uuid" },
		{ id, "0f8fad5b-d9cb-469f-a165-70867728950g", NULL, "uuid" },
		{ id, "{f8fad5b-d9cb-469f-a165-70867728950}", NULL, "uuid" },
		{ id, "", NULL, "uuid" },
		{ ROW(T_CURSOR), "MTc1NiBh_-8=", "MTc1NiBh_-8=", NULL },
	};
	struct value v = { .given = false };
	struct fake f;

	(void)state;
	check_texts(cases, COUNT(cases));
	fake_open(&f);
	assert_int_equal(field_from_text(&f.c, ROW(T_CURSOR), "after", "a b", &v), -1);
	assert_int_equal(f.c.failure.err, ERR_BAD_CURSOR);
	fail_clear(&f.c);
	assert_int_equal(field_from_text(&f.c, ROW(T_CURSOR), "after", "", &v), -1);
	fake_close(&f);
}

static void
times_become_utc(void **state)
{
	const struct field *t = ROW(T_TIME);
	const struct text_case cases[] = {
		{ t, "2026-09-21T13:30:00Z", "2026-09-21T13:30:00.000Z", NULL },
		{ t, "2026-09-21T15:30:00+02:00", "2026-09-21T13:30:00.000Z", NULL },
		{ t, "2026-09-21T15:30:00.123456+02:00", "2026-09-21T13:30:00.123Z", NULL },
		{ t, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z", NULL },
		{ t, "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000Z", NULL },
		{ t, "2026-09-21T13:30:00", NULL, "time" },
		{ t, "2026-09-21", NULL, "time" },
		{ t, "2026-02-30T00:00:00Z", NULL, "time" },
		{ t, "1969-12-31T23:59:59Z", NULL, "time" },
		{ t, "9999-12-31T23:59:59-01:00", NULL, "time" },
		{ t, "infinity", NULL, "time" },
		{ t, "now", NULL, "time" },
		{ t, "", NULL, "time" },
	};

	(void)state;
	check_texts(cases, COUNT(cases));
}

static void
phone_numbers_and_mail_addresses(void **state)
{
	const struct field *n = ROW(T_E164), *m = ROW(T_EMAIL);
	const struct text_case cases[] = {
		{ n, "+12025550123", "+12025550123", NULL },
		{ n, "+12345678", "+12345678", NULL },
		{ n, "+123456789012345", "+123456789012345", NULL },
		{ n, "+1234567", NULL, "e164" },
		{ n, "+1234567890123456", NULL, "e164" },
		{ n, "+02025550123", NULL, "e164" },
		{ n, "12025550123", NULL, "e164" },
		{ n, "+1 202 555 0123", NULL, "e164" },
		{ n, "+1202555012x", NULL, "e164" },
		{ n, "+", NULL, "e164" },
		{ n, "", NULL, "e164" },
		{ n, "+1202555\xd9\xa0\xd9\xa1", NULL, "e164" },
		{ m, "ann.o'x+y@mail.example.com", "ann.o'x+y@mail.example.com", NULL },
		{ m, "a@b.c", "a@b.c", NULL },
		{ m, "a@localhost", NULL, "email" },
		{ m, "@b.c", NULL, "email" },
		{ m, "a@@b.c", NULL, "email" },
		{ m, "a@b..c", NULL, "email" },
		{ m, "a..b@c.de", NULL, "email" },
		{ m, ".a@c.de", NULL, "email" },
		{ m, "a@-b.de", NULL, "email" },
		{ m, "a@b.de\n", NULL, "email" },
		{ m, "a b@c.de", NULL, "email" },
		{ m, "<a@c.de>", NULL, "email" },
	};

	(void)state;
	check_texts(cases, COUNT(cases));
}

struct json_case {
	const struct field *field;
	const char *json;
	const char *result;
	const char *code;
};

static void
check_json(struct fake *f, const struct json_case *t)
{
	struct value v = { .given = false };
	const struct json *j;
	int rc;

	fail_clear(&f->c);
	assert_int_equal(json_read(f->c.mem, t->json, strlen(t->json), JSON_DEPTH_API, &j),
	    JSON_OK);
	rc = field_from_json(&f->c, t->field, "x", j, &v);
	if (t->result) {
		assert_int_equal(rc, 0);
		assert_string_equal(v.text.data, t->result);
	} else {
		assert_int_equal(rc, -1);
		if (!fake_names(&f->c, "x", t->code))
			fake_fail("%s: not refused as %s", t->json, t->code);
	}
}

static void
json_values_must_have_their_type(void **state)
{
	const struct json_case cases[] = {
		{ ROW(T_STR), "\"a\"", "a", NULL },
		{ ROW(T_STR), "5", NULL, "string" },
		{ ROW(T_STR), "[]", NULL, "string" },
		{ ROW(T_E164), "12025550123", NULL, "e164" },
		{ ROW(T_UUID), "{}", NULL, "uuid" },
		{ ROW(T_INT), "5", "5", NULL },
		{ ROW(T_INT), "5.0", "5", NULL },
		{ ROW(T_INT), "5.5", NULL, "int" },
		{ ROW(T_INT), "\"5\"", NULL, "int" },
		{ ROW(T_INT), "1e30", NULL, "int" },
		{ ROW(T_NUMBER), "\"5\"", NULL, "number" },
		{ ROW(T_BOOL), "1", NULL, "bool" },
		{ ROW(T_BOOL), "true", "true", NULL },
		{ ROW(T_OBJECT), "{\"a\": [1, {\"b\": null}]}", "{\"a\":[1,{\"b\":null}]}", NULL },
		{ ROW(T_OBJECT), "[]", NULL, "object" },
		{ ROW(T_OBJECT), "\"{}\"", NULL, "object" },
		{ ROW(T_ARRAY), "[1, \"a\"]", "[1,\"a\"]", NULL },
		{ ROW(T_ARRAY), "{}", NULL, "array" },
		{ ROW(T_ARRAY, .min = 1, .max = 2), "[]", NULL, "length" },
		{ ROW(T_ARRAY, .min = 1, .max = 2), "[1,2,3]", NULL, "length" },
		{ ROW(T_ANY), "[1, {\"a\": null}]", "[1,{\"a\":null}]", NULL },
		{ ROW(T_ANY), "\"a\"", "\"a\"", NULL },
		{ ROW(T_ANY), "1e300", NULL, "number" },
	};
	struct fake f;
	size_t i;

	(void)state;
	fake_open(&f);
	for (i = 0; i < COUNT(cases); i++)
		check_json(&f, &cases[i]);
	fake_close(&f);
}

/* PostgreSQL's jsonb knows bounds that JSON does not: beyond them the database would fail, not the
 * request. */
static void
numbers_that_the_database_cannot_hold_are_refused(void **state)
{
	const struct json_case cases[] = {
		{ ROW(T_OBJECT), "{\"a\": 1e200000}", NULL, "number" },
		{ ROW(T_OBJECT), "{\"a\": [1, -1e-20000]}", NULL, "number" },
		{ ROW(T_OBJECT), "{\"a\": 1e300}", NULL, "number" },
		{ ROW(T_OBJECT), "{\"a\": {\"b\": -9.3e18}}", NULL, "number" },
		{ ROW(T_OBJECT), "{\"a\": 9e18}", "{\"a\":9e18}", NULL },
		{ ROW(T_OBJECT), "{\"a\": \"1e200000\"}", "{\"a\":\"1e200000\"}", NULL },
		{ ROW(T_OBJECT), "{\"a\\\"1e999\": 1}", "{\"a\\\"1e999\":1}", NULL },
	};
	struct fake f;
	size_t i;

	(void)state;
	fake_open(&f);
	for (i = 0; i < COUNT(cases); i++)
		check_json(&f, &cases[i]);
	fake_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts),
		cmocka_unit_test(numbers_are_written_as_in_json),
		cmocka_unit_test(ids_and_cursors),
		cmocka_unit_test(times_become_utc),
		cmocka_unit_test(phone_numbers_and_mail_addresses),
		cmocka_unit_test(json_values_must_have_their_type),
		cmocka_unit_test(numbers_that_the_database_cannot_hold_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
