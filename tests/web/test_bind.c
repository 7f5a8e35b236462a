/*
 * test_bind.c - path, query and body of a request become checked values, or errors that name each
 * wrong field.
 */
#include "fake.h"
#include "web/bind.h"

struct note_in {
	const char *note_id;
	int64_t limit;
	const char *text;
};

static const struct field fields[] = {
	FIELD(note_id, PATH, T_UUID, INTO(struct note_in, note_id), .required = true, .doc = "x"),
	FIELD(limit, QUERY, T_INT, INTO(struct note_in, limit), .min = 1, .max = 100, .dflt = "20",
	    .doc = "x"),
	FIELD(q, QUERY, T_STR, .doc = "x"),
	FIELD(text, BODY, T_STR, INTO(struct note_in, text), .required = true, .min = 1,
	    .doc = "x"),
};

static int
run_nothing(struct ctx *c, const void *in)
{
	(void)c;
	(void)in;
	return 0;
}

static const struct route post = { POST, "/n/{note_id}", PUBLIC, FIELDS(fields), run_nothing, 200,
	NULL, "x" };
static const struct route get = { GET, "/n/{note_id}", PUBLIC, fields, 3, run_nothing, 200, NULL,
	"x" };
static const struct route raw = { POST, "/n/{note_id}", PUBLIC, fields, 3, run_nothing, 200, NULL,
	"x", .flags = ROUTE_RAW };

#define ID "0f8fad5b-d9cb-469f-a165-70867728950e"
#define JSON_TYPE "CONTENT_TYPE=application/json"

static int
bind(struct fake *f, const struct route *route, const char *uri, const char *type, const char *body)
{
	const char *variables[] = { "REQUEST_METHOD=POST", uri, type, NULL };

	if (fake_request(f, variables) < 0)
		return -1;
	f->r.method = route->method;
	fake_route(f, route, body);
	return bind_fields(&f->c);
}

static void
all_places_fill_one_struct(void **state)
{
	const struct note_in *in;
	struct fake f;

	(void)state;
	fake_open(&f);
	assert_int_equal(bind(&f, &post, "REQUEST_URI=/n/" ID "?limit=7&q=a+b%2Bc", JSON_TYPE,
			     "{\"text\":\"hello\"}"),
	    0);
	in = f.r.in;
	assert_string_equal(in->note_id, ID);
	assert_int_equal(in->limit, 7);
	assert_string_equal(in->text, "hello");
	assert_string_equal(request_value(&f.c, "q")->text.data, "a b+c");
	assert_string_equal(request_param(&f.c, "note_id"), ID);
	assert_null(request_param(&f.c, "limit"));
	fake_close(&f);
}

static void
queries(void **state)
{
	static const struct {
		const char *uri;
		const char *field; /* NULL: fine */
		const char *code;
	} cases[] = {
		{ "REQUEST_URI=/n/" ID, NULL, NULL },
		{ "REQUEST_URI=/n/" ID "?", NULL, NULL },
		{ "REQUEST_URI=/n/" ID "?&&limit=5&", NULL, NULL },
		{ "REQUEST_URI=/n/" ID "?q", NULL, NULL },
		{ "REQUEST_URI=/n/" ID "?q=a=b", NULL, NULL },
		{ "REQUEST_URI=/n/" ID "?%6cimit=5", NULL, NULL },
		{ "REQUEST_URI=/n/" ID "?limit=", "limit", "int" },
		{ "REQUEST_URI=/n/" ID "?limit=05", "limit", "int" },
		{ "REQUEST_URI=/n/" ID "?limit=101", "limit", "range" },
		{ "REQUEST_URI=/n/" ID "?limit=5&limit=6", "limit", "twice" },
		{ "REQUEST_URI=/n/" ID "?Limit=5", "Limit", "unknown" },
		{ "REQUEST_URI=/n/" ID "?note_id=5", "note_id", "unknown" },
		{ "REQUEST_URI=/n/" ID "?text=5", "text", "unknown" },
		{ "REQUEST_URI=/n/" ID "?q=%00", "q", "encoding" },
		{ "REQUEST_URI=/n/" ID "?q=%ff", "q", "encoding" },
		{ "REQUEST_URI=/n/" ID "?q=%4", "q", "encoding" },
		{ "REQUEST_URI=/n/5", "note_id", "uuid" },
	};
	struct fake f;
	size_t i;

	(void)state;
	fake_open(&f);
	for (i = 0; i < COUNT(cases); i++) {
		assert_int_equal(bind(&f, &get, cases[i].uri, NULL, NULL), cases[i].field ? -1 : 0);
		if (cases[i].field && !fake_names(&f.c, cases[i].field, cases[i].code))
			fake_fail("%s: not refused as %s %s", cases[i].uri, cases[i].field,
			    cases[i].code);
	}
	assert_int_equal(bind(&f, &get, "REQUEST_URI=/n/" ID "?%ff=1", NULL, NULL), -1);
	assert_int_equal(f.c.failure.err, ERR_BAD_REQUEST);
	fake_close(&f);
}

