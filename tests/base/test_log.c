/*
 * test_log.c - log lines: one write each, one line each, whatever is put into them.
 *
 * Standard error is a socket here that keeps writes apart.
 */
#include "base/log.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static int kept_stderr, reader;
static char got[8192];

static int
set_up(void **state UNUSED)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0)
		return -1;
	kept_stderr = dup(STDERR_FILENO);
	dup2(pair[0], STDERR_FILENO);
	close(pair[0]);
	reader = pair[1];
	return 0;
}

static int
tear_down(void **state UNUSED)
{
	dup2(kept_stderr, STDERR_FILENO);
	close(kept_stderr);
	close(reader);
	return 0;
}

/* What one write wrote; "" when there was none. */
static const char *
one_write(void)
{
	ssize_t n = recv(reader, got, sizeof(got) - 1, MSG_DONTWAIT);

	got[n > 0 ? n : 0] = '\0';
	return got;
}

static void
a_line_is_one_write_of_pairs(void **state UNUSED)
{
	const char *line;

	log_open("calls", LOG_INFO);
	errno = ENOTTY;
	log_line(LOG_WARN, "event=%s n=%d", "test", 7);
	assert_int_equal(errno, ENOTTY);
	line = one_write();
	assert_memory_equal(line, "ts=20", 5);
	assert_string_equal(line + 27, " level=warn program=calls event=test n=7\n");
	assert_string_equal(one_write(), "");
}

static void
lines_below_the_level_are_not_written(void **state UNUSED)
{
	log_open("calls", LOG_ERROR);
	log_line(LOG_WARN, "a=1");
	assert_string_equal(one_write(), "");
	log_line(LOG_ERROR, "a=1");
	assert_non_null(strstr(one_write(), " level=error program=calls a=1\n"));
	log_open("calls", LOG_DEBUG);
	log_line(LOG_DEBUG, "a=1");
	assert_non_null(strstr(one_write(), " level=debug "));
}

static void
a_line_stays_one_line_and_is_cut_when_too_long(void **state UNUSED)
{
	static char longer[6000];
	const char *line;

	log_open("calls", LOG_INFO);
	log_line(LOG_INFO, "a=%s", "x\ny\rz\x1b[0m");
	assert_non_null(strstr(one_write(), " a=x y z [0m\n"));

	memset(longer, 'x', sizeof(longer) - 1);
	log_line(LOG_INFO, "a=%s", longer);
	line = one_write();
	assert_in_range(strlen(line), 4000, 4096);
	assert_string_equal(line + strlen(line) - 3, "xx\n");
	assert_string_equal(one_write(), "");
}

static void
a_value_is_quoted_when_it_must_be(void **state UNUSED)
{
	static const struct {
		const char *in;
		const char *out;
	} cases[] = {
		{ "plain", "plain" },
		{ "/api/v1/calls?limit", "/api/v1/calls?limit" },
		{ "", "\"\"" },
		{ "two words", "\"two words\"" },
		{ "a=b", "\"a=b\"" },
		{ "a\"b\\", "\"a\\\"b\\\\\"" },
		{ "a\nb\tc", "\"a\\nb\\x09c\"" },
		{ "M\xc3\xbcller", "\"M\\xc3\\xbcller\"" },
		{ NULL, "-" },
	};
	char buf[64];
	size_t i;

	for (i = 0; i < COUNT(cases); i++) {
		assert_ptr_equal(log_quote(cases[i].in, buf, sizeof(buf)), buf);
		assert_string_equal(buf, cases[i].out);
	}
}

static void
a_value_that_is_too_long_is_cut_and_keeps_its_quote(void **state UNUSED)
{
	char buf[9];

	assert_string_equal(log_quote("longer than that", buf, sizeof(buf)), "\"longer\"");
	assert_string_equal(log_quote("12 45\n", buf, sizeof(buf)), "\"12 45\"");
	assert_string_equal(log_quote("plain-and-long", buf, sizeof(buf)), "plain-an");
	assert_string_equal(log_quote("a b", buf, 4), "\"a\"");
}

static void
levels_have_names(void **state UNUSED)
{
	assert_int_equal(log_level_by_name("debug"), LOG_DEBUG);
	assert_int_equal(log_level_by_name("info"), LOG_INFO);
	assert_int_equal(log_level_by_name("warn"), LOG_WARN);
	assert_int_equal(log_level_by_name("error"), LOG_ERROR);
	assert_int_equal(log_level_by_name("loud"), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_line_is_one_write_of_pairs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lines_below_the_level_are_not_written, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(a_line_stays_one_line_and_is_cut_when_too_long,
		    set_up, tear_down),
		cmocka_unit_test(a_value_is_quoted_when_it_must_be),
		cmocka_unit_test(a_value_that_is_too_long_is_cut_and_keeps_its_quote),
		cmocka_unit_test(levels_have_names),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
