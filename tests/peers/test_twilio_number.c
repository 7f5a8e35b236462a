/*
 * test_twilio_number.c - what is asked of Twilio about numbers, and what is read of its answers.
 */
#include "twilio_fixture.h"

#include "peers/twilio_number.h"

#define NUMBERS ACCOUNT_PATH "/IncomingPhoneNumbers"

static void
a_search_names_what_is_wished_for(void **state)
{
	struct twilio_search s = { .country = "US",
		.type = "toll-free",
		.area_code = "512",
		.contains = "*PIZZA",
		.region = "TX",
		.locality = "San Antonio",
		.postal_code = "78701",
		.sms = true,
		.page_size = 5000 };
	struct fetch_request r;

	assert_int_equal(twilio_number_search(*state, &s, &r), 0);
	assert_string_equal(r.method, "GET");
	assert_string_equal(r.url,
	    ACCOUNT_PATH
	    "/AvailablePhoneNumbers/US/TollFree.json?AreaCode=512&Contains=%2APIZZA&"
	    "InRegion=TX&InLocality=San%20Antonio&InPostalCode=78701&VoiceEnabled=true&"
	    "SmsEnabled=true&ExcludeAllAddressRequired=true&PageSize=1000");
	s = (struct twilio_search){ .country = "GB" };
	assert_int_equal(twilio_number_search(*state, &s, &r), 0);
	assert_string_equal(r.url,
	    ACCOUNT_PATH "/AvailablePhoneNumbers/GB/Local.json?VoiceEnabled=true&"
			 "ExcludeAllAddressRequired=true");
}

static void
a_place_that_is_none_is_not_searched(void **state)
{
	static const struct twilio_search wrong[] = { { .country = NULL }, { .country = "us" },
		{ .country = "U" }, { .country = "U/" }, { .country = "USA" },
		{ .country = "US", .type = "pager" } };
	struct fetch_request r;

	for (size_t i = 0; i < COUNT(wrong); i++) {
		errno = 0;
		assert_int_equal(twilio_number_search(*state, &wrong[i], &r), -1);
		assert_int_equal(errno, EINVAL);
	}
}

static const struct json *
candidates(struct mem *m, const char *body)
{
	CLEANUP(text_clear) struct text t = TEXT(TWILIO_CANDIDATES_MAX);

	assert_true(twilio_number_candidates(&t, parsed(m, body)));
	return parsed(m, mem_str(m, text_str(&t)));
}

static void
capabilities_are_read_in_small_letters_and_in_capitals(void **state)
{
	static const char *const files[] = { "twilio/available.local.response.200.json",
		"twilio/available.local.upper-case-capabilities.response.200.json" };

	for (size_t i = 0; i < COUNT(files); i++) {
		const struct json *j = candidates(*state, fixture(*state, files[i]).data);

		assert_int_equal(json_len(j), i == 0 ? 2 : 1);
		assert_string_equal(at(json_at(j, 0), "phone_number"), "+15550100021");
		assert_string_equal(at(json_at(j, 0), "locality"), "New York");
		assert_string_equal(at(json_at(j, 0), "country_code"), "US");
		assert_true(json_bool(json_get(json_at(j, 0), "capabilities"), "sms", false));
		assert_false(json_bool(json_get(json_at(j, 0), "capabilities"), "fax", true));
	}
	assert_int_equal(json_len(candidates(*state,
			     fixture(*state, "twilio/available.local.empty.response.200.json")
				 .data)),
	    0);
}

static void
what_cannot_simply_be_had_is_left_out(void **state)
{
#define CAN "\"capabilities\":{\"voice\":true}"
	static const char list[] =
	    "{\"available_phone_numbers\":["
	    "{\"phone_number\":\"+15550100001\",\"capabilities\":{\"SMS\":true}},"
	    "{\"phone_number\":\"+15550100002\",\"address_requirements\":\"any\"," CAN "},"
	    "{\"phone_number\":\"+15550100003\",\"beta\":true," CAN "},"
	    "{" CAN "},7,"
	    "{\"phone_number\":\"+15550100004\"," CAN "}]}";
	CLEANUP(text_clear) struct text t = TEXT(4096);
	const struct json *j = candidates(*state, list);

	assert_int_equal(json_len(j), 1);
	assert_string_equal(at(json_at(j, 0), "phone_number"), "+15550100004");
	assert_false(
	    twilio_number_candidates(&t, parsed(*state, "{\"available_phone_numbers\":{}}")));
	assert_false(twilio_number_candidates(&t, NULL));
}

