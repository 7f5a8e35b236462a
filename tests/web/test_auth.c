/*
 * test_auth.c - who asks: which headers count, which tokens and keys get as far as the database.
 */
#include "base/clock.h"
#include "base/settings.h"
#include "fake.h"
#include "lib/jwt.h"
#include "web/auth.h"

#include <stdlib.h>
#include <strings.h>

#define OURS "our-own-secret-our-own-secret-our-own"
#define THEIRS "their-secret-their-secret-their-secret"
#define SUB "0f8fad5b-d9cb-469f-a165-70867728950e"
#define KEY "hsk_test_0123456789abcdefghijklmnopqrstuv"

static int
run_nothing(struct ctx *c, const void *in)
{
	(void)c;
	(void)in;
	return 0;
}

static const struct route api = { GET, "/", SCOPE("calls:read"), NO_FIELDS, run_nothing, 200, NULL,
	"x" };
static const struct route person = { GET, "/", PERSON, NO_FIELDS, run_nothing, 200, NULL, "x" };
static const struct route operators = { GET, "/", OPERATOR, NO_FIELDS, run_nothing, 200, NULL,
	"x" };
static const struct route inside = { GET, "/o/{organization_id}/x", SCOPE("calls:read"), NO_FIELDS,
	run_nothing, 200, NULL, "x" };
static const struct route local = { GET, "/", LOCAL, NO_FIELDS, run_nothing, 200, NULL, "x" };
static const struct route internal = { POST, "/", INTERNAL, NO_FIELDS, run_nothing, 200, NULL,
	"x" };
static const struct route public = { GET, "/", PUBLIC, NO_FIELDS, run_nothing, 200, NULL, "x" };

/* ERR_NONE, or why it was refused. */
static enum err
check(struct fake *f, const struct route *route, const char *a, const char *b)
{
	static const char *variables[] = { "REQUEST_URI=/", NULL, NULL, NULL };

	variables[1] = a ? a : "A=";
	variables[2] = b ? b : "B=";
	assert_int_equal(fake_request(f, variables), 0);
	f->r.route = route;
	if (auth_check(&f->c) == 0)
		assert_int_equal(f->c.failure.err, ERR_NONE);
	return f->c.failure.err;
}

/* An Authorization variable with a token that is good for so many seconds. */
static void
make_token(struct mem *m, const char *secret, int64_t seconds, char *ret, size_t size)
{
	const char *claims, *token;
	int64_t now = clock_wall_ms() / 1000;

	claims = mem_printf(m,
	    "{\"sub\":\"" SUB
	    "\",\"role\":\"authenticated\",\"aud\":\"authenticated\",\"iat\":%lld,\"exp\":%lld}",
	    (long long)(now - 1000), (long long)(now + seconds));
	token = jwt_sign_hs256(m, claims, secret);
	assert_non_null(token);
	snprintf(ret, size, "HTTP_AUTHORIZATION=Bearer %s", token);
}

static void
tokens_of_both_secrets_are_taken(void **state)
{
	char ours[1000], theirs[1000], wrong[1000], old[1000];
	struct fake f;

	(void)state;
	fake_open(&f);
	make_token(f.c.mem, OURS, 60, ours, sizeof(ours));
	make_token(f.c.mem, THEIRS, 60, theirs, sizeof(theirs));
	make_token(f.c.mem, "some-other-secret-some-other-secret", 60, wrong, sizeof(wrong));
	make_token(f.c.mem, OURS, -60, old, sizeof(old));
	assert_int_equal(check(&f, &api, ours, NULL), ERR_NONE);
	assert_int_equal(f.r.identity.kind, IDENTITY_TOKEN);
	assert_non_null(strstr(f.r.identity.claims, SUB));
	assert_int_equal(check(&f, &api, theirs, NULL), ERR_NONE);
	assert_int_equal(check(&f, &api, wrong, NULL), ERR_TOKEN_INVALID);
	assert_int_equal(check(&f, &api, old, NULL), ERR_TOKEN_EXPIRED);
	fake_close(&f);
}

static void
what_is_no_token_is_refused(void **state)
{
	static const struct {
		const char *variable;
		enum err err;
	} cases[] = {
		{ NULL, ERR_UNAUTHENTICATED },
		{ "HTTP_AUTHORIZATION=", ERR_UNAUTHENTICATED },
		{ "HTTP_AUTHORIZATION=Basic YTpi", ERR_UNAUTHENTICATED },
		{ "HTTP_AUTHORIZATION=Bearer", ERR_UNAUTHENTICATED },
		{ "HTTP_AUTHORIZATION=Bearer ", ERR_TOKEN_INVALID },
		{ "HTTP_AUTHORIZATION=Bearer x", ERR_TOKEN_INVALID },
		{ "HTTP_AUTHORIZATION=Bearer a.b.c", ERR_TOKEN_INVALID },
		{ "HTTP_X_API_KEY=", ERR_API_KEY_INVALID },
		{ "HTTP_X_API_KEY=sk_other", ERR_API_KEY_INVALID },
	};
	struct fake f;
	size_t i;

	(void)state;
	fake_open(&f);
	for (i = 0; i < COUNT(cases); i++)
		assert_int_equal(check(&f, &api, cases[i].variable, NULL), cases[i].err);
	fake_close(&f);
}

