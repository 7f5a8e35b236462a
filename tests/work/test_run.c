/*
 * test_run.c - the engine's parts that need no database: a workflow's table, what is planned for a
 * run, and what an answer becomes.  The whole of it is tested in tests/handlers and tests/faults.
 */
#include "base/settings.h"
#include "work/run.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- a workflow ------------------------------------------------------------ */

static int
ask(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	(void)in;
	*ret = (struct fetch_request){ .method = "POST", .url = mem_str(m, "http://127.0.0.1:1/") };
	return ret->url ? 0 : -1;
}

static int
ask_nothing(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	(void)m;
	(void)in;
	(void)ret;
	return -1;
}

static void
look(struct mem *m, const struct step_in *in, const struct fetch_answer *a, struct step_out *ret)
{
	(void)m;
	(void)in;
	ret->verdict = a->status == 404 ? STEP_ABSENT : STEP_UNKNOWN;
}

static const char *const keep[] = { "id", "to\"o", NULL };
static const struct step back = { .name = "back", .ask = ask, .takes_key = true };
static const struct step steps[] = {
	{ .name = "first", .apply = "do_first" },
	{ .name = "keyed", .ask = ask, .takes_key = true, .undo = &back, .keep = keep },
	{ .name = "plain", .ask = ask, .look_ask = ask, .look_read = look, .with_next = true },
	{ .name = "beside", .ask = ask, .takes_key = true, .look_ask = ask, .look_read = look },
	{ .name = "blind", .ask = ask },
};
static const struct workflow flow = { .name = "flow", .steps = steps, .nsteps = COUNT(steps) };
static const struct workflow *const flows[] = { &flow, NULL };

static struct work w;

static int
set_up(void **state)
{
	(void)state;
	setenv("DATABASE_URL", "postgresql:///none?host=/none", 1);
	setenv("HOOKSWITCH_RUN_DIR", ".", 1);
	setenv("HOOKSWITCH_DB_TIMEOUT_MS", "500", 1);
	if (settings_load() == -1)
		return -1;
	return work_open(&w, db_open("postgresql:///none?host=/none", NULL), flows);
}

static int
tear_down(void **state)
{
	(void)state;
	db_close(w.db);
	work_close(&w);
	return 0;
}

/* ---- tables ------------------------------------------------------------------- */

static void
a_wrong_table_is_refused(void **state)
{
	static const struct step twice[] = { { .name = "a" }, { .name = "a" } };
	static const struct step no_name[] = { { .apply = "x" } };
	static const struct step loose[] = { { .name = "a", .with_next = true } };
	static const struct step half[] = { { .name = "a", .ask = ask, .look_ask = ask } };
	static const struct step sql_key[] = { { .name = "a", .takes_key = true } };
	static const struct step undone = { .name = "b", .undo = &back };
	static const struct step deep[] = { { .name = "a", .undo = &undone } };
	static const struct workflow cases[] = {
		{ .name = "x", .steps = twice, .nsteps = 2 },
		{ .name = "x", .steps = no_name, .nsteps = 1 },
		{ .name = "x", .steps = loose, .nsteps = 1 },
		{ .name = "x", .steps = half, .nsteps = 1 },
		{ .name = "x", .steps = sql_key, .nsteps = 1 },
		{ .name = "x", .steps = deep, .nsteps = 1 },
		{ .name = "x" },
		{ .steps = steps, .nsteps = 1 },
	};
	size_t i;

	(void)state;
	assert_null(table_wrong(&flow));
	for (i = 0; i < COUNT(cases); i++) {
		const struct workflow *const list[] = { &cases[i], NULL };
		struct work other;
		assert_non_null(table_wrong(&cases[i]));
		assert_int_equal(work_open(&other, w.db, list), -1);
		assert_int_equal(errno, EINVAL);
	}
}

