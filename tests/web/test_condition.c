/*
 * test_condition.c - ETags: the same answer is not sent twice, and a change is only made to what
 * was seen; of many who saw the same one wins.
 */
#include "notes.h"
#include "web/condition.h"

enum { WRITERS = 12 };

static struct child a;

/* ---- a program over one table ------------------------------------------------- */

#define PAGE "/pages/0f8fad5b-d9cb-469f-a165-70867728950e"

/* Reading takes a while, so that all who ask at once have seen the same. */
static const char *const page_sql[] = {
	"create table public.pages (id uuid primary key, text text not null, n int not null)",
	"grant all on public.pages to hookswitch_api",
	"create function api.page_get(p_id uuid) returns jsonb language plpgsql as $$ declare v"
	" jsonb; begin"
	" select jsonb_build_object('text', text, 'n', n) into v from public.pages where id = p_id;"
	" if v is null then raise exception 'not_found' using errcode = 'PT404'; end if;"
	" perform pg_sleep(case when v ->> 'text' = 'slow' then 0.3 else 0 end);"
	" return v; end $$",
	"create function api.page_change(p_id uuid, p_changes jsonb) returns jsonb language plpgsql"
	" as $$ begin"
	" update public.pages set text = p_changes ->> 'text', n = n + 1 where id = p_id;"
	" if p_changes ->> 'text' = 'refused' then raise exception 'call_ended' using errcode ="
	" 'PT409'; end if;"
	" return api.page_get(p_id); end $$",
	("create function api.page_remove(p_id uuid) returns jsonb language plpgsql as $$ begin"
	 " delete from public.pages where id = p_id; return null; end $$"),
};

static const struct field page_fields[] = {
	FIELD(id, PATH, T_UUID, .required = true, .doc = "x"),
};
static const struct field page_change_fields[] = {
	FIELD(id, PATH, T_UUID, .required = true, .doc = "x"),
	FIELD(text, BODY, T_STR, .doc = "x"),
};
static const struct route page_routes[] = {
	{ PATCH, "/pages/{id}", NOTES_WRITE, FIELDS(page_change_fields), run_query, 200,
	    "page_change", "x" },
	{ DELETE, "/pages/{id}", NOTES_WRITE, FIELDS(page_fields), run_query, 204, "page_remove",
	    "x" },
	{ GET, "/pages/{id}", NOTES_READ, FIELDS(page_fields), run_query, 200, "page_get", "x" },
	{ DELETE, "/pages/{id}/all", NOTES_WRITE, FIELDS(page_fields), run_query, 204,
	    "page_remove", "x" },
	{ POST, "/pages/{id}", NOTES_WRITE, FIELDS(page_fields), run_query, 200, "page_get", "x" },
};
static const struct server pages = { "pages", page_routes, COUNT(page_routes) };

static void
ask(const char *method, const char *uri, const char *header, const char *body)
{
	char method_is[64], uri_is[256], length[64];

	snprintf(method_is, sizeof(method_is), "REQUEST_METHOD=%s", method);
	snprintf(uri_is, sizeof(uri_is), "REQUEST_URI=%s", uri);
	snprintf(length, sizeof(length), "CONTENT_LENGTH=%zu", strlen(body));
	child_run(&pages, NULL,
	    ASK(method_is, uri_is, length, "CONTENT_TYPE=application/json", WITH_KEY,
		header ? header : "A="),
	    body, &a);
	assert_int_equal(a.exit, 0);
}

/* The last answer's tag behind the name of a variable. */
static void
take_tag(const char *variable, char *ret, size_t size)
{
	const char *at = strstr(a.text, "ETag: ");

	assert_non_null(at);
	snprintf(ret, size, "%s=%.*s", variable, (int)strcspn(at + 6, "\r\n"), at + 6);
}

static void
write_page(const char *text)
{
	char sql[256];
	const char *one = sql;

	snprintf(sql, sizeof(sql),
	    "insert into public.pages values ('0f8fad5b-d9cb-469f-a165-70867728950e', '%s', 0)"
	    " on conflict (id) do update set text = excluded.text, n = 0",
	    text);
	assert_int_equal(database_run(database_url, &one, 1), 0);
}

