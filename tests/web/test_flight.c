/*
 * test_flight.c - a route's query gets its arguments and its identity; what SQL raises becomes the
 * answer.
 */
#include "notes.h"

static struct child a;

static void
statements_name_their_arguments(void **state)
{
	const struct route_sql *sql;
	struct fake f;

	(void)state;
	fake_open(&f);
	sql = flight_sql(f.c.mem, note_routes, COUNT(note_routes));
	assert_non_null(sql);
	assert_string_equal(sql[0].run.sql, "select api.note_add(p_text => $1)");
	assert_string_equal(sql[1].run.sql,
	    "select api.note_echo(p_id => $1, p_limit => $2, p_at => $3, p_flag => $4)");
	assert_string_equal(sql[3].run.sql, "select api.note_change(p_id => $1, p_changes => $2)");
	assert_null(sql[4].run.sql);
	assert_string_equal(sql[4].call[0].sql, "select api.note_echo()");
	assert_string_equal(sql[4].call[2].sql, "select api.note_echo($1, $2)");
	assert_string_not_equal(sql[4].call[1].name, sql[4].call[2].name);
	assert_null(sql[9].call[0].sql);
	fake_close(&f);
}

static void
a_query_gets_typed_arguments_and_who_asks(void **state)
{
	(void)state;
	DATABASE_OR_SKIP();
	notes_ask("GET", NOTE "?at=2026-01-01T02:00:00%2B02:00&flag=true", ASK(WITH_KEY), "", &a);
	assert_int_equal(a.status, 200);
	assert_non_null(strstr(a.body, "\"limit\": 20"));
	assert_non_null(strstr(a.body, "\"at\": \"2026-01-01T00:00:00\""));
	assert_non_null(strstr(a.body, "\"flag\": true"));
	assert_non_null(strstr(a.body, "\"any\": null"));
	assert_non_null(strstr(a.body, "\"role\": \"hookswitch_api\""));
	assert_non_null(strstr(a.body, "\"organization\": \"" DATABASE_ORGANIZATION "\""));
	assert_non_null(strstr(a.body, "\"request\": \"r1\""));
	assert_non_null(strstr(a.body, "\"address\": \"10.0.0.1\""));
	/* Nobody is somewhere, too; and his unknown fields are passed over here. */
	notes_ask("POST", "/open/request?b=1", NULL, "{\"a\":1}", &a);
	assert_int_equal(a.status, 200);
	assert_string_equal(a.body, "{\"address\": \"10.0.0.1\", \"request\": \"r1\"}");
	notes_ask("PUT", NOTE, ASK(WITH_KEY), "{\"any\":{\"b\":[1,\"\\u00e9\"]}}", &a);
	assert_int_equal(a.status, 200);
	assert_non_null(strstr(a.body, "\"any\": {\"b\": [1, \"\xc3\xa9\"]}"));
}

static void
a_patch_hands_on_only_what_was_given(void **state)
{
	(void)state;
	DATABASE_OR_SKIP();
	notes_ask("PATCH", NOTE, ASK(WITH_KEY), "{}", &a);
	assert_string_equal(a.body, "{}");
	notes_ask("PATCH", NOTE, ASK(WITH_KEY), "{\"text\":null,\"number\":5,\"any\":null}", &a);
	assert_string_equal(a.body, "{\"text\": null, \"number\": 5}");
}

static void
refusals_of_sql_are_answers(void **state)
{
	(void)state;
	DATABASE_OR_SKIP();
	notes_ask("POST", "/notes", ASK(WITH_KEY), "{\"text\":\"bad\"}", &a);
	assert_int_equal(a.status, 422);
	assert_non_null(strstr(a.body, "\"code\":\"number_invalid\""));
	assert_non_null(strstr(a.body, "\"detail\":\"No number.\""));
	notes_ask("POST", "/notes", ASK(WITH_KEY), "{\"text\":\"broken\"}", &a);
	assert_int_equal(a.status, 500);
	assert_null(strstr(a.text, "zero"));
	notes_ask("GET", NOTE, ASK("HTTP_X_API_KEY=hsk_unknown"), "", &a);
	assert_int_equal(a.status, 401);
	assert_non_null(strstr(a.body, "\"code\":\"api_key_invalid\""));
	/* Who asks comes first, also where the fields are wrong. */
	notes_ask("GET", NOTE "?limit=0", ASK("HTTP_X_API_KEY=hsk_unknown"), "", &a);
	assert_int_equal(a.status, 401);
	notes_ask("GET", NOTE "?limit=0", ASK(WITH_KEY), "", &a);
	assert_int_equal(a.status, 400);
	assert_non_null(strstr(a.body, "\"field\":\"limit\""));
}

static void
a_handler_calls_the_query_of_its_row(void **state)
{
	(void)state;
	DATABASE_OR_SKIP();
	notes_ask("GET", NOTE "/read", ASK(WITH_KEY), "", &a);
	assert_int_equal(a.status, 200);
	assert_string_equal(a.body,
	    "{\"id\":\"0f8fad5b-d9cb-469f-a165-70867728950e\",\"limit\":7}");
	notes_ask("GET", "/none", ASK(WITH_KEY), "", &a);
	assert_int_equal(a.status, 404);
	notes_ask("GET", "/open/none", NULL, "", &a);
	assert_int_equal(a.status, 500);
}

static void
refusals_leave_nothing_behind(void **state)
{
	(void)state;
	DATABASE_OR_SKIP();
	notes_ask("POST", "/notes", ASK(WITH_KEY), "{\"text\":\"bad\"}", &a);
	assert_int_equal(a.status, 422);
	assert_null(strstr(a.body, "AFTER"));
	notes_ask("POST", "/notes", ASK(WITH_KEY), "{\"text\":\"good\"}", &a);
	assert_int_equal(a.status, 201);
	assert_string_equal(a.body, "{\"n\": 1, \"text\": \"good\"}AFTER");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(statements_name_their_arguments),
		cmocka_unit_test(a_query_gets_typed_arguments_and_who_asks),
		cmocka_unit_test(a_patch_hands_on_only_what_was_given),
		cmocka_unit_test(refusals_of_sql_are_answers),
		cmocka_unit_test(a_handler_calls_the_query_of_its_row),
		cmocka_unit_test(refusals_leave_nothing_behind),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
