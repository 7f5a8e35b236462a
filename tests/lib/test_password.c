/*
 * test_password.c - a password fits its own hash and no other; what is too long is refused, not
 * cut.
 */
#include "lib/password.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/settings.h"

#define BYTES_72 "123456789 123456789 123456789 123456789 123456789 123456789 123456789 12"

static struct mem *mem;

static void
use_cost(const char *cost)
{
	setenv("HOOKSWITCH_PASSWORD_COST", cost, 1);
	assert_int_equal(settings_load(), 0);
}

static int
set_up(void **state UNUSED)
{
	mem = mem_new(8 << 20);
	use_cost("4");
	return mem ? 0 : -1;
}

static int
tear_down(void **state UNUSED)
{
	mem_freep(&mem);
	return 0;
}

static void
a_password_fits_its_hash_alone(void **state UNUSED)
{
	const char *one = password_hash(mem, "correct horse"),
		   *two = password_hash(mem, "correct horse");

	assert_non_null(one);
	assert_memory_equal(one, "$2b$04$", 7);
	assert_string_not_equal(one, two);
	assert_true(password_check(mem, "correct horse", one));
	assert_true(password_check(mem, "correct horse", two));
	assert_false(password_check(mem, "correct horsf", one));
	assert_false(password_check(mem, "", one));
	assert_false(password_check(mem, one, one));
}

static void
the_cost_is_set(void **state UNUSED)
{
	use_cost("5");
	assert_memory_equal(password_hash(mem, "correct horse"), "$2b$05$", 7);
}

/* Made by others: bcrypt with each letter, yescrypt. */
static const struct known {
	const char *password, *hash;
} known[] = {
	{ "U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW" },
	{ "U*U", "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW" },
	{ "U*U", "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW" },
	{ "pleaseletmein",
	    "$y$j75$k2XAnEHBqQ1Ct2aMXFKNa/$Aktovxp4urPpsZXxaZEcUu4TgIsJ.PNaPB.S2gTPfRA" },
};

static void
hashes_of_others_are_known(void **state UNUSED)
{
	size_t i;

	for (i = 0; i < COUNT(known); i++) {
		assert_true(password_check(mem, known[i].password, known[i].hash));
		assert_false(password_check(mem, "pleaseletmeout", known[i].hash));
	}
}

/* crypt(3) would take all of these for what they are, or for the password itself. */
static void
what_is_no_hash_of_ours_fits_nothing(void **state UNUSED)
{
	static const char *const weak[] = { "", "*0", "x", "correct horse", "abhfCpXqd4GrI",
		"$1$abcdefgh$y6iHhJNbuC0xpbk0w9pm80",
		("$6$saltstring$.r0X7ub5wGR2v4Xz7svCIozfnlorFh19V89t8KC9Umd81uGhFgsyTRNyzQDXDIm17"
		 "fFcR9z3z7oBNdsyYBbtm/"),
		"$2b$04$tooshort" };
	size_t i;

	for (i = 0; i < COUNT(weak); i++)
		assert_false(password_check(mem, "correct horse", weak[i]));
	assert_false(password_check(mem, "correct horse", NULL));
}

static void
no_more_than_72_bytes(void **state UNUSED)
{
	const char *hash = password_hash(mem, BYTES_72);

	assert_non_null(hash);
	assert_true(password_check(mem, BYTES_72, hash));
	assert_non_null(password_wrong(BYTES_72 "3"));
	assert_null(password_hash(mem, BYTES_72 "3"));
	assert_false(password_check(mem, BYTES_72 "3", hash));
}

static void
characters_are_counted_not_bytes(void **state UNUSED)
{
	assert_null(password_wrong("12345678"));
	assert_non_null(password_wrong("1234567"));
	assert_non_null(password_wrong("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"));
	assert_null(
	    password_wrong("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"));
}

/* Whoever measures learns nothing: the work is done where there is no hash, too. */
static void
nobody_takes_as_long_as_somebody(void **state UNUSED)
{
	int64_t at, somebody, nobody, cheap;
	const char *hash;

	use_cost("11");
	hash = password_hash(mem, "correct horse");
	at = clock_steady_us();
	assert_false(password_check(mem, "wrong horse", hash));
	somebody = clock_steady_us() - at;
	at = clock_steady_us();
	assert_false(password_check(mem, "wrong horse", NULL));
	nobody = clock_steady_us() - at;
	use_cost("4");
	at = clock_steady_us();
	assert_false(password_check(mem, "wrong horse", NULL));
	cheap = clock_steady_us() - at;
	assert_true(nobody > somebody / 10);
	assert_true(cheap < nobody / 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_password_fits_its_hash_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_cost_is_set, set_up, tear_down),
		cmocka_unit_test_setup_teardown(hashes_of_others_are_known, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_no_hash_of_ours_fits_nothing, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(no_more_than_72_bytes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(characters_are_counted_not_bytes, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(nobody_takes_as_long_as_somebody, set_up,
		    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