static void
too_many_pairs_are_refused(void **state)
{
	struct form form = { NULL, 0, NULL };
	struct text t = TEXT(10000);
	struct fake f;
	int i;

	(void)state;
	for (i = 0; i < 200; i++)
		text_puts(&t, "a=1&");
	fake_open(&f);
	bind_query(&f.c, &form, text_str(&t), true);
	assert_int_equal(f.c.failure.err, ERR_BAD_REQUEST);
	text_clear(&t);
	fake_close(&f);
}

static void
bodies(void **state)
{
	static const struct {
		const char *type;
		const char *body;
		enum err err;
	} cases[] = {
		{ JSON_TYPE, "{\"text\":\"a\"}", ERR_NONE },
		{ "CONTENT_TYPE=application/json; charset=utf-8", "{\"text\":\"a\"}", ERR_NONE },
		{ "CONTENT_TYPE=Application/JSON;charset=UTF-8", "{\"text\":\"a\"}", ERR_NONE },
		{ "CONTENT_TYPE=application/json;charset=latin1", "{\"text\":\"a\"}",
		    ERR_MEDIA_TYPE },
		{ "CONTENT_TYPE=application/jsonp", "{\"text\":\"a\"}", ERR_MEDIA_TYPE },
		{ "CONTENT_TYPE=text/plain", "{\"text\":\"a\"}", ERR_MEDIA_TYPE },
		{ "CONTENT_TYPE=", "{\"text\":\"a\"}", ERR_MEDIA_TYPE },
		{ NULL, "{\"text\":\"a\"}", ERR_MEDIA_TYPE },
		{ JSON_TYPE, "", ERR_BAD_FIELDS },
		{ NULL, "", ERR_BAD_FIELDS },
		{ JSON_TYPE, "{}", ERR_BAD_FIELDS },
		{ JSON_TYPE, "[]", ERR_BAD_JSON },
		{ JSON_TYPE, "null", ERR_BAD_JSON },
		{ JSON_TYPE, "{\"text\":\"a\"", ERR_BAD_JSON },
		{ JSON_TYPE, "{\"text\":\"a\"}x", ERR_BAD_JSON },
		{ JSON_TYPE, "{\"text\":\"\\u0000\"}", ERR_BAD_JSON },
		{ JSON_TYPE, "{\"text\":\"\xff\"}", ERR_BAD_JSON },
		{ JSON_TYPE, "{\"text\":\"\\ud800\"}", ERR_BAD_JSON },
		{ JSON_TYPE, "{\"text\":\"a\",\"text\":\"b\"}", ERR_BAD_JSON },
		{ JSON_TYPE, "{'text':'a'}", ERR_BAD_JSON },
	};
	struct fake f;
	size_t i;

	(void)state;
	fake_open(&f);
	for (i = 0; i < COUNT(cases); i++) {
		(void)bind(&f, &post, "REQUEST_URI=/n/" ID, cases[i].type, cases[i].body);
		if (f.c.failure.err != cases[i].err)
			fake_fail("%s: %s instead of %s", cases[i].body,
			    err_info(f.c.failure.err)->code, err_info(cases[i].err)->code);
	}
	fake_close(&f);
}

static void
deep_json_is_told_apart(void **state)
{
	struct text t = TEXT(10000);
	struct fake f;
	int i;

	(void)state;
	for (i = 0; i < 100; i++)
		text_puts(&t, "{\"a\":");
	text_puts(&t, "1");
	for (i = 0; i < 100; i++)
		text_puts(&t, "}");
	fake_open(&f);
	assert_int_equal(bind(&f, &post, "REQUEST_URI=/n/" ID, JSON_TYPE, text_str(&t)), -1);
	assert_int_equal(f.c.failure.err, ERR_JSON_TOO_DEEP);
	text_clear(&t);
	fake_close(&f);
}

static void
all_wrong_fields_are_told_together(void **state)
{
	struct fake f;

	(void)state;
	fake_open(&f);
	assert_int_equal(bind(&f, &post, "REQUEST_URI=/n/7?limit=x&z=1", JSON_TYPE, "{\"y\":1}"),
	    -1);
	assert_int_equal(f.c.failure.nfields, 5);
	assert_true(fake_names(&f.c, "note_id", "uuid"));
	assert_true(fake_names(&f.c, "limit", "int"));
	assert_true(fake_names(&f.c, "z", "unknown"));
	assert_true(fake_names(&f.c, "y", "unknown"));
	assert_true(fake_names(&f.c, "text", "required"));
	fake_close(&f);
}

static void
raw_bodies_are_left_alone(void **state)
{
	struct fake f;

	(void)state;
	fake_open(&f);
	assert_int_equal(bind(&f, &raw, "REQUEST_URI=/n/" ID "?other=1&q=a&%ff",
			     "CONTENT_TYPE=text/plain", "not json"),
	    0);
	assert_string_equal(request_body(&f.c).data, "not json");
	assert_string_equal(request_value(&f.c, "q")->text.data, "a");
	assert_int_equal(bind(&f, &raw, "REQUEST_URI=/n/7", NULL, "x"), -1);
	fake_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_places_fill_one_struct),
		cmocka_unit_test(queries),
		cmocka_unit_test(too_many_pairs_are_refused),
		cmocka_unit_test(bodies),
		cmocka_unit_test(deep_json_is_told_apart),
		cmocka_unit_test(all_wrong_fields_are_told_together),
		cmocka_unit_test(raw_bodies_are_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