static void
only_the_hash_of_a_key_goes_on(void **state)
{
	struct fake f;
	struct db_step step;
	struct db_rows rows;

	(void)state;
	fake_open(&f);
	assert_int_equal(check(&f, &api, "HTTP_AUTHORIZATION=bearer " KEY, NULL), ERR_NONE);
	assert_int_equal(f.r.identity.kind, IDENTITY_KEY);
	assert_int_equal(strspn(f.r.identity.key_hash, "0123456789abcdef"), 64);
	assert_int_equal(check(&f, &api, "HTTP_X_API_KEY=" KEY, NULL), ERR_NONE);
	assert_int_equal(f.r.identity.kind, IDENTITY_KEY);
	assert_int_equal(auth_step(&f.c, &step, &rows), 0);
	assert_int_equal(step.nparams, 6);
	assert_string_equal(step.params[0].data, f.c.request_id);
	assert_string_equal(step.params[2].data, f.r.identity.key_hash);
	assert_null(step.params[3].data);
	assert_string_equal(step.params[4].data, "calls:read");
	assert_string_equal(step.params[5].data, "false");
	assert_null(strstr(step.stmt->sql, KEY));
	/* A token beside a key: the header made for it counts. */
	assert_int_equal(check(&f, &api, "HTTP_X_API_KEY=" KEY, "HTTP_AUTHORIZATION=Bearer x"),
	    ERR_TOKEN_INVALID);
	fake_close(&f);
}

static void
the_organization_asked_for_is_handed_on(void **state)
{
	struct fake f;

	(void)state;
	fake_open(&f);
	assert_int_equal(check(&f, &api, "HTTP_X_API_KEY=" KEY, "HTTP_X_ORGANIZATION_ID=" SUB),
	    ERR_NONE);
	assert_string_equal(f.r.identity.organization, SUB);
	assert_int_equal(check(&f, &api, "HTTP_X_API_KEY=" KEY, "HTTP_X_ORGANIZATION_ID="),
	    ERR_NONE);
	assert_null(f.r.identity.organization);
	assert_int_equal(check(&f, &api, "HTTP_X_API_KEY=" KEY, "HTTP_X_ORGANIZATION_ID=\xff"),
	    ERR_ORGANIZATION_NOT_FOUND);
	fake_close(&f);
}

static void
the_path_names_the_organization(void **state)
{
	static const struct {
		const char *uri;
		const char *header;
		enum err err;
	} cases[] = {
		{ "REQUEST_URI=/o/" SUB "/x", "A=", ERR_NONE },
		{ "REQUEST_URI=/o/" SUB "/x", "HTTP_X_ORGANIZATION_ID=" SUB, ERR_NONE },
		{ "REQUEST_URI=/o/0F8FAD5B-d9cb-469f-a165-70867728950e/x",
		    "HTTP_X_ORGANIZATION_ID=" SUB, ERR_NONE },
		{ "REQUEST_URI=/o/" SUB "/x", "HTTP_X_ORGANIZATION_ID=", ERR_NONE },
		{ "REQUEST_URI=/o/0f8fad5b-d9cb-469f-a165-70867728950f/x",
		    "HTTP_X_ORGANIZATION_ID=" SUB, ERR_ORGANIZATION_MISMATCH },
	};
	struct fake f;
	size_t i;

	(void)state;
	fake_open(&f);
	for (i = 0; i < COUNT(cases); i++) {
		const char *variables[] = { cases[i].uri, cases[i].header, "HTTP_X_API_KEY=" KEY,
			NULL };

		assert_int_equal(fake_request(&f, variables), 0);
		f.r.route = &inside;
		assert_int_equal(auth_check(&f.c), cases[i].err ? -1 : 0);
		assert_int_equal(f.c.failure.err, cases[i].err);
		if (!cases[i].err) {
			assert_int_equal(strncasecmp(f.r.identity.organization, SUB, 36), 0);
			assert_true(f.r.identity.in_path);
		}
	}
	fake_close(&f);
}

static void
a_person_is_no_key(void **state)
{
	struct db_rows rows = { .n = 0 };
	struct db_step step;
	char token[1000];
	struct fake f;

	(void)state;
	fake_open(&f);
	make_token(f.c.mem, OURS, 60, token, sizeof(token));
	assert_int_equal(check(&f, &person, "HTTP_X_API_KEY=" KEY, NULL), ERR_PERSON_NEEDED);
	assert_int_equal(check(&f, &person, "HTTP_AUTHORIZATION=Bearer " KEY, NULL),
	    ERR_PERSON_NEEDED);
	assert_int_equal(check(&f, &person, NULL, NULL), ERR_UNAUTHENTICATED);
	/* Whatever organization the client is in just now, it is not asked for. */
	assert_int_equal(check(&f, &person, token, "HTTP_X_ORGANIZATION_ID=" SUB), ERR_NONE);
	assert_null(f.r.identity.organization);
	assert_int_equal(auth_step(&f.c, &step, &rows), 0);
	assert_int_equal(step.nparams, 5);
	assert_null(step.params[4].data);
	fake_close(&f);
}

