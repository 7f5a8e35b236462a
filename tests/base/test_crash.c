/*
 * test_crash.c - the points at which a test build ends itself: named once each, and deadly only
 * when they are asked for.
 */
#include "base/crash.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base.h"

/* Passes the point n times in a child; how often it came through, -1 when it was killed. */
static int
pass(enum crash_id id, int n)
{
	int status, i;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		for (i = 0; i < n; i++)
			crash_at(id);
		_exit(n);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFSIGNALED(status)) {
		assert_int_equal(WTERMSIG(status), SIGKILL);
		return -1;
	}
	return WEXITSTATUS(status);
}

static int
forget(void **state UNUSED)
{
	unsetenv("HOOKSWITCH_CRASH_POINT");
	unsetenv("HOOKSWITCH_CRASH_SKIP");
	unsetenv("HOOKSWITCH_CRASH_ONCE");
	return 0;
}

static void
each_point_has_a_name_of_its_own_and_a_sentence(void **state UNUSED)
{
	int i, j;

	for (i = 0; i < CRASH_COUNT; i++) {
		assert_in_range(strlen(crash_name(i)), 3, 40);
		assert_in_range(strlen(crash_sentence(i)), 10, 120);
		for (j = 0; j < i; j++)
			assert_string_not_equal(crash_name(i), crash_name(j));
	}
	assert_null(crash_name(CRASH_COUNT));
	assert_null(crash_name(-1));
	assert_null(crash_sentence(CRASH_COUNT));
}

static void
a_point_kills_only_when_it_is_named(void **state UNUSED)
{
	assert_int_equal(pass(CRASH_claim_after, 3), 3);
	setenv("HOOKSWITCH_CRASH_POINT", "claim_after", 1);
	assert_int_equal(pass(CRASH_claim_after, 1), -1);
	assert_int_equal(pass(CRASH_claim_before, 3), 3);
}

static void
several_points_kill_at_the_first(void **state UNUSED)
{
	setenv("HOOKSWITCH_CRASH_POINT", "claim_after,record_sent", 1);
	assert_int_equal(pass(CRASH_claim_after, 1), -1);
	assert_int_equal(pass(CRASH_record_sent, 1), -1);
	assert_int_equal(pass(CRASH_claim_before, 3), 3);
	setenv("HOOKSWITCH_CRASH_POINT", "claim_aft,er,record_sentence", 1);
	assert_int_equal(pass(CRASH_claim_after, 3), 3);
	assert_int_equal(pass(CRASH_record_sent, 3), 3);
}

static void
a_point_is_passed_as_often_as_told(void **state UNUSED)
{
	setenv("HOOKSWITCH_CRASH_POINT", "record_sent", 1);
	setenv("HOOKSWITCH_CRASH_SKIP", "2", 1);
	assert_int_equal(pass(CRASH_record_sent, 2), 2);
	assert_int_equal(pass(CRASH_record_sent, 3), -1);
}

static void
a_mark_lets_the_next_process_live(void **state UNUSED)
{
	char dir[] = "/tmp/hookswitch-crash-XXXXXX", mark[64];

	assert_non_null(mkdtemp(dir));
	snprintf(mark, sizeof(mark), "%s/mark", dir);
	setenv("HOOKSWITCH_CRASH_POINT", "turn_end", 1);
	setenv("HOOKSWITCH_CRASH_ONCE", mark, 1);
	assert_int_equal(pass(CRASH_turn_end, 1), -1);
	assert_int_equal(access(mark, F_OK), 0);
	assert_int_equal(pass(CRASH_turn_end, 2), 2);
	unlink(mark);
	rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_point_has_a_name_of_its_own_and_a_sentence),
		cmocka_unit_test_setup_teardown(a_point_kills_only_when_it_is_named, forget,
		    forget),
		cmocka_unit_test_setup_teardown(several_points_kill_at_the_first, forget, forget),
		cmocka_unit_test_setup_teardown(a_point_is_passed_as_often_as_told, forget, forget),
		cmocka_unit_test_setup_teardown(a_mark_lets_the_next_process_live, forget, forget),
	};

	return cmocka_run_group_tests_name("crash", tests, NULL, NULL);
}
