/*
 * test_form.c - whole objects against tables: unknown, missing and null members, defaults, nested
 * tables, handlers' structs.
 */
#include "fake.h"
#include "web/form.h"

static const struct field item[] = {
	FIELD(number, BODY, T_E164, .required = true, .doc = "n"),
	FIELD(priority, BODY, T_INT, .min = 0, .max = 10, .dflt = "5", .doc = "p"),
	FIELD(at, BODY, T_TIME, .doc = "t"),
	FIELD(name, BODY, T_STR, .nullable = true, .doc = "s"),
};

static const struct field table[] = {
	FIELD(id, PATH, T_UUID, .required = true, .doc = "i"),
	FIELD(one, BODY, T_OBJECT, MEMBERS(item), .doc = "o"),
	FIELD(many, BODY, T_ARRAY, MEMBERS(item), .min = 1, .max = 30, .doc = "m"),
	FIELD(any, BODY, T_OBJECT, .doc = "a"),
};

static struct value values[8];

/* Checks a JSON text against a table; what came of it as JSON text, NULL when it was refused. */
static const char *
check(struct fake *f, const struct field *fields, size_t n, const char *json)
{
	struct form form = { fields, n, values };
	struct text t = TEXT(1 << 20);
	const struct json *j;
	const char *s;

	assert_true(n <= COUNT(values));
	memset(values, 0, sizeof(values));
	fail_clear(&f->c);
	assert_int_equal(json_read(f->c.mem, json, strlen(json), JSON_DEPTH_API, &j), JSON_OK);
	if (form_object(&f->c, &form, NULL, j) < 0)
		return NULL;
	form_write(&t, &form);
	s = mem_str(f->c.mem, text_str(&t));
	text_clear(&t);
	return s;
}

static void
objects_come_out_in_one_form(void **state)
{
	static const struct {
		const char *in;
		const char *out;
	} cases[] = {
		{ "{\"number\":\"+12025550123\"}", "{\"number\":\"+12025550123\",\"priority\":5}" },
		{ "{\"priority\":0,\"number\":\"+12025550123\",\"at\":null}",
		    "{\"number\":\"+12025550123\",\"priority\":0}" },
		{ "{\"number\":\"+12025550123\",\"at\":\"2026-01-01T01:00:00+01:00\"}",
		    "{\"number\":\"+12025550123\",\"priority\":5"
		    ",\"at\":\"2026-01-01T00:00:00.000Z\"}" },
		{ "{\"number\":\"+12025550123\",\"name\":null}",
		    "{\"number\":\"+12025550123\",\"priority\":5,\"name\":null}" },
		{ "{\"number\":\"+12025550123\",\"name\":\"a\\\"\\n\"}",
		    "{\"number\":\"+12025550123\",\"priority\":5,\"name\":\"a\\\"\\n\"}" },
	};
	struct fake f;
	size_t i;

	(void)state;
	fake_open(&f);
	for (i = 0; i < COUNT(cases); i++)
		assert_string_equal(check(&f, item, COUNT(item), cases[i].in), cases[i].out);
	fake_close(&f);
}

static void
each_mistake_is_named_once(void **state)
{
	static const struct {
		const char *in;
		const char *field;
		const char *code;
		size_t n;
	} cases[] = {
		{ "{}", "number", "required", 1 },
		{ "{\"number\":null}", "number", "required", 1 },
		{ "{\"number\":\"5\"}", "number", "e164", 1 },
		{ "{\"number\":\"+12025550123\",\"colour\":\"red\"}", "colour", "unknown", 1 },
		{ "{\"number\":\"+12025550123\",\"id\":\"x\"}", "id", "unknown", 1 },
		{ "{\"priority\":11,\"x\":1}", "priority", "range", 3 },
	};
	struct fake f;
	size_t i;

	(void)state;
	fake_open(&f);
	for (i = 0; i < COUNT(cases); i++) {
		assert_null(check(&f, item, COUNT(item), cases[i].in));
		assert_int_equal(f.c.failure.err, ERR_BAD_FIELDS);
		assert_true(fake_names(&f.c, cases[i].field, cases[i].code));
		assert_int_equal(f.c.failure.nfields, cases[i].n);
	}
	fake_close(&f);
}

