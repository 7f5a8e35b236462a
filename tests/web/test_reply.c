/*
 * test_reply.c - answers are valid JSON whatever is put in, and errors have the one form.
 */
#include "fake.h"
#include "lib/json.h"
#include "web/server.h"

static const char *const variables[] = { "REQUEST_URI=/", "REQUEST_ID=r1", NULL };

static const struct json *
body(struct fake *f)
{
	const struct answer *a = &f->r.answer;
	const struct json *j;

	assert_int_equal(json_read(f->c.mem, a->body.data, a->body.len, JSON_DEPTH_API, &j),
	    JSON_OK);
	return j;
}

static bool
has_header(const struct fake *f, const char *line)
{
	return strstr(text_str(&f->r.answer.headers), line) != NULL;
}

static void
objects_are_written_member_by_member(void **state)
{
	struct fake f;
	struct out *o;

	(void)state;
	fake_open(&f);
	(void)fake_request(&f, variables);
	o = reply_open(&f.c, 201);
	put_str(o, "s", "a\"b\n\xc3\xa9");
	put_str(o, "none", NULL);
	put_int(o, "i", INT64_MIN);
	put_num(o, "n", 0.5);
	put_num(o, "inf", 1e308 * 10);
	put_bool(o, "b", false);
	put_array(o, "list");
	put_int(o, NULL, 1);
	put_object(o, NULL);
	put_end(o);
	put_object(o, NULL);
	put_json(o, "raw", SPAN("{\"x\":[]}"));
	put_json(o, "nothing", (struct span){ NULL, 0 });
	put_end(o);
	put_end(o);
	assert_int_equal(reply_close(o), 0);
	assert_int_equal(f.r.answer.status, 201);
	assert_string_equal(f.r.answer.body.data,
	    "{\"s\":\"a\\\"b\\n\xc3\xa9\",\"none\":null,\"i\":-9223372036854775808,\"n\":0.5"
	    ",\"inf\":null,"
	    "\"b\":false,\"list\":[1,{},{\"raw\":{\"x\":[]},\"nothing\":null}]}");
	(void)body(&f);
	fake_close(&f);
}

static void
what_is_left_open_is_no_answer(void **state)
{
	struct fake f;
	struct out *o;
	int i;

	(void)state;
	fake_open(&f);
	(void)fake_request(&f, variables);
	o = reply_open(&f.c, 200);
	put_object(o, "a");
	assert_int_equal(reply_close(o), -1);
	assert_int_equal(f.c.failure.err, ERR_INTERNAL);
	(void)fake_request(&f, variables);
	o = reply_open(&f.c, 200);
	put_end(o);
	assert_int_equal(reply_close(o), -1);
	(void)fake_request(&f, variables);
	o = reply_open(&f.c, 200);
	for (i = 0; i < 40; i++)
		put_array(o, i ? NULL : "a");
	for (i = 0; i < 40; i++)
		put_end(o);
	assert_int_equal(reply_close(o), -1);
	fake_close(&f);
}

static void
errors_have_one_form(void **state)
{
	const struct json *j, *e;
	struct fake f;

	(void)state;
	fake_open(&f);
	(void)fake_request(&f, variables);
	fail_field(&f.c, "a.b", "unknown", "there is no \"such\" field");
	fail_field(&f.c, "c", "required", NULL);
	reply_problem(&f.c);
	assert_int_equal(f.r.answer.status, 400);
	assert_string_equal(f.r.answer.type, "application/problem+json");
	j = body(&f);
	assert_string_equal(json_str(j, "type"), "urn:hookswitch:error:bad_fields");
	assert_string_equal(json_str(j, "code"), "bad_fields");
	assert_string_equal(json_str(j, "title"), err_info(ERR_BAD_FIELDS)->title);
	assert_int_equal(json_int(j, "status", 0), 400);
	assert_string_equal(json_str(j, "request_id"), "r1");
	e = json_get(j, "errors");
	assert_int_equal(json_len(e), 2);
	assert_string_equal(json_str(json_at(e, 0), "field"), "a.b");
	assert_string_equal(json_str(json_at(e, 0), "code"), "unknown");
	assert_string_equal(json_str(json_at(e, 0), "detail"), "there is no \"such\" field");
	fake_close(&f);
}

static void
errors_bring_their_headers(void **state)
{
	struct fake f;

	(void)state;
	fake_open(&f);
	(void)fake_request(&f, variables);
	fail(&f.c, ERR_UNAUTHENTICATED, NULL);
	reply_failure(&f.c);
	assert_true(has_header(&f, "WWW-Authenticate: Bearer\r\n"));
	(void)fake_request(&f, variables);
	fail(&f.c, ERR_TOKEN_EXPIRED, NULL);
	reply_failure(&f.c);
	assert_true(has_header(&f, "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n"));
	(void)fake_request(&f, variables);
	fail(&f.c, ERR_UNAVAILABLE, NULL);
	reply_failure(&f.c);
	assert_true(has_header(&f, "Retry-After: 1\r\n"));
	(void)fake_request(&f, variables);
	fail(&f.c, ERR_INTERNAL, NULL);
	f.c.failure.retry_after = 30;
	reply_failure(&f.c);
	assert_true(has_header(&f, "Retry-After: 30\r\n"));
	(void)fake_request(&f, variables);
	fail(&f.c, ERR_NOT_FOUND, NULL);
	reply_failure(&f.c);
	assert_string_equal(text_str(&f.r.answer.headers), "");
	fake_close(&f);
}

static void
render(struct ctx *c)
{
	if (c->failure.status != 404)
		(void)reply_json(c, c->failure.status, SPAN("{\"msg\":\"other\"}"));
}

static void
a_program_may_have_a_shape_of_its_own(void **state)
{
	static const struct server other = { "other", NULL, 0, .problem = render };
	struct fake f;

	(void)state;
	fake_open(&f);
	(void)fake_request(&f, variables);
	f.r.server = &other;
	fail(&f.c, ERR_TOKEN_EXPIRED, NULL);
	reply_failure(&f.c);
	assert_int_equal(f.r.answer.status, 401);
	assert_string_equal(f.r.answer.type, "application/json");
	assert_string_equal(f.r.answer.body.data, "{\"msg\":\"other\"}");
	assert_true(has_header(&f, "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n"));
	/* Where it says nothing the usual shape stands in. */
	(void)fake_request(&f, variables);
	f.r.server = &other;
	fail(&f.c, ERR_NOT_FOUND, NULL);
	reply_failure(&f.c);
	assert_int_equal(f.r.answer.status, 404);
	assert_string_equal(f.r.answer.type, "application/problem+json");
	fake_close(&f);
}

static void
a_header_cannot_bring_another(void **state)
{
	struct fake f;

	(void)state;
	fake_open(&f);
	(void)fake_request(&f, variables);
	reply_header(&f.c, "X-Good", "a b");
	reply_header(&f.c, "X-Bad", "a\r\nX-Evil: b");
	reply_header(&f.c, "X-None", NULL);
	assert_string_equal(text_str(&f.r.answer.headers), "X-Good: a b\r\n");
	reply_forget(&f.c, 0);
	assert_string_equal(text_str(&f.r.answer.headers), "");
	assert_int_equal(f.r.answer.status, 0);
	fake_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_are_written_member_by_member),
		cmocka_unit_test(what_is_left_open_is_no_answer),
		cmocka_unit_test(errors_have_one_form),
		cmocka_unit_test(errors_bring_their_headers),
		cmocka_unit_test(a_program_may_have_a_shape_of_its_own),
		cmocka_unit_test(a_header_cannot_bring_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
