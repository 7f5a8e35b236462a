/*
 * test_settings.c - settings from the environment and from a file, and that each wrong one is
 * named.
 */
#include "base/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const names[] = {
	"HOOKSWITCH_CONF",
#define SETTING(name, type, dflt, min, max, doc) #name,
#include "base/settings.def"
#undef SETTING
};

static char said[16384]; /* what the last load wrote on standard error */
static char conf[] = "/tmp/hookswitch-conf-XXXXXX";

static int
forget(void **state UNUSED)
{
	size_t i;

	for (i = 0; i < COUNT(names); i++)
		unsetenv(names[i]);
	return 0;
}

static int
set_up(void **state)
{
	int fd = mkstemp(conf);

	if (fd < 0)
		return -1;
	close(fd);
	return forget(state);
}

static int
tear_down(void **state UNUSED)
{
	return unlink(conf);
}

/* Runs f with standard error caught in said. */
static int
catching(int (*f)(void))
{
	FILE *caught = tmpfile();
	int kept = dup(STDERR_FILENO), rc;
	size_t n;

	assert_non_null(caught);
	dup2(fileno(caught), STDERR_FILENO);
	rc = f();
	dup2(kept, STDERR_FILENO);
	close(kept);
	rewind(caught);
	n = fread(said, 1, sizeof(said) - 1, caught);
	said[n] = '\0';
	fclose(caught);
	return rc;
}

static int
load(void)
{
	return catching(settings_load);
}