static void
nested_tables_are_followed(void **state)
{
	const char *two = "{\"many\":[{\"number\":\"+12025550123\"},{\"number\":\"+12025550124\""
			  ",\"priority\":1}],"
			  "\"any\":{\"x\":[{}]}}";
	struct fake f;

	(void)state;
	fake_open(&f);
	assert_string_equal(check(&f, table, COUNT(table), two),
	    "{\"many\":[{\"number\":\"+12025550123\",\"priority\":5},"
	    "{\"number\":\"+12025550124\",\"priority\":1}],\"any\":{\"x\":[{}]}}");
	assert_null(check(&f, table, COUNT(table),
	    "{\"one\":{\"number\":1,\"z\":2},\"many\":[{\"number\":\"+12025550123\"},7,"
	    "{\"priority\":99}]}"));
	assert_true(fake_names(&f.c, "one.number", "e164"));
	assert_true(fake_names(&f.c, "one.z", "unknown"));
	assert_true(fake_names(&f.c, "many.1", "object"));
	assert_true(fake_names(&f.c, "many.2.number", "required"));
	assert_true(fake_names(&f.c, "many.2.priority", "range"));
	assert_null(check(&f, table, COUNT(table), "{\"many\":[]}"));
	assert_true(fake_names(&f.c, "many", "length"));
	fake_close(&f);
}

static const struct field lists[] = {
	FIELD(tags, BODY, T_ARRAY, ITEMS(T_STR, .max = 3), .doc = "x"),
	FIELD(kinds, BODY, T_ARRAY, ITEMS(T_ENUM, VALUES("a", "b")), .doc = "x"),
	FIELD(counts, BODY, T_OBJECT, ITEMS(T_INT), .required = true, .doc = "x"),
};

static void
items_have_their_type(void **state)
{
	struct fake f;

	(void)state;
	fake_open(&f);
	assert_string_equal(check(&f, lists, COUNT(lists),
				"{\"tags\":[\"x\",\"y\"],\"kinds\":[\"b\"],\"counts\":{\"n\":1}}"),
	    "{\"tags\":[\"x\",\"y\"],\"kinds\":[\"b\"],\"counts\":{\"n\":1}}");
	assert_null(check(&f, lists, COUNT(lists),
	    "{\"tags\":[\"x\",5,\"long\",null],\"kinds\":[\"c\"],"
	    "\"counts\":{\"n\":1,\"m\":\"1\"}}"));
	assert_int_equal(f.c.failure.nfields, 5);
	assert_true(fake_names(&f.c, "tags.1", "string"));
	assert_true(fake_names(&f.c, "tags.2", "length"));
	assert_true(fake_names(&f.c, "tags.3", "string"));
	assert_true(fake_names(&f.c, "kinds.0", "enum"));
	assert_true(fake_names(&f.c, "counts.m", "int"));
	fail_clear(&f.c);
	assert_null(check(&f, lists, COUNT(lists), "{\"tags\":[1],\"counts\":{}}"));
	assert_int_equal(f.c.failure.nfields, 1);
	fake_close(&f);
}

static void
no_more_errors_than_a_failure_holds(void **state)
{
	struct text t = TEXT(10000);
	struct fake f;
	int i;

	(void)state;
	fake_open(&f);
	text_puts(&t, "{\"many\":[");
	for (i = 0; i < 30; i++)
		text_puts(&t, i ? ",{}" : "{}");
	text_puts(&t, "]}");
	assert_null(check(&f, table, COUNT(table), text_str(&t)));
	assert_int_equal(f.c.failure.nfields, CTX_ERRORS_MAX);
	text_clear(&t);
	fake_close(&f);
}

static void
long_names_are_cut_between_characters(void **state)
{
	char name[400];
	const char *cut;
	struct fake f;
	size_t i;

	(void)state;
	for (i = 0; i + 2 < sizeof(name); i += 2)
		memcpy(name + i, "\xc3\xa9", 2);
	name[i] = '\0';
	fake_open(&f);
	cut = form_name(&f.c, "x", name);
	assert_true(strlen(cut) <= FIELD_NAME_MAX && strlen(cut) > FIELD_NAME_MAX - 4);
	assert_true(utf8_valid(cut, strlen(cut)));
	assert_string_equal(form_name(&f.c, NULL, "a"), "a");
	fake_close(&f);
}

struct all_in {
	const char *text;
	int64_t number;
	double real;
	bool truth;
	const struct json *any;
	const char *absent;
};

static const struct field all[] = {
	FIELD(text, BODY, T_STR, INTO(struct all_in, text), .doc = "x"),
	FIELD(number, BODY, T_INT, INTO(struct all_in, number), .doc = "x"),
	FIELD(real, BODY, T_NUMBER, INTO(struct all_in, real), .doc = "x"),
	FIELD(truth, BODY, T_BOOL, INTO(struct all_in, truth), .doc = "x"),
	FIELD(any, BODY, T_OBJECT, INTO(struct all_in, any), .doc = "x"),
	FIELD(absent, BODY, T_UUID, INTO(struct all_in, absent), .doc = "x"),
};

