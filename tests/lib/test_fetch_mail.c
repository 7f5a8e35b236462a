/*
 * test_fetch_mail.c - a mail over SMTP: what is said to the server, and what is known of it when
 * that failed; requests over HTTP beside it are not disturbed.
 */
#include "tests/lib/fetch_fixture.h"
#include "tests/lib/smtp_fixture.h"

#include <dirent.h>

static const struct fetch_mail envelope = { .from = "no-reply@example.com",
	.to = "pat@example.org" };
static char mail_url[128];

static int
both_setup(void **state)
{
	return world_setup(state) || smtp_setup(state);
}

static int
both_teardown(void **state)
{
	return world_teardown(state) || smtp_teardown(state);
}

static struct fetch_request
mail_request(const char *text)
{
	snprintf(mail_url, sizeof(mail_url), "smtp://127.0.0.1:%d/example.com", smtp.port);
	return (struct fetch_request){ .url = mail_url,
		.body = span_of(text),
		.timeout_ms = 5000,
		.mail = &envelope };
}

/* Sends one mail to a server that answers so. */
static enum fetch_outcome
mail_with(const struct smtp_habit *h, size_t n)
{
	struct fetch_request r = mail_request("Subject: x\r\n\r\nHello\r\n");

	smtp_behave(h, n);
	r.timeout_ms = 400;
	return run(&r);
}

/* ---- sent ----------------------------------------------------------- */

static void
a_mail_is_sent(void **state)
{
	struct fetch_request r = mail_request("Subject: x\r\n\r\nHello\r\n.\r\n..two\r\n");
	int tag;

	(void)state;
	r.tag = &tag;
	assert_int_equal(run(&r), FETCH_ANSWERED);
	assert_int_equal(world.a.status, 250);
	assert_string_equal(world.a.body.data, "250 2.0.0 queued as 4711\r\n");
	assert_ptr_equal(world.a.tag, &tag);
	assert_int_equal(world.a.retry_after, -1);
	assert_string_equal(world.a.type, "");
	assert_string_equal(world.a.location, "");
	assert_null(world.a.why);
	assert_string_equal(smtp_heard(),
	    "EHLO example.com\r\nMAIL FROM:<no-reply@example.com>\r\n"
	    "RCPT TO:<pat@example.org>\r\nDATA\r\n"
	    "Subject: x\r\n\r\nHello\r\n..\r\n...two\r\n.\r\nQUIT\r\n");
}

static void
a_large_mail_is_sent_whole(void **state)
{
	static char text[40 * 1024];
	struct fetch_request r;
	size_t n = 0;

	(void)state;
	while (n + 80 < sizeof(text))
		n += (size_t)snprintf(text + n, sizeof(text) - n, ".%060zu\r\n", n);
	r = mail_request(text);
	assert_int_equal(run(&r), FETCH_ANSWERED);
	assert_int_equal(world.a.status, 250);
	/* Each line began with a dot and got one more. */
	assert_non_null(strstr(smtp_heard(), "\r\n.\r\nQUIT\r\n"));
	assert_int_equal(strstr(smtp.heard, "\r\n.\r\n") - strstr(smtp.heard, "DATA\r\n") - 4,
	    n + n / 63);
}

