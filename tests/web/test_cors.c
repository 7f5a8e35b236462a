/*
 * test_cors.c - web pages: whose may call, what they are told before, and what they may read.
 */
#include "notes.h"

static struct child a;

#define LIST "HOOKSWITCH_CORS_ORIGINS=https://a.example.com, http://localhost:3000"
#define ORIGIN(s) "HTTP_ORIGIN=" s
#define LET_IN(s) "Access-Control-Allow-Origin: " s "\r\n"

static int
tell_here(struct ctx *c, const void *in)
{
	(void)in;
	return reply_json(c, 200, SPAN("{}"));
}

static const struct route here_routes[] = {
	{ GET, "/here", LOCAL, NO_FIELDS, tell_here, 200, NULL, "x" },
	{ POST, "/inside", INTERNAL, NO_FIELDS, tell_here, 200, NULL, "x" },
	{ POST, "/hook", PUBLIC, NO_FIELDS, tell_here, 200, NULL, "x", .flags = ROUTE_RAW },
	{ GET, "/open", PUBLIC, NO_FIELDS, tell_here, 200, NULL, "x" },
};
static const struct server here = { "here", here_routes, COUNT(here_routes) };

static void
the_origin_decides(void **state)
{
	static const struct {
		const char *setting;
		const char *origin;
		const char *let_in; /* NULL: nobody */
	} cases[] = {
		{ LIST, ORIGIN("https://a.example.com"), LET_IN("https://a.example.com") },
		{ LIST, ORIGIN("http://localhost:3000"), LET_IN("http://localhost:3000") },
		{ LIST, ORIGIN("https://A.example.com"), LET_IN("https://A.example.com") },
		{ LIST, ORIGIN("https://a.example.com.evil.example"), NULL },
		{ LIST, ORIGIN("https://a.example.co"), NULL },
		{ LIST, ORIGIN("http://a.example.com"), NULL },
		{ LIST, ORIGIN("null"), NULL },
		{ LIST, ORIGIN(""), NULL },
		{ LIST, "A=", NULL },
		{ "HOOKSWITCH_CORS_ORIGINS=*", ORIGIN("https://any.example"), LET_IN("*") },
		{ "HOOKSWITCH_CORS_ORIGINS=", ORIGIN("https://any.example"), NULL },
		{ "APP_URL=https://app.example.com/start", ORIGIN("https://app.example.com"),
		    LET_IN("https://app.example.com") },
		{ "FRONTEND_URL=http://front.example:81/", ORIGIN("http://front.example:81"),
		    LET_IN("http://front.example:81") },
		{ "FRONTEND_URL=http://front.example:81", ORIGIN("http://front.example"), NULL },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		notes_ask("GET", "/nowhere", ASK(cases[i].setting, cases[i].origin), "", &a);
		assert_int_equal(a.status, 404);
		if (cases[i].let_in && !child_has(&a, cases[i].let_in))
			fake_fail("%s %s: not let in", cases[i].setting, cases[i].origin);
		if (!cases[i].let_in && child_has(&a, "Access-Control-"))
			fake_fail("%s %s: let in", cases[i].setting, cases[i].origin);
	}
}

static void
caches_are_told_that_the_origin_matters(void **state)
{
	(void)state;
	notes_ask("GET", "/nowhere", ASK(LIST), "", &a);
	assert_true(child_has(&a, "Vary: Origin\r\n"));
	notes_ask("GET", "/nowhere", ASK("HOOKSWITCH_CORS_ORIGINS=*"), "", &a);
	assert_false(child_has(&a, "Vary: "));
	notes_ask("GET", "/nowhere", NULL, "", &a);
	assert_false(child_has(&a, "Vary: "));
}

