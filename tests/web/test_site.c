/*
 * test_site.c - whose addresses are ours.
 */
#include "base/base.h"
#include "web/site.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const enum setting both[] = { SET_APP_URL, SET_FRONTEND_URL };

static void
addresses_of_ours_are_told_from_others(void **state)
{
	static const struct {
		const char *url;
		bool ours;
	} cases[] = { { "https://app.example.com/", true },
		{ "https://app.example.com/x?y=1#z", true }, { "HTTPS://APP.example.com/x", true },
		{ "https://app.example.com?x", true }, { "https://shop.example.com:8443/a", true },
		{ "https://app.example.com", true },
		{ "https://app.example.com.evil.example/", false },
		{ "https://app.example.com@evil.example/", false },
		{ "https://app.example.com:444/", false }, { "https://shop.example.com/", false },
		{ "http://app.example.com/", false }, { "//app.example.com/", false },
		{ "https://app.example.com\\@evil.example/", false },
		{ "https://app.example.com/\r\nX: y", false }, { "/x", false }, { "", false },
		{ NULL, false } };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(site_holds(both, COUNT(both), cases[i].url), cases[i].ours);
	assert_false(site_holds(both, 1, "https://shop.example.com:8443/a"));
	assert_false(site_holds(both, 0, "https://app.example.com/"));
}

static void
what_is_not_set_holds_nothing(void **state)
{
	static const enum setting unset[] = { SET_API_URL };

	(void)state;
	assert_false(site_holds(unset, 1, "https://app.example.com/"));
	assert_false(site_holds(unset, 1, ""));
}

static int
set_up(void **state)
{
	(void)state;
	setenv("APP_URL", "https://app.example.com/start", 1);
	setenv("FRONTEND_URL", "https://shop.example.com:8443", 1);
	unsetenv("API_URL");
	return settings_load();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_of_ours_are_told_from_others),
		cmocka_unit_test(what_is_not_set_holds_nothing),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
