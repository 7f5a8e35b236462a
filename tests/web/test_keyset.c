/*
 * test_keyset.c - keys without a database and without the other side; the rest with the whole stack
 * (tests/handlers/test_tokens.py).
 */
#include "web/keyset.h"

#include "base/settings.h"
#include "fake.h"

#include <stdlib.h>

static struct fake f;

static void
without_a_project_no_key_is_known(void **state UNUSED)
{
	const struct json *set = NULL;

	unsetenv("SUPABASE_URL");
	assert_int_equal(settings_load(), 0);
	assert_int_equal(keyset_find(&f.c, "k", &set), KEYSET_UNKNOWN);
	assert_null(set);
}

/* Who may fetch is said by the database: without it nobody does. */
static void
without_a_database_nothing_is_fetched(void **state UNUSED)
{
	const struct json *set = NULL;
	int i;

	setenv("SUPABASE_URL", "http://127.0.0.1:1", 1);
	assert_int_equal(settings_load(), 0);
	for (i = 0; i < 2; i++) {
		assert_int_equal(keyset_find(&f.c, "k", &set), KEYSET_UNAVAILABLE);
		assert_null(set);
		assert_int_equal(f.c.failure.err, ERR_NONE);
		keyset_forget();
	}
}

static int
set_up(void **state UNUSED)
{
	unsetenv("DATABASE_URL");
	fake_open(&f);
	return 0;
}

static int
tear_down(void **state UNUSED)
{
	keyset_forget();
	fake_close(&f);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_project_no_key_is_known),
		cmocka_unit_test(without_a_database_nothing_is_fetched),
	};

	return cmocka_run_group_tests_name("keyset", tests, set_up, tear_down);
}
