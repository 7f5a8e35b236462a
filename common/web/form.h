/*
 * form.h - a table of fields and the values that one request, or one object in it, gave for them.
 */
#ifndef WEB_FORM_H
#define WEB_FORM_H

#include "web/field.h"

/* A table and the values of one request (or of one object in it): one for each row. */
struct form {
	const struct field *fields;
	size_t n;
	struct value *values;
	bool loose; /* members that the table does not have are passed over */
};

/* form_object: checks the members of object j against the BODY rows of a table: unknown ones are
 * refused by name.  prefix stands before the names in errors ("calls.3"; NULL: nothing).  -1 when
 * memory is out or a field is wrong. */
int form_object(struct ctx *c, const struct form *form, const char *prefix, const struct json *j);
/* form_absent: defaults for what was not given, and an error for each field that is required, of
 * one place. */
int form_absent(struct ctx *c, const struct form *form, const char *prefix, enum field_place place);
/* form_write: the given BODY values as one JSON object. */
void form_write(struct text *t, const struct form *form);
/* form_store: puts the values into a handler's struct at in. */
void form_store(const struct form *form, void *in);
/* form_wrong: what is wrong with a table (a default that does not fit, an INTO of the wrong size),
 * NULL when nothing is. */
const char *form_wrong(const struct field *fields, size_t n);
/* form_find: the row of that name and place; NULL when there is none. */
const struct field *form_find(const struct form *form, const char *name, enum field_place place);
/* form_nested: checks j as a T_OBJECT or T_ARRAY with .fields; ret gets it written anew, defaults
 * filled in. */
int form_nested(struct ctx *c, const struct field *f, const char *where, const struct json *j,
    struct value *ret);
/* form_items: checks what is in the array or object j against .items of f.  -1 with their errors
 * recorded. */
int form_items(struct ctx *c, const struct field *f, const char *where, const struct json *j);
/* form_name: prefix.name for an error, cut where somebody sent a very long one. */
const char *form_name(struct ctx *c, const char *prefix, const char *name);

#endif
