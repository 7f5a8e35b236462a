/*
 * contacts.c - the contacts resource: whom an organization calls, whom it must not call, files of
 * contacts in and out.
 *
 * Rows are decided by sql/functions/31_contacts*.sql; the do-not-call list is asked where a call is
 * entered and where it is dialled.
 */
#include "web/contact_file.h"
#include "web/contact_row.h"
#include "web/server.h"
#include "web/stream_query.h"

#include "calls-fields.h"

#define CONTACTS_READ SCOPE("contacts:read")
#define CONTACTS_WRITE SCOPE("contacts:write")
#define ROOT "/api/v1/contacts"
#define ONE ROOT "/{contact_id}"
#define LIST ROOT "/do-not-call"
#define IMPORTS ROOT "/imports"
#define IMPORT IMPORTS "/{import_id}"

/* ---- input ---------------------------------------------------------- */

#define CONTACT_REST                                                                               \
	FIELD(tags, BODY, T_ARRAY, .max = 20, .nullable = true,                                    \
	    .doc = "Words to find it by; each a text of 1 to 50 characters."),                     \
	    FIELD(custom_fields, BODY, T_OBJECT, .nullable = true,                                 \
		.doc = "Up to 50 fields of your own: texts, numbers, true or false."),             \
	    FIELD(do_not_call, BODY, T_BOOL,                                                       \
		.doc = "Whether the number stands on the do-not-call list."),                      \
	    FIELD(do_not_call_reason, BODY, T_STR, .max = 500,                                     \
		.doc = "Why it must not be called.")

static const struct field create_fields[] = {
	FIELD(phone_number, BODY, T_E164, .required = true, .doc = "Where the person is called."),
	CONTACT_TEXTS,
	CONTACT_REST,
};

static const struct field update_fields[] = {
	FIELD(contact_id, PATH, T_UUID, .required = true, .doc = "The contact."),
	FIELD(phone_number, BODY, T_E164, .doc = "Where the person is called."),
	CONTACT_TEXTS,
	CONTACT_REST,
};

static const struct field one_fields[] = {
	FIELD(contact_id, PATH, T_UUID, .required = true, .doc = "The contact."),
};

#define PAGE                                                                                       \
	FIELD(after, QUERY, T_CURSOR, .doc = "next_cursor of the page before."),                   \
	    FIELD(limit, QUERY, T_INT, .min = 1, .max = 100, .dflt = "20", .doc = "Page size.")

struct export_in {
	const char *q, *tag, *created_from, *created_to;
	bool do_not_call;
};

#define FILTER                                                                                     \
	FIELD(q, QUERY, T_STR, INTO(struct export_in, q), .max = 200,                              \
	    .doc = "Only those whose name, number or e-mail address begins so."),                  \
	    FIELD(tag, QUERY, T_STR, INTO(struct export_in, tag), .max = 50,                       \
		.doc = "Only those with this tag."),                                               \
	    FIELD(do_not_call, QUERY, T_BOOL, INTO(struct export_in, do_not_call),                 \
		.doc = "Only those on the do-not-call list, or only the others."),                 \
	    FIELD(created_from, QUERY, T_TIME, INTO(struct export_in, created_from),               \
		.doc = "Only those made at this time or later."),                                  \
	    FIELD(created_to, QUERY, T_TIME, INTO(struct export_in, created_to),                   \
		.doc = "Only those made before this time.")

static const struct field list_fields[] = { FILTER, PAGE };
static const struct field export_fields[] = { FILTER };

static const struct field calls_fields[] = {
	FIELD(contact_id, PATH, T_UUID, .required = true, .doc = "The contact."),
	PAGE,
};

static const struct field listed_fields[] = {
	FIELD(phone_number, QUERY, T_E164, .doc = "Only this number."),
	PAGE,
};

static const struct field listing_fields[] = {
	FIELD(phone_number, BODY, T_E164, .required = true, .doc = "Who is not called."),
	FIELD(reason, BODY, T_STR, .max = 500, .doc = "Why."),
};

static const struct field unlist_fields[] = {
	FIELD(phone_number, PATH, T_E164, .required = true, .doc = "The number."),
};

