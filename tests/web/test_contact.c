/*
 * test_contact.c - rows of a file of contacts: which columns it may have, and what becomes of
 * cells.
 */
#include "web/contact_row.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { MEMORY = 4 * 1024 * 1024, ROOM = 8192 };

static struct ctx c;
static struct csv reader;
static char room[ROOM];
static struct contact_columns columns;

static int
setup(void **state UNUSED)
{
	return ctx_init(&c, MEMORY);
}

static int
teardown(void **state UNUSED)
{
	ctx_free(&c);
	return 0;
}

/* The record that a line is; the line may hold NUL. */
static const struct csv_record *
record(const char *line, size_t n)
{
	struct span in = { line, n };

	csv_begin(&reader, room, sizeof(room), 7);
	assert_false(csv_feed(&reader, &in));
	assert_true(csv_end(&reader));
	return &reader.record;
}

static int
head(const char *line, bool refuse)
{
	int rc;

	fail_clear(&c);
	rc = contact_columns_read(&c, record(line, strlen(line)), refuse, &columns);
	return rc;
}

/* What becomes of a row: rows and errors, as they are appended. */
static void
row(struct span line, const char *rows, const char *errors)
{
	struct contact_rows out = { TEXT(MEMORY), TEXT(MEMORY), 0 };
	bool fine;

	fine = contact_row(&c, &columns, record(line.data, line.len), &out);
	assert_string_equal(text_str(&out.rows), rows);
	assert_string_equal(text_str(&out.errors), errors);
	assert_true(fine == (out.nerrors == 0) && fine == (*errors == '\0'));
	text_clear(&out.rows);
	text_clear(&out.errors);
	assert_int_equal(c.failure.err, ERR_NONE);
}

static void
a_head_names_its_columns_in_any_order(void **state UNUSED)
{
	assert_int_equal(head("Name, Phone Number ,E-Mail,tags,Loyalty Level", false), 0);
	assert_int_equal(columns.n, 5);
	assert_string_equal(columns.names[0], "name");
	assert_string_equal(columns.names[1], "phone_number");
	assert_true(columns.custom[2]); /* e_mail is another word than email */
	assert_string_equal(columns.names[4], "Loyalty Level");
	assert_true(columns.custom[4] && !columns.custom[0]);
}

static void
a_head_that_cannot_be_taken_is_refused_by_column(void **state UNUSED)
{
	static const struct {
		const char *line;
		bool refuse;
		const char *field;
	} cases[] = {
		{ "name,email", false, NULL },
		{ "phone_number,name,NAME", false, "columns.2" },
		{ "phone_number,", false, "columns.1" },
		{ "phone_number,level", true, "columns.1" },
		{ "phone_number,\"a\nb\"", false, "columns.1" },
		{ "phone_number,\xff", false, "columns.1" },
		{ "\"phone_number\"x", false, NULL },
	};
	size_t i;

	for (i = 0; i < COUNT(cases); i++) {
		assert_int_equal(head(cases[i].line, cases[i].refuse), -1);
		assert_int_equal(c.failure.err, ERR_IMPORT_HEAD);
		assert_int_equal(c.failure.nfields, cases[i].field ? 1 : 0);
		if (cases[i].field)
			assert_string_equal(c.failure.fields[0].field, cases[i].field);
	}
	assert_int_equal(head("phone_number,level", false), 0);
}

#define ROW(members, custom)                                                                       \
	"{\"line\":7,\"phone_number\":\"+15550100001\"" members ",\"custom_fields\":{" custom "}}"
#define WRONG(field, code, detail)                                                                 \
	"{\"line\":7,\"field\":" field ",\"code\":\"" code "\",\"detail\":\"" detail "\"}"
#define NOT_UTF8 "it is not valid UTF-8, or holds a NUL"

