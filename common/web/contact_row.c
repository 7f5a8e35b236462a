/*
 * contact_row.c - checks the cells of a row with the same table as the fields of a request.
 */
#include "web/contact_row.h"

#include <ctype.h>
#include <string.h>

enum { CUSTOM_NAME_MAX = 100, CUSTOM_TEXT_MAX = 1000, FIELD_MAX = 128 * 1024 };

#define BLANKS " \t"

static const struct field number_field =
    FIELD(phone_number, BODY, T_E164, .doc = "Where the person is called.");
static const struct field texts[] = { CONTACT_TEXTS };
static const struct field listed_field =
    FIELD(do_not_call, BODY, T_BOOL, .doc = "Whether the number must not be called.");
static const struct field object_field =
    FIELD(custom_fields, BODY, T_OBJECT, .doc = "Custom fields as JSON.");
static const struct field custom_field =
    FIELD(custom, BODY, T_STR, .max = CUSTOM_TEXT_MAX, .doc = "A custom field.");

static const char *const names[] = { "phone_number", "name", "email", "company", "notes", "tags",
	"do_not_call", "custom_fields" };

/* ---- columns ------------------------------------------------------------ */

/* A known column's name: written in either case, with blanks or dashes for underscores. */
static const char *
known_name(const char *s)
{
	size_t i, k;
	char c;

	for (i = 0; i < COUNT(names); i++) {
		for (k = 0; s[k] && names[i][k]; k++) {
			c = s[k] == ' ' || s[k] == '-' ? '_' : s[k];
			if (tolower((unsigned char)c) != names[i][k])
				break;
		}
		if (!s[k] && !names[i][k])
			return names[i];
	}
	return NULL;
}

static const char *
trim(struct ctx *c, struct span s)
{
	const char *copy;

	for (; s.len > 0 && strchr(BLANKS, *s.data); s.data++)
		s.len--;
	while (s.len > 0 && strchr(BLANKS, s.data[s.len - 1]))
		s.len--;
	copy = mem_dup(c->mem, s.data, s.len);
	return copy ? copy : "";
}

static bool
has_column(const struct contact_columns *t, const char *name)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (strcmp(t->names[i], name) == 0)
			return true;
	return false;
}

static bool
is_custom_name(const char *s)
{
	size_t n = 0;

	for (; *s; s++) {
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
		n += ((unsigned char)*s & 0xc0) != 0x80;
	}
	return n > 0 && n <= CUSTOM_NAME_MAX;
}

/* What is wrong with one more column; NULL: nothing. */
static const char *
column_wrong(const struct contact_columns *t, struct span cell, const char *name, bool refuse)
{
	if (!utf8_valid(cell.data, cell.len))
		return "its name is not valid UTF-8";
	if (!*name)
		return "it has no name";
	if (has_column(t, name))
		return "it stands there twice";
	if (known_name(name))
		return NULL;
	if (refuse)
		return "there is no such field";
	return is_custom_name(name) ? NULL : "a name has at most 100 characters";
}

static void
add_column(struct ctx *c, struct contact_columns *t, struct span cell, bool refuse)
{
	const char *trimmed = trim(c, cell), *name = known_name(trimmed), *wrong;
	char where[32];

	wrong = column_wrong(t, cell, name ? name : trimmed, refuse);
	if (wrong) {
		snprintf(where, sizeof(where), "columns.%zu", t->n);
		(void)fail_field(c, where, "column", wrong);
	}
	t->custom[t->n] = !name;
	t->names[t->n++] = name ? name : trimmed;
}

static size_t
count_custom(const struct contact_columns *t)
{
	size_t i, n = 0;

	for (i = 0; i < t->n; i++)
		n += t->custom[i];
	return n;
}

/* Wrong columns are a failure of their own, with the columns named. */
static int
refuse_head(struct ctx *c, const char *detail)
{
	struct failure kept = c->failure;

	fail_clear(c);
	(void)fail(c, ERR_IMPORT_HEAD, "%s", detail);
	memcpy(c->failure.fields, kept.fields, sizeof(kept.fields));
	c->failure.nfields = kept.nfields;
	return -1;
}