static int
open_pages(void **state)
{
	if (database_open(state) < 0)
		return -1;
	return database_url[0] ? database_run(database_url, page_sql, COUNT(page_sql)) : 0;
}

/* ---- tests -------------------------------------------------------------------------- */

static void
lists_of_tags(void **state)
{
	static const struct {
		const char *list;
		bool named;
	} cases[] = { { "\"a\"", true }, { "*", true }, { " * ", true }, { "W/\"a\"", true },
		{ "\"b\", \"a\"", true }, { "\"b\",\"a\"", true }, { "\"b\" , W/\"a\" ", true },
		{ "\"x,\", \"a\"", true }, { "", false }, { "\"b\"", false }, { "a", false },
		{ "\"a", false }, { "\"\"", false }, { "\"aa\"", false }, { "w/\"a\"", false },
		{ "\"b\" \"c\"", false }, { "b, \"a\"", false }, { "\"A\"", false } };
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++)
		if (condition_names(cases[i].list, "\"a\"") != cases[i].named)
			fake_fail("%s: judged wrongly", cases[i].list);
}

static void
an_answer_that_one_has_is_not_sent_again(void **state)
{
	char have[100], weak[110];

	(void)state;
	DATABASE_OR_SKIP();
	write_page("one");
	ask("GET", PAGE, NULL, "");
	assert_int_equal(a.status, 200);
	take_tag("HTTP_IF_NONE_MATCH", have, sizeof(have));
	ask("GET", PAGE, have, "");
	assert_int_equal(a.status, 304);
	assert_string_equal(a.body, "");
	assert_true(child_has(&a, strchr(have, '"')));
	assert_false(child_has(&a, "\nContent-Type"));
	ask("HEAD", PAGE, have, "");
	assert_int_equal(a.status, 304);
	snprintf(weak, sizeof(weak), "HTTP_IF_NONE_MATCH=\"other\", W/%s", strchr(have, '"'));
	ask("GET", PAGE, weak, "");
	assert_int_equal(a.status, 304);
	write_page("two");
	ask("GET", PAGE, have, "");
	assert_int_equal(a.status, 200);
	assert_string_equal(a.body, "{\"n\": 0, \"text\": \"two\"}");
	assert_false(child_has(&a, strchr(have, '"')));
	/* Errors have no tag, and other methods do not look. */
	ask("GET", "/pages/0f8fad5b-d9cb-469f-a165-70867728950f", "HTTP_IF_NONE_MATCH=*", "");
	assert_int_equal(a.status, 404);
	assert_false(child_has(&a, "ETag"));
	ask("POST", PAGE, "HTTP_IF_NONE_MATCH=*", "{}");
	assert_int_equal(a.status, 200);
	assert_false(child_has(&a, "ETag"));
}

static void
a_change_is_made_to_what_was_seen(void **state)
{
	char seen[100];

	(void)state;
	DATABASE_OR_SKIP();
	write_page("one");
	ask("GET", PAGE, NULL, "");
	take_tag("HTTP_IF_MATCH", seen, sizeof(seen));
	ask("PATCH", PAGE, seen, "{\"text\":\"two\"}");
	assert_int_equal(a.status, 200);
	assert_string_equal(a.body, "{\"n\": 1, \"text\": \"two\"}");
	ask("PATCH", PAGE, seen, "{\"text\":\"three\"}");
	assert_int_equal(a.status, 412);
	assert_non_null(strstr(a.body, "\"code\":\"precondition_failed\""));
	ask("DELETE", PAGE, seen, "");
	assert_int_equal(a.status, 412);
	ask("GET", PAGE, NULL, "");
	assert_string_equal(a.body, "{\"n\": 1, \"text\": \"two\"}");
	ask("PATCH", PAGE, "HTTP_IF_MATCH=*", "{\"text\":\"four\"}");
	assert_int_equal(a.status, 200);
	/* What the route itself refuses is not done either. */
	ask("PATCH", PAGE, "HTTP_IF_MATCH=*", "{\"text\":\"refused\"}");
	assert_int_equal(a.status, 409);
	ask("GET", PAGE, NULL, "");
	assert_string_equal(a.body, "{\"n\": 2, \"text\": \"four\"}");
	take_tag("HTTP_IF_MATCH", seen, sizeof(seen));
	ask("DELETE", PAGE, seen, "");
	assert_int_equal(a.status, 204);
	ask("DELETE", PAGE, "HTTP_IF_MATCH=*", "");
	assert_int_equal(a.status, 404);
}

