/*
 * test_check.c - a program tells what it takes, and finds where its routes and the database
 * disagree.
 */
#include "notes.h"

static struct child a;

static void
the_description_is_json(void **state)
{
	const struct json *j, *route, *field;
	struct fake f;

	(void)state;
	child_run(&notes, "--describe", NULL, "", &a);
	assert_int_equal(a.exit, 0);
	fake_open(&f);
	assert_int_equal(json_read(f.c.mem, a.text, strlen(a.text), JSON_DEPTH_API, &j), JSON_OK);
	assert_string_equal(json_str(j, "program"), "notes");
	assert_string_equal(json_str(j, "about"), "Notes.");
	assert_false(json_bool(j, "own_errors", true));
	assert_int_equal(json_len(json_get(j, "routes")), COUNT(note_routes));
	route = json_path(j, "routes.1");
	assert_string_equal(json_str(route, "method"), "GET");
	assert_string_equal(json_str(route, "path"), "/notes/{id}");
	assert_string_equal(json_str(route, "access"), "api");
	assert_string_equal(json_str(route, "scope"), "notes:read");
	assert_false(json_bool(route, "lenient", true));
	assert_true(json_bool(json_path(j, "routes.8"), "lenient", false));
	assert_true(json_bool(json_path(j, "routes.8"), "secret", false));
	assert_false(json_bool(json_path(j, "routes.8"), "raw", true));
	field = json_path(route, "fields.1");
	assert_string_equal(json_str(field, "name"), "limit");
	assert_string_equal(json_str(field, "in"), "query");
	assert_string_equal(json_str(field, "type"), "int");
	assert_string_equal(json_str(field, "default"), "20");
	assert_int_equal(json_int(field, "max", 0), 100);
	fake_close(&f);
}

static void
what_a_route_answers_is_told(void **state)
{
	const struct json *j, *route, *returns;
	struct fake f;

	(void)state;
	child_run(&notes, "--describe", NULL, "", &a);
	fake_open(&f);
	assert_int_equal(json_read(f.c.mem, a.text, strlen(a.text), JSON_DEPTH_API, &j), JSON_OK);
	route = json_path(j, "routes.1");
	assert_string_equal(json_str_of(json_path(route, "errors.0"), NULL), "not_found");
	assert_string_equal(json_str_of(json_path(route, "errors.1"), NULL), "call_ended");
	assert_int_equal(json_len(json_get(route, "errors")), 2);
	returns = json_get(route, "returns");
	assert_string_equal(json_str(returns, "form"), "object");
	assert_string_equal(json_str(returns, "table"), "note_out");
	assert_string_equal(json_str(returns, "about"), "A note.");
	assert_string_equal(json_str(json_path(returns, "fields.0"), "name"), "id");
	assert_string_equal(json_str(json_path(returns, "or"), "table"), "note_tag_out");
	assert_null(json_path(returns, "or.about"));
	assert_null(json_path(returns, "or.or"));
	assert_string_equal(json_str(json_path(returns, "fields.0"), "in"), "out");
	assert_true(json_bool(json_path(returns, "fields.0"), "required", false));
	assert_string_equal(json_str(json_path(returns, "fields.1"), "table"), "note_tag_out");
	assert_string_equal(json_str(json_path(returns, "fields.1.fields.0"), "name"), "name");
	assert_string_equal(json_str(json_path(returns, "fields.2.items"), "type"), "int");
	assert_int_equal(json_int(json_path(returns, "fields.2.items"), "max", 0), 7);
	returns = json_path(j, "routes.10.returns");
	assert_string_equal(json_str(returns, "form"), "file");
	assert_string_equal(json_str(returns, "type"), "text/plain");
	assert_string_equal(json_str(json_path(j, "routes.10"), "body_type"), "text/csv");
	assert_null(json_path(j, "routes.0.body_type"));
	assert_null(json_path(j, "codes"));
	assert_null(json_path(j, "routes.0.returns"));
	assert_int_equal(json_len(json_path(j, "routes.0.errors")), 0);
	fake_close(&f);
}

/* One code is told as another, one keeps its name and has another status. */
static const char *
other_code(const char *code, int *status)
{
	if (strcmp(code, "call_ended") == 0)
		*status = 400;
	return strcmp(code, "not_found") == 0 ? "nowhere" : code;
}

