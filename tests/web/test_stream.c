/*
 * test_stream.c - long answers: pages in a memory that stays as it is, a client that goes, a
 * failure on the way.
 */
#include "served.h"
#include "web/stream.h"

enum { PAGES = 60, PAGE_MEM = 1024 * 1024, PAGE_LINES = 100 };

/* ---- a program ------------------------------------------------------------ */

struct place {
	int page;
	int last;
};

static enum stream_page
write_page(struct ctx *c, void *arg)
{
	struct place *p = arg;
	char line[32];
	int i;

	/* All pages together take more than a request may have. */
	if (!mem_alloc(c->mem, PAGE_MEM))
		return fail(c, ERR_INTERNAL, "out of memory") ? STREAM_FAILED : STREAM_END;
	for (i = 0; i < PAGE_LINES; i++) {
		snprintf(line, sizeof(line), "%d,%d\r\n", p->page, i);
		if (reply_stream_write(c, span_of(line)) < 0)
			return STREAM_END;
	}
	return ++p->page < p->last ? STREAM_MORE : STREAM_END;
}

static int
stream_pages(struct ctx *c, const void *in, int last)
{
	struct place p = { 0, last };

	(void)in;
	if (reply_stream_open(c, "text/csv", "lines.csv") < 0)
		return -1;
	if (reply_stream_pages(c, write_page, &p) < 0)
		return -1;
	return reply_stream_close(c);
}

static int
stream_long(struct ctx *c, const void *in)
{
	return stream_pages(c, in, PAGES);
}

static int
stream_endless(struct ctx *c, const void *in)
{
	return stream_pages(c, in, 1000000);
}

static enum stream_page
fail_on_the_way(struct ctx *c, void *arg)
{
	int *page = arg;

	if ((*page)++ < 2)
		return reply_stream_write(c, SPAN("row\n")) < 0 ? STREAM_END : STREAM_MORE;
	fail(c, ERR_UNAVAILABLE, NULL);
	fail_log(c, "db=%s", "gone");
	return STREAM_FAILED;
}

static int
stream_half(struct ctx *c, const void *in)
{
	int page = 0;

	(void)in;
	if (reply_stream_open(c, "application/x-ndjson", NULL) < 0 ||
	    reply_stream_pages(c, fail_on_the_way, &page) < 0)
		return -1;
	return reply_stream_close(c);
}

static const struct route routes[] = {
	{ GET, "/long", PUBLIC, NO_FIELDS, stream_long, 200, NULL, "x" },
	{ GET, "/endless", PUBLIC, NO_FIELDS, stream_endless, 200, NULL, "x" },
	{ GET, "/half", PUBLIC, NO_FIELDS, stream_half, 200, NULL, "x" },
};

static const struct server program = { "program", routes, COUNT(routes) };
static const char *const alone[] = { "HOOKSWITCH_THREADS=1", "HOOKSWITCH_LOG_LEVEL=debug",
	"DATABASE_URL=", NULL };
static struct child a;

/* ---- tests -------------------------------------------------------------------------- */

static void
pages_follow_each_other(void **state)
{
	const char *last = "59,99\r\n";
	pid_t pid;

	(void)state;
	pid = served_start(&program, alone);
	client_answer(client_ask(served_path, "GET", "/long", SPAN(""), true), &a);
	assert_int_equal(a.status, 200);
	assert_true(child_has(&a, "Content-Type: text/csv\r\n"));
	assert_true(child_has(&a, "X-Accel-Buffering: no\r\n"));
	assert_true(child_has(&a, "Content-Disposition: attachment; filename=\"lines.csv\"\r\n"));
	assert_true(child_has(&a, "X-Request-Id: "));
	assert_false(child_has(&a, "Content-Length: "));
	assert_false(child_has(&a, "ETag: "));
	assert_int_equal(strncmp(a.body, "0,0\r\n0,1\r\n", 10), 0);
	assert_string_equal(a.body + strlen(a.body) - strlen(last), last);
	client_answer(client_ask(served_path, "HEAD", "/endless", SPAN(""), true), &a);
	assert_int_equal(a.status, 200);
	assert_true(child_has(&a, "Content-Type: text/csv\r\n"));
	assert_string_equal(a.body, "");
	assert_int_equal(served_finish(pid), 0);
}

static void
a_client_that_goes_is_noticed(void **state)
{
	char some[200];
	pid_t pid;
	int fd;

	(void)state;
	pid = served_start(&program, alone);
	fd = client_ask(served_path, "GET", "/endless", SPAN(""), true);
	assert_true(client_read(fd, some, sizeof(some)));
	close(fd);
	assert_true(served_says("event=peer_gone"));
	assert_true(served_says("route=/endless status=200"));
	client_answer(client_ask(served_path, "GET", "/long", SPAN(""), true), &a);
	assert_int_equal(a.status, 200);
	assert_int_equal(served_finish(pid), 0);
}

/* Reads to the end; true when the web server was told that the request is over. */
static bool
ended_well(int fd)
{
	unsigned char head[8], data[65536 + 256];
	bool ended = false;

	while (client_read(fd, head, sizeof(head))) {
		assert_true(client_read(fd, data, (size_t)head[4] * 256 + head[5] + head[6]));
		ended = ended || head[1] == 3;
	}
	close(fd);
	return ended;
}

static void
an_answer_that_is_not_whole_is_not_ended(void **state)
{
	pid_t pid;

	(void)state;
	pid = served_start(&program, alone);
	assert_true(ended_well(client_ask(served_path, "GET", "/long", SPAN(""), true)));
	assert_false(ended_well(client_ask(served_path, "GET", "/half", SPAN(""), true)));
	assert_true(served_says("error=unavailable why=\"db=gone\""));
	client_answer(client_ask(served_path, "GET", "/half", SPAN(""), true), &a);
	assert_string_equal(a.body, "row\nrow\n");
	assert_int_equal(served_finish(pid), 0);
}

static void
no_stream_begins_in_a_transaction(void **state)
{
	struct fake f;

	(void)state;
	fake_open(&f);
	f.r.tx = (struct db_tx *)&f;
	assert_int_equal(reply_stream_open(&f.c, "text/csv", NULL), -1);
	assert_int_equal(f.c.failure.err, ERR_INTERNAL);
	f.r.tx = NULL;
	fail_clear(&f.c);
	assert_int_equal(reply_stream_open(&f.c, "text/csv", "a\"b"), -1);
	fail_clear(&f.c);
	assert_int_equal(reply_stream_close(&f.c), -1);
	fake_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(pages_follow_each_other, served_kill),
		cmocka_unit_test_teardown(a_client_that_goes_is_noticed, served_kill),
		cmocka_unit_test_teardown(an_answer_that_is_not_whole_is_not_ended, served_kill),
		cmocka_unit_test(no_stream_begins_in_a_transaction),
	};

	return cmocka_run_group_tests(tests, served_open, served_close);
}
