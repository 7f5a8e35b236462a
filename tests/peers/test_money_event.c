/*
 * test_money_event.c - what the readers of payment providers' webhooks share: ids, and events that
 * have none.
 */
#include "peers/money_event.h"

#include "fixture.h"

static struct money_event
opened(struct mem *m, struct span body)
{
	struct scan_field f[] = { { .path = "id" }, { .path = "type" } };
	struct money_event e;

	assert_int_equal(money_event_open(m, body, &e, f, COUNT(f)), MONEY_EVENT_OK);
	assert_null(e.object);
	return e;
}

static void
an_event_has_an_id_and_a_type(void **state)
{
	struct money_event e =
	    opened(*state, SPAN("{\"type\":\"a.b\",\"id\":\"evt_1-A\",\"id\":\"evt_2\"}"));

	assert_true(e.named);
	assert_string_equal(e.id, "evt_1-A");
	assert_string_equal(e.type, "a.b");
}

static void
one_without_them_is_known_by_its_bytes(void **state)
{
	struct mem *m = *state;
	static const char *const odd[] = { "{}", "[]", "7", "{\"id\":7,\"type\":\"a\"}",
		"{\"id\":\"\",\"type\":\"a\"}", "{\"id\":\"a b\",\"type\":\"a\"}",
		"{\"id\":\"a\\u0000\",\"type\":\"a\"}", "{\"id\":\"a/../b\",\"type\":\"a\"}" };
	struct money_event e;
	size_t i;

	for (i = 0; i < COUNT(odd); i++) {
		e = opened(m, span_of(odd[i]));
		assert_false(e.named);
		assert_string_equal(e.type, "unknown");
		assert_int_equal(strlen(e.id), strlen("body:") + 64);
		assert_string_equal(e.id, opened(m, span_of(odd[i])).id);
		assert_string_not_equal(e.id, opened(m, span_of(mem_printf(m, "%s ", odd[i]))).id);
	}
	e = opened(m, SPAN("{\"id\":\"evt_1\",\"type\":null}"));
	assert_false(e.named);
	assert_string_equal(e.id, "evt_1");
}

static void
what_is_nested_too_deeply_is_known_by_its_bytes(void **state)
{
	struct mem *m = *state;
	char *deep = mem_alloc(m, 2001);

	memset(deep, '[', 1000);
	memset(deep + 1000, ']', 1000);
	assert_false(opened(m, span_of(deep)).named);
}

static void
an_id_is_short_and_has_no_odd_letters(void **state)
{
	struct mem *m = *state;
	const struct {
		const char *raw;
		const char *want;
	} rows[] = {
		{ "sub_01hv8x29kz0t586xy6zn1a62ny", "sub_01hv8x29kz0t586xy6zn1a62ny" },
		{ "cs_test_A-1", "cs_test_A-1" },
		{ "sub\\u005f1", "sub_1" },
		{ "sub_1?x=1", NULL },
		{ "sub_1\\n", NULL },
		{ "sub.1", NULL },
		{ "s\xc3\xbc", NULL },
		{ "", NULL },
		{ mem_printf(m, "%0200d", 7), mem_printf(m, "%0200d", 7) },
		{ mem_printf(m, "%0201d", 7), NULL },
	};
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		struct scan_field f = { .kind = SCAN_STRING,
			.raw = span_of(rows[i].raw),
			.escaped = strchr(rows[i].raw, '\\') != NULL };
		const char *id = money_id(m, &f);
		assert_string_equal(id ? id : "(none)", rows[i].want ? rows[i].want : "(none)");
	}
}

static void
no_json_and_no_memory_are_told(void **state UNUSED)
{
	static const char *const bad[] = { "", "{", "{\"id\":\"evt_1\",\"type\":\"a\"", "{}x" };
	struct scan_field f[] = { { .path = "id" }, { .path = "type" } };
	struct mem *small = mem_new(16);
	struct money_event e;
	size_t i;

	for (i = 0; i < COUNT(bad); i++)
		assert_int_equal(money_event_open(small, span_of(bad[i]), &e, f, COUNT(f)),
		    MONEY_EVENT_NOT_JSON);
	assert_int_equal(money_event_open(small, SPAN("{}"), &e, f, COUNT(f)),
	    MONEY_EVENT_NO_MEMORY);
	mem_free(small);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST_CASE(an_event_has_an_id_and_a_type),
		TEST_CASE(one_without_them_is_known_by_its_bytes),
		TEST_CASE(what_is_nested_too_deeply_is_known_by_its_bytes),
		TEST_CASE(an_id_is_short_and_has_no_odd_letters),
		TEST_CASE(no_json_and_no_memory_are_told),
	};

	return cmocka_run_group_tests_name("money_event", tests, NULL, NULL);
}