static void
it_is_bought_with_all_that_it_shall_be(void **state)
{
	struct twilio_number_setup s = { .mark = "hookswitch:1",
		.status_url = "https://h.example/status",
		.sms_url = "https://h.example/sms",
		.fallback_url = "https://h.example/voice" };
	struct fetch_request r;

	assert_int_equal(twilio_number_buy(*state, "+15550100001", &s, &r), 0);
	assert_string_equal(r.method, "POST");
	assert_string_equal(r.url, NUMBERS ".json");
	assert_string_equal(r.body.data,
	    "PhoneNumber=%2B15550100001&FriendlyName=hookswitch%3A1&StatusCallback=https%3A%2F%2Fh."
	    "example%2Fstatus&StatusCallbackMethod=POST&SmsUrl=https%3A%2F%2Fh.example%2Fsms&"
	    "SmsMethod=POST&VoiceFallbackUrl=https%3A%2F%2Fh.example%2Fvoice&VoiceFallbackMethod="
	    "POST");
	/* Vapi's is the voice URL. */
	assert_null(strstr(r.body.data, "VoiceUrl"));
	s = (struct twilio_number_setup){ .mark = "x" };
	assert_int_equal(twilio_number_update(*state, "PN1", &s, &r), 0);
	assert_string_equal(r.method, "POST");
	assert_string_equal(r.url, NUMBERS "/PN1.json");
	assert_string_equal(r.body.data, "FriendlyName=x");
}

static void
other_requests_name_the_number_or_its_sid(void **state)
{
	static const char *const numbers[] = { NULL, "", "15550100001", "+1555", "+0555010000",
		"+15550100001x" };
	struct twilio_number_setup s = { .mark = "x" };
	struct fetch_request r;

	assert_int_equal(twilio_number_look(*state, "+15550100001", &r), 0);
	assert_string_equal(r.url, NUMBERS ".json?PhoneNumber=%2B15550100001");
	assert_int_equal(twilio_number_get(*state, "PN1", &r), 0);
	assert_string_equal(r.url, NUMBERS "/PN1.json");
	assert_int_equal(twilio_number_release(*state, "PN1", &r), 0);
	assert_string_equal(r.method, "DELETE");
	assert_string_equal(r.url, NUMBERS "/PN1.json");
	assert_int_equal(twilio_number_list(*state, &r), 0);
	assert_string_equal(r.url, NUMBERS ".json?PageSize=1000");
	for (size_t i = 0; i < COUNT(numbers); i++) {
		assert_int_equal(twilio_number_look(*state, numbers[i], &r), -1);
		assert_int_equal(twilio_number_buy(*state, numbers[i], &s, &r), -1);
	}
	assert_int_equal(twilio_number_release(*state, "", &r), -1);
	assert_int_equal(twilio_number_update(*state, "../PN1", &s, &r), -1);
	assert_int_equal(twilio_number_get(*state, NULL, &r), -1);
}

static void
a_number_is_read_and_found_in_a_list(void **state)
{
	const struct json *one =
	    parsed(*state, fixture(*state, "twilio/incoming.create.response.201.json").data);
	const struct json *list =
	    parsed(*state, fixture(*state, "twilio/incoming.list.response.200.json").data);
	const struct json *last = parsed(*state,
	    fixture(*state, "twilio/incoming.list.last-page.response.200.json").data);
	struct twilio_number n;
	bool whole;

	assert_true(twilio_number_read(*state, one, &n));
	assert_string_equal(n.sid, "PN00000000000000000000000000000001");
	assert_string_equal(n.number, "+15550100001");
	assert_string_equal(n.account, "AC00000000000000000000000000000001");
	assert_string_equal(n.mark, "(555) 010-0001");
	assert_string_equal(n.fallback_url, "");
	assert_string_equal(n.capabilities,
	    "{\"voice\":true,\"sms\":true,\"mms\":true,\"fax\":false}");
	assert_true(twilio_number_find(*state, list, "+15550100001", &whole, &n));
	assert_false(twilio_number_find(*state, list, "+15550100002", &whole, &n));
	assert_true(whole);
	assert_false(twilio_number_find(*state, last, "+15550100001", &whole, &n));
	assert_true(whole);
	assert_false(twilio_number_find(*state, one, "+15550100001", &whole, &n));
	assert_false(whole);
	assert_false(twilio_number_find(*state,
	    parsed(*state, "{\"incoming_phone_numbers\":[{\"sid\":\"PN1\"}]}"), "+15550100001",
	    &whole, &n));
	assert_false(whole);
	assert_false(twilio_number_read(*state,
	    parsed(*state, "{\"sid\":\"PN/1\",\"phone_number\":\"+15550100001\"}"), &n));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TWILIO_CASE(a_search_names_what_is_wished_for),
		TWILIO_CASE(a_place_that_is_none_is_not_searched),
		TWILIO_CASE(capabilities_are_read_in_small_letters_and_in_capitals),
		TWILIO_CASE(what_cannot_simply_be_had_is_left_out),
		TWILIO_CASE(it_is_bought_with_all_that_it_shall_be),
		TWILIO_CASE(other_requests_name_the_number_or_its_sid),
		TWILIO_CASE(a_number_is_read_and_found_in_a_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
