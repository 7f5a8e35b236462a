/*
 * test_supabase.c - errors as clients of Supabase Auth read them, and where people may be sent.
 */
#include "fake.h"

#include <stdlib.h>

#include "base/settings.h"
#include "web/supabase.h"

static struct fake f;

static const char *const plain_request[] = { "REQUEST_METHOD=POST", "REQUEST_URI=/auth/v1/x",
	NULL };
static const char *const dated_request[] = { "REQUEST_METHOD=POST", "REQUEST_URI=/auth/v1/x",
	"HTTP_X_SUPABASE_API_VERSION=2024-01-01", NULL };

static int
set_up(void **state UNUSED)
{
	setenv("APP_URL", "https://app.example.com/start", 1);
	setenv("API_URL", "https://api.example.com:8443", 1);
	fake_open(&f);
	return settings_load() == 0 && fake_request(&f, plain_request) == 0 ? 0 : -1;
}

static int
tear_down(void **state UNUSED)
{
	fake_close(&f);
	return 0;
}

static const struct json *
read_answer(void)
{
	struct span body = request_of(&f.c)->answer.body;
	const struct json *j = NULL;

	assert_int_equal(json_read(f.c.mem, body.data, body.len, JSON_DEPTH_API, &j), JSON_OK);
	return j;
}

static void
an_error_has_the_status_as_its_code(void **state UNUSED)
{
	const struct json *j;

	(void)fail(&f.c, ERR_CREDENTIALS_INVALID, NULL);
	supabase_problem(&f.c);
	j = read_answer();
	assert_int_equal(request_of(&f.c)->answer.status, 400);
	assert_int_equal(json_int(j, "code", 0), 400);
	assert_string_equal(json_str(j, "error_code"), "invalid_credentials");
	assert_string_equal(json_str(j, "msg"), "Invalid login credentials");
	assert_int_equal(json_len(j), 3);
	assert_non_null(strstr(text_str(&request_of(&f.c)->answer.headers),
	    "X-Sb-Error-Code: invalid_credentials\r\n"));
}

static void
a_dated_error_has_the_code_as_its_code(void **state UNUSED)
{
	const struct json *j;

	assert_int_equal(fake_request(&f, dated_request), 0);
	(void)fail(&f.c, ERR_PASSWORD_WEAK, "The password is too short.");
	supabase_problem(&f.c);
	j = read_answer();
	assert_int_equal(request_of(&f.c)->answer.status, 422);
	assert_string_equal(json_str(j, "code"), "weak_password");
	assert_string_equal(json_str(j, "message"), "The password is too short.");
	assert_string_equal(json_str_of(json_path(j, "weak_password.reasons.0"), NULL), "length");
	assert_non_null(strstr(text_str(&request_of(&f.c)->answer.headers),
	    "X-Supabase-Api-Version: 2024-01-01\r\n"));
}

static void
a_wrong_field_is_named_in_the_sentence(void **state UNUSED)
{
	(void)fail_field(&f.c, "email", "format", "is no e-mail address");
	supabase_problem(&f.c);
	assert_string_equal(json_str(read_answer(), "error_code"), "validation_failed");
	assert_string_equal(json_str(read_answer(), "msg"), "email: is no e-mail address");
}

static void
a_fault_of_ours_tells_nothing(void **state UNUSED)
{
	(void)fail(&f.c, ERR_INTERNAL, "the secret is 42");
	supabase_problem(&f.c);
	assert_int_equal(request_of(&f.c)->answer.status, 500);
	assert_string_equal(json_str(read_answer(), "error_code"), "unexpected_failure");
	assert_null(strstr(json_str(read_answer(), "msg"), "42"));
}

/* Every error that has no words here keeps its own code and status. */
static void
all_errors_have_a_code(void **state UNUSED)
{
	int e, status;

	for (e = ERR_NONE + 1; e < ERR_COUNT; e++) {
		status = err_info((enum err)e)->status;
		assert_non_null(supabase_code(err_info((enum err)e)->code, &status));
		assert_true(status >= 400 && status <= 599);
	}
	status = 503;
	assert_string_equal(supabase_code("unavailable", &status), "unavailable");
	assert_int_equal(status, 503);
}

static void
only_our_own_addresses_are_gone_to(void **state UNUSED)
{
	static const char *const good[] = { "https://app.example.com", "https://app.example.com/",
		"https://app.example.com/a/b?c=d#e", "HTTPS://APP.example.com?x",
		"https://app.example.com#x", "https://api.example.com:8443/x" };
	static const char *const bad[] = { "", "/x", "//app.example.com/", "javascript:alert(1)",
		"https://app.example.com.evil.example/", "https://app.example.com@evil.example/",
		"https://app.example.com:8443/", "https://app.example.com:443@evil.example/",
		"https://app.example.com\\@evil.example/", "https://app.example.com\\evil",
		"http://app.example.com/", "https://api.example.com/",
		"https://evil.example/https://app.example.com/", "https://app.example.com/\r\nX: y",
		"https://app.example.com/\x7f", "https://app.example.com/\xc3\xa9",
		" https://app.example.com/", "https://app.example.co" };
	size_t i;

	for (i = 0; i < COUNT(good); i++)
		assert_true(supabase_allowed(good[i]));
	for (i = 0; i < COUNT(bad); i++)
		assert_false(supabase_allowed(bad[i]));
	assert_false(supabase_allowed(NULL));
}

static void
redirected(const char *url, char mark, const char *want)
{
	CLEANUP(text_clear) struct text t = TEXT(1000);

	reply_forget(&f.c, 0);
	assert_int_equal(supabase_redirect(&f.c, url, mark, "a=1"), 0);
	assert_int_equal(request_of(&f.c)->answer.status, 303);
	text_printf(&t, "Location: %s\r\n", want);
	assert_string_equal(text_str(&request_of(&f.c)->answer.headers), text_str(&t));
}

static void
other_addresses_lead_to_the_application(void **state UNUSED)
{
	redirected("https://app.example.com/in", '#', "https://app.example.com/in#a=1");
	redirected("https://app.example.com/in#old", '#', "https://app.example.com/in#a=1");
	redirected("https://app.example.com/in#old", '?', "https://app.example.com/in?a=1");
	redirected("https://app.example.com/in?b=2", '?', "https://app.example.com/in?b=2&a=1");
	redirected("https://evil.example/in", '#', "https://app.example.com/start#a=1");
	redirected(NULL, '?', "https://app.example.com/start?a=1");
}

static void
what_goes_along_with_a_mail(void **state UNUSED)
{
	struct supabase_in in = { .redirect_to = "https://evil.example/" };

	assert_string_equal(supabase_more(&f.c, &in), "{\"redirect_to\":null}");
	in.redirect_to = "https://app.example.com/in";
	in.code_challenge = "abc";
	assert_string_equal(supabase_more(&f.c, &in),
	    "{\"redirect_to\":\"https://app.example.com/in\",\"code_challenge\":\"abc\","
	    "\"code_challenge_method\":\"plain\"}");
}

#define CASE(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(an_error_has_the_status_as_its_code),
		CASE(a_dated_error_has_the_code_as_its_code),
		CASE(a_wrong_field_is_named_in_the_sentence),
		CASE(a_fault_of_ours_tells_nothing),
		CASE(all_errors_have_a_code),
		CASE(only_our_own_addresses_are_gone_to),
		CASE(other_addresses_lead_to_the_application),
		CASE(what_goes_along_with_a_mail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