int
contact_columns_read(struct ctx *c, const struct csv_record *head, bool refuse,
    struct contact_columns *ret)
{
	size_t i;

	if (head->fault != CSV_FINE)
		return refuse_head(c, "the line is too long, or its quotes are wrong");
	ret->n = 0;
	for (i = 0; i < head->n; i++)
		add_column(c, ret, head->fields[i], refuse);
	if (c->failure.err != ERR_NONE)
		return refuse_head(c, "some columns cannot be taken");
	if (!has_column(ret, number_field.name))
		return refuse_head(c, "there is no column phone_number");
	if (count_custom(ret) > CONTACT_CUSTOM_MAX)
		return refuse_head(c, "there are more than 50 columns of your own");
	return 0;
}

int
contact_columns_again(struct ctx *c, const struct json *kept, struct contact_columns *ret)
{
	const char *name;
	size_t i;

	ret->n = 0;
	for (i = 0; i < json_len(kept) && i < CSV_FIELDS_MAX; i++) {
		name = json_str_of(json_at(kept, i), NULL);
		if (!name)
			return fail(c, ERR_INTERNAL, "a column without a name was kept");
		ret->custom[i] = !known_name(name);
		ret->names[ret->n++] = name;
	}
	return 0;
}

/* ---- cells ---------------------------------------------------------------- */

struct row {
	struct ctx *c;
	struct text *out;
	struct text custom; /* members of custom_fields */
};

static void
put_member(struct text *t, const char *name, const char *value)
{
	if (t->len)
		text_putc(t, ',');
	text_json(t, name);
	text_putc(t, ':');
	text_json(t, value);
}

/* What a spreadsheet was kept from taking for a formula: one apostrophe goes, where what follows,
 * behind further ones, begins like one (public.contact_csv_field). */
static struct span
unguarded(struct span s)
{
	size_t n = 0;

	while (n < s.len && s.data[n] == '\'')
		n++;
	if (n > 0 && n < s.len && strchr("=+-@\t\r", s.data[n]))
		return (struct span){ s.data + 1, s.len - 1 };
	return s;
}

static void
put_tags(struct row *r, const char *s)
{
	const char *tag;
	size_t n, i;

	text_puts(r->out, ",\"tags\":[");
	for (i = 0; *s; s += n + (s[n] == ';')) {
		n = strcspn(s, ";");
		tag = trim(r->c, (struct span){ s, n });
		if (!*tag)
			continue;
		text_puts(r->out, i++ ? "," : "");
		text_json(r->out, tag);
	}
	text_putc(r->out, ']');
}

static int
copy_member(void *arg, const char *name, const struct json *value)
{
	struct row *r = arg;

	if (r->custom.len)
		text_putc(&r->custom, ',');
	text_json(&r->custom, name);
	text_putc(&r->custom, ':');
	json_write(&r->custom, value);
	return 0;
}

