/*
 * test_outside.c - a request that asks somebody outside: a step, a question, the next step; what is
 * done once under a key, and what a refusal leaves.
 */
#include "notes.h"
#include "web/outside.h"

static struct child a;
static int asked;
static bool is_ready = true;

/* Each step leaves a note; the first asks, the second answers or refuses. */
static const char step_sql[] =
    "create function api.note_outside(p_text text, p_state jsonb, p_answer jsonb) returns jsonb"
    " language plpgsql as $$ begin"
    " insert into public.notes (text) values (p_text);"
    " if p_answer is null or p_text = 'endless' then return jsonb_build_object('ask',"
    " jsonb_build_object('what', p_text), 'state', p_state || '{\"step\":1}'); end if;"
    " if p_text = 'refused' then raise exception 'unavailable' using errcode = 'PT503'; end if;"
    " return jsonb_build_object('view', jsonb_build_object('answer', p_answer, 'step', p_state -> "
    "'step', 'known', p_state -> 'known', 'request', p_state -> 'request', 'notes', (select "
    "count(*) from public.notes where text = p_text))); end $$";

/* ---- who is asked ----------------------------------------------------- */

static bool
ready(void)
{
	return is_ready;
}

/* Nobody listens there: it is refused at once. */
static int
build(struct mem *m, const struct json *ask, struct fetch_request *ret)
{
	(void)m;
	if (strcmp(json_str(ask, "what"), "impossible") == 0)
		return -1;
	*ret = (struct fetch_request){ .method = "GET",
		.url = "http://127.0.0.1:1/",
		.timeout_ms = 1000 };
	return 0;
}

static int
read_told(struct mem *m, const struct json *ask, const struct fetch_answer *got,
    struct outside_answer *ret)
{
	asked++;
	*ret = (struct outside_answer){ .json = mem_printf(m, "{\"outcome\":%d,\"asked\":%d}",
					    (int)got->outcome, asked),
		.retry_after = 17,
		.busy = strcmp(json_str(ask, "what"), "busy") == 0 && asked < 3,
		.log = "words" };
	return ret->json ? 0 : -1;
}

static const struct outside port = { ready, ERR_BILLING_NOT_CONFIGURED, build, read_told };

static int
ask_outside(struct ctx *c, const void *in)
{
	(void)in;
	return outside_run(c, &port, "{\"site\":\"x\"}");
}

static const struct route outside_routes[] = {
	{ POST, "/outside", NOTES_WRITE, FIELDS(note_add_fields), ask_outside, 201, "note_outside",
	    "x", .flags = ROUTE_OUTSIDE },
};
static const struct server outsiders = { "outsiders", outside_routes, COUNT(outside_routes),
	.about = "x" };

static const struct json *
post(const char *text, const char *key)
{
	static struct mem *m;
	const struct json *j = NULL;
	char body[100], length[64], keyed[100];
	const char *variables[] = { "CONTENT_TYPE=application/json", "REQUEST_METHOD=POST",
		"REQUEST_URI=/outside", "REMOTE_ADDR=10.0.0.1", WITH_KEY, length, keyed, NULL };

	snprintf(body, sizeof(body), "{\"text\":\"%s\"}", text);
	snprintf(length, sizeof(length), "CONTENT_LENGTH=%zu", strlen(body));
	snprintf(keyed, sizeof(keyed), "HTTP_%s=%s", key ? "IDEMPOTENCY_KEY" : "X_NONE",
	    key ? key : "x");
	child_run(&outsiders, NULL, variables, body, &a);
	assert_int_equal(a.exit, 0);
	mem_free(m);
	m = mem_new(FAKE_MEM);
	assert_int_equal(json_read(m, a.body, strlen(a.body), JSON_DEPTH_API, &j), JSON_OK);
	return j;
}

/* ---- tests -------------------------------------------------------------- */

static void
what_is_answered_outside_leads_to_the_next_step(void **state)
{
	const struct json *j;

	(void)state;
	DATABASE_OR_SKIP();
	j = post("plain", NULL);
	assert_int_equal(a.status, 201);
	assert_int_equal(json_int(json_path(j, "answer"), "outcome", -1), FETCH_NOT_SENT);
	assert_int_equal(json_int(j, "step", 0), 1);
	assert_int_equal(json_int(j, "notes", 0), 2);
	assert_string_equal(json_str(json_get(j, "known"), "site"), "x");
	assert_int_equal(strlen(json_str(j, "request")), 32);
}

static void
under_a_key_it_is_done_once_and_has_one_mark(void **state)
{
	char first[1000], request[64];
	const struct json *j;

	(void)state;
	DATABASE_OR_SKIP();
	j = post("keyed", "one");
	assert_int_equal(a.status, 201);
	snprintf(first, sizeof(first), "%s", a.body);
	snprintf(request, sizeof(request), "%s", json_str(j, "request"));
	post("keyed", "one");
	assert_true(child_has(&a, "Idempotent-Replayed: true\r\n"));
	assert_string_equal(a.body, first);
	post("other", "one");
	assert_int_equal(a.status, 409);
	post("keyed", "busy");
	assert_int_equal(a.status, 409);
	j = post("keyed", NULL);
	assert_int_equal(json_int(j, "notes", 0), 4);
	assert_string_not_equal(json_str(j, "request"), request);
}

static void
a_refusal_keeps_the_steps_before_it_and_says_when_to_come_again(void **state)
{
	static const char *const seen[] = {
		"do $$ begin if (select count(*) from public.notes where "
		"text = 'refused') <> 2 or exists (select from public.kept "
		"where key = 'two') then raise 'wrong'; end if; end $$"
	};

	(void)state;
	DATABASE_OR_SKIP();
	for (int i = 0; i < 2; i++) {
		post("refused", i ? "two" : NULL);
		assert_int_equal(a.status, 503);
		assert_true(child_has(&a, "Retry-After: 17\r\n"));
	}
	assert_int_equal(database_run(database_url, seen, 1), 0);
}

static void
what_somebody_else_is_doing_is_asked_again(void **state)
{
	const struct json *j;

	(void)state;
	DATABASE_OR_SKIP();
	j = post("busy", NULL);
	assert_int_equal(a.status, 201);
	assert_int_equal(json_int(json_get(j, "answer"), "asked", 0), 3);
	assert_int_equal(json_int(j, "notes", 0), 2);
}

static void
what_cannot_be_asked_is_an_error_of_its_own(void **state)
{
	(void)state;
	DATABASE_OR_SKIP();
	post("impossible", NULL);
	assert_int_equal(a.status, 500);
	post("endless", NULL);
	assert_int_equal(a.status, 500);
	is_ready = false;
	post("plain", NULL);
	is_ready = true;
	assert_int_equal(a.status, 409);
	assert_non_null(strstr(a.body, "billing_not_configured"));
}

static int
set_up(void **state)
{
	const char *sql = step_sql;

	if (database_open(state) < 0)
		return -1;
	return database_url[0] ? database_run(database_url, &sql, 1) : 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_answered_outside_leads_to_the_next_step),
		cmocka_unit_test(under_a_key_it_is_done_once_and_has_one_mark),
		cmocka_unit_test(a_refusal_keeps_the_steps_before_it_and_says_when_to_come_again),
		cmocka_unit_test(what_somebody_else_is_doing_is_asked_again),
		cmocka_unit_test(what_cannot_be_asked_is_an_error_of_its_own),
	};

	return cmocka_run_group_tests(tests, set_up, database_close);
}