static const struct field import_create_fields[] = {
	FIELD(name, BODY, T_STR, .max = 200, .doc = "What you call it."),
	FIELD(dry_run, BODY, T_BOOL, .dflt = "false",
	    .doc = "Make and change no contact; only tell what would become of each row."),
	FIELD(on_duplicate, BODY, T_ENUM, VALUES("skip", "update"), .dflt = "skip",
	    .doc = "What becomes of a row whose number a contact has already."),
	FIELD(unknown_columns, BODY, T_ENUM, VALUES("custom_fields", "refuse"),
	    .dflt = "custom_fields", .doc = "What columns are that no contact has."),
};

static const struct field imports_fields[] = { PAGE };

struct import_in {
	const char *import_id;
};

static const struct field import_fields[] = {
	FIELD(import_id, PATH, T_UUID, INTO(struct import_in, import_id), .required = true,
	    .doc = "The import."),
};

static const struct field errors_fields[] = {
	FIELD(import_id, PATH, T_UUID, .required = true, .doc = "The import."),
	PAGE,
};

/* ---- output --------------------------------------------------------- */

static const struct field contact_out[] = {
	ABOUT("A contact: a number, once in each organization."),
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The contact."),
	FIELD(phone_number, OUT, T_E164, .required = true, .doc = "Where the person is called."),
	FIELD(name, OUT, T_STR, .required = true, .nullable = true, .doc = "The person's name."),
	FIELD(email, OUT, T_EMAIL, .required = true, .nullable = true,
	    .doc = "The person's e-mail address."),
	FIELD(company, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "Where the person works."),
	FIELD(tags, OUT, T_ARRAY, ITEMS(T_STR), .required = true, .doc = "Words to find it by."),
	FIELD(custom_fields, OUT, T_OBJECT, ITEMS(T_ANY), .required = true,
	    .doc = "Fields of your own: texts, numbers, true or false."),
	FIELD(notes, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "Anything worth knowing."),
	FIELD(source, OUT, T_ENUM, VALUES("api", "import", "sql"), .required = true,
	    .doc = "Where it came from."),
	FIELD(created_by, OUT, T_UUID, .required = true, .nullable = true,
	    .doc = "The person or API key that made it."),
	FIELD(do_not_call, OUT, T_BOOL, .required = true,
	    .doc = "Whether the number stands on the do-not-call list."),
	FIELD(call_count, OUT, T_INT, .required = true, .doc = "Calls to the number and from it."),
	FIELD(last_call_at, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "When the last of them was made."),
	FIELD(created_at, OUT, T_TIME, .required = true, .doc = "When it was made."),
	FIELD(updated_at, OUT, T_TIME, .required = true, .doc = "When it was changed last."),
};

static const struct field do_not_call_entry_out[] = {
	ABOUT("A number that is not called."),
	FIELD(phone_number, OUT, T_E164, .required = true, .doc = "Who is not called."),
	FIELD(reason, OUT, T_STR, .required = true, .nullable = true, .doc = "Why."),
	FIELD(created_by, OUT, T_UUID, .required = true, .nullable = true,
	    .doc = "The person or API key that put it there; null: SQL."),
	FIELD(created_at, OUT, T_TIME, .required = true, .doc = "Since when."),
};