/* Spreadsheets write TRUE. */
static const char *
low(struct ctx *c, const char *s)
{
	char *copy = mem_str(c->mem, s), *p;

	for (p = copy; p && *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return copy ? copy : "";
}

static const struct field *
text_field(const char *name)
{
	size_t i;

	for (i = 0; i < COUNT(texts); i++)
		if (strcmp(texts[i].name, name) == 0)
			return &texts[i];
	return NULL;
}

static void
put_checked(struct row *r, const struct field *f, const char *s)
{
	struct value v = { .given = false };

	if (field_from_text(r->c, f, f->name, s, &v) == 0)
		put_member(r->out, f->name, v.text.data);
}

static void
put_custom(struct row *r, const char *name, const char *s)
{
	const char *where = mem_printf(r->c->mem, "custom_fields.%s", name);
	struct value v = { .given = false };

	if (field_from_text(r->c, &custom_field, where ? where : "custom_fields", s, &v) == 0)
		put_member(&r->custom, name, s);
}

static void
put_object_cell(struct row *r, const char *s)
{
	struct value v = { .given = false };

	if (field_from_text(r->c, &object_field, object_field.name, s, &v) == 0)
		(void)json_each(v.json, copy_member, r);
}

static void
put_cell(struct row *r, const struct contact_columns *t, size_t i, struct span cell)
{
	const char *name = t->names[i], *s;

	cell = unguarded(cell);
	s = trim(r->c, cell);
	if (!*s)
		return;
	if (t->custom[i])
		put_custom(r, name, cell.data);
	else if (strcmp(name, "tags") == 0)
		put_tags(r, s);
	else if (strcmp(name, listed_field.name) == 0)
		put_checked(r, &listed_field, low(r->c, s));
	else if (strcmp(name, object_field.name) == 0)
		put_object_cell(r, s);
	else if (strcmp(name, number_field.name) == 0)
		put_checked(r, &number_field, s);
	else
		put_checked(r, text_field(name), strcmp(name, "email") == 0 ? s : cell.data);
}

/* ---- rows ------------------------------------------------------------------- */

static const struct {
	const char *code, *detail;
} faults[] = {
	[CSV_TOO_LONG] = { "too_long", "the row has more than 128 KiB" },
	[CSV_TOO_MANY] = { "columns", "the row has more cells than the file has columns" },
	[CSV_BAD_QUOTE] = { "quotes", "text stands behind a quote that closes" },
	[CSV_OPEN_QUOTE] = { "quotes", "a quote is never closed" },
};

/* What is wrong with the row as a whole is told as an error of no field. */
static void
check_record(struct ctx *c, const struct contact_columns *t, const struct csv_record *record)
{
	size_t i;
	bool number = false;

	if (record->fault != CSV_FINE) {
		(void)fail_field(c, "", faults[record->fault].code, faults[record->fault].detail);
		return;
	}
	if (record->n > t->n) {
		(void)fail_field(c, "", faults[CSV_TOO_MANY].code, faults[CSV_TOO_MANY].detail);
		return;
	}
	for (i = 0; i < record->n; i++) {
		if (!utf8_valid(record->fields[i].data, record->fields[i].len))
			(void)fail_field(c, t->names[i], "text",
			    "it is not valid UTF-8, or holds a NUL");
		if (strcmp(t->names[i], number_field.name) == 0)
			number = record->fields[i].len > 0;
	}
	if (!number)
		(void)fail_field(c, number_field.name, "required", "the number is missing");
}

static void
put_errors(struct ctx *c, int64_t line, struct contact_rows *out)
{
	struct text *errors = &out->errors;
	const struct failure *f = &c->failure;
	size_t i;

	for (i = 0; i < f->nfields; i++, out->nerrors++) {
		text_printf(errors, "%s{\"line\":%lld,\"field\":", errors->len ? "," : "",
		    (long long)line);
		text_json(errors, *f->fields[i].field ? f->fields[i].field : NULL);
		text_puts(errors, ",\"code\":");
		text_json(errors, f->fields[i].code);
		text_puts(errors, ",\"detail\":");
		text_json(errors, f->fields[i].detail);
		text_putc(errors, '}');
	}
}

bool
contact_row(struct ctx *c, const struct contact_columns *columns, const struct csv_record *record,
    struct contact_rows *out)
{
	CLEANUP(text_clear) struct text members = TEXT(FIELD_MAX * 8);
	struct row r = { c, &members, TEXT(FIELD_MAX * 8) };
	bool fine;
	size_t i;

	check_record(c, columns, record);
	fine = c->failure.err == ERR_NONE;
	text_printf(&members, "\"line\":%lld", (long long)record->line);
	for (i = 0; fine && i < record->n; i++)
		put_cell(&r, columns, i, record->fields[i]);
	fine = c->failure.err == ERR_NONE && text_ok(&members) && text_ok(&r.custom);
	if (fine)
		text_printf(&out->rows, "%s{%s,\"custom_fields\":{%s}}", out->rows.len ? "," : "",
		    text_str(&members), text_str(&r.custom));
	else
		put_errors(c, record->line, out);
	text_clear(&r.custom);
	fail_clear(c);
	return fine;
}
