/*
 * test_intake.c - a body of rows: read while it comes, its place told, gone on with, and refused
 * where it is another one.
 */
#include "base/mem.h"
#include "served.h"
#include "web/intake.h"

#include <stdlib.h>

enum { ROWS = 40000, LINE_MAX_LEN = 64 };

/* ---- a program ------------------------------------------------------------ */

struct place_in {
	int64_t bytes, line, stop, patience;
	const char *digest;
};

static const struct field place_fields[] = {
	FIELD(bytes, QUERY, T_INT, INTO(struct place_in, bytes), .dflt = "0", .doc = "x"),
	FIELD(line, QUERY, T_INT, INTO(struct place_in, line), .dflt = "1", .doc = "x"),
	FIELD(digest, QUERY, T_STR, INTO(struct place_in, digest), .dflt = "", .doc = "x"),
	FIELD(stop, QUERY, T_INT, INTO(struct place_in, stop), .dflt = "0", .doc = "x"),
	FIELD(patience, QUERY, T_INT, INTO(struct place_in, patience), .dflt = "600", .doc = "x"),
};

/* Skips to the place, reads so many records (0: all), and says what it saw. */
static int
read_rows(struct ctx *c, const void *arg)
{
	const struct place_in *in = arg;
	struct intake_place place = { .bytes = in->bytes, .line = in->line };
	struct intake t;
	int64_t n = 0, first = 0;
	int rc = 1;
	struct out *o;

	snprintf(place.digest, sizeof(place.digest), "%s", in->digest);
	if (intake_open(c, &t, (int)in->patience) < 0 || intake_skip(c, &t, &place) < 0)
		return -1;
	while ((!in->stop || n < in->stop) && (rc = intake_next(c, &t)) > 0)
		first = n++ ? first : t.csv.record.line;
	if (rc < 0 || intake_place(c, &t, &place) < 0)
		return -1;
	o = reply_open(c, 200);
	put_int(o, "rows", n);
	put_int(o, "first", first);
	put_int(o, "bytes", place.bytes);
	put_int(o, "line", place.line);
	put_str(o, "digest", place.digest);
	put_int(o, "memory", (int64_t)mem_used(c->mem));
	return reply_close(o);
}

static int
be_over(struct ctx *c, const void *arg)
{
	const struct place_in *in = arg;
	struct intake_place place = { .bytes = in->bytes, .line = in->line };
	struct intake t;

	snprintf(place.digest, sizeof(place.digest), "%s", in->digest);
	if (intake_open(c, &t, (int)in->patience) < 0 || intake_skip(c, &t, &place) < 0 ||
	    intake_over(c, &t) < 0)
		return -1;
	return reply_empty(c, 204);
}

static const struct route routes[] = {
	{ PUT, "/rows", PUBLIC, FIELDS(place_fields), read_rows, 200, NULL, "x",
	    .flags = ROUTE_STREAM },
	{ PUT, "/over", PUBLIC, FIELDS(place_fields), be_over, 204, NULL, "x",
	    .flags = ROUTE_STREAM },
};

static const struct server program = { "program", routes, COUNT(routes) };
static const char *const alone[] = { "HOOKSWITCH_THREADS=1", "HOOKSWITCH_LOG_LEVEL=debug",
	"DATABASE_URL=", NULL };
static struct child a;
static char *body;
static size_t body_len;

/* Some megabytes: more than any body that is read whole. */
static int
make_body(void **state)
{
	size_t i;

	body = malloc((size_t)ROWS * LINE_MAX_LEN);
	for (i = 0; body && i < ROWS; i++)
		body_len += (size_t)snprintf(body + body_len, LINE_MAX_LEN,
		    "+1555%07zu,Person %zu,\"a, note\"\r\n", i, i);
	return !body || served_open(state) != 0;
}

static int
drop_body(void **state)
{
	free(body);
	return served_close(state);
}

static void
put(const char *path, const char *query, size_t n)
{
	char uri[300];

	snprintf(uri, sizeof(uri), "%s?%s", path, query);
	client_answer(client_ask(served_path, "PUT", uri, (struct span){ body, n }, true), &a);
}

static int64_t
number(const char *name)
{
	char word[32];
	const char *p;

	snprintf(word, sizeof(word), "\"%s\":", name);
	p = strstr(a.body, word);
	assert_non_null(p);
	return strtoll(p + strlen(word), NULL, 10);
}