static int
load_file(const char *text)
{
	FILE *f = fopen(conf, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	setenv("HOOKSWITCH_CONF", conf, 1);
	return load();
}

static int
lines_said(void)
{
	const char *p;
	int n = 0;

	for (p = said; (p = strchr(p, '\n')); p++)
		n++;
	return n;
}

static void
what_is_not_set_has_its_default(void **state UNUSED)
{
	assert_int_equal(load(), 0);
	assert_string_equal(said, "");
	assert_int_equal(setting_int(SET_HOOKSWITCH_THREADS), 16);
	assert_string_equal(setting_str(SET_HOOKSWITCH_RUN_DIR), "/run/hookswitch");
	assert_true(setting_bool(SET_HOOKSWITCH_DB_PREPARE));
	assert_false(setting_bool(SET_HOOKSWITCH_KEEP_CHATTER));
	assert_null(setting_str(SET_DATABASE_URL));
	assert_null(setting_str(SET_VAPI_BASE_URL));
}

static void
the_environment_is_read(void **state UNUSED)
{
	setenv("HOOKSWITCH_THREADS", "64", 1);
	setenv("HOOKSWITCH_KEEP_CHATTER", "TRUE", 1);
	setenv("HOOKSWITCH_DB_PREPARE", "0", 1);
	setenv("VAPI_BASE_URL", "http://127.0.0.1:9000/x//", 1);
	setenv("HOOKSWITCH_RUN_DIR", "", 1);
	assert_int_equal(load(), 0);
	assert_int_equal(setting_int(SET_HOOKSWITCH_THREADS), 64);
	assert_true(setting_bool(SET_HOOKSWITCH_KEEP_CHATTER));
	assert_false(setting_bool(SET_HOOKSWITCH_DB_PREPARE));
	assert_string_equal(setting_str(SET_VAPI_BASE_URL), "http://127.0.0.1:9000/x");
	assert_string_equal(setting_str(SET_HOOKSWITCH_RUN_DIR), "/run/hookswitch");
}

static void
a_wrong_value_is_named_with_its_reason(void **state UNUSED)
{
	static const struct {
		const char *name;
		const char *value;
		const char *reason;
	} cases[] = {
		{ "HOOKSWITCH_THREADS", "0", "0 is not between 1 and 64" },
		{ "HOOKSWITCH_THREADS", "65", "65 is not between 1 and 64" },
		{ "HOOKSWITCH_THREADS", "4x", "'4x' is not a whole number" },
		{ "HOOKSWITCH_THREADS", " 4", "' 4' is not a whole number" },
		{ "HOOKSWITCH_THREADS", "+4", "'+4' is not a whole number" },
		{ "HOOKSWITCH_THREADS", "-", "'-' is not a whole number" },
		{ "HOOKSWITCH_THREADS", "99999999999999999999", "is not a whole number" },
		{ "HOOKSWITCH_KEEP_CHATTER", "yes", "'yes' is not on or off" },
		{ "API_URL", "api.example.com", "does not begin with http:// or https://" },
		{ "API_URL", "ftp://api.example.com", "does not begin with http:// or https://" },
		{ "API_URL", "https:///x", "names no host" },
		{ "API_URL", "https://", "names no host" },
		{ "API_URL", "https://a b", "holds a blank" },
		{ "API_URL", "https://a?b", "holds a blank, a quote, ? or #" },
		{ "HOOKSWITCH_LOG_LEVEL", "loud", "'loud' is not debug, info, warn or error" },
		{ "VAPI_API_KEY", "a\nb", "holds a control character" },
	};
	size_t i;

	for (i = 0; i < COUNT(cases); i++) {
		forget(NULL);
		setenv(cases[i].name, cases[i].value, 1);
		assert_int_equal(load(), -1);
		assert_int_equal(lines_said(), 1);
		assert_non_null(strstr(said, cases[i].name));
		if (!strstr(said, cases[i].reason))
			fail_msg("%s=%s: %s", cases[i].name, cases[i].value, said);
	}
}

static void
all_wrong_values_are_named_and_no_secret_is_shown(void **state UNUSED)
{
	setenv("HOOKSWITCH_THREADS", "many", 1);
	setenv("API_URL", "user:geheim@host", 1);
	setenv("VAPI_API_KEY", "geheim\x01", 1);
	setenv("SYNTHFLOW_API_KEY", "fine", 1);
	assert_int_equal(load(), -1);
	assert_int_equal(lines_said(), 3);
	assert_non_null(strstr(said, "setting=HOOKSWITCH_THREADS"));
	assert_non_null(strstr(said, "setting=API_URL"));
	assert_non_null(strstr(said, "setting=VAPI_API_KEY"));
	assert_null(strstr(said, "geheim"));
	assert_string_equal(setting_str(SET_SYNTHFLOW_API_KEY), "fine");
	assert_null(setting_str(SET_VAPI_API_KEY));
}

static void
a_file_is_read_and_the_environment_wins(void **state UNUSED)
{
	setenv("HOOKSWITCH_THREADS", "2", 1);
	assert_int_equal(load_file("# a comment\n"
				   "\n"
				   "HOOKSWITCH_THREADS=8\n"
				   "  HOOKSWITCH_DB_CONNECTIONS = 5   # five\r\n"
				   "DATABASE_URL=\"host=/tmp dbname=x  # all of it\"  # quoted\n"
				   "VAPI_API_KEY='it\"s'\n"
				   "SYNTHFLOW_API_KEY=a#b=c\n"
				   "VAPI_WEBHOOK_SECRET=\n"
				   "HOOKSWITCH_RUN_DIR=''\n"
				   "SOMEBODY_ELSES=1\n"
				   "API_URL=https://api.example.com/"),
	    0);
	assert_string_equal(said, "");
	assert_int_equal(setting_int(SET_HOOKSWITCH_THREADS), 2);
	assert_int_equal(setting_int(SET_HOOKSWITCH_DB_CONNECTIONS), 5);
	assert_string_equal(setting_str(SET_DATABASE_URL), "host=/tmp dbname=x  # all of it");
	assert_string_equal(setting_str(SET_VAPI_API_KEY), "it\"s");
	assert_string_equal(setting_str(SET_SYNTHFLOW_API_KEY), "a#b=c");
	assert_null(setting_str(SET_VAPI_WEBHOOK_SECRET));
	assert_string_equal(setting_str(SET_HOOKSWITCH_RUN_DIR), "/run/hookswitch");
	assert_string_equal(setting_str(SET_API_URL), "https://api.example.com");
}

static void
each_wrong_line_of_a_file_is_named(void **state UNUSED)
{
	assert_int_equal(load_file("HOOKSWITCH_THREADS=99\n"
				   "no equals sign\n"
				   "2NAME=x\n"
				   "API_URL='https://a\n"
				   "VAPI_API_KEY=\"a\"b\n"
				   "SYNTHFLOW_BASE_URL=https://a\n"
				   "SYNTHFLOW_BASE_URL=https://b\n"
				   "HOOKSWITCH_THREDS=4\n"),
	    -1);
	assert_non_null(strstr(said, "setting=HOOKSWITCH_THREADS"));
	assert_non_null(strstr(said, "HOOKSWITCH_CONF:2 reason=\"is not of the form NAME=value\""));
	assert_non_null(strstr(said, "HOOKSWITCH_CONF:3 "));
	assert_non_null(strstr(said, "HOOKSWITCH_CONF:4 reason=\"the quotes do not match\""));
	assert_non_null(strstr(said, "HOOKSWITCH_CONF:5 "));
	assert_null(strstr(said, "HOOKSWITCH_CONF:6 "));
	assert_non_null(strstr(said, "HOOKSWITCH_CONF:7 "));
	assert_non_null(strstr(said, "HOOKSWITCH_THREDS reason=\"there is no such setting\""));
	assert_int_equal(lines_said(), 7);
}

static void
a_file_that_cannot_be_read_is_named(void **state UNUSED)
{
	setenv("HOOKSWITCH_CONF", "/no/such/file", 1);
	assert_int_equal(load(), -1);
	assert_non_null(strstr(said, "setting=HOOKSWITCH_CONF reason=\"No such file"));
	setenv("HOOKSWITCH_CONF", "/tmp", 1);
	assert_int_equal(load(), -1);
	assert_non_null(strstr(said, "setting=HOOKSWITCH_CONF"));
	setenv("HOOKSWITCH_CONF", "", 1);
	assert_int_equal(load(), 0);
}

static int
need(void)
{
	static const int list[] = { SET_DATABASE_URL, SET_API_URL, SET_HOOKSWITCH_THREADS, -1 };

	return settings_need(list);
}

static void
what_a_program_needs_must_be_set(void **state UNUSED)
{
	setenv("API_URL", "https://a", 1);
	assert_int_equal(load(), 0);
	assert_int_equal(catching(need), -1);
	assert_int_equal(lines_said(), 1);
	assert_non_null(strstr(said, "setting=DATABASE_URL reason=\"must be set\""));
	setenv("DATABASE_URL", "dbname=x", 1);
	assert_int_equal(load(), 0);
	assert_int_equal(catching(need), 0);
	assert_string_equal(said, "");
}

static void
all_settings_are_described(void **state UNUSED)
{
	CLEANUP(base_fclosep) FILE *f = tmpfile();
	size_t i, n;

	settings_describe(f);
	rewind(f);
	n = fread(said, 1, sizeof(said) - 1, f);
	said[n] = '\0';
	assert_memory_equal(said, "[{\"name\":\"DATABASE_URL\",\"type\":\"str\"", 36);
	assert_string_equal(said + n - 3, "}]\n");
	for (i = 1; i < COUNT(names); i++)
		assert_non_null(strstr(said, names[i]));
	assert_non_null(strstr(said, "\"type\":\"int\",\"default\":\"16\",\"min\":1,\"max\":64,"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_is_not_set_has_its_default, forget),
		cmocka_unit_test_setup(the_environment_is_read, forget),
		cmocka_unit_test_setup(a_wrong_value_is_named_with_its_reason, forget),
		cmocka_unit_test_setup(all_wrong_values_are_named_and_no_secret_is_shown, forget),
		cmocka_unit_test_setup(a_file_is_read_and_the_environment_wins, forget),
		cmocka_unit_test_setup(each_wrong_line_of_a_file_is_named, forget),
		cmocka_unit_test_setup(a_file_that_cannot_be_read_is_named, forget),
		cmocka_unit_test_setup(what_a_program_needs_must_be_set, forget),
		cmocka_unit_test(all_settings_are_described),
	};

	return cmocka_run_group_tests_name("settings", tests, set_up, tear_down);
}
