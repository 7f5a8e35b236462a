/*
 * test_seal.c - sealed secrets and call tokens: they open with their key and purpose, and with
 * nothing else.
 */
#include "lib/seal.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/settings.h"

#define KEY_A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define KEY_B "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
#define CALL "0189abcd-ef01-4abc-8def-000000000001"

static struct mem *mem;

static int
set_up(void **state UNUSED)
{
	mem = mem_new(1 << 20);
	return mem ? 0 : -1;
}

static int
tear_down(void **state UNUSED)
{
	mem_freep(&mem);
	return 0;
}

static void
use_keys(const char *keys)
{
	setenv("HOOKSWITCH_SECRET_KEY", keys, 1);
	assert_int_equal(settings_load(), 0);
}

/* seal_ready, and what it says on standard error. */
static int
ready(const char *keys, char *said, size_t size)
{
	FILE *caught = tmpfile();
	int kept = dup(STDERR_FILENO), rc;
	size_t n;

	use_keys(keys);
	assert_non_null(caught);
	dup2(fileno(caught), STDERR_FILENO);
	rc = seal_ready();
	dup2(kept, STDERR_FILENO);
	close(kept);
	rewind(caught);
	n = fread(said, 1, size - 1, caught);
	said[n] = '\0';
	fclose(caught);
	return rc;
}

static void
a_wrong_key_is_refused_with_its_reason(void **state UNUSED)
{
	static const struct {
		const char *keys;
		const char *reason;
	} cases[] = {
		{ "", "must be set" },
		{ KEY_A, "not of the form id:base64" },
		{ ":" KEY_A, "not of the form id:base64" },
		{ "a b:" KEY_A, "letters, digits, _ and - only" },
		{ "a:AAAA", "not the base64 of 32 bytes" },
		{ "a:" KEY_A "x", "not the base64 of 32 bytes" },
		{ "a:" KEY_A ",a:" KEY_B, "two keys have the same id" },
		{ "a:" KEY_A ",", "not of the form id:base64" },
		{ "a:" KEY_A ",,b:" KEY_B, "not of the form id:base64" },
		{ "a123456789012345678901234567890123:" KEY_A, "not of the form" },
		{ "a:" KEY_A ",b:" KEY_A ",c:" KEY_A ",d:" KEY_A ",e:" KEY_A ",f:" KEY_A ",g:" KEY_A
		  ",h:" KEY_A ",i:" KEY_A,
		    "more than 8 keys" },
	};
	char said[512];
	size_t i;

	for (i = 0; i < COUNT(cases); i++) {
		assert_int_equal(ready(cases[i].keys, said, sizeof(said)), -1);
		if (!strstr(said, cases[i].reason) || strstr(said, "AAAAAAAA"))
			fail_msg("case %zu: %s", i, said);
		assert_null(seal_close(mem, "p", "x"));
		assert_null(seal_token(mem, SEAL_CALL, CALL));
	}
	assert_int_equal(ready("a:" KEY_A ", b_2-x:" KEY_B " ", said, sizeof(said)), 0);
	assert_string_equal(said, "");
}

static void
a_secret_is_sealed_and_opened(void **state UNUSED)
{
	const char *sealed, *again;

	use_keys("k1:" KEY_A);
	sealed = seal_close(mem, "provider.api_key", "hunter2");
	again = seal_close(mem, "provider.api_key", "hunter2");
	assert_memory_equal(sealed, "sealed:1:k1:", 12);
	assert_null(strstr(sealed, "hunter2"));
	assert_string_not_equal(sealed, again);
	assert_true(seal_is_sealed(sealed));
	assert_string_equal(seal_open(mem, "provider.api_key", sealed), "hunter2");
	assert_string_equal(seal_open(mem, "p", seal_close(mem, "p", "")), "");
}

static void
a_sealed_secret_opens_for_its_purpose_only(void **state UNUSED)
{
	use_keys("k1:" KEY_A);
	assert_null(seal_open(mem, "webhook.secret", seal_close(mem, "provider.api_key", "x")));
}