static const struct field contact_import_out[] = {
	ABOUT("A file of contacts, and how far it was read."),
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The import."),
	FIELD(name, OUT, T_STR, .required = true, .nullable = true, .doc = "What you call it."),
	FIELD(dry_run, OUT, T_BOOL, .required = true,
	    .doc = "Whether it only tells what would become of each row."),
	FIELD(on_duplicate, OUT, T_ENUM, VALUES("skip", "update"), .required = true,
	    .doc = "What becomes of a row whose number a contact has already."),
	FIELD(unknown_columns, OUT, T_ENUM, VALUES("custom_fields", "refuse"), .required = true,
	    .doc = "What columns are that no contact has."),
	FIELD(status, OUT, T_ENUM, VALUES("waiting", "running", "interrupted", "done"),
	    .required = true, .doc = "Waiting for its file; interrupted: send the file again."),
	FIELD(columns, OUT, T_ARRAY, ITEMS(T_STR), .required = true, .nullable = true,
	    .doc = "The file's columns; null: its first line was not read yet."),
	FIELD(line, OUT, T_INT, .max = INT64_MAX, .required = true,
	    .doc = "The line that is read next."),
	FIELD(bytes, OUT, T_INT, .max = INT64_MAX, .required = true,
	    .doc = "How much of the file was taken."),
	FIELD(rows_read, OUT, T_INT, .required = true, .doc = "Rows that were read."),
	FIELD(rows_created, OUT, T_INT, .required = true, .doc = "Rows that became contacts."),
	FIELD(rows_updated, OUT, T_INT, .required = true, .doc = "Rows that changed contacts."),
	FIELD(rows_skipped, OUT, T_INT, .required = true, .doc = "Doubles that were passed over."),
	FIELD(rows_failed, OUT, T_INT, .required = true, .doc = "Rows with something wrong."),
	FIELD(errors_found, OUT, T_INT, .required = true, .doc = "What was wrong, all together."),
	FIELD(errors_kept, OUT, T_INT, .required = true, .doc = "Of these how many are kept."),
	FIELD(created_by, OUT, T_UUID, .required = true, .nullable = true,
	    .doc = "The person or API key that began it."),
	FIELD(created_at, OUT, T_TIME, .required = true, .doc = "When it was begun."),
	FIELD(updated_at, OUT, T_TIME, .required = true, .doc = "When rows were taken last."),
	FIELD(finished_at, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "When the file's end was reached."),
};

static const struct field contact_import_error_out[] = {
	ABOUT("What is wrong with a row of a file."),
	FIELD(line, OUT, T_INT, .required = true, .doc = "The line where the row begins."),
	FIELD(field, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "What is wrong; null: the row as a whole."),
	FIELD(code, OUT, T_STR, .required = true, .doc = "What is wrong with it, for programs."),
	FIELD(detail, OUT, T_STR, .required = true, .doc = "The same for people."),
};

/* ---- export --------------------------------------------------------- */

static int
export_contacts(struct ctx *c, const void *arg)
{
	const struct export_in *in = arg;
	const char *listed = request_value(c, "do_not_call")->text.data;

	return stream_query(c, "text/csv; charset=utf-8", "contacts.csv",
	    ARGS(in->q, in->tag, listed, in->created_from, in->created_to));
}

/* ---- import --------------------------------------------------------- */

static int
import_file(struct ctx *c, const void *arg)
{
	const struct import_in *in = arg;

	return contact_file_take(c, in->import_id);
}

/* ---- routes --------------------------------------------------------- */