static void
where_nothing_can_match_nothing_is_done(void **state)
{
	(void)state;
	DATABASE_OR_SKIP();
	write_page("kept");
	ask("DELETE", PAGE "/all", "HTTP_IF_MATCH=*", "");
	assert_int_equal(a.status, 412);
	ask("PATCH", PAGE, "HTTP_IF_MATCH=nonsense", "{\"text\":\"x\"}");
	assert_int_equal(a.status, 412);
	ask("GET", PAGE, NULL, "");
	assert_string_equal(a.body, "{\"n\": 0, \"text\": \"kept\"}");
	ask("DELETE", PAGE "/all", "HTTP_IF_MATCH=", "");
	assert_int_equal(a.status, 204);
}

static void
who_asks_is_proved_first(void **state)
{
	(void)state;
	DATABASE_OR_SKIP();
	child_run(&pages, NULL,
	    ASK("REQUEST_METHOD=PATCH", "REQUEST_URI=" PAGE, "HTTP_X_API_KEY=hsk_unknown",
		"HTTP_IF_MATCH=*", "CONTENT_LENGTH=0"),
	    "", &a);
	assert_int_equal(a.status, 401);
	child_run(&pages, NULL,
	    ASK("REQUEST_METHOD=DELETE", "REQUEST_URI=" PAGE "/all", "HTTP_X_API_KEY=hsk_unknown",
		"HTTP_IF_MATCH=*"),
	    "", &a);
	assert_int_equal(a.status, 401);
}

/* A process that changes the page; its exit status is the answer's, less 200. */
static pid_t
start_writer(const char *seen, int n)
{
	char body[64];
	pid_t pid;

	snprintf(body, sizeof(body), "{\"text\":\"by %d\"}", n);
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		ask("PATCH", PAGE, seen, body);
		_exit(a.status - 200);
	}
	return pid;
}

static void
of_many_who_saw_the_same_one_wins(void **state)
{
	int status, won = 0, lost = 0, i;
	pid_t writers[WRITERS];
	char seen[100];

	(void)state;
	DATABASE_OR_SKIP();
	write_page("slow");
	ask("GET", PAGE, NULL, "");
	take_tag("HTTP_IF_MATCH", seen, sizeof(seen));
	for (i = 0; i < WRITERS; i++)
		writers[i] = start_writer(seen, i);
	for (i = 0; i < WRITERS; i++) {
		assert_int_equal(waitpid(writers[i], &status, 0), writers[i]);
		won += WIFEXITED(status) && WEXITSTATUS(status) == 0;
		lost += WIFEXITED(status) && WEXITSTATUS(status) == 212;
	}
	assert_int_equal(won, 1);
	assert_int_equal(lost, WRITERS - 1);
	ask("GET", PAGE, NULL, "");
	assert_int_equal(strncmp(a.body, "{\"n\": 1, \"text\": \"by ", 21), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_of_tags),
		cmocka_unit_test(an_answer_that_one_has_is_not_sent_again),
		cmocka_unit_test(a_change_is_made_to_what_was_seen),
		cmocka_unit_test(where_nothing_can_match_nothing_is_done),
		cmocka_unit_test(who_asks_is_proved_first),
		cmocka_unit_test(of_many_who_saw_the_same_one_wins),
	};

	return cmocka_run_group_tests(tests, open_pages, database_close);
}
