/*
 * test_pump.c - the pump's parts that need neither a database nor a provider: a job's account, the
 * chain of a look, a turn while nothing answers.  The whole of it is tested in tests/handlers and
 * tests/faults.
 */
#include "base/settings.h"
#include "lib/seal.h"
#include "work/pump.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char secret_key[] = "t:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

static int
set_up(void **state)
{
	(void)state;
	setenv("HOOKSWITCH_SECRET_KEY", secret_key, 1);
	setenv("API_URL", "https://api.example.com", 1);
	setenv("HOOKSWITCH_DB_TIMEOUT_MS", "500", 1);
	setenv("HOOKSWITCH_RUN_DIR", ".", 1);
	unsetenv("VAPI_BASE_URL");
	unsetenv("VAPI_API_KEY");
	return settings_load();
}

static const struct json *
row(struct mem *m, const char *text)
{
	const struct json *j = NULL;

	assert_int_equal(json_read(m, text, strlen(text), JSON_DEPTH_API, &j), JSON_OK);
	return j;
}

/* ---- jobs ------------------------------------------------------------ */

static void
a_job_has_its_account_with_the_key_opened(void **state)
{
	CLEANUP(mem_freep) struct mem *m = mem_new(1 << 20);
	struct job *j;

	(void)state;
	j = job_new(JOB_DIAL,
	    row(m,
		mem_printf(m,
		    "{\"provider_type\":\"vapi\",\"organization_id\":"
		    "\"0b8ee0f7-0000-4000-8000-000000000001\","
		    "\"assignment_id\":\"0b8ee0f7-0000-4000-8000-000000000002\","
		    "\"fence\":7,\"api_key\":\"%s\"}",
		    seal_close(m, "provider.api_key", "the-key"))));
	assert_non_null(j);
	assert_string_equal(j->account.api_key, "the-key");
	assert_string_equal(j->account.base_url, "https://api.vapi.ai");
	assert_string_equal(j->account.webhook_url,
	    "https://api.example.com/api/webhooks/vapi/0b8ee0f7-0000-4000-8000-000000000001");
	assert_string_equal(j->assignment_id, "0b8ee0f7-0000-4000-8000-000000000002");
	assert_int_equal(j->fence, 7);
	job_free(j);
}

static void
a_key_that_cannot_be_opened_leaves_a_job_without_key(void **state)
{
	CLEANUP(mem_freep) struct mem *m = mem_new(1 << 20);
	struct job *j;

	(void)state;
	j = job_new(JOB_DIAL,
	    row(m, "{\"provider_type\":\"vapi\",\"api_key\":\"sealed:1:other:AAAA\"}"));
	assert_non_null(j);
	assert_null(j->account.api_key);
	job_free(j);
	/* A key sealed for another purpose does not open either. */
	j = job_new(JOB_DIAL,
	    row(m,
		mem_printf(m, "{\"provider_type\":\"vapi\",\"api_key\":\"%s\"}",
		    seal_close(m, "webhook.secret", "x"))));
	assert_non_null(j);
	assert_null(j->account.api_key);
	job_free(j);
}

static void
a_provider_type_that_nobody_knows_leaves_a_job_without_provider(void **state)
{
	CLEANUP(mem_freep) struct mem *m = mem_new(1 << 20);
	struct job *j =
	    job_new(JOB_LOOK, row(m, "{\"provider_type\":\"smoke-signals\",\"look_fence\":3}"));

	(void)state;
	assert_non_null(j);
	assert_null(j->provider);
	assert_int_equal(j->fence, 3);
	job_free(j);
}

/* ---- the chain of a look ------------------------------------------------ */

/* A provider that answers from a script: what each look finds, in order. */
static struct {
	struct voice_sight sights[8];
	size_t at;
	const char *asked[8]; /* candidate of each look; NULL: the list */
} script;

static int
scripted_look(struct mem *m, const struct voice_account *a, const struct voice_look *l,
    struct fetch_request *ret)
{
	(void)a;
	script.asked[script.at] = l->kind == LOOK_DETAIL ? l->provider_call_id : NULL;
	/* A port at which nothing listens: the test answers itself. */
	*ret = (struct fetch_request){ .method = "GET",
		.url = mem_str(m, "http://127.0.0.1:9/"),
		.timeout_ms = 1000 };
	return 0;
}

static void
scripted_looked(struct mem *m, const struct voice_account *a, const struct voice_look *l,
    const struct fetch_answer *in, struct voice_sight *ret)
{
	(void)m;
	(void)a;
	(void)l;
	(void)in;
	*ret = script.sights[script.at++];
}

static const struct voice_provider scripted = { .type = "vapi",
	.look = scripted_look,
	.looked = scripted_looked };

static void
open_pump(struct pump *p)
{
	struct db *db = db_open("host=/nowhere dbname=none connect_timeout=1", "");

	assert_non_null(db);
	assert_int_equal(pump_open(p, db), 0);
	memset(&script, 0, sizeof(script));
}

