/*
 * test_idempotency.c - the same key gives the same answer once, whatever is asked again.
 */
#include "notes.h"
#include "web/idempotency.h"

#define SECRET_KEY "HOOKSWITCH_SECRET_KEY=k1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
#define OTHER_SECRET_KEY "HOOKSWITCH_SECRET_KEY=k2:ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="

static struct child a;

static void
keys_are_visible_characters(void **state)
{
	static const struct route post = { POST, "/", NOTES_WRITE, NO_FIELDS, note_silent, 200,
		NULL, "x" };
	char longest[300] = "HTTP_IDEMPOTENCY_KEY=", longer[400] = "HTTP_IDEMPOTENCY_KEY=";
	const struct {
		const char *variable;
		bool fine;
	} cases[] = {
		{ "HTTP_IDEMPOTENCY_KEY=8e03978e-40d5", true },
		{ "HTTP_IDEMPOTENCY_KEY=\"!~", true },
		{ longest, true },
		{ longer, false },
		{ "HTTP_IDEMPOTENCY_KEY=", false },
		{ "HTTP_IDEMPOTENCY_KEY=a b", false },
		{ "HTTP_IDEMPOTENCY_KEY=a\xc3\xa9", false },
		{ "HTTP_IDEMPOTENCY_KEY=a\x7f", false },
	};
	struct fake f;
	size_t i;

	(void)state;
	memset(longest + strlen(longest), 'k', 255);
	memset(longer + strlen(longer), 'k', 256);
	fake_open(&f);
	for (i = 0; i < COUNT(cases); i++) {
		const char *variables[] = { "REQUEST_METHOD=POST", "REQUEST_URI=/",
			cases[i].variable, NULL };

		assert_int_equal(fake_request(&f, variables), 0);
		f.r.route = &post;
		f.r.identity.kind = IDENTITY_KEY;
		assert_int_equal(idempotency_key(&f.c), cases[i].fine ? 0 : -1);
		assert_int_equal(f.r.idempotency_key != NULL, cases[i].fine);
	}
	fake_close(&f);
}

static void
the_header_means_nothing_without_somebody_or_a_post(void **state)
{
	const char *variables[] = { "REQUEST_METHOD=POST", "REQUEST_URI=/",
		"HTTP_IDEMPOTENCY_KEY=a b", NULL };
	struct fake f;

	(void)state;
	fake_open(&f);
	assert_int_equal(fake_request(&f, variables), 0);
	f.r.identity.kind = IDENTITY_NONE;
	assert_int_equal(idempotency_key(&f.c), 0);
	f.r.identity.kind = IDENTITY_KEY;
	f.r.method = GET;
	assert_int_equal(idempotency_key(&f.c), 0);
	assert_null(f.r.idempotency_key);
	fake_close(&f);
}

static void
the_first_answer_is_given_again(void **state)
{
	char first[200];

	(void)state;
	DATABASE_OR_SKIP();
	notes_ask("POST", "/notes", ASK(WITH_KEY, "HTTP_IDEMPOTENCY_KEY=one"), "{\"text\":\"a\"}",
	    &a);
	assert_int_equal(a.status, 201);
	assert_string_equal(a.body, "{\"n\": 1, \"text\": \"a\"}AFTER");
	assert_false(child_has(&a, "Idempotent-Replayed"));
	snprintf(first, sizeof(first), "%.*s", (int)(strlen(a.body) - strlen("AFTER")), a.body);
	notes_ask("POST", "/notes", ASK(WITH_KEY, "HTTP_IDEMPOTENCY_KEY=one"), "{\"text\":\"a\"}",
	    &a);
	assert_int_equal(a.status, 201);
	assert_true(child_has(&a, "Idempotent-Replayed: true\r\n"));
	assert_string_equal(a.body, first);
	notes_ask("POST", "/notes", ASK(WITH_KEY), "{\"text\":\"a\"}", &a);
	assert_string_equal(a.body, "{\"n\": 2, \"text\": \"a\"}AFTER");
}

static void
another_request_with_the_key_is_refused(void **state)
{
	(void)state;
	DATABASE_OR_SKIP();
	notes_ask("POST", "/notes", ASK(WITH_KEY, "HTTP_IDEMPOTENCY_KEY=two"), "{\"text\":\"a\"}",
	    &a);
	assert_int_equal(a.status, 201);
	notes_ask("POST", "/notes", ASK(WITH_KEY, "HTTP_IDEMPOTENCY_KEY=two"), "{\"text\": \"a\"}",
	    &a);
	assert_int_equal(a.status, 409);
	assert_non_null(strstr(a.body, "idempotency_key_reused"));
	notes_ask("POST", "/notes", ASK(WITH_KEY, "HTTP_IDEMPOTENCY_KEY=busy"), "{\"text\":\"a\"}",
	    &a);
	assert_int_equal(a.status, 409);
	assert_non_null(strstr(a.body, "idempotency_in_use"));
	assert_true(child_has(&a, "Retry-After: 1\r\n"));
}

