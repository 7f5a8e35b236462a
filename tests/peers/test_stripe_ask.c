/*
 * test_stripe_ask.c - what SQL wants asked becomes a request, and what came of it becomes JSON.
 */
#include "stripe_fixture.h"

#include "peers/stripe_ask.h"

static const struct json *
ask_of(struct mem *m, const char *text)
{
	return parsed(m, text);
}

static void
a_question_becomes_a_request(void **state)
{
	struct fetch_request r;
	const struct json *j = ask_of(*state,
	    "{\"method\":\"POST\",\"path\":\"/v1/customers\",\"key\":\"k\","
	    "\"form\":{\"name\":\"A B\","
	    ""
	    "\"metadata[x]\":\"\",\"none\":null,\"amount\":2900}}");

	assert_int_equal(stripe_ask(*state, j, &r), 0);
	assert_string_equal(r.method, "POST");
	assert_string_equal(r.url, "https://api.stripe.com/v1/customers");
	assert_string_equal(r.body.data, "name=A%20B&metadata[x]=&amount=2900");
	j = ask_of(*state, "{\"method\":\"GET\",\"path\":\"/v1/prices\",\"form\":{\"limit\":1}}");
	assert_int_equal(stripe_ask(*state, j, &r), 0);
	assert_string_equal(r.url, "https://api.stripe.com/v1/prices?limit=1");
	j = ask_of(*state, "{\"method\":\"DELETE\",\"path\":\"/v1/x/1\",\"key\":\"k\"}");
	assert_int_equal(stripe_ask(*state, j, &r), 0);
	assert_string_equal(r.method, "DELETE");
}

static void
what_cannot_be_asked_is_refused(void **state)
{
	static const char *const wrong[] = { "{}", "{\"method\":\"PUT\",\"path\":\"/v1/x\"}",
		"{\"method\":\"POST\",\"path\":\"/v1/x\"}", "{\"method\":\"GET\"}",
		"{\"method\":\"GET\",\"path\":\"/v1/x\",\"form\":{\"a\":[1]}}",
		"{\"method\":\"GET\",\"path\":\"/v1/x\",\"form\":{\"a\":true}}" };
	struct fetch_request r;

	for (size_t i = 0; i < COUNT(wrong); i++) {
		errno = 0;
		assert_int_equal(stripe_ask(*state, ask_of(*state, wrong[i]), &r), -1);
		assert_int_equal(errno, EINVAL);
	}
}

#define NONE "\"decline\":null,\"body\":null}"
#define SAID "{\"error\":{\"type\":\"x\",\"code\":"

static const struct {
	int status;
	const char *body, *read, *told;
} cases[] = {
	{ 200, "{\"id\":\"x_1\"}", "",
	    "{\"result\":\"ok\",\"status\":200,\"code\":null,\"decline\":null,\"body\":"
	    "{\"id\":\"x_1\"}}" },
	{ 200, "{\"id\":\"x_1\"}", ",\"read\":\"subscription\"",
	    "{\"result\":\"unknown\",\"status\":200,\"code\":\"unreadable\"," NONE },
	{ 200, "{\"id\":\"x_1\"}", ",\"read\":\"nonsense\"",
	    "{\"result\":\"unknown\",\"status\":200,\"code\":\"unreadable\"," NONE },
	{ 402, SAID "\"card_declined\",\"decline_code\":\"lost_card\"}}", "",
	    "{\"result\":\"failed\",\"status\":402,\"code\":\"card_declined\","
	    "\"decline\":\"lost_card\",\"body\":null}" },
	{ 409, SAID "\"key_in_use\"}}", "",
	    "{\"result\":\"retry\",\"status\":409,\"code\":\"key_in_use\"," NONE },
	{ 429, SAID "\"lock_timeout\"}}", "",
	    "{\"result\":\"retry\",\"status\":429,\"code\":\"lock_timeout\"," NONE },
	{ 429, SAID "\"rate_limit\"}}", "",
	    "{\"result\":\"retry\",\"status\":429,\"code\":\"rate_limit\"," NONE },
};

static void
what_came_is_told_with_its_body(void **state)
{
	struct stripe_told told;
	struct fetch_answer a;
	const struct json *j;

	for (size_t i = 0; i < COUNT(cases); i++) {
		a = answer(cases[i].status, span_of(cases[i].body));
		j = ask_of(*state, mem_printf(*state, "{\"method\":\"GET\"%s}", cases[i].read));
		assert_int_equal(stripe_tell(*state, j, &a, &told), 0);
		assert_string_equal(told.json, cases[i].told);
		assert_int_equal(told.busy,
		    strstr(cases[i].body, "in_use") || strstr(cases[i].body, "lock_timeout"));
		assert_int_equal(told.log == NULL, i == 0);
	}
}

static void
a_subscription_is_told_in_our_words(void **state)
{
	const struct json *sub = recorded(*state, "current", "subscription.retrieve.response.200"),
			  *j;
	struct fetch_answer a = answer(200, span_of(json_print(*state, sub)));
	struct stripe_told told;

	j = ask_of(*state, "{\"method\":\"GET\",\"read\":\"subscription\",\"number\":17}");
	assert_int_equal(stripe_tell(*state, j, &a, &told), 0);
	j = parsed(*state, told.json);
	assert_string_equal(json_str(json_get(j, "body"), "provider"), "stripe");
	assert_int_equal(json_int(json_get(j, "body"), "read", 0), 17);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STRIPE_CASE(a_question_becomes_a_request),
		STRIPE_CASE(what_cannot_be_asked_is_refused),
		STRIPE_CASE(what_came_is_told_with_its_body),
		STRIPE_CASE(a_subscription_is_told_in_our_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
