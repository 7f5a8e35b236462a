/*
 * test_csv.c - CSV as RFC 4180 writes it, as spreadsheets write it, and as nobody should.
 */
#include "base/csv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { ROOM = 64, SHOWN_MAX = 1024 };

/* All records of a text, shown as "line|field|field\n"; a fault as its number.  The text comes in
 * pieces of so many bytes. */
static void
show(const char *text, size_t n, size_t piece, char ret[SHOWN_MAX])
{
	char buf[ROOM];
	struct csv p;
	struct span in;
	size_t take, i, len = 0;
	bool more;

	csv_begin(&p, buf, sizeof(buf), 1);
	ret[0] = '\0';
	for (more = true; more; text += take, n -= take) {
		take = n < piece ? n : piece;
		in = (struct span){ text, take };
		more = n > 0;
		while (more ? csv_feed(&p, &in) : csv_end(&p)) {
			len += (size_t)snprintf(ret + len, SHOWN_MAX - len, "%lld",
			    (long long)p.record.line);
			if (p.record.fault != CSV_FINE)
				len += (size_t)snprintf(ret + len, SHOWN_MAX - len, "!%d",
				    (int)p.record.fault);
			for (i = 0; p.record.fault == CSV_FINE && i < p.record.n; i++)
				len += (size_t)snprintf(ret + len, SHOWN_MAX - len, "|%s",
				    p.record.fields[i].data);
			len += (size_t)snprintf(ret + len, SHOWN_MAX - len, "\n");
			assert_true(len < SHOWN_MAX);
		}
	}
}

#define LONG "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static void
records_are_what_stands_in_the_text(void **state UNUSED)
{
	static const struct {
		const char *text, *shown;
	} cases[] = {
		{ "", "" },
		{ "a,b\r\nc,d\r\n", "1|a|b\n2|c|d\n" },
		{ "a,b\nc,d", "1|a|b\n2|c|d\n" },
		{ "a,\n,b\n,\n", "1|a|\n2||b\n3||\n" },
		{ "\"a\",\"b\"\r\n", "1|a|b\n" },
		{ "\"a \"\"quoted\"\" word\"\n", "1|a \"quoted\" word\n" },
		{ "\"one\r\ntwo\",x\nnext\n", "1|one\r\ntwo|x\n3|next\n" },
		{ "\"\"\n", "1|\n" },
		{ "\"\",\"\"", "1||\n" },
		{ "5\" pipe,x\n", "1|5\" pipe|x\n" },
		{ "\n\r\n\na\n\n\r\n", "4|a\n" },
		{ "\xef\xbb\xbf"
		  "a,b\n",
		    "1|a|b\n" },
		{ "\xef\xbb\xbf"
		  "\"a\",b\n",
		    "1|a|b\n" },
		{ "a\n\xef\xbb\xbf"
		  "b\n",
		    "1|a\n2|\xef\xbb\xbf"
		    "b\n" },
		{ "\xef\xbb"
		  "a\n",
		    "1|\xef\xbb"
		    "a\n" },
		{ "a\rb\n", "1|a\rb\n" },
		{ "a\r\r\n", "1|a\r\n" },
	};
	char shown[SHOWN_MAX];
	size_t i, piece;

	for (i = 0; i < COUNT(cases); i++) {
		for (piece = 1; piece < 9; piece++) {
			show(cases[i].text, strlen(cases[i].text), piece, shown);
			assert_string_equal(shown, cases[i].shown);
		}
	}
}

static void
a_record_that_is_wrong_costs_no_other(void **state UNUSED)
{
	static const struct {
		const char *text, *shown;
	} cases[] = {
		{ "a\n\"b\"c,d\ne\n", "1|a\n2!3\n3|e\n" },
		{ "a\n\"b\"\rc\ne\n", "1|a\n2!3\n3|e\n" },
		{ "a\n\"b\"\r,c\ne\n", "1|a\n2!3\n3|e\n" },
		{ "a\n\"b\ne\n", "1|a\n2!4\n" },
		{ LONG "\nb\n", "1!1\n2|b\n" },
		{ "\"" LONG "\n" LONG "\",x\nb\n", "1!1\n3|b\n" },
		{ LONG, "1!1\n" },
	};
	char shown[SHOWN_MAX];
	size_t i, piece;

	for (i = 0; i < COUNT(cases); i++) {
		for (piece = 1; piece < 9; piece++) {
			show(cases[i].text, strlen(cases[i].text), piece, shown);
			assert_string_equal(shown, cases[i].shown);
		}
	}
}

static void
a_nul_is_a_byte_like_others(void **state UNUSED)
{
	char buf[ROOM];
	struct span in = SPAN("a\0b,c\n");
	struct csv p;

	csv_begin(&p, buf, sizeof(buf), 1);
	assert_true(csv_feed(&p, &in));
	assert_int_equal(p.record.n, 2);
	assert_true(span_equal(p.record.fields[0], SPAN("a\0b")));
	assert_true(span_equal(p.record.fields[1], SPAN("c")));
}

static void
there_are_not_more_fields_than_can_be(void **state UNUSED)
{
	char buf[4 * CSV_FIELDS_MAX], text[2 * CSV_FIELDS_MAX + 4];
	struct csv p;
	struct span in;
	size_t n;

	for (n = CSV_FIELDS_MAX - 1; n <= CSV_FIELDS_MAX; n++) {
		memset(text, ',', n);
		text[n] = '\n';
		in = (struct span){ text, n + 1 };
		csv_begin(&p, buf, sizeof(buf), 1);
		assert_true(csv_feed(&p, &in));
		assert_int_equal(p.record.fault, n < CSV_FIELDS_MAX ? CSV_FINE : CSV_TOO_MANY);
		assert_int_equal(p.record.n, CSV_FIELDS_MAX);
	}
}

static void
a_reader_goes_on_in_the_middle(void **state UNUSED)
{
	char buf[ROOM];
	struct span in = SPAN("a\n\"b\nc\"\nd\n");
	struct csv p;

	csv_begin(&p, buf, sizeof(buf), 1);
	assert_true(csv_feed(&p, &in));
	csv_begin(&p, buf, sizeof(buf), p.line);
	assert_true(csv_feed(&p, &in));
	assert_int_equal(p.record.line, 2);
	assert_true(csv_feed(&p, &in));
	assert_int_equal(p.record.line, 4);
	assert_false(csv_feed(&p, &in));
	assert_false(csv_end(&p));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_are_what_stands_in_the_text),
		cmocka_unit_test(a_record_that_is_wrong_costs_no_other),
		cmocka_unit_test(a_nul_is_a_byte_like_others),
		cmocka_unit_test(there_are_not_more_fields_than_can_be),
		cmocka_unit_test(a_reader_goes_on_in_the_middle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