static void
refusals_are_computed_again(void **state)
{
	(void)state;
	DATABASE_OR_SKIP();
	notes_ask("POST", "/notes", ASK(WITH_KEY, "HTTP_IDEMPOTENCY_KEY=three"),
	    "{\"text\":\"bad\"}", &a);
	assert_int_equal(a.status, 422);
	notes_ask("POST", "/notes", ASK(WITH_KEY, "HTTP_IDEMPOTENCY_KEY=three"),
	    "{\"text\":\"bad\"}", &a);
	assert_int_equal(a.status, 422);
	assert_false(child_has(&a, "Idempotent-Replayed"));
	notes_ask("POST", "/notes", ASK(WITH_KEY, "HTTP_IDEMPOTENCY_KEY=three"),
	    "{\"text\":\"good\"}", &a);
	assert_int_equal(a.status, 201);
}

static void
a_refusal_under_a_key_undoes_what_was_done(void **state)
{
	long before;

	(void)state;
	DATABASE_OR_SKIP();
	notes_ask("POST", "/notes", ASK(WITH_KEY), "{\"text\":\"a\"}", &a);
	before = strtol(strpbrk(a.body, "0123456789"), NULL, 10);
	notes_ask("POST", "/half", ASK(WITH_KEY, "HTTP_IDEMPOTENCY_KEY=four"), "", &a);
	assert_int_equal(a.status, 409);
	notes_ask("POST", "/notes", ASK(WITH_KEY), "{\"text\":\"a\"}", &a);
	assert_int_equal(strtol(strpbrk(a.body, "0123456789"), NULL, 10), before + 1);
}

static const struct route secret_routes[] = {
	{ POST, "/notes", NOTES_WRITE, FIELDS(note_add_fields), run_query, 201, "note_add", "x",
	    .flags = ROUTE_SECRET },
};

static const struct server secrets = { "secrets", secret_routes, COUNT(secret_routes) };

static void
ask_secret(const char *key)
{
	child_run(&secrets, NULL,
	    ASK("REQUEST_METHOD=POST", "REQUEST_URI=/notes", "CONTENT_TYPE=application/json",
		"CONTENT_LENGTH=17", WITH_KEY, "HTTP_IDEMPOTENCY_KEY=five", key),
	    "{\"text\":\"secret\"}", &a);
}

static void
an_answer_that_holds_a_secret_is_stored_sealed(void **state)
{
	static const char *const sealed =
	    "do $$ begin if not exists (select from public.kept where key = 'five' and body"
	    " like 'sealed:%') then raise exception 'plain'; end if; end $$";
	char first[200];

	(void)state;
	DATABASE_OR_SKIP();
	ask_secret(SECRET_KEY);
	assert_int_equal(a.status, 201);
	assert_non_null(strstr(a.body, "\"text\": \"secret\""));
	snprintf(first, sizeof(first), "%s", a.body);
	assert_int_equal(database_run(database_url, &sealed, 1), 0);
	ask_secret(SECRET_KEY);
	assert_int_equal(a.status, 201);
	assert_true(child_has(&a, "Idempotent-Replayed: true\r\n"));
	assert_string_equal(a.body, first);
}

static void
a_sealed_answer_needs_its_key(void **state)
{
	(void)state;
	DATABASE_OR_SKIP();
	ask_secret(OTHER_SECRET_KEY);
	assert_int_equal(a.status, 500);
	assert_null(strstr(a.text, "secret\""));
	assert_false(child_has(&a, "Idempotent-Replayed"));
	child_run(&secrets, NULL, ASK("HOOKSWITCH_SECRET_KEY="), "", &a);
	assert_int_not_equal(a.exit, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_visible_characters),
		cmocka_unit_test(the_header_means_nothing_without_somebody_or_a_post),
		cmocka_unit_test(the_first_answer_is_given_again),
		cmocka_unit_test(another_request_with_the_key_is_refused),
		cmocka_unit_test(refusals_are_computed_again),
		cmocka_unit_test(a_refusal_under_a_key_undoes_what_was_done),
		cmocka_unit_test(an_answer_that_holds_a_secret_is_stored_sealed),
		cmocka_unit_test(a_sealed_answer_needs_its_key),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
