/*
 * number_fixture.h - for the tests of the workflow "phone-number": settings, what a step is told,
 * what it asks and says.
 */
#ifndef TESTS_WORK_NUMBER_FIXTURE_H
#define TESTS_WORK_NUMBER_FIXTURE_H

#include "flow_fixture.h"

#include "peers/outcome.h"
#include "work/flow_number.h"

#define NUMBER "6a1d4b0f-2c3d-4e4f-9a5b-123456789abc"
#define MARK "hookswitch:" NUMBER
#define PREPARED                                                                                   \
	"{\"number\":\"+15550100001\",\"sid\":\"PN1\",\"voice\":\"n-1\",\"version\":3,"            \
	"\"assistant\":\"a-1\",\"assistant_id\":\"" CALL "\",\"account\":{\"provider_id\":"        \
	"\"p-1\",\"provider_type\":\"vapi\",\"base_url\":\"https://api.vapi.ai\",\"api_key\":"     \
	"\"key\",\"timeout_ms\":5000},\"want\":{\"country_code\":\"US\",\"number_type\":"          \
	"\"local\",\"area_code\":\"512\",\"page_size\":2}}"

static inline void
settings(void)
{
	setenv("TWILIO_ACCOUNT_SID", "AC01", 1);
	setenv("TWILIO_AUTH_TOKEN", "secret", 1);
	setenv("API_URL", "https://hooks.example.com", 1);
	setenv("HOOKSWITCH_SECRET_KEY", "test:a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=", 1);
	unsetenv("TWILIO_BASE_URL");
	unsetenv("VAPI_BASE_URL");
	assert_int_equal(settings_load(), 0);
}

static inline int
setup(void **state)
{
	settings();
	return fixture_setup(state);
}

static inline struct step_in
in_of(struct mem *m)
{
	struct step_in in = told(m, "{\"number_id\":\"" NUMBER "\"}", PREPARED);

	in.organization_id = ORGANIZATION;
	in.results = parsed(m, "{}");
	return in;
}

static inline const struct fetch_request *
asked(struct mem *m, const char *name)
{
	struct step_in in = in_of(m);
	struct fetch_request *r = mem_alloc(m, sizeof(*r));

	assert_int_equal(step_of(&flow_number, name)->ask(m, &in, r), 0);
	return r;
}

static inline struct step_out
said(struct mem *m, const char *name, int status, const char *body)
{
	struct step_in in = in_of(m);

	return verdict(m, step_of(&flow_number, name), &in, status, body);
}

#define NUMBER_CASE(f) cmocka_unit_test_setup_teardown(f, setup, fixture_teardown)

#endif