static void
sql_is_told_what_it_needs(void **state)
{
	const struct json *j = NULL;

	(void)state;
	assert_int_equal(json_read(w.mem, w.tables[0], strlen(w.tables[0]), JSON_DEPTH_API, &j),
	    JSON_OK);
	assert_string_equal(json_str(j, "first"), "first");
	assert_string_equal(json_str_of(json_path(j, "steps.first.apply"), NULL), "do_first");
	assert_string_equal(json_str_of(json_path(j, "steps.keyed.keep.1"), NULL), "to\"o");
	assert_string_equal(json_str_of(json_path(j, "steps.keyed.next"), NULL), "plain");
	assert_int_equal(json_len(json_path(j, "steps.beside.group")), 2);
	assert_string_equal(json_str_of(json_path(j, "steps.plain.next"), NULL), "blind");
	assert_int_equal(json_type(json_path(j, "steps.blind.next")), JSON_NULL);
	assert_true(json_bool(json_path(j, "steps.plain"), "looks", false));
	assert_false(json_bool(json_path(j, "steps.keyed"), "looks", true));
	assert_true(json_bool(json_path(j, "steps.first"), "sql", false));
	assert_false(json_bool(json_path(j, "steps.keyed"), "sql", true));
	assert_int_equal(json_int(json_path(j, "undo.keyed"), "attempts", 0), 10);
	assert_string_equal(w.names, "{\"flow\"}");
}

/* ---- plans ----------------------------------------------------------------------- */

/* A run as the database tells it; what is planned is left in w. */
static struct run *
planned(const char *more, const char *rows)
{
	const char *text = mem_printf(w.c.mem,
	    "{\"id\":\"r\",\"workflow\":\"flow\",\"fence\":3,\"moves\":1,\"input\":{},"
	    "\"results\":{},\"steps\":[%s],%s}",
	    rows, more);
	const struct json *row = NULL;

	assert_int_equal(json_read(w.c.mem, text, strlen(text), JSON_DEPTH_API, &row), JSON_OK);
	w.items = NULL;
	w.items_end = &w.items;
	w.intents = NULL;
	run_hold(&w, row);
	assert_non_null(w.runs);
	plan_run(&w, w.runs);
	return w.runs;
}

static void
forget(struct run *r)
{
	struct fetch_answer a;

	while (fetch_live(w.fetch) > 0) {
		fetch_wait(w.fetch, 100, NULL, 0, NULL);
		while (fetch_next(w.fetch, &a))
			;
	}
	r->live = r->items = 0;
	r->over = true;
	run_sweep(&w);
	assert_null(w.runs);
	w.items = NULL;
	w.items_end = &w.items;
	w.intents = NULL;
}