static void
structs_are_filled(void **state)
{
	struct form form = { all, COUNT(all), values };
	struct all_in in = { .absent = "?" };
	struct fake f;

	(void)state;
	fake_open(&f);
	assert_non_null(check(&f, all, COUNT(all),
	    "{\"text\":\"a\",\"number\":-7,\"real\":0.25,\"truth\":true,\"any\":{\"b\":1}}"));
	form_store(&form, &in);
	assert_string_equal(in.text, "a");
	assert_int_equal(in.number, -7);
	assert_true(in.real > 0.24 && in.real < 0.26);
	assert_true(in.truth);
	assert_int_equal(json_int(in.any, "b", 0), 1);
	assert_null(in.absent);
	fake_close(&f);
}

struct other_in {
	int small;
};

static const struct field no_items[] = { FIELD(a, BODY, T_STR, ITEMS(T_INT), .doc = "x") };
static const struct field no_values_inside[] = { FIELD(a, BODY, T_ARRAY, ITEMS(T_ENUM),
    .doc = "x") };

static void
a_wrong_table_is_named(void **state)
{
	static const struct field bad_default[] = { FIELD(a, QUERY, T_INT, .max = 5, .dflt = "6",
	    .doc = "x") };
	static const struct field bad_into[] = { FIELD(a, QUERY, T_INT,
	    INTO(struct other_in, small), .doc = "x") };
	static const struct field no_values[] = { FIELD(a, QUERY, T_ENUM, .doc = "x") };
	static const struct field twice[] = { FIELD(a, QUERY, T_STR, .doc = "x"),
		FIELD(a, QUERY, T_STR, .doc = "x") };
	static const struct field no_doc[] = { { .name = "a", .place = QUERY, .type = T_STR } };
	static const struct field in_query[] = { FIELD(a, QUERY, T_OBJECT, .doc = "x") };
	static const struct field nested[] = { FIELD(a, BODY, T_OBJECT, MEMBERS(bad_default),
	    .doc = "x") };
	static const struct field optional_path[] = { FIELD(a, PATH, T_STR, .doc = "x") };
	static const struct field in_answer[] = { FIELD(a, OUT, T_STR, .doc = "x") };
	static const struct field elsewhere[] = { FIELD(a, BODY, T_OBJECT, MEMBERS(in_answer),
	    .doc = "x") };
	static const struct field dflt[] = { FIELD(a, OUT, T_INT, .dflt = "1", .doc = "x") };

	(void)state;
	assert_null(form_wrong(table, COUNT(table)));
	assert_null(form_wrong(all, COUNT(all)));
	assert_non_null(form_wrong(bad_default, 1));
	assert_non_null(form_wrong(bad_into, 1));
	assert_non_null(form_wrong(no_values, 1));
	assert_non_null(form_wrong(twice, 2));
	assert_non_null(form_wrong(no_doc, 1));
	assert_non_null(form_wrong(in_query, 1));
	assert_non_null(form_wrong(nested, 1));
	assert_non_null(form_wrong(optional_path, 1));
	assert_null(form_wrong(in_answer, 1));
	assert_non_null(form_wrong(elsewhere, 1));
	assert_non_null(form_wrong(dflt, 1));
	assert_non_null(form_wrong(no_items, 1));
	assert_non_null(form_wrong(no_values_inside, 1));
}

static void
a_wrong_item_that_is_apart_hurts_nobody_else(void **state)
{
	static const struct field each[] = { FIELD(many, BODY, T_ARRAY, MEMBERS(item),
	    .apart = true, .min = 1, .doc = "m") };
	struct fake f;
	const char *s;

	(void)state;
	fake_open(&f);
	s = check(&f, each, COUNT(each),
	    "{\"many\":[{\"number\":\"+15550100001\"},{\"number\":\"1\",\"x\":2},7]}");

	assert_non_null(s);
	assert_int_equal(f.c.failure.err, ERR_NONE);
	assert_non_null(strstr(s, "{\"number\":\"+15550100001\",\"priority\":5}"));
	assert_non_null(strstr(s, "{\"errors\":[{\"field\":\"many.1."));
	assert_non_null(strstr(s, "\"field\":\"many.1.x\",\"code\":\"unknown\""));
	assert_non_null(strstr(s, "\"field\":\"many.2\",\"code\":\"object\""));
	assert_null(check(&f, each, COUNT(each), "{\"many\":[]}"));
	assert_int_equal(f.c.failure.nfields, 1);
	fake_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_come_out_in_one_form),
		cmocka_unit_test(each_mistake_is_named_once),
		cmocka_unit_test(nested_tables_are_followed),
		cmocka_unit_test(items_have_their_type),
		cmocka_unit_test(no_more_errors_than_a_failure_holds),
		cmocka_unit_test(long_names_are_cut_between_characters),
		cmocka_unit_test(structs_are_filled),
		cmocka_unit_test(a_wrong_item_that_is_apart_hurts_nobody_else),
		cmocka_unit_test(a_wrong_table_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