static int
threads(void)
{
	DIR *d = opendir("/proc/self/task");
	int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* The first eight wait for a server that says nothing; a request does not wait for them. */
static void
mails_are_eight_at_once(void **state)
{
	static const struct smtp_habit silent[] = { { "", "" } };
	struct fetch_request r = mail_request("Subject: x\r\n\r\nHello\r\n");
	struct fetch *f = fetch_new(20);
	int before = threads();

	(void)state;
	smtp_behave(silent, 1);
	r.timeout_ms = 400;
	for (int i = 0; i < 12; i++)
		assert_int_equal(fetch_add(f, &r), 0);
	assert_int_equal(threads(), before + 8);
	r = request("GET", "/ok");
	assert_int_equal(fetch_add(f, &r), 0);
	while (!fetch_next(f, &world.a))
		assert_int_equal(fetch_wait(f, 1000, NULL, 0, NULL), 0);
	assert_int_equal(world.a.status, 200);
	while (fetch_live(f) > 0) {
		assert_int_equal(fetch_wait(f, 1000, NULL, 0, NULL), 0);
		while (fetch_next(f, &world.a))
			assert_int_equal(world.a.outcome, FETCH_NOT_SENT);
	}
	fetch_free(f);
}

static void
mails_and_requests_go_side_by_side(void **state)
{
	struct fetch_request r = mail_request("Subject: x\r\n\r\nHello\r\n");
	struct fetch_request get = request("GET", "/slow");
	int mails = 0, pages = 0;

	(void)state;
	for (int i = 0; i < 4; i++) {
		assert_int_equal(fetch_add(world.f, &r), 0);
		assert_int_equal(fetch_add(world.f, &get), 0);
	}
	for (int i = 0; i < 8; i++) {
		wait_answer();
		assert_int_equal(world.a.outcome, FETCH_ANSWERED);
		mails += world.a.status == 250;
		pages += world.a.status == 200 && strcmp(world.a.type, "application/json") == 0;
	}
	assert_int_equal(mails, 4);
	assert_int_equal(pages, 4);
	assert_int_equal(fetch("POST", "/ok"), FETCH_ANSWERED);
	assert_int_equal(world.a.status, 200);
}

/* The server takes its time after the last byte: nothing else waits for that. */
static void
a_dawdling_server_holds_nothing_up(void **state)
{
	static const struct smtp_habit dawdling[] = { { ".", "" } };
	struct fetch_request r = mail_request("Subject: x\r\n\r\nHello\r\n");

	(void)state;
	r.timeout_ms = 600;
	smtp_behave(dawdling, 1);
	assert_int_equal(fetch_add(world.f, &r), 0);
	for (int i = 0; i < 100 && !smtp_has_heard("\r\n.\r\n"); i++)
		assert_int_equal(fetch_wait(world.f, 10, NULL, 0, NULL), 0);
	assert_int_equal(fetch_live(world.f), 1);
	r = request("GET", "/ok");
	assert_int_equal(fetch_add(world.f, &r), 0);
	wait_answer();
	assert_int_equal(world.a.status, 200);
	assert_in_range(world.a.ms, 0, 400);
	wait_answer();
	assert_int_equal(world.a.outcome, FETCH_LOST);
}

/* ---- what is known of a failure ------------------------------------- */

#define WITH(...)                                                                                  \
	mail_with((const struct smtp_habit[]){ __VA_ARGS__ },                                      \
	    sizeof((const struct smtp_habit[]){ __VA_ARGS__ }) / sizeof(struct smtp_habit))

static void
a_refusal_is_an_answer_wherever_it_comes(void **state)
{
	(void)state;
	assert_int_equal(WITH({ "", "421 full\r\n" }), FETCH_ANSWERED);
	assert_int_equal(world.a.status, 421);
	assert_int_equal(WITH({ "MAIL", "451 later\r\n" }), FETCH_ANSWERED);
	assert_int_equal(world.a.status, 451);
	assert_int_equal(WITH({ "RCPT", "550-5.1.1 nobody\r\n550 5.1.1 here\r\n" }),
	    FETCH_ANSWERED);
	assert_int_equal(world.a.status, 550);
	assert_string_equal(world.a.body.data, "550-5.1.1 nobody\r\n550 5.1.1 here\r\n");
	assert_int_equal(WITH({ "DATA", "554 no\r\n" }), FETCH_ANSWERED);
	assert_int_equal(world.a.status, 554);
	assert_int_equal(WITH({ ".", "552 too much\r\n" }), FETCH_ANSWERED);
	assert_int_equal(world.a.status, 552);
	assert_int_equal(WITH({ ".", "251 elsewhere\r\n" }), FETCH_ANSWERED);
	assert_int_equal(world.a.status, 251);
}

static void
not_sent_while_the_server_lacks_a_part(void **state)
{
	struct fetch_request r = mail_request("Subject: x\r\n\r\nHello\r\n");
	int port, fd = listen_somewhere(&port);

	(void)state;
	close(fd);
	snprintf(mail_url, sizeof(mail_url), "smtp://127.0.0.1:%d/x", port);
	assert_int_equal(run(&r), FETCH_NOT_SENT);
	assert_int_equal(world.a.status, 0);
	assert_non_null(world.a.why);
	assert_int_equal(WITH({ "", NULL }), FETCH_NOT_SENT);
	assert_int_equal(WITH({ "", "" }), FETCH_NOT_SENT);
	assert_string_equal(world.a.why, "no connection in time");
	assert_int_equal(WITH({ "MAIL", NULL }), FETCH_NOT_SENT);
	assert_int_equal(WITH({ "RCPT", NULL }), FETCH_NOT_SENT);
	assert_int_equal(WITH({ "DATA", NULL }), FETCH_NOT_SENT);
	assert_int_equal(WITH({ "DATA", "" }), FETCH_NOT_SENT);
}

static void
lost_when_all_was_said_and_nothing_came(void **state)
{
	(void)state;
	assert_int_equal(WITH({ ".", NULL }), FETCH_LOST);
	assert_non_null(world.a.why);
	assert_int_equal(WITH({ ".", "" }), FETCH_LOST);
	assert_string_equal(world.a.why, "no whole answer in time");
	assert_int_equal(WITH({ ".", "nonsense\r\n" }), FETCH_LOST);
}

/* The mail is there; how the goodbye goes is of no interest. */
static void
a_goodbye_that_fails_spoils_nothing(void **state)
{
	(void)state;
	assert_int_equal(WITH({ "QUIT", NULL }), FETCH_ANSWERED);
	assert_int_equal(world.a.status, 250);
	assert_int_equal(WITH({ "QUIT", "" }), FETCH_ANSWERED);
	assert_int_equal(world.a.status, 250);
	assert_in_range(world.a.ms, 0, 2500);
	assert_int_equal(WITH({ "QUIT", "500 no\r\n" }), FETCH_ANSWERED);
	assert_int_equal(world.a.status, 250);
}

static void
without_tls_nothing_is_said_where_it_is_wanted(void **state)
{
	static const struct fetch_mail safe = { .from = "a@example.com",
		.to = "b@example.com",
		.user = "me",
		.password = "secret-word",
		.starttls = true };
	struct fetch_request r = mail_request("Subject: x\r\n\r\nHello\r\n");

	(void)state;
	r.mail = &safe;
	assert_int_equal(run(&r), FETCH_NOT_SENT);
	assert_null(strstr(smtp_heard(), "MAIL"));
	assert_null(strstr(smtp.heard, "AUTH"));
}

static void
an_account_is_named(void **state)
{
	static const struct fetch_mail known = { .from = "a@example.com",
		.to = "b@example.com",
		.user = "me",
		.password = "secret-word" };
	static const struct smtp_habit asks[] = { { "EHLO", "250-here\r\n250 AUTH PLAIN\r\n" },
		{ "AUTH PLAIN", "334 \r\n" }, { "AG1lAHNlY3JldC13b3Jk", "235 welcome\r\n" } };
	static const struct smtp_habit refuses[] = { { "EHLO", "250-here\r\n250 AUTH PLAIN\r\n" },
		{ "AUTH", "535 5.7.8 no\r\n" } };
	struct fetch_request r = mail_request("Subject: x\r\n\r\nHello\r\n");

	(void)state;
	r.mail = &known;
	smtp_behave(asks, COUNT(asks));
	assert_int_equal(run(&r), FETCH_ANSWERED);
	assert_int_equal(world.a.status, 250);
	smtp_behave(refuses, COUNT(refuses));
	assert_int_equal(run(&r), FETCH_ANSWERED);
	assert_int_equal(world.a.status, 535);
}

static void
one_that_nobody_waits_for_is_given_up(void **state)
{
	static const struct smtp_habit silent[] = { { "", "" } };
	struct fetch_request r = mail_request("Subject: x\r\n\r\nHello\r\n");
	int64_t began = clock_steady_ms();

	(void)state;
	smtp_behave(silent, 1);
	r.timeout_ms = 60000;
	assert_int_equal(fetch_add(world.f, &r), 0);
	fetch_wait(world.f, 20, NULL, 0, NULL);
	fetch_free(world.f);
	world.f = NULL;
	assert_true(clock_steady_ms() - began < 50000);
}

static void
what_cannot_be_sent_is_refused(void **state)
{
	static const char *const texts[] = { "", "no line end", "Subject: x\n\nbare\n",
		"Subject: x\r\n\r\nbare\rhere\r\n", "a\r\n.\r\n\nMAIL FROM:<x@y>\r\n" };
	static const char *const addresses[] = { "", "nobody", "a@b>\r\nRCPT TO:<c@d", "a b@c",
		"<a@b>", "a@b\n" };
	struct fetch_request r;
	struct fetch_mail m;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		r = mail_request(texts[i]);
		assert_int_equal(fetch_add(world.f, &r), -1);
		assert_int_equal(errno, EINVAL);
	}
	for (size_t i = 0; i < 2 * COUNT(addresses); i++) {
		r = mail_request("Subject: x\r\n\r\nHello\r\n");
		m = envelope;
		*(i % 2 ? &m.from : &m.to) = addresses[i / 2];
		r.mail = &m;
		assert_int_equal(fetch_add(world.f, &r), -1);
	}
	r = mail_request("Subject: x\r\n\r\nHello\r\n");
	r.url = "http://127.0.0.1/";
	assert_int_equal(fetch_add(world.f, &r), -1);
	r = request("POST", "/ok");
	r.url = mail_url;
	assert_int_equal(fetch_add(world.f, &r), -1);
	assert_int_equal(smtp.connections, 0);
}

#define MAIL_TEST(f) cmocka_unit_test_setup_teardown(f, both_setup, both_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		MAIL_TEST(a_mail_is_sent),
		MAIL_TEST(a_large_mail_is_sent_whole),
		MAIL_TEST(mails_are_eight_at_once),
		MAIL_TEST(mails_and_requests_go_side_by_side),
		MAIL_TEST(a_dawdling_server_holds_nothing_up),
		MAIL_TEST(a_refusal_is_an_answer_wherever_it_comes),
		MAIL_TEST(not_sent_while_the_server_lacks_a_part),
		MAIL_TEST(lost_when_all_was_said_and_nothing_came),
		MAIL_TEST(a_goodbye_that_fails_spoils_nothing),
		MAIL_TEST(without_tls_nothing_is_said_where_it_is_wanted),
		MAIL_TEST(an_account_is_named),
		MAIL_TEST(one_that_nobody_waits_for_is_given_up),
		MAIL_TEST(what_cannot_be_sent_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
