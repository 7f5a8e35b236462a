/*
 * test_request.c - the head of a request: ids, headers, who is this host.
 */
#include "fake.h"

static void
the_id_is_the_web_servers_or_a_new_one(void **state)
{
	static const char *const good[] = { "REQUEST_URI=/", "REQUEST_ID=8a4f-B_c.d", NULL };
	static const char *const bad[][3] = {
		{ "REQUEST_URI=/", NULL },
		{ "REQUEST_URI=/", "REQUEST_ID=", NULL },
		{ "REQUEST_URI=/", "REQUEST_ID=a b", NULL },
		{ "REQUEST_URI=/", "REQUEST_ID=a\r\nX: y", NULL },
		{ "REQUEST_URI=/",
		    "REQUEST_ID=0123456789012345678901234567890123456789012345678901234567890123",
		    NULL },
	};
	char last[CTX_ID_MAX] = "";
	struct fake f;
	size_t i;

	(void)state;
	fake_open(&f);
	assert_int_equal(fake_request(&f, good), 0);
	assert_string_equal(f.c.request_id, "8a4f-B_c.d");
	for (i = 0; i < COUNT(bad); i++) {
		assert_int_equal(fake_request(&f, bad[i]), 0);
		assert_int_equal(strlen(f.c.request_id), 32);
		assert_int_equal(strspn(f.c.request_id, "0123456789abcdef"), 32);
		assert_string_not_equal(f.c.request_id, last);
		snprintf(last, sizeof(last), "%s", f.c.request_id);
	}
	fake_close(&f);
}

static void
the_head_is_read(void **state)
{
	static const char *const variables[] = { "REQUEST_METHOD=HEAD",
		"REQUEST_URI=/a%20b/c?x=1?&y", "HTTP_X_VAPI_SECRET=s", "CONTENT_TYPE=text/plain",
		"HTTP_X_VAPI_SECRET_2=no", "HTTP_EMPTY=", NULL };
	struct fake f;

	(void)state;
	fake_open(&f);
	assert_int_equal(fake_request(&f, variables), 0);
	assert_int_equal(f.r.method, GET);
	assert_true(f.r.head);
	assert_string_equal(request_path(&f.c), "/a%20b/c");
	assert_string_equal(request_query(&f.c), "x=1?&y");
	assert_int_equal(f.r.parts.n, 2);
	assert_string_equal(f.r.parts.parts[0], "a b");
	assert_string_equal(request_header(&f.c, "X-Vapi-Secret"), "s");
	assert_string_equal(request_header(&f.c, "x-vapi-secret"), "s");
	assert_string_equal(request_header(&f.c, "Content-Type"), "text/plain");
	assert_string_equal(request_header(&f.c, "Empty"), "");
	assert_null(request_header(&f.c, "X-Vapi"));
	assert_null(request_header(&f.c, "Absent"));
	fake_close(&f);
}

static void
a_missing_or_broken_path_is_refused(void **state)
{
	static const char *const none[] = { "REQUEST_METHOD=GET", NULL };
	static const char *const slash[] = { "REQUEST_URI=/a%2fb", NULL };
	static const char *const absolute[] = { "REQUEST_URI=http://h/a", NULL };
	struct fake f;

	(void)state;
	fake_open(&f);
	assert_int_equal(fake_request(&f, none), -1);
	assert_int_equal(f.c.failure.err, ERR_BAD_PATH);
	assert_int_equal(fake_request(&f, slash), -1);
	assert_int_equal(fake_request(&f, absolute), -1);
	fake_close(&f);
}

static void
loopback_is_told_by_the_peers_address_alone(void **state)
{
	static const struct {
		const char *variable;
		bool loopback;
	} cases[] = {
		{ "REMOTE_ADDR=127.0.0.1", true },
		{ "REMOTE_ADDR=127.9.9.9", true },
		{ "REMOTE_ADDR=::1", true },
		{ "REMOTE_ADDR=::ffff:127.0.0.1", true },
		{ "REMOTE_ADDR=unix:", true },
		{ "REMOTE_ADDR=", true },
		{ "OTHER=", true },
		{ "REMOTE_ADDR=10.0.0.1", false },
		{ "REMOTE_ADDR=1270.0.0.1", false },
		{ "REMOTE_ADDR=::2", false },
		{ "REMOTE_ADDR=::ffff:10.0.0.1", false },
	};
	struct fake f;
	size_t i;

	(void)state;
	fake_open(&f);
	for (i = 0; i < COUNT(cases); i++) {
		const char *variables[] = { "REQUEST_URI=/", cases[i].variable,
			"HTTP_X_FORWARDED_FOR=127.0.0.1", NULL };

		assert_int_equal(fake_request(&f, variables), 0);
		assert_int_equal(request_loopback(&f.c), cases[i].loopback);
	}
	fake_close(&f);
}

static const struct route small = { POST, "/", PUBLIC, NO_FIELDS, NULL, 200, NULL, "x",
	.body_max = 10 };

static void
too_large_is_told_before_a_byte_is_read(void **state)
{
	static const struct {
		const char *length;
		enum err err;
	} cases[] = {
		{ "CONTENT_LENGTH=0", ERR_NONE },
		{ "CONTENT_LENGTH=", ERR_NONE },
		{ "CONTENT_LENGTH=10", ERR_NONE },
		{ "CONTENT_LENGTH=11", ERR_TOO_LARGE },
		{ "CONTENT_LENGTH=99999999999999999999999999", ERR_TOO_LARGE },
		{ "CONTENT_LENGTH=-1", ERR_BAD_REQUEST },
		{ "CONTENT_LENGTH=1x", ERR_BAD_REQUEST },
		{ "CONTENT_LENGTH= 1", ERR_BAD_REQUEST },
	};
	struct fake f;
	size_t i;

	(void)state;
	fake_open(&f);
	for (i = 0; i < COUNT(cases); i++) {
		const char *variables[] = { "REQUEST_URI=/", cases[i].length, NULL };

		assert_int_equal(fake_request(&f, variables), 0);
		f.r.route = &small;
		assert_int_equal(request_read_body(&f.c), cases[i].err == ERR_NONE ? 0 : -1);
		assert_int_equal(f.c.failure.err, cases[i].err);
	}
	fake_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_id_is_the_web_servers_or_a_new_one),
		cmocka_unit_test(the_head_is_read),
		cmocka_unit_test(a_missing_or_broken_path_is_refused),
		cmocka_unit_test(loopback_is_told_by_the_peers_address_alone),
		cmocka_unit_test(too_large_is_told_before_a_byte_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
