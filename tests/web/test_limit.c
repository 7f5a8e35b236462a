/*
 * test_limit.c - who is counted as whom, and which requests are counted at all.
 */
#include "web/limit.h"

#include "base/settings.h"
#include "fake.h"
#include "web/flight.h"
#include "web/limit_private.h"

#include <stdlib.h>

static struct fake f;

static const struct {
	const char *address;
	const char *as;
} addresses[] = {
	{ "192.0.2.7", "192.0.2.7" },
	{ "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64" },
	{ "2001:0DB8:0001:0002::1", "2001:db8:1:2::/64" },
	{ "2001:db8:1:3::1", "2001:db8:1:3::/64" },
	{ "::1", "::/64" },
	{ "::ffff:192.0.2.7", "192.0.2.7" },
	{ "unix:", "unknown" },
	{ "", "unknown" },
	{ "192.0.2.7, 10.0.0.1", "unknown" },
};

static void
an_address_stands_for_its_network(void **state UNUSED)
{
	char as[LIMIT_ADDRESS_MAX];
	size_t i;

	for (i = 0; i < COUNT(addresses); i++) {
		limit_address(addresses[i].address, as);
		assert_string_equal(as, addresses[i].as);
	}
}

static const struct route routes[] = {
	{ GET, "/open", PUBLIC, NO_FIELDS, run_query, 200, NULL, "x" },
	{ GET, "/hook", PUBLIC, NO_FIELDS, run_query, 200, NULL, "x", .flags = ROUTE_UNLIMITED },
	{ GET, "/api", SCOPE("x:read"), NO_FIELDS, run_query, 200, NULL, "x" },
	{ GET, "/me", PERSON, NO_FIELDS, run_query, 200, NULL, "x" },
	{ GET, "/local", LOCAL, NO_FIELDS, run_query, 200, NULL, "x" },
	{ GET, "/inside", INTERNAL, NO_FIELDS, run_query, 200, NULL, "x" },
};

static bool
is_due(const struct route *route)
{
	static const char *const variables[] = { "REQUEST_METHOD=GET", "REQUEST_URI=/",
		"REMOTE_ADDR=192.0.2.7", NULL };

	assert_int_equal(fake_request(&f, variables), 0);
	fake_route(&f, route, NULL);
	return limit_due(&f.c);
}

static void
set(const char *key, const char *organization, const char *address)
{
	setenv("HOOKSWITCH_RATE_PER_KEY", key, 1);
	setenv("HOOKSWITCH_RATE_PER_ORGANIZATION", organization, 1);
	setenv("HOOKSWITCH_RATE_PER_ADDRESS", address, 1);
	assert_int_equal(settings_load(), 0);
	assert_int_equal(limit_start(), 0);
}

static void
each_route_but_those_of_the_house_is_counted(void **state UNUSED)
{
	static const struct {
		const char *key, *organization, *address;
		bool due[COUNT(routes)];
	} cases[] = {
		{ "60", "60", "60", { true, false, true, true, false, false } },
		{ "60", "0", "0", { false, false, true, true, false, false } },
		{ "0", "60", "0", { false, false, true, true, false, false } },
		{ "0", "0", "60", { true, false, false, false, false, false } },
		{ "0", "0", "0", { false, false, false, false, false, false } },
	};
	size_t i, k;

	for (i = 0; i < COUNT(cases); i++) {
		set(cases[i].key, cases[i].organization, cases[i].address);
		for (k = 0; k < COUNT(routes); k++)
			if (is_due(&routes[k]) != cases[i].due[k])
				fake_fail("case %zu, %s", i, routes[k].path);
	}
}

static void
once_and_not_twice(void **state UNUSED)
{
	struct limit_head head;

	set("60", "60", "60");
	assert_true(is_due(&routes[0]));
	assert_int_equal(limit_head(&f.c, &head), 0);
	assert_int_equal(head.n, LIMIT_HEAD_MAX);
	assert_ptr_equal(head.steps[1].stmt, &db_apart);
	assert_false(limit_due(&f.c));
	assert_int_equal(limit_head(&f.c, &head), 0);
	assert_int_equal(head.n, 1);
	assert_int_equal(limit_now(&f.c), 0);
}

static void
who_is_known_has_a_bucket_of_his_own(void **state UNUSED)
{
	struct limit_names names;

	set("60", "60", "60");
	assert_true(is_due(&routes[2]));
	assert_int_equal(limit_names(&f.c, &names), 0);
	assert_string_equal(names.who, "address:192.0.2.7");
	f.r.identity = (struct identity){ .kind = IDENTITY_KEY,
		.key_hash = "0123456789abcdef0123456789abcdefXXXX" };
	assert_int_equal(limit_names(&f.c, &names), 0);
	assert_string_equal(names.who, "key:0123456789abcdef0123456789abcdef");
	f.r.identity = (struct identity){ .kind = IDENTITY_TOKEN, .subject = "s" };
	assert_int_equal(limit_names(&f.c, &names), 0);
	assert_string_equal(names.who, "person:s");
	f.r.identity = (struct identity){ .kind = IDENTITY_TOKEN, .organization = "o" };
	assert_int_equal(limit_names(&f.c, &names), 0);
	assert_string_equal(names.who, "service:o");
	assert_string_equal(names.address, "address:192.0.2.7");
}

static void
nobody_counts_without_a_database(void **state UNUSED)
{
	set("60", "60", "60");
	assert_true(is_due(&routes[2]));
	assert_int_equal(limit_now(&f.c), -1);
	assert_int_equal(f.c.failure.err, ERR_UNAVAILABLE);
}

static void
only_what_is_known_is_told(void **state UNUSED)
{
	CLEANUP(text_clear) struct text t = TEXT(400);

	assert_true(is_due(&routes[2]));
	limit_write(&f.c, &t);
	assert_int_equal(t.len, 0);
	f.r.limit = (struct limit){ .known = true, .size = 5, .remaining = 2, .reset_s = 3 };
	limit_write(&f.c, &t);
	assert_string_equal(text_str(&t),
	    "RateLimit-Limit: 5\r\nRateLimit-Remaining: 2\r\nRateLimit-Reset: 3\r\n");
}

static void
a_wrong_address_of_redis_is_told_at_the_start(void **state UNUSED)
{
	assert_string_equal(limit_redis_state(), "off");
	setenv("REDIS_URL", "http://127.0.0.1", 1);
	assert_int_equal(settings_load(), 0);
	assert_int_equal(limit_start(), -1);
	setenv("REDIS_URL", "unix:///nowhere/redis.sock", 1);
	assert_int_equal(settings_load(), 0);
	assert_int_equal(limit_start(), 0);
	assert_true(limit_redis_on());
	assert_string_equal(limit_redis_state(), "unavailable");
	limit_stop();
	unsetenv("REDIS_URL");
	assert_int_equal(settings_load(), 0);
}

static int
set_up(void **state UNUSED)
{
	unsetenv("DATABASE_URL");
	unsetenv("REDIS_URL");
	fake_open(&f);
	return 0;
}

static int
tear_down(void **state UNUSED)
{
	fake_close(&f);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_stands_for_its_network),
		cmocka_unit_test(each_route_but_those_of_the_house_is_counted),
		cmocka_unit_test(once_and_not_twice),
		cmocka_unit_test(who_is_known_has_a_bucket_of_his_own),
		cmocka_unit_test(nobody_counts_without_a_database),
		cmocka_unit_test(only_what_is_known_is_told),
		cmocka_unit_test(a_wrong_address_of_redis_is_told_at_the_start),
	};

	return cmocka_run_group_tests_name("limit", tests, set_up, tear_down);
}