static void
codes_that_are_told_as_others_are_told(void **state)
{
	struct server s = notes;
	const struct json *j;
	struct fake f;

	(void)state;
	s.problem_code = other_code;
	child_run(&s, "--describe", NULL, "", &a);
	fake_open(&f);
	assert_int_equal(json_read(f.c.mem, a.text, strlen(a.text), JSON_DEPTH_API, &j), JSON_OK);
	assert_int_equal(json_len(json_get(j, "codes")), 2);
	assert_string_equal(json_str(json_path(j, "codes.not_found"), "code"), "nowhere");
	assert_int_equal(json_int(json_path(j, "codes.not_found"), "status", 0), 404);
	assert_string_equal(json_str(json_path(j, "codes.call_ended"), "code"), "call_ended");
	assert_int_equal(json_int(json_path(j, "codes.call_ended"), "status", 0), 400);
	fake_close(&f);
}

static void
options_answer_without_settings(void **state)
{
	(void)state;
	child_run(&notes, "--version", ASK("HOOKSWITCH_JWT_SECRET="), "", &a);
	assert_int_equal(a.exit, 0);
	assert_int_equal(strncmp(a.text, "notes ", 6), 0);
	child_run(&notes, "--help", NULL, "", &a);
	assert_int_equal(a.exit, 0);
	assert_true(child_has(&a, "--describe"));
	child_run(&notes, "--describe-settings", NULL, "", &a);
	assert_int_equal(a.exit, 0);
	assert_true(child_has(&a, "DATABASE_URL"));
	child_run(&notes, "--nonsense", NULL, "", &a);
	assert_int_equal(a.exit, 2);
}

static void
fitting_routes_are_proved(void **state)
{
	(void)state;
	DATABASE_OR_SKIP();
	child_run(&notes, "--check", NULL, "", &a);
	assert_string_equal(a.text, "notes: 11 routes, 9 queries: all fit\n");
	assert_int_equal(a.exit, 0);
}

static const struct field other_type[] = {
	FIELD(id, PATH, T_UUID, .required = true, .doc = "x"),
	FIELD(limit, QUERY, T_TIME, .doc = "x"),
};
static const struct field other_name[] = {
	FIELD(id, PATH, T_UUID, .required = true, .doc = "x"),
	FIELD(colour, QUERY, T_STR, .doc = "x"),
};

static const struct {
	struct route route;
	const char *complaint;
} misfits[] = {
	{ { GET, "/a", PUBLIC, NO_FIELDS, run_query, 200, "no_such", "x" },
	    "there is no such function" },
	{ { GET, "/a", PUBLIC, NO_FIELDS, note_none, 200, "no_such", "x" },
	    "there is no such function" },
	{ { GET, "/a", PUBLIC, NO_FIELDS, run_query, 200, "note_two", "x" },
	    "there is more than one" },
	{ { GET, "/a", PUBLIC, NO_FIELDS, run_query, 200, "note_echo", "x" },
	    "no field gives its argument p_id" },
	{ { GET, "/a/{id}", PUBLIC, FIELDS(other_type), run_query, 200, "note_echo", "x" },
	    "another type is wanted for p_limit" },
	{ { GET, "/a/{id}", PUBLIC, FIELDS(other_name), run_query, 200, "note_echo", "x" },
	    "has no argument p_colour" },
	{ { PATCH, "/a/{id}", PUBLIC, FIELDS(note_read_fields), run_query, 200, "note_echo", "x" },
	    "has no argument p_changes" },
};

static void
misfits_are_named(void **state)
{
	size_t i;

	(void)state;
	DATABASE_OR_SKIP();
	for (i = 0; i < COUNT(misfits); i++) {
		struct server s = { "misfit", &misfits[i].route, 1 };

		child_run(&s, "--check", NULL, "", &a);
		assert_int_equal(a.exit, 1);
		if (!child_has(&a, misfits[i].complaint))
			fake_fail("%s: not in: %s", misfits[i].complaint, a.text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_description_is_json),
		cmocka_unit_test(what_a_route_answers_is_told),
		cmocka_unit_test(codes_that_are_told_as_others_are_told),
		cmocka_unit_test(options_answer_without_settings),
		cmocka_unit_test(fitting_routes_are_proved),
		cmocka_unit_test(misfits_are_named),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
