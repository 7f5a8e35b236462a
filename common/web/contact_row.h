/*
 * contact_row.h - a row of a file of contacts: its columns, and what of it goes to SQL.
 *
 * Which texts may stand in a contact is said here once, for the API and for files.
 */
#ifndef WEB_CONTACT_ROW_H
#define WEB_CONTACT_ROW_H

#include "base/csv.h"
#include "base/text.h"
#include "web/field.h"

/* Fields of a contact that are texts, after its number. */
#define CONTACT_TEXTS                                                                              \
	FIELD(name, BODY, T_STR, .min = 1, .max = 200, .nullable = true,                           \
	    .doc = "The person's name."),                                                          \
	    FIELD(email, BODY, T_EMAIL, .nullable = true, .doc = "The person's e-mail address."),  \
	    FIELD(company, BODY, T_STR, .min = 1, .max = 200, .nullable = true,                    \
		.doc = "Where the person works."),                                                 \
	    FIELD(notes, BODY, T_STR, .min = 1, .max = 4000, .nullable = true,                     \
		.doc = "Anything worth knowing.")

enum { CONTACT_CUSTOM_MAX = 50 };

/* What the columns of a file hold, by their place. */
struct contact_columns {
	size_t n;
	const char *names[CSV_FIELDS_MAX]; /* as SQL and errors call them */
	bool custom[CSV_FIELDS_MAX];
};

/* contact_columns_read: from the first line of a file; unknown names are custom fields, unless they
 * are to be refused.  -1 with ERR_IMPORT_HEAD and each wrong column named. */
int contact_columns_read(struct ctx *c, const struct csv_record *head, bool refuse,
    struct contact_columns *ret);
/* contact_columns_again: from the names that were kept of it; they and *ret live as long as c. */
int contact_columns_again(struct ctx *c, const struct json *names, struct contact_columns *ret);

/* What becomes of rows: members of the arrays that SQL takes.  The caller clears both texts. */
struct contact_rows {
	struct text rows, errors;
	size_t nerrors;
};

/* contact_row: a record as the object that SQL takes, appended to rows, and true; or what is wrong
 * with it, appended to errors, and false.  An empty cell is no value. */
bool contact_row(struct ctx *c, const struct contact_columns *columns,
    const struct csv_record *record, struct contact_rows *out);

#endif