static const struct route routes[] = {
	{ GET, ROOT, CONTACTS_READ, FIELDS(list_fields), run_query, 200, "contact_list",
	    "Contacts, newest first.", .returns = RETURNS_LIST(contact_out) },
	{ POST, ROOT, CONTACTS_WRITE, FIELDS(create_fields), run_query, 201, "contact_create",
	    "Make a contact.", .returns = RETURNS(contact_out),
	    .errors = ERRORS(ERR_ORGANIZATION_INACTIVE, ERR_CONTACT_EXISTS, ERR_TAGS_INVALID,
		ERR_CUSTOM_FIELDS_INVALID) },
	{ GET, ROOT "/export", CONTACTS_READ, FIELDS(export_fields), export_contacts, 200,
	    "contact_export", "Contacts as CSV, in one answer; an import takes it again.",
	    .returns = RETURNS_FILE("text/csv") },
	{ GET, LIST, CONTACTS_READ, FIELDS(listed_fields), run_query, 200, "do_not_call_list",
	    "Numbers that are not called, newest first.",
	    .returns = RETURNS_LIST(do_not_call_entry_out) },
	{ POST, LIST, CONTACTS_WRITE, FIELDS(listing_fields), run_query, 201, "do_not_call_add",
	    "Put a number on the do-not-call list; calls that wait for it are canceled.",
	    .returns = RETURNS(do_not_call_entry_out),
	    .errors = ERRORS(ERR_ORGANIZATION_INACTIVE) },
	{ DELETE, LIST "/{phone_number}", CONTACTS_WRITE, FIELDS(unlist_fields), run_query, 204,
	    "do_not_call_remove", "Take a number off the do-not-call list.",
	    .errors = ERRORS(ERR_ORGANIZATION_INACTIVE, ERR_NUMBER_NOT_LISTED) },
	{ GET, IMPORTS, CONTACTS_READ, FIELDS(imports_fields), run_query, 200,
	    "contact_import_list", "Imports, newest first.",
	    .returns = RETURNS_LIST(contact_import_out) },
	{ POST, IMPORTS, CONTACTS_WRITE, FIELDS(import_create_fields), run_query, 201,
	    "contact_import_create", "Begin an import; its file is sent next.",
	    .returns = RETURNS(contact_import_out), .errors = ERRORS(ERR_ORGANIZATION_INACTIVE) },
	{ GET, IMPORT, CONTACTS_READ, FIELDS(import_fields), run_query, 200, "contact_import_get",
	    "One import, and how far it is.", .returns = RETURNS(contact_import_out),
	    .errors = ERRORS(ERR_IMPORT_NOT_FOUND) },
	{ DELETE, IMPORT, CONTACTS_WRITE, FIELDS(import_fields), run_query, 204,
	    "contact_import_delete", "Forget an import and its errors; its contacts stay.",
	    .errors = ERRORS(ERR_ORGANIZATION_INACTIVE, ERR_IMPORT_NOT_FOUND) },
	{ PUT, IMPORT "/file", CONTACTS_WRITE, FIELDS(import_fields), import_file, 200,
	    "contact_import_begin",
	    "Send the file, CSV of any size; after a break the same file goes on where it was.",
	    .flags = ROUTE_STREAM, .returns = RETURNS(contact_import_out),
	    .errors = ERRORS(ERR_BAD_REQUEST, ERR_ORGANIZATION_INACTIVE, ERR_IMPORT_NOT_FOUND,
		ERR_BODY_SLOW, ERR_IMPORT_RUNNING, ERR_IMPORT_TAKEN_OVER, ERR_IMPORT_FILE_DIFFERS,
		ERR_MEDIA_TYPE, ERR_IMPORT_HEAD, ERR_IMPORTS_BUSY) },
	{ GET, IMPORT "/errors", CONTACTS_READ, FIELDS(errors_fields), run_query, 200,
	    "contact_import_errors", "What was wrong with rows, by line.",
	    .returns = RETURNS_LIST(contact_import_error_out),
	    .errors = ERRORS(ERR_IMPORT_NOT_FOUND) },
	{ GET, ONE, CONTACTS_READ, FIELDS(one_fields), run_query, 200, "contact_get",
	    "One contact.", .returns = RETURNS(contact_out),
	    .errors = ERRORS(ERR_CONTACT_NOT_FOUND) },
	{ PATCH, ONE, CONTACTS_WRITE, FIELDS(update_fields), run_query, 200, "contact_update",
	    "Change a contact.", .returns = RETURNS(contact_out),
	    .errors = ERRORS(ERR_ORGANIZATION_INACTIVE, ERR_CONTACT_NOT_FOUND, ERR_CONTACT_EXISTS,
		ERR_TAGS_INVALID, ERR_CUSTOM_FIELDS_INVALID) },
	{ DELETE, ONE, CONTACTS_WRITE, FIELDS(one_fields), run_query, 204, "contact_delete",
	    "Remove a contact; its number stays on the do-not-call list.",
	    .errors = ERRORS(ERR_ORGANIZATION_INACTIVE, ERR_CONTACT_NOT_FOUND) },
	{ GET, ONE "/calls", CONTACTS_READ, FIELDS(calls_fields), run_query, 200, "contact_calls",
	    "Calls to the contact's number and from it, newest first.",
	    .returns = RETURNS_LIST(call_line_out), .errors = ERRORS(ERR_CONTACT_NOT_FOUND) },
};

static const int needs[] = { SET_DATABASE_URL, -1 };

int
main(int argc, char *argv[])
{
	return server_main(argc, argv,
	    &(const struct server){ "contacts", routes, COUNT(routes),
		.about = "Whom one calls, whom one must not, files in and out.", .needs = needs });
}