static void
nobody_brings_the_request_only(void **state)
{
	struct db_rows rows = { .n = 1 };
	struct db_step step;
	struct fake f;

	(void)state;
	fake_open(&f);
	assert_int_equal(check(&f, &public, "REMOTE_ADDR=192.0.2.7", NULL), ERR_NONE);
	assert_int_equal(auth_step(&f.c, &step, &rows), 0);
	assert_int_equal(step.nparams, 2);
	assert_string_equal(step.params[0].data, f.c.request_id);
	assert_string_equal(step.params[1].data, "192.0.2.7");
	auth_take(&f.c, &rows);
	assert_string_equal(f.c.organization_id, "");
	fake_close(&f);
}

static void
local_routes_want_this_host_or_the_token(void **state)
{
	static const char *const here = "REMOTE_ADDR=127.0.0.1",
				 *const away = "REMOTE_ADDR=10.0.0.1";
	static const char *const good = "HTTP_AUTHORIZATION=Bearer internal-1";
	static const char *const bad = "HTTP_AUTHORIZATION=Bearer internal-2";
	struct fake f;

	(void)state;
	fake_open(&f);
	assert_int_equal(check(&f, &public, away, NULL), ERR_NONE);
	assert_int_equal(check(&f, &local, here, NULL), ERR_NONE);
	assert_int_equal(check(&f, &local, away, NULL), ERR_UNAUTHENTICATED);
	assert_int_equal(check(&f, &local, away, good), ERR_NONE);
	assert_int_equal(check(&f, &local, away, bad), ERR_TOKEN_INVALID);
	assert_int_equal(check(&f, &local, here, bad), ERR_TOKEN_INVALID);
	assert_int_equal(check(&f, &internal, here, good), ERR_NONE);
	assert_int_equal(check(&f, &internal, here, NULL), ERR_UNAUTHENTICATED);
	assert_int_equal(check(&f, &internal, here, bad), ERR_TOKEN_INVALID);
	assert_int_equal(check(&f, &internal, away, good), ERR_FORBIDDEN);
	fake_close(&f);
}

static void
operators_come_with_a_token_and_act_for_no_organization(void **state)
{
	char ours[1000];
	struct fake f;
	struct db_step step;
	struct db_rows rows;

	(void)state;
	fake_open(&f);
	make_token(f.c.mem, OURS, 60, ours, sizeof(ours));
	assert_int_equal(check(&f, &operators, NULL, NULL), ERR_UNAUTHENTICATED);
	assert_int_equal(check(&f, &operators, "HTTP_X_API_KEY=" KEY, NULL), ERR_OPERATOR_NEEDED);
	assert_int_equal(check(&f, &operators, ours, "HTTP_X_ORGANIZATION_ID=" SUB), ERR_NONE);
	assert_int_equal(auth_step(&f.c, &step, &rows), 0);
	assert_non_null(strstr(step.stmt->sql, "'hookswitch_operator'"));
	assert_null(step.params[3].data);
	/* Nobody is named in the settings: an empty list, which is another thing than none. */
	assert_string_equal(step.params[5].data, "");
	assert_int_equal(auth_step_admitted(&f.c, &step, &rows), 0);
	assert_non_null(strstr(step.stmt->sql, "'hookswitch_operator'"));
	assert_int_equal(check(&f, &person, ours, NULL), ERR_NONE);
	assert_null(auth_operators(&f.c));
	assert_int_equal(auth_step_admitted(&f.c, &step, &rows), 0);
	assert_non_null(strstr(step.stmt->sql, "'hookswitch_api'"));
	fake_close(&f);
}

static int
set_up(void **state)
{
	(void)state;
	setenv("HOOKSWITCH_JWT_SECRET", OURS, 1);
	setenv("SUPABASE_JWT_SECRET", THEIRS, 1);
	setenv("HOOKSWITCH_INTERNAL_TOKEN", "internal-1", 1);
	return settings_load();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens_of_both_secrets_are_taken),
		cmocka_unit_test(what_is_no_token_is_refused),
		cmocka_unit_test(only_the_hash_of_a_key_goes_on),
		cmocka_unit_test(the_organization_asked_for_is_handed_on),
		cmocka_unit_test(the_path_names_the_organization),
		cmocka_unit_test(a_person_is_no_key),
		cmocka_unit_test(operators_come_with_a_token_and_act_for_no_organization),
		cmocka_unit_test(nobody_brings_the_request_only),
		cmocka_unit_test(local_routes_want_this_host_or_the_token),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