/* The place that the last answer told, as a query. */
static void
place_of(char *ret, size_t size)
{
	const char *p = strstr(a.body, "\"digest\":\"");

	assert_non_null(p);
	snprintf(ret, size, "bytes=%lld&line=%lld&digest=%.64s", (long long)number("bytes"),
	    (long long)number("line"), p + strlen("\"digest\":\""));
}

/* ---- tests ------------------------------------------------------------------- */

static void
a_body_of_any_length_is_read_in_little_memory(void **state UNUSED)
{
	pid_t pid = served_start(&program, alone);

	put("/rows", "", body_len);
	assert_int_equal(a.status, 200);
	assert_int_equal(number("rows"), ROWS);
	assert_int_equal(number("bytes"), body_len);
	assert_int_equal(number("line"), ROWS + 1);
	assert_true(number("memory") < 512 * 1024);
	assert_int_equal(served_finish(pid), 0);
}

static void
reading_goes_on_where_it_was(void **state UNUSED)
{
	char query[200];
	pid_t pid = served_start(&program, alone);

	put("/rows", "stop=12345", body_len);
	assert_int_equal(a.status, 200);
	assert_int_equal(number("rows"), 12345);
	place_of(query, sizeof(query));
	put("/rows", query, body_len);
	assert_int_equal(a.status, 200);
	assert_int_equal(number("rows"), ROWS - 12345);
	assert_int_equal(number("first"), 12346);
	place_of(query, sizeof(query));
	put("/rows", query, body_len);
	assert_int_equal(number("rows"), 0);
	put("/over", query, body_len);
	assert_int_equal(a.status, 204);
	assert_int_equal(served_finish(pid), 0);
}

static void
another_body_is_refused(void **state UNUSED)
{
	char query[200];
	pid_t pid = served_start(&program, alone);

	put("/rows", "stop=1000", 200000);
	place_of(query, sizeof(query));
	body[10] ^= 1;
	put("/rows", query, 200000);
	body[10] ^= 1;
	assert_int_equal(a.status, 409);
	assert_non_null(strstr(a.body, "import_file_differs"));
	put("/rows", query, (size_t)100);
	assert_int_equal(a.status, 409);
	put("/over", query, 200000);
	assert_int_equal(a.status, 409);
	assert_int_equal(served_finish(pid), 0);
}

static void
a_body_that_breaks_off_is_told(void **state UNUSED)
{
	pid_t pid = served_start(&program, alone);
	int fd = client_begin(served_path, "PUT", "/rows", "100");

	client_record(fd, STDIN, "a,b\nc", 5);
	close(fd);
	assert_true(served_says("route=/rows status=400"));
	put("/rows", "", 0);
	assert_int_equal(a.status, 200);
	assert_int_equal(number("rows"), 0);
	assert_int_equal(served_finish(pid), 0);
}

static void
a_body_that_stays_away_is_given_up(void **state UNUSED)
{
	pid_t pid = served_start(&program, alone);
	int fd = client_begin(served_path, "PUT", "/rows?patience=1", "100");

	client_record(fd, STDIN, "a,b\nc", 5);
	client_answer(fd, &a);
	assert_int_equal(a.status, 408);
	assert_non_null(strstr(a.body, "body_slow"));
	assert_int_equal(served_finish(pid), 0);
}

/* Never so long without a byte that it would be given up for that. */
static void
a_body_that_only_trickles_is_given_up(void **state UNUSED)
{
	pid_t pid = served_start(&program, alone);
	int fd = client_begin(served_path, "PUT", "/rows?patience=1", "100000");
	struct pollfd answer = { .fd = fd, .events = POLLIN };
	int64_t deadline = clock_steady_ms() + 60000;

	do
		client_record(fd, STDIN, "a", 1);
	while (poll(&answer, 1, 100) == 0 && clock_steady_ms() < deadline);
	client_answer(fd, &a);
	assert_int_equal(a.status, 408);
	assert_int_equal(served_finish(pid), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_body_of_any_length_is_read_in_little_memory,
		    served_kill),
		cmocka_unit_test_teardown(reading_goes_on_where_it_was, served_kill),
		cmocka_unit_test_teardown(another_body_is_refused, served_kill),
		cmocka_unit_test_teardown(a_body_that_breaks_off_is_told, served_kill),
		cmocka_unit_test_teardown(a_body_that_stays_away_is_given_up, served_kill),
		cmocka_unit_test_teardown(a_body_that_only_trickles_is_given_up, served_kill),
	};

	return cmocka_run_group_tests(tests, make_body, drop_body);
}
