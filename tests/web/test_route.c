/*
 * test_route.c - paths are split and decoded strictly, and the right row is found.
 */
#include "fake.h"
#include "web/form.h"
#include "web/route.h"

static int
run_nothing(struct ctx *c, const void *in)
{
	(void)c;
	(void)in;
	return 0;
}

#define ROW(m, p)                                                                                  \
	{                                                                                          \
		m, p, PUBLIC, NO_FIELDS, run_nothing, 200, NULL, "A row."                          \
	}

static const struct route routes[] = {
	ROW(GET, "/v1/calls"),
	ROW(POST, "/v1/calls"),
	ROW(GET, "/v1/calls/{call_id}"),
	ROW(DELETE, "/v1/calls/{call_id}"),
	ROW(POST, "/v1/calls/batch"),
	ROW(GET, "/v1/{thing}/stats"),
	ROW(GET, "/v1/calls/{call_id}/{part}"),
	ROW(GET, "/v1/calls/{call_id}/actions"),
	ROW(GET, "/"),
};

static void
split_decodes_each_part(void **state)
{
	static const struct {
		const char *raw;
		const char *parts[4];
	} cases[] = {
		{ "/", { "" } },
		{ "/a", { "a" } },
		{ "/a/b/c", { "a", "b", "c" } },
		{ "/a/", { "a", "" } },
		{ "//a", { "", "a" } },
		{ "/a%20b/%C3%A9", { "a b", "\xc3\xa9" } },
		{ "/%63alls", { "calls" } },
		{ "/a+b", { "a+b" } },
		{ "/%252F", { "%2F" } },
	};
	struct route_path p;
	struct fake f;
	size_t i, k;

	(void)state;
	fake_open(&f);
	for (i = 0; i < COUNT(cases); i++) {
		assert_int_equal(route_split(&f.c, cases[i].raw, &p), 0);
		for (k = 0; k < 4 && cases[i].parts[k]; k++)
			assert_string_equal(p.parts[k], cases[i].parts[k]);
		assert_int_equal(p.n, k);
	}
	fake_close(&f);
}

static void
split_refuses_what_could_mean_two_things(void **state)
{
	static const char *const bad[] = { "", "a", "http://h/a", "/a%2Fb", "/a%2fb", "/%00", "/a%",
		"/a%4", "/%zz", "/%ff", "/%C3", "/%ED%A0%80", "/a%0Ab", "/\x7f", "/a\tb", "*" };
	struct route_path p;
	struct fake f;
	size_t i;

	(void)state;
	fake_open(&f);
	for (i = 0; i < COUNT(bad); i++) {
		fail_clear(&f.c);
		assert_int_equal(route_split(&f.c, bad[i], &p), -1);
		assert_int_equal(f.c.failure.err, ERR_BAD_PATH);
	}
	assert_int_equal(route_split(&f.c, NULL, &p), -1);
	fake_close(&f);
}

static void
very_long_paths_are_nowhere(void **state)
{
	const char *raw = "/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a";
	struct route_path p;
	struct fake f;

	(void)state;
	fake_open(&f);
	assert_int_equal(route_split(&f.c, raw, &p), 0);
	assert_int_equal(p.n, 22);
	assert_int_equal(route_find(routes, COUNT(routes), GET, &p).allow, 0);
	fake_close(&f);
}

static void
find_prefers_literal_parts(void **state)
{
	static const struct {
		enum method method;
		const char *path;
		const char *found;
		unsigned allow;
	} cases[] = {
		{ GET, "/v1/calls", "/v1/calls", 1u << GET | 1u << POST },
		{ DELETE, "/v1/calls", NULL, 1u << GET | 1u << POST },
		{ GET, "/v1/calls/7", "/v1/calls/{call_id}", 1u << GET | 1u << DELETE },
		{ POST, "/v1/calls/batch", "/v1/calls/batch", 1u << POST },
		{ GET, "/v1/calls/batch", NULL, 1u << POST },
		{ GET, "/v1/calls/stats", "/v1/calls/{call_id}", 1u << GET | 1u << DELETE },
		{ GET, "/v1/x/stats", "/v1/{thing}/stats", 1u << GET },
		{ GET, "/v1/calls/7/actions", "/v1/calls/{call_id}/actions", 1u << GET },
		{ GET, "/v1/calls/7/other", "/v1/calls/{call_id}/{part}", 1u << GET },
		{ GET, "/v1/calls/", NULL, 0 },
		{ GET, "/v1/calls//actions", NULL, 0 },
		{ GET, "/v1", NULL, 0 },
		{ GET, "/V1/calls", NULL, 0 },
		{ GET, "/", "/", 1u << GET },
	};
	struct route_match found;
	struct route_path p;
	struct fake f;
	size_t i;

	(void)state;
	fake_open(&f);
	for (i = 0; i < COUNT(cases); i++) {
		assert_int_equal(route_split(&f.c, cases[i].path, &p), 0);
		found = route_find(routes, COUNT(routes), cases[i].method, &p);
		assert_int_equal(found.allow, cases[i].allow);
		if (cases[i].found)
			assert_string_equal(found.route->path, cases[i].found);
		else
			assert_null(found.route);
	}
	fake_close(&f);
}