static void
cells_are_checked_like_fields(void **state UNUSED)
{
	assert_int_equal(
	    head("phone_number,name,email,company,notes,tags,do_not_call,custom_fields,level",
		false),
	    0);
	row(SPAN("+15550100001"), ROW("", ""), "");
	row(SPAN(" +15550100001 ,Ann,ann@example.com,ACME,\"a, b\",x; y;;z,TRUE,,gold"),
	    ROW(",\"name\":\"Ann\",\"email\":\"ann@example.com\",\"company\":\"ACME\","
		"\"notes\":\"a, b\",\"tags\":[\"x\",\"y\",\"z\"],\"do_not_call\":\"true\"",
		"\"level\":\"gold\""),
	    "");
	row(SPAN("+15550100001,,,,,,,\"{\"\"level\"\":1,\"\"since\"\":true}\",2"),
	    ROW("", "\"level\":1,\"since\":true,\"level\":\"2\""), "");
	row(SPAN("555-0100,Ann,ann@,,,,maybe,[]"), "",
	    WRONG("\"phone_number\"", "e164",
		"must be a phone number like +12025550123") "," WRONG("\"email\"", "email",
		"must be an e-mail address") "," WRONG("\"do_not_call\"", "bool",
		"must be true or false") "," WRONG("\"custom_fields\"", "object",
		"must be a JSON object"));
	row(SPAN(",Ann"), "", WRONG("\"phone_number\"", "required", "the number is missing"));
}

static void
a_row_of_wrong_bytes_is_an_error_of_its_own(void **state UNUSED)
{
	assert_int_equal(head("phone_number,name", false), 0);
	row(SPAN("+15550100001,a\0b"), "", WRONG("\"name\"", "text", NOT_UTF8));
	row(SPAN("+15550100001,\xff"), "", WRONG("\"name\"", "text", NOT_UTF8));
	row(SPAN("+15550100001,Ann,more"), "",
	    WRONG("null", "columns", "the row has more cells than the file has columns"));
	row(SPAN("+15550100001,\"Ann"), "", WRONG("null", "quotes", "a quote is never closed"));
}

static void
what_was_kept_from_being_a_formula_is_itself_again(void **state UNUSED)
{
	static const struct {
		const char *cell, *name;
	} cases[] = {
		{ "'=1+1", "=1+1" },
		{ "''=1+1", "'=1+1" },
		{ "'@x", "@x" },
		{ "'-x", "-x" },
		{ "'x", "'x" },
		{ "''", "''" },
		{ "x'=", "x'=" },
	};
	CLEANUP(text_clear) struct text line = TEXT(200);
	CLEANUP(text_clear) struct text want = TEXT(200);
	size_t i;

	assert_int_equal(head("phone_number,name", false), 0);
	for (i = 0; i < COUNT(cases); i++) {
		text_empty(&line);
		text_empty(&want);
		text_printf(&line, "'+15550100001,%s", cases[i].cell);
		text_printf(&want, ROW(",\"name\":\"%s\"", ""), cases[i].name);
		row((struct span){ line.data, line.len }, text_str(&want), "");
	}
}

static void
columns_that_were_kept_are_the_same_again(void **state UNUSED)
{
	static const char kept[] = "[\"level\",\"phone_number\"]";
	const struct json *j;

	assert_int_equal(json_read(c.mem, kept, strlen(kept), 4, &j), JSON_OK);
	assert_int_equal(contact_columns_again(&c, j, &columns), 0);
	row(SPAN("gold,+15550100001"), ROW("", "\"level\":\"gold\""), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_head_names_its_columns_in_any_order),
		cmocka_unit_test(a_head_that_cannot_be_taken_is_refused_by_column),
		cmocka_unit_test(cells_are_checked_like_fields),
		cmocka_unit_test(a_row_of_wrong_bytes_is_an_error_of_its_own),
		cmocka_unit_test(what_was_kept_from_being_a_formula_is_itself_again),
		cmocka_unit_test(columns_that_were_kept_are_the_same_again),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