/* What the database tells of a run, and what is to be done then. */
static const struct {
	const char *run, *rows;
	const char *intent; /* a step that is to be sent, or NULL */
	bool look;
	const char *item; /* a part of the only result, or NULL */
} plans[] = {
	{ "\"step\":null", "", NULL, false, "\"verdict\":\"done\",\"sql\":true" },
	{ "\"step\":\"keyed\"", "", "keyed", false, NULL },
	{ "\"step\":\"gone\"", "", NULL, false, "\"verdict\":\"strange\"" },
	{ "\"step\":\"\"", "", NULL, false, "\"moves\":1}" },
	{ "\"step\":\"keyed\",\"cancel\":true", "", NULL, false, "\"moves\":1}" },
	/* Not due yet. */
	{ "\"step\":\"keyed\"", "{\"step\":\"keyed\",\"state\":\"retry\",\"due_ms\":5000}", NULL,
	    false, "\"moves\":1}" },
	/* Perhaps done: repeated under its key ... */
	{ "\"step\":\"keyed\"",
	    "{\"step\":\"keyed\",\"state\":\"sent\",\"tries\":1,\"key_s\":82799}", "keyed", false,
	    NULL },
	/* ... as long as that is believed. */
	{ "\"step\":\"keyed\"",
	    "{\"step\":\"keyed\",\"state\":\"unknown\",\"tries\":1,\"key_s\":82800}", NULL, false,
	    "\"reason\":\"outcome_unknown\"" },
	{ "\"step\":\"plain\"",
	    "{\"step\":\"beside\",\"state\":\"unknown\",\"tries\":1,\"key_s\":82800},"
	    "{\"step\":\"plain\",\"state\":\"done\"}",
	    NULL, true, NULL },
	/* The provider has stored a failure under it. */
	{ "\"step\":\"plain\"",
	    "{\"step\":\"beside\",\"state\":\"unknown\",\"tries\":1,\"key_s\":1,"
	    "\"look_first\":true},{\"step\":\"plain\",\"state\":\"done\"}",
	    NULL, true, NULL },
	/* Without a key: looked up, but not while it may still be on its way. */
	{ "\"step\":\"plain\"",
	    "{\"step\":\"plain\",\"state\":\"sent\",\"tries\":1,\"sent_ms\":16000},"
	    "{\"step\":\"beside\",\"state\":\"done\"}",
	    NULL, true, NULL },
	{ "\"step\":\"plain\"",
	    "{\"step\":\"plain\",\"state\":\"sent\",\"tries\":1,\"sent_ms\":15000},"
	    "{\"step\":\"beside\",\"state\":\"done\"}",
	    NULL, false, "\"reason\":\"lease_ran_out\",\"retry_ms\":1000" },
	/* Nobody can say; but somebody who redrives it may. */
	{ "\"step\":\"blind\"", "{\"step\":\"blind\",\"state\":\"sent\",\"tries\":1}", NULL, false,
	    "\"reason\":\"outcome_unknown\"" },
	{ "\"step\":\"blind\"", "{\"step\":\"blind\",\"state\":\"unknown\",\"tries\":0}", "blind",
	    false, NULL },
	/* Its effect here failed. */
	{ "\"step\":\"keyed\"", "{\"step\":\"keyed\",\"state\":\"answered\"}", NULL, false,
	    "\"verdict\":\"apply\"" },
	/* Undoing: what was done, and what may have been. */
	{ "\"step\":\"blind\",\"undo_to\":\"failed\"", "{\"step\":\"keyed\",\"state\":\"done\"}",
	    "keyed", false, NULL },
	{ "\"step\":\"blind\",\"undo_to\":\"failed\"",
	    "{\"step\":\"keyed\",\"state\":\"failed\",\"unsure\":true}", "keyed", false, NULL },
	{ "\"step\":\"blind\",\"undo_to\":\"failed\"", "{\"step\":\"keyed\",\"state\":\"failed\"}",
	    NULL, false, "\"verdict\":\"undone\"" },
	{ "\"step\":\"blind\",\"undo_to\":\"failed\"",
	    "{\"step\":\"keyed\",\"state\":\"done\"},"
	    "{\"step\":\"keyed\",\"undo\":true,\"state\":\"done\"}",
	    NULL, false, "\"verdict\":\"undone\"" },
	{ "\"step\":\"blind\",\"undo_to\":\"failed\"",
	    "{\"step\":\"plain\",\"state\":\"unknown\",\"tries\":1}", NULL, true, NULL },
};

static void
what_is_planned(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(plans); i++) {
		struct run *r = planned(plans[i].run, plans[i].rows);
		const char *intent = w.intents ? w.intents->name : NULL;
		if (!intent != !plans[i].intent || (intent && strcmp(intent, plans[i].intent) != 0))
			fail_msg("case %zu intends %s", i, intent ? intent : "nothing");
		if ((fetch_live(w.fetch) == 1) != plans[i].look)
			fail_msg("case %zu looks up %d", i, fetch_live(w.fetch));
		if (!w.items != !plans[i].item ||
		    (w.items && !strstr(w.items->json, plans[i].item)))
			fail_msg("case %zu says %s", i, w.items ? w.items->json : "nothing");
		assert_true(!w.items || !w.items->next);
		forget(r);
	}
}

static void
steps_that_run_together_are_planned_together(void **state)
{
	struct run *r = planned("\"step\":\"plain\"", "");

	(void)state;
	assert_int_equal(r->live, 2);
	assert_string_equal(w.intents->name, "beside");
	assert_string_equal(w.intents->next->name, "plain");
	assert_null(w.intents->next->next);
	forget(r);
}

/* ---- answers ------------------------------------------------------------------------ */