static void
parameters_are_found_by_name(void **state)
{
	struct route_path p;
	struct fake f;

	(void)state;
	fake_open(&f);
	assert_int_equal(route_split(&f.c, "/v1/calls/a%20b/x", &p), 0);
	assert_string_equal(route_param(&routes[6], &p, "call_id"), "a b");
	assert_string_equal(route_param(&routes[6], &p, "part"), "x");
	assert_null(route_param(&routes[6], &p, "call"));
	assert_null(route_param(&routes[6], &p, "calls"));
	fake_close(&f);
}

static void
methods_have_names(void **state)
{
	(void)state;
	assert_int_equal(method_of("GET"), GET);
	assert_int_equal(method_of("HEAD"), GET);
	assert_int_equal(method_of("OPTIONS"), OPTIONS);
	assert_int_equal(method_of("get"), METHOD_OTHER);
	assert_int_equal(method_of("OTHER"), METHOD_OTHER);
	assert_int_equal(method_of(NULL), METHOD_OTHER);
	assert_string_equal(method_name(PATCH), "PATCH");
	assert_string_equal(method_name((enum method)99), "OTHER");
}

static const struct field no_such_part[] = {
	FIELD(id, PATH, T_STR, .required = true, .doc = "Not in the path."),
};
static const struct field body[] = {
	FIELD(a, BODY, T_STR, .doc = "In the body."),
};
static const struct field out[] = {
	FIELD(a, OUT, T_STR, .doc = "In the answer."),
};

static const struct field told[] = {
	ABOUT("What it is."),
	FIELD(b, OUT, T_STR, .doc = "In the answer."),
};
static const struct field late[] = {
	FIELD(b, OUT, T_STR, .doc = "In the answer."),
	ABOUT("What it is."),
};
static const struct returns or_body = RETURNS(body), or_told = RETURNS(told);
/* RETURNS_EITHER, as it can be written inside a function. */
#define OR(t)                                                                                      \
	{                                                                                          \
		RETURNS_OBJECT, out, COUNT(out), "out", NULL, &or_##t                              \
	}

static const enum err no_such_error[] = { ERR_CALL_ENDED, ERR_COUNT, ERR_NONE };

#define RETURNING(status, form)                                                                    \
	{                                                                                          \
		POST, "/b", PUBLIC, NO_FIELDS, run_nothing, status, NULL, "x", .returns = form     \
	}

static void
a_wrong_table_is_named(void **state)
{
	static const struct route wrong[][2] = {
		{ ROW(GET, "/a"), ROW(GET, "/a") },
		{ ROW(GET, "/a/{x}"), ROW(GET, "/a/{y}") },
		{ ROW(GET, "/a"), ROW(GET, "a") },
		{ ROW(GET, "/a"), ROW(OPTIONS, "/b") },
		{ ROW(GET, "/a"), ROW(GET, "/b{c}") },
		{ ROW(GET, "/a"), { GET, "/b", PUBLIC, NO_FIELDS, NULL, 200, NULL, "x" } },
		{ ROW(GET, "/a"), { GET, "/b", PUBLIC, NO_FIELDS, run_nothing, 404, NULL, "x" } },
		{ ROW(GET, "/a"),
		    { GET, "/b", SCOPE(NULL), NO_FIELDS, run_nothing, 200, NULL, "x" } },
		{ ROW(GET, "/a"),
		    { GET, "/b", PUBLIC, FIELDS(no_such_part), run_nothing, 200, NULL, "x" } },
		{ ROW(GET, "/a"),
		    { GET, "/b", PUBLIC, FIELDS(body), run_nothing, 200, NULL, "x" } },
		{ ROW(GET, "/a"),
		    { POST, "/b", PUBLIC, FIELDS(out), run_nothing, 200, NULL, "x" } },
		{ ROW(GET, "/a"), RETURNING(200, RETURNS(body)) },
		{ ROW(GET, "/a"), RETURNING(200, OR(body)) },
		{ ROW(GET, "/a"), RETURNING(200, RETURNS(late)) },
		{ ROW(GET, "/a"), RETURNING(204, RETURNS(out)) },
		{ ROW(GET, "/a"), RETURNING(303, RETURNS(out)) },
		{ ROW(GET, "/a"),
		    { POST, "/b", PUBLIC, NO_FIELDS, run_nothing, 200, NULL, "x",
			.errors = no_such_error } },
	};
	static const struct route right[][1] = { { RETURNING(200, RETURNS_LIST(out)) },
		{ RETURNING(200, RETURNS_EMPTY) }, { RETURNING(200, OR(told)) },
		{ { GET, "/b", PUBLIC, NO_FIELDS, run_nothing, 303, NULL, "x" } } };
	size_t i, at = 99;

	(void)state;
	assert_null(route_table_wrong(routes, COUNT(routes), &at));
	for (i = 0; i < COUNT(right); i++)
		assert_null(route_table_wrong(right[i], 1, &at));
	for (i = 0; i < COUNT(wrong); i++) {
		assert_non_null(route_table_wrong(wrong[i], 2, &at));
		assert_int_equal(at, 1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(split_decodes_each_part),
		cmocka_unit_test(split_refuses_what_could_mean_two_things),
		cmocka_unit_test(very_long_paths_are_nowhere),
		cmocka_unit_test(find_prefers_literal_parts),
		cmocka_unit_test(parameters_are_found_by_name),
		cmocka_unit_test(methods_have_names),
		cmocka_unit_test(a_wrong_table_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
