/*
 * test_vapi_number.c - what is asked of Vapi about numbers.
 */
#include "twilio_fixture.h"

#include "peers/vapi_number.h"

static const struct vapi_number_setup setup = { .name = "hs:1",
	.assistant = "a-1",
	.server_url = "https://h.example/x",
	.server_token = "token" };

static const struct json *
body(struct mem *m, const struct fetch_request *r)
{
	return parsed(m, mem_dup(m, r->body.data, r->body.len));
}

static void
a_number_is_imported_with_the_token_that_is_sent(void **state)
{
	struct vapi_number_setup s = setup;
	struct fetch_request r;
	const struct json *j;

	assert_int_equal(vapi_number_import(*state, &vapi_account, "+15550100001", &s, &r), 0);
	assert_string_equal(r.method, "POST");
	assert_string_equal(r.url, "https://api.vapi.ai/phone-number");
	j = body(*state, &r);
	assert_string_equal(at(j, "provider"), "twilio");
	assert_string_equal(at(j, "number"), "+15550100001");
	assert_string_equal(at(j, "twilioAccountSid"), "AC01");
	assert_string_equal(at(j, "twilioAuthToken"), "secret");
	assert_string_equal(at(j, "assistantId"), "a-1");
	assert_string_equal(at(j, "name"), "hs:1");
	assert_string_equal(at(j, "server.url"), "https://h.example/x");
	/* Else Vapi would take its text messages. */
	assert_false(json_bool(j, "smsEnabled", true));
	s.assistant = NULL;
	assert_int_equal(vapi_number_import(*state, &vapi_account, "+15550100001", &s, &r), 0);
	assert_int_equal(json_type(json_get(body(*state, &r), "assistantId")), JSON_NULL);
	assert_int_equal(vapi_number_import(*state, &vapi_account, NULL, &s, &r), -1);
	assert_int_equal(errno, EINVAL);
	unsetenv("TWILIO_AUTH_TOKEN");
	assert_int_equal(settings_load(), 0);
	assert_int_equal(vapi_number_import(*state, &vapi_account, "+15550100001", &s, &r), -1);
	assert_int_equal(errno, ENOTCONN);
}

static void
it_is_told_of_another_assistant_or_none(void **state)
{
	struct vapi_number_setup s = { .assistant = NULL };
	struct fetch_request r;

	assert_int_equal(vapi_number_update(*state, &vapi_account, "n-1", &setup, &r), 0);
	assert_string_equal(r.method, "PATCH");
	assert_string_equal(r.url, "https://api.vapi.ai/phone-number/n-1");
	assert_string_equal(at(body(*state, &r), "assistantId"), "a-1");
	/* After a change of the token, too, calls go on. */
	assert_string_equal(at(body(*state, &r), "twilioAccountSid"), "AC01");
	assert_string_equal(at(body(*state, &r), "twilioAuthToken"), "secret");
	unsetenv("TWILIO_AUTH_TOKEN");
	assert_int_equal(settings_load(), 0);
	assert_int_equal(vapi_number_update(*state, &vapi_account, "n-1", &s, &r), 0);
	assert_string_equal(mem_dup(*state, r.body.data, r.body.len),
	    "{\"provider\":\"twilio\",\"assistantId\":null}");
	assert_int_equal(vapi_number_update(*state, &vapi_account, "n/1", &s, &r), -1);
	assert_int_equal(errno, EINVAL);
}

static void
it_is_removed_and_listed(void **state)
{
	struct fetch_request r;

	assert_int_equal(vapi_number_remove(*state, &vapi_account, "n-1", &r), 0);
	assert_string_equal(r.method, "DELETE");
	assert_string_equal(r.url, "https://api.vapi.ai/phone-number/n-1");
	assert_int_equal(vapi_number_get(*state, &vapi_account, "n-1", &r), 0);
	assert_string_equal(r.method, "GET");
	assert_int_equal(vapi_number_list(*state, &vapi_account, &r), 0);
	assert_string_equal(r.url, "https://api.vapi.ai/phone-number?limit=1000");
	assert_int_equal(vapi_number_remove(*state, &vapi_account, "", &r), -1);
}

static void
it_is_found_by_its_number(void **state)
{
	const char *one = fixture(*state, "vapi/phone-number.create-twilio.response.201.json").data;
	const struct json *list =
	    parsed(*state, mem_printf(*state, "[{\"id\":\"other\"},%s]", one));

	assert_string_equal(vapi_number_find(list, "+15550100001"),
	    "e3b7b4ac-7beb-7874-8140-1749ffd807d1");
	assert_null(vapi_number_find(list, "+15550100002"));
	assert_null(vapi_number_find(list, NULL));
	assert_null(vapi_number_find(parsed(*state, "{}"), "+15550100001"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TWILIO_CASE(a_number_is_imported_with_the_token_that_is_sent),
		TWILIO_CASE(it_is_told_of_another_assistant_or_none),
		TWILIO_CASE(it_is_removed_and_listed),
		TWILIO_CASE(it_is_found_by_its_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