/* What an answer to the step of that number becomes. */
static void
expect_item(size_t step, bool looked, const struct fetch_answer *given, const char *part)
{
	struct run *r = planned("\"step\":\"keyed\",\"cancel\":true", "");
	struct task t = { .run = r,
		.step = &steps[step],
		.name = steps[step].name,
		.look = looked };
	struct fetch_answer a = *given;

	a.tag = &t;
	a.retry_after = a.retry_after ? a.retry_after : -1;
	r->live = 1;
	w.items = NULL;
	w.items_end = &w.items;
	task_answered(&w, &a);
	if (!w.items || !strstr(w.items->json, part))
		fail_msg("%s: %s", part, w.items ? w.items->json : "nothing");
	forget(r);
}

static void
an_answer_means_what_its_status_says(void **state)
{
	(void)state;
	expect_item(1, false, &(struct fetch_answer){ .status = 201 }, "\"verdict\":\"done\"");
	expect_item(1, false, &(struct fetch_answer){ .status = 422 },
	    "\"verdict\":\"failed\",\"reason\":\"http_422\"");
	expect_item(1, false, &(struct fetch_answer){ .status = 429, .retry_after = 7 },
	    "\"verdict\":\"retry\",\"reason\":\"http_429\",\"retry_ms\":7000");
	expect_item(1, false, &(struct fetch_answer){ .outcome = FETCH_NOT_SENT },
	    "\"verdict\":\"retry\",\"reason\":\"not_sent\"");
	expect_item(1, false, &(struct fetch_answer){ .outcome = FETCH_LOST },
	    "\"verdict\":\"unknown\",\"reason\":\"no_answer\"");
	expect_item(1, false, &(struct fetch_answer){ .status = 500 },
	    "\"verdict\":\"unknown\",\"reason\":\"http_500\"}");
	/* Who can be asked is asked, once a failure is stored. */
	expect_item(3, false, &(struct fetch_answer){ .status = 500 }, "\"stored\":true");
	expect_item(2, false, &(struct fetch_answer){ .status = 500 },
	    "\"verdict\":\"unknown\",\"reason\":\"http_500\"}");
	expect_item(4, false, &(struct fetch_answer){ .status = 500 },
	    "\"verdict\":\"failed\",\"reason\":\"outcome_unknown\"");
	expect_item(2, true, &(struct fetch_answer){ .status = 404 },
	    "\"verdict\":\"absent\",\"reason\":\"http_404\",\"looked\":1}");
	expect_item(3, true, &(struct fetch_answer){ .status = 404 }, "\"suffix\":true");
	expect_item(2, true, &(struct fetch_answer){ .status = 503 },
	    "\"verdict\":\"unknown\",\"reason\":\"http_503\",\"looked\":1}");
}

static void
a_request_that_cannot_be_built_fails_the_look_and_not_the_engine(void **state)
{
	static const struct step s = { .name = "x", .ask = ask, .look_ask = ask_nothing };
	struct run *r = planned("\"step\":\"keyed\",\"cancel\":true", "");

	(void)state;
	w.items = NULL;
	w.items_end = &w.items;
	task_look(&w, r, &s, "x", false);
	assert_non_null(w.items);
	assert_non_null(strstr(w.items->json, "look_not_built"));
	assert_int_equal(r->live, 0);
	forget(r);
}

static void
a_turn_without_a_database_ends_and_says_so(void **state)
{
	const char *summary = work_turn(&w, 0, -1);

	(void)state;
	assert_non_null(summary);
	assert_non_null(strstr(summary, "The database did not answer"));
	assert_true(w.counts.failures > 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wrong_table_is_refused),
		cmocka_unit_test(sql_is_told_what_it_needs),
		cmocka_unit_test(what_is_planned),
		cmocka_unit_test(steps_that_run_together_are_planned_together),
		cmocka_unit_test(an_answer_means_what_its_status_says),
		cmocka_unit_test(a_request_that_cannot_be_built_fails_the_look_and_not_the_engine),
		cmocka_unit_test(a_turn_without_a_database_ends_and_says_so),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