static void
a_changed_text_does_not_open(void **state UNUSED)
{
	char *sealed;
	size_t i;

	use_keys("k1:" KEY_A ",k2:" KEY_A);
	sealed = mem_str(mem, seal_close(mem, "p", "hunter2"));
	for (i = 0; sealed[i]; i++) {
		sealed[i] ^= 1;
		if (seal_is_sealed(sealed) && seal_open(mem, "p", sealed))
			fail_msg("opened although byte %zu was changed", i);
		sealed[i] ^= 1;
	}
	assert_string_equal(seal_open(mem, "p", sealed), "hunter2");
	/* The same key under another id: the id is authenticated too. */
	sealed[10] = '2';
	assert_null(seal_open(mem, "p", sealed));
	assert_null(seal_open(mem, "p", "sealed:1:k1:"));
	assert_null(seal_open(mem, "p", "sealed:1:k1:AAAA"));
	assert_null(seal_open(mem, "p", "sealed:1:k1"));
	assert_null(seal_open(mem, "p", "sealed:2:k1:AAAA"));
	assert_null(seal_open(mem, "p", "sealed:"));
}

static void
a_text_that_is_not_sealed_is_itself(void **state UNUSED)
{
	const char *plain = "sk_plain";

	use_keys("");
	assert_false(seal_is_sealed(plain));
	assert_false(seal_is_sealed(NULL));
	assert_ptr_equal(seal_open(mem, "p", plain), plain);
	assert_null(seal_open(mem, "p", NULL));
}

static void
an_old_key_opens_until_it_is_taken_out(void **state UNUSED)
{
	const char *old, *new;

	use_keys("old:" KEY_A);
	old = seal_close(mem, "p", "x");
	use_keys("new:" KEY_B ",old:" KEY_A);
	assert_string_equal(seal_open(mem, "p", old), "x");
	new = seal_close(mem, "p", "y");
	assert_memory_equal(new, "sealed:1:new:", 13);
	use_keys("new:" KEY_B);
	assert_null(seal_open(mem, "p", old));
	assert_string_equal(seal_open(mem, "p", new), "y");
}

static void
a_call_token_proves_its_call(void **state UNUSED)
{
	const char *token;
	char id[37] = "", changed[102];
	size_t i;

	use_keys("k1:" KEY_A);
	token = seal_token(mem, SEAL_CALL, "0189ABCD-ef01-4abc-8def-000000000001");
	assert_int_equal(strlen(token), 101);
	assert_memory_equal(token, CALL ".", 37);
	assert_string_equal(token, seal_token(mem, SEAL_CALL, CALL));
	assert_true(seal_token_check(SEAL_CALL, token, id));
	assert_string_equal(id, CALL);

	id[0] = '\0';
	for (i = 0; i < 101; i++) {
		memcpy(changed, token, sizeof(changed));
		changed[i] ^= 1;
		if (seal_token_check(SEAL_CALL, changed, id))
			fail_msg("passed although byte %zu was changed", i);
	}
	assert_string_equal(id, "");
}

static void
what_is_no_token_is_not_ours(void **state UNUSED)
{
	char id[37];

	use_keys("k1:" KEY_A);
	assert_false(seal_token_check(SEAL_CALL, NULL, id));
	assert_false(seal_token_check(SEAL_CALL, "", id));
	assert_false(seal_token_check(SEAL_CALL, CALL, id));
	assert_false(seal_token_check(SEAL_CALL, CALL ".", id));
	assert_null(seal_token(mem, SEAL_CALL, ""));
	assert_null(seal_token(mem, SEAL_CALL, "not a uuid, but just as long as one."));
	use_keys("");
	assert_false(seal_token_check(SEAL_CALL, CALL "." KEY_A KEY_A, id));
}