static void
close_pump(struct pump *p)
{
	struct db *db = p->db;

	pump_close(p);
	db_close(db);
}

static struct job *
scripted_job(void)
{
	CLEANUP(mem_freep) struct mem *m = mem_new(1 << 20);
	struct job *j = job_new(JOB_LOOK,
	    row(m,
		"{\"provider_type\":\"vapi\",\"look_fence\":1,"
		"\"assignment_id\":\"0b8ee0f7-0000-4000-8000-000000000003\"}"));

	assert_non_null(j);
	j->provider = &scripted;
	j->look.kind = LOOK_BY_LIST;
	return j;
}

/* Answers until the chain has ended; what was found then stands in p->findings. */
static void
answer_all(struct pump *p, struct job *j)
{
	const struct fetch_answer a = { .outcome = FETCH_ANSWERED, .status = 200 };

	p->looks = 1;
	while (p->findings.len == 0)
		look_answered(p, j, &a);
}

static void
absence_is_found_only_after_each_candidate_of_each_page(void **state)
{
	struct pump p;

	(void)state;
	open_pump(&p);
	script.sights[0] = (struct voice_sight){ .finding = LOOK_ON,
		.next.kind = LOOK_BY_LIST,
		.candidates = { "a", "b" },
		.ncandidates = 2 };
	script.sights[1] = (struct voice_sight){ .finding = NOT_FOUND };
	script.sights[2] = (struct voice_sight){ .finding = NOT_FOUND };
	script.sights[3] = (struct voice_sight){ .finding = LOOK_ON,
		.next.kind = LOOK_DETAIL,
		.candidates = { "c" },
		.ncandidates = 1 };
	script.sights[4] = (struct voice_sight){ .finding = NOT_FOUND };
	answer_all(&p, scripted_job());
	assert_int_equal(script.at, 5);
	assert_string_equal(script.asked[1], "b");
	assert_string_equal(script.asked[2], "a");
	assert_null(script.asked[3]);
	assert_string_equal(script.asked[4], "c");
	assert_non_null(strstr(text_str(&p.findings), "\"finding\":\"not_found\""));
	close_pump(&p);
}

static void
one_candidate_that_was_not_read_proves_nothing(void **state)
{
	struct pump p;

	(void)state;
	open_pump(&p);
	script.sights[0] = (struct voice_sight){ .finding = LOOK_ON,
		.next.kind = LOOK_DETAIL,
		.candidates = { "a", "b" },
		.ncandidates = 2 };
	script.sights[1] = (struct voice_sight){ .finding = NOT_FOUND };
	script.sights[2] = (struct voice_sight){ .finding = LOOK_FAILED, .why = "http_500" };
	answer_all(&p, scripted_job());
	assert_non_null(strstr(text_str(&p.findings), "\"finding\":\"failed\""));
	close_pump(&p);
}

static void
a_call_that_is_found_ends_the_chain_with_its_report(void **state)
{
	struct pump p;

	(void)state;
	open_pump(&p);
	script.sights[0] = (struct voice_sight){ .finding = LOOK_ON,
		.next.kind = LOOK_DETAIL,
		.candidates = { "a", "b" },
		.ncandidates = 2 };
	script.sights[1] = (struct voice_sight){ .finding = FOUND,
		.outcome = { .provider_call_id = "b", .report = "{\"status\":\"ringing\"}" } };
	answer_all(&p, scripted_job());
	assert_int_equal(script.at, 2);
	assert_non_null(strstr(text_str(&p.findings), "\"provider_call_id\":\"b\""));
	assert_non_null(strstr(text_str(&p.findings), "\"report\":{\"status\":\"ringing\"}"));
	close_pump(&p);
}

/* ---- a turn without a database ---------------------------------------------- */

static void
a_turn_without_a_database_ends_and_says_so(void **state)
{
	struct pump p;
	const char *summary;

	(void)state;
	open_pump(&p);
	summary = pump_turn(&p, 0, -1);
	assert_non_null(summary);
	assert_true(p.counts.failures > 0);
	assert_non_null(strstr(summary, "The database did not answer as it should"));
	assert_non_null(strstr(summary, "\"claimed\":0"));
	close_pump(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_job_has_its_account_with_the_key_opened),
		cmocka_unit_test(a_key_that_cannot_be_opened_leaves_a_job_without_key),
		cmocka_unit_test(a_provider_type_that_nobody_knows_leaves_a_job_without_provider),
		cmocka_unit_test(absence_is_found_only_after_each_candidate_of_each_page),
		cmocka_unit_test(one_candidate_that_was_not_read_proves_nothing),
		cmocka_unit_test(a_call_that_is_found_ends_the_chain_with_its_report),
		cmocka_unit_test(a_turn_without_a_database_ends_and_says_so),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