static void
a_page_asks_before(void **state)
{
	const char *const wants = "HTTP_ACCESS_CONTROL_REQUEST_METHOD=PATCH";

	(void)state;
	notes_ask("OPTIONS", NOTE, ASK(LIST, ORIGIN("https://a.example.com"), wants), "", &a);
	assert_int_equal(a.status, 204);
	assert_true(child_has(&a, LET_IN("https://a.example.com")));
	assert_true(child_has(&a, "Access-Control-Allow-Methods: GET, HEAD, PUT, PATCH\r\n"));
	assert_true(child_has(&a,
	    "Access-Control-Allow-Headers: Authorization, Content-Type, "
	    "X-API-Key, X-Organization-Id, Idempotency-Key, If-Match"));
	assert_true(child_has(&a, "Access-Control-Max-Age: 7200\r\n"));
	assert_true(child_has(&a, "Allow: GET, HEAD, PUT, PATCH, OPTIONS\r\n"));
	notes_ask("OPTIONS", NOTE, ASK(LIST, ORIGIN("https://b.example.com"), wants), "", &a);
	assert_int_equal(a.status, 204);
	assert_false(child_has(&a, "Access-Control-"));
	/* An OPTIONS that is no question of a page. */
	notes_ask("OPTIONS", NOTE, ASK(LIST, ORIGIN("https://a.example.com")), "", &a);
	assert_false(child_has(&a, "Access-Control-Allow-Methods"));
}

static void
what_is_not_for_pages_stays_shut(void **state)
{
	static const struct {
		const char *method;
		const char *path;
	} cases[] = { { "GET", "/here" }, { "POST", "/inside" }, { "POST", "/hook" } };
	char method[64], path[64], wants[64];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		snprintf(method, sizeof(method), "REQUEST_METHOD=%s", cases[i].method);
		snprintf(path, sizeof(path), "REQUEST_URI=%s", cases[i].path);
		snprintf(wants, sizeof(wants), "HTTP_ACCESS_CONTROL_REQUEST_METHOD=%s",
		    cases[i].method);
		child_run(&here, NULL,
		    ASK(method, path, ORIGIN("https://x.example"), "HOOKSWITCH_CORS_ORIGINS=*"), "",
		    &a);
		assert_int_equal(a.status, 200);
		assert_false(child_has(&a, "Access-Control-"));
		child_run(&here, NULL,
		    ASK("REQUEST_METHOD=OPTIONS", path, wants, ORIGIN("https://x.example"),
			"HOOKSWITCH_CORS_ORIGINS=*"),
		    "", &a);
		assert_int_equal(a.status, 204);
		assert_false(child_has(&a, "Access-Control-Allow-Headers"));
	}
	child_run(&here, NULL,
	    ASK("REQUEST_METHOD=GET", "REQUEST_URI=/open", ORIGIN("https://x.example"),
		"HOOKSWITCH_CORS_ORIGINS=*"),
	    "", &a);
	assert_true(child_has(&a, LET_IN("*")));
	assert_true(child_has(&a, "Access-Control-Expose-Headers: ETag, RateLimit-Limit"));
}

static void
a_wrong_list_is_named(void **state)
{
	static const char *const wrong[] = { "HOOKSWITCH_CORS_ORIGINS=example.com",
		"HOOKSWITCH_CORS_ORIGINS=https://", "HOOKSWITCH_CORS_ORIGINS=https://a.example/",
		"HOOKSWITCH_CORS_ORIGINS=https://a.example,*.example",
		"HOOKSWITCH_CORS_ORIGINS=https://*.example", "HOOKSWITCH_CORS_ORIGINS=ftp://a" };
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(wrong); i++) {
		child_run(&here, NULL, ASK("REQUEST_METHOD=GET", "REQUEST_URI=/open", wrong[i]), "",
		    &a);
		assert_int_equal(a.exit, 1);
		assert_string_equal(a.text, "");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_origin_decides),
		cmocka_unit_test(caches_are_told_that_the_origin_matters),
		cmocka_unit_test(a_page_asks_before),
		cmocka_unit_test(what_is_not_for_pages_stays_shut),
		cmocka_unit_test(a_wrong_list_is_named),
	};

	setenv("HOOKSWITCH_JWT_SECRET", "a-secret-for-tests-a-secret-for-tests", 1);
	unsetenv("DATABASE_URL");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
