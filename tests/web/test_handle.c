/*
 * test_handle.c - the order of things in a request, as a client sees it; without a database.
 */
#include "notes.h"

static struct child a;

static void
nowhere_and_wrong_methods(void **state)
{
	(void)state;
	notes_ask("GET", "/nowhere", NULL, "", &a);
	assert_int_equal(a.status, 404);
	assert_true(child_has(&a, "Content-Type: application/problem+json"));
	notes_ask("DELETE", "/notes", NULL, "", &a);
	assert_int_equal(a.status, 405);
	assert_true(child_has(&a, "Allow: POST, OPTIONS\r\n"));
	notes_ask("BREW", NOTE, NULL, "", &a);
	assert_int_equal(a.status, 405);
	assert_true(child_has(&a, "Allow: GET, HEAD, PUT, PATCH, OPTIONS\r\n"));
	notes_ask("OPTIONS", NOTE, NULL, "", &a);
	assert_int_equal(a.status, 204);
	assert_string_equal(a.body, "");
	assert_true(child_has(&a, "Allow: GET, HEAD, PUT, PATCH, OPTIONS\r\n"));
	notes_ask("GET", "/notes%2Fx", NULL, "", &a);
	assert_int_equal(a.status, 400);
	assert_non_null(strstr(a.body, "\"code\":\"bad_path\""));
}

static void
each_answer_has_its_headers(void **state)
{
	(void)state;
	notes_ask("POST", "/raw", NULL, "hello", &a);
	assert_int_equal(a.status, 200);
	assert_true(child_has(&a, "Cache-Control: no-store\r\n"));
	assert_true(child_has(&a, "X-Content-Type-Options: nosniff\r\n"));
	assert_true(child_has(&a, "X-Request-Id: r1\r\n"));
	assert_true(child_has(&a, "X-Path: /raw\r\n"));
	assert_true(child_has(&a, "Content-Length: 5\r\n"));
	assert_string_equal(a.body, "helloAFTER");
}

static void
a_body_has_its_limit(void **state)
{
	char body[300];

	(void)state;
	memset(body, 'x', sizeof(body));
	body[100] = '\0';
	notes_ask("POST", "/raw", NULL, body, &a);
	assert_int_equal(a.status, 200);
	body[100] = 'x';
	body[101] = '\0';
	notes_ask("POST", "/raw", NULL, body, &a);
	assert_int_equal(a.status, 413);
	/* No hook after a refusal. */
	assert_null(strstr(a.body, "AFTER"));
	notes_ask("POST", "/raw", ASK("CONTENT_LENGTH=50"), "cut off", &a);
	assert_int_equal(a.status, 400);
}

static void
a_head_has_no_body(void **state)
{
	(void)state;
	notes_ask("HEAD", "/silent", NULL, "", &a);
	assert_int_equal(a.status, 500);
	assert_string_equal(a.body, "");
	notes_ask("GET", "/silent", NULL, "", &a);
	assert_int_equal(a.status, 500);
	assert_non_null(strstr(a.body, "\"code\":\"internal\""));
}

static void
who_asks_comes_before_what(void **state)
{
	(void)state;
	notes_ask("POST", "/notes", NULL, "{broken", &a);
	assert_int_equal(a.status, 401);
	assert_true(child_has(&a, "WWW-Authenticate: Bearer"));
	notes_ask("POST", "/notes", ASK("HTTP_AUTHORIZATION=Bearer x.y.z"), "{broken", &a);
	assert_int_equal(a.status, 401);
	assert_non_null(strstr(a.body, "token_invalid"));
}

static void
without_a_database_it_says_so(void **state)
{
	(void)state;
	notes_ask("GET", NOTE, ASK(WITH_KEY, "DATABASE_URL="), "", &a);
	assert_int_equal(a.status, 503);
	assert_true(child_has(&a, "Retry-After: 1\r\n"));
	notes_ask("POST", "/notes", ASK(WITH_KEY, "HTTP_IDEMPOTENCY_KEY=k", "DATABASE_URL="),
	    "{\"text\":\"a\"}", &a);
	assert_int_equal(a.status, 503);
	notes_ask("GET", NOTE, ASK(WITH_KEY, "DATABASE_URL=postgresql:///x?host=/nonexistent"), "",
	    &a);
	assert_int_equal(a.status, 503);
	assert_null(strstr(a.text, "nonexistent"));
}

static int
set_up(void **state)
{
	(void)state;
	setenv("HOOKSWITCH_JWT_SECRET", "a-secret-for-tests-a-secret-for-tests", 1);
	unsetenv("DATABASE_URL");
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nowhere_and_wrong_methods),
		cmocka_unit_test(each_answer_has_its_headers),
		cmocka_unit_test(a_body_has_its_limit),
		cmocka_unit_test(a_head_has_no_body),
		cmocka_unit_test(who_asks_comes_before_what),
		cmocka_unit_test(without_a_database_it_says_so),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