static void
a_token_of_an_old_key_is_still_ours(void **state UNUSED)
{
	const char *token;
	char id[37];

	use_keys("old:" KEY_A);
	token = seal_token(mem, SEAL_CALL, CALL);
	use_keys("new:" KEY_B ",old:" KEY_A);
	assert_true(seal_token_check(SEAL_CALL, token, id));
	assert_string_not_equal(seal_token(mem, SEAL_CALL, CALL), token);
	use_keys("new:" KEY_B);
	assert_false(seal_token_check(SEAL_CALL, token, id));
}

static void
a_token_is_worth_its_purpose_only(void **state UNUSED)
{
	const char *token;
	char id[37];

	use_keys("k1:" KEY_A);
	token = seal_token(mem, "recovery", CALL);
	assert_true(seal_token_check("recovery", token, id));
	assert_false(seal_token_check("signup", token, id));
	assert_false(seal_token_check(SEAL_CALL, token, id));
	assert_false(seal_token_check("recovery", seal_token(mem, SEAL_CALL, CALL), id));
	assert_null(seal_token(mem, "a purpose of more than forty letters is none", CALL));
}

static void
a_code_is_six_digits_of_one_thing(void **state UNUSED)
{
	const char *code, *other = "0189abcd-ef01-4abc-8def-000000000002";

	use_keys("old:" KEY_A);
	code = seal_code(mem, "signup", CALL);
	assert_int_equal(strlen(code), 6);
	assert_int_equal(strspn(code, "0123456789"), 6);
	assert_true(seal_code_check("signup", CALL, code));
	assert_false(seal_code_check("signup", other, code));
	assert_false(seal_code_check("recovery", CALL, code));
	assert_false(seal_code_check("signup", CALL, "12345"));
	assert_false(seal_code_check("signup", CALL, NULL));
	use_keys("new:" KEY_B ",old:" KEY_A);
	assert_true(seal_code_check("signup", CALL, code));
	use_keys("new:" KEY_B);
	assert_false(seal_code_check("signup", CALL, code));
}

static void *
seal_and_open(void *arg)
{
	CLEANUP(mem_freep) struct mem *m = mem_new(1 << 20);
	const char *opened, *token;
	char id[37];
	int i;

	for (i = 0; i < 100; i++) {
		opened = seal_open(m, "p", seal_close(m, "p", "hunter2"));
		token = seal_token(m, SEAL_CALL, CALL);
		if (!opened || strcmp(opened, "hunter2") != 0 ||
		    !seal_token_check(SEAL_CALL, token, id))
			return NULL;
		mem_reset(m);
	}
	return arg;
}

/* The keys were not derived yet when the threads begin. */
static void
threads_share_the_keys(void **state UNUSED)
{
	static char fine;
	pthread_t t[8];
	void *ret;
	size_t i;

	use_keys("fresh:" KEY_B ",k1:" KEY_A);
	for (i = 0; i < COUNT(t); i++)
		assert_int_equal(pthread_create(&t[i], NULL, seal_and_open, &fine), 0);
	for (i = 0; i < COUNT(t); i++) {
		pthread_join(t[i], &ret);
		assert_ptr_equal(ret, &fine);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_share_the_keys),
		cmocka_unit_test(a_wrong_key_is_refused_with_its_reason),
		cmocka_unit_test(a_secret_is_sealed_and_opened),
		cmocka_unit_test(a_sealed_secret_opens_for_its_purpose_only),
		cmocka_unit_test(a_changed_text_does_not_open),
		cmocka_unit_test(a_text_that_is_not_sealed_is_itself),
		cmocka_unit_test(an_old_key_opens_until_it_is_taken_out),
		cmocka_unit_test(a_call_token_proves_its_call),
		cmocka_unit_test(what_is_no_token_is_not_ours),
		cmocka_unit_test(a_token_of_an_old_key_is_still_ours),
		cmocka_unit_test(a_token_is_worth_its_purpose_only),
		cmocka_unit_test(a_code_is_six_digits_of_one_thing),
	};

	return cmocka_run_group_tests_name("seal", tests, set_up, tear_down);
}
