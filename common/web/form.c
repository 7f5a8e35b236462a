/*
 * form.c - objects against tables of fields: unknown and missing members, defaults, nested tables.
 */
#include "web/form.h"

#include "base/text.h"

#include <string.h>

enum { NESTED_MAX = 8 * 1024 * 1024, DEFAULT_MEM = 1024 * 1024 };

const struct field *
form_find(const struct form *form, const char *name, enum field_place place)
{
	size_t i;

	for (i = 0; i < form->n; i++)
		if (form->fields[i].place == place && strcmp(form->fields[i].name, name) == 0)
			return &form->fields[i];
	return NULL;
}

const char *
form_name(struct ctx *c, const char *prefix, const char *name)
{
	const char *whole;
	char *cut;
	size_t n;

	whole = prefix ? mem_printf(c->mem, "%s.%s", prefix, name) : name;
	if (!whole || strlen(whole) <= FIELD_NAME_MAX)
		return whole ? whole : "";
	for (n = FIELD_NAME_MAX; n > 0 && ((unsigned char)whole[n] & 0xc0) == 0x80; n--)
		;
	cut = mem_dup(c->mem, whole, n);
	return cut ? cut : "";
}

/* ---- reading --------------------------------------------------------- */

struct reading {
	struct ctx *c;
	const struct form *form;
	const char *prefix;
};

static int
read_member(void *arg, const char *name, const struct json *j)
{
	const struct reading *r = arg;
	const struct field *f;
	const char *where;
	struct value *v;

	where = form_name(r->c, r->prefix, name);
	f = form_find(r->form, name, BODY);
	if (!f) {
		if (!r->form->loose)
			(void)fail_field(r->c, where, "unknown", "there is no such field");
		return 0;
	}
	v = &r->form->values[f - r->form->fields];
	if (json_type(j) != JSON_NULL)
		(void)field_from_json(r->c, f, where, j, v);
	else if (f->nullable)
		v->given = v->null = true;
	return 0;
}

int
form_object(struct ctx *c, const struct form *form, const char *prefix, const struct json *j)
{
	struct reading r = { c, form, prefix };

	(void)json_each(j, read_member, &r);
	return form_absent(c, form, prefix, BODY);
}

/* True when the failure names this field, or a part of it, already: one mistake is told once. */
static bool
is_named(const struct ctx *c, const char *where)
{
	size_t i, n = strlen(where);
	const char *name;

	for (i = 0; i < c->failure.nfields; i++) {
		name = c->failure.fields[i].field;
		if (strncmp(name, where, n) == 0 && (name[n] == '\0' || name[n] == '.'))
			return true;
	}
	return false;
}

int
form_absent(struct ctx *c, const struct form *form, const char *prefix, enum field_place place)
{
	const struct field *f;
	const char *where;
	size_t i;

	for (i = 0; i < form->n; i++) {
		f = &form->fields[i];
		if (f->place != place || form->values[i].given || (!f->dflt && !f->required))
			continue;
		where = form_name(c, prefix, f->name);
		if (is_named(c, where))
			continue;
		if (f->dflt)
			(void)field_from_text(c, f, where, f->dflt, &form->values[i]);
		else
			(void)fail_field(c, where, "required", "must be given");
	}
	return c->failure.err == ERR_NONE ? 0 : -1;
}

/* ---- writing --------------------------------------------------------- */

static bool
is_structured(enum field_type t)
{
	return t == T_OBJECT || t == T_ARRAY || t == T_ANY;
}

static bool
is_text(enum field_type t)
{
	return t != T_INT && t != T_NUMBER && t != T_BOOL && !is_structured(t);
}

void
form_write(struct text *t, const struct form *form)
{
	const struct value *v;
	bool first = true;
	size_t i;

	text_putc(t, '{');
	for (i = 0; i < form->n; i++) {
		v = &form->values[i];
		if (form->fields[i].place != BODY || !v->given)
			continue;
		text_puts(t, first ? "" : ",");
		text_json(t, form->fields[i].name);
		text_putc(t, ':');
		if (v->null)
			text_puts(t, "null");
		else if (is_text(form->fields[i].type))
			text_json_n(t, v->text.data, v->text.len);
		else
			text_put(t, v->text.data, v->text.len);
		first = false;
	}
	text_putc(t, '}');
}

static void
store_value(enum field_type type, const struct value *v, void *at)
{
	switch (type) {
	case T_INT:
		*(int64_t *)at = v->number;
		break;
	case T_NUMBER:
		*(double *)at = v->real;
		break;
	case T_BOOL:
		*(bool *)at = v->truth;
		break;
	case T_OBJECT:
	case T_ARRAY:
	case T_ANY:
		*(const struct json **)at = v->json;
		break;
	default:
		*(const char **)at = v->text.data;
	}
}

void
form_store(const struct form *form, void *in)
{
	size_t i;

	for (i = 0; i < form->n; i++)
		if (form->fields[i].into)
			store_value(form->fields[i].type, &form->values[i],
			    (char *)in + form->fields[i].into - 1);
}

/* ---- nested tables ---------------------------------------------------- */

static int
nested_object(struct ctx *c, const struct field *f, const char *where, const struct json *j,
    struct text *t)
{
	struct form form = { f->fields, f->nfields, NULL };

	if (json_type(j) != JSON_OBJECT)
		return fail_field(c, where, "object", "must be a JSON object");
	form.values = mem_alloc(c->mem, f->nfields * sizeof(*form.values));
	if (!form.values)
		return fail(c, ERR_TOO_LARGE, "the request needs too much memory");
	if (form_object(c, &form, where, j) < 0)
		return -1;
	form_write(t, &form);
	return 0;
}

static void
write_errors(struct text *t, const struct failure *f)
{
	size_t i;

	text_puts(t, "{\"errors\":[");
	for (i = 0; i < f->nfields; i++) {
		text_puts(t, i ? ",{\"field\":" : "{\"field\":");
		text_json(t, f->fields[i].field);
		text_puts(t, ",\"code\":");
		text_json(t, f->fields[i].code);
		text_puts(t, ",\"detail\":");
		text_json(t, f->fields[i].detail);
		text_putc(t, '}');
	}
	text_puts(t, "]}");
}

/* One that is wrong hurts nobody else. */
static int
apart_object(struct ctx *c, const struct field *f, const char *where, const struct json *j,
    struct text *t)
{
	struct failure before = c->failure;
	int rc;

	fail_clear(c);
	rc = nested_object(c, f, where, j, t);
	if (rc < 0 && c->failure.err != ERR_BAD_FIELDS)
		return -1;
	if (rc < 0)
		write_errors(t, &c->failure);
	c->failure = before;
	return 0;
}

/* Goes on after a wrong item, so that all of them are told (up to the most that a failure holds).
 */
static int
nested_array(struct ctx *c, const struct field *f, const char *where, const struct json *j,
    struct text *t)
{
	size_t i, n = json_len(j);
	const char *name;

	text_putc(t, '[');
	for (i = 0; i < n && c->failure.nfields < CTX_ERRORS_MAX; i++) {
		name = mem_printf(c->mem, "%s.%zu", where, i);
		if (!name)
			return fail(c, ERR_TOO_LARGE, "the request needs too much memory");
		text_puts(t, i ? "," : "");
		if (f->apart)
			(void)apart_object(c, f, name, json_at(j, i), t);
		else
			(void)nested_object(c, f, name, json_at(j, i), t);
	}
	text_putc(t, ']');
	return c->failure.err == ERR_NONE ? 0 : -1;
}

int
form_nested(struct ctx *c, const struct field *f, const char *where, const struct json *j,
    struct value *ret)
{
	CLEANUP(text_clear) struct text t = TEXT(NESTED_MAX);
	const char *s;
	int rc;

	rc = f->type == T_ARRAY ? nested_array(c, f, where, j, &t) :
				  nested_object(c, f, where, j, &t);
	if (rc < 0)
		return -1;
	s = text_ok(&t) ? mem_dup(c->mem, t.data, t.len) : NULL;
	if (!s)
		return fail(c, ERR_TOO_LARGE, "the request needs too much memory");
	ret->json = j;
	ret->text = (struct span){ s, t.len };
	ret->given = true;
	return 0;
}

/* ---- items ------------------------------------------------------------- */

struct items {
	struct ctx *c;
	const struct field *each;
	const char *where;
};

static int
check_item(void *arg, const char *name, const struct json *j)
{
	const struct items *items = arg;
	struct value v = { .given = false };

	(void)field_from_json(items->c, items->each, form_name(items->c, items->where, name), j,
	    &v);
	return items->c->failure.nfields >= CTX_ERRORS_MAX;
}

int
form_items(struct ctx *c, const struct field *f, const char *where, const struct json *j)
{
	struct items items = { c, f->items, where };
	size_t i, before = c->failure.nfields;
	const char *name;

	if (f->type == T_OBJECT)
		(void)json_each(j, check_item, &items);
	for (i = 0; f->type == T_ARRAY && i < json_len(j); i++) {
		name = mem_printf(c->mem, "%zu", i);
		if (!name)
			return fail(c, ERR_TOO_LARGE, "the request needs too much memory");
		if (check_item(&items, name, json_at(j, i)))
			break;
	}
	return c->failure.nfields == before ? 0 : -1;
}

/* ---- the table itself -------------------------------------------------- */

/* What stands in .fields and .items of a row. */
static const char *
nested_wrong(const struct field *f)
{
	size_t i;

	for (i = 0; i < f->nfields; i++)
		if (f->fields[i].place != f->place)
			return "MEMBERS of another place than their field";
	if (f->items && (f->fields || (f->type != T_OBJECT && f->type != T_ARRAY)))
		return "ITEMS where there are none";
	if (f->items && f->items->type == T_ENUM && !f->items->values)
		return "a T_ENUM field without VALUES";
	return f->fields ? form_wrong(f->fields, f->nfields) : NULL;
}

static const char *
row_wrong(struct ctx *c, const struct field *f)
{
	struct value v = { .given = false };

	if (!f->name || !f->doc)
		return "a field without a name or a sentence";
	if (f->into &&
	    (f->into_size != field_type_size(f->type) || f->into - 1 + f->into_size > f->in_size))
		return "INTO names a member of another type";
	if (f->type == T_ENUM && !f->values)
		return "a T_ENUM field without VALUES";
	if ((f->place == PATH || f->place == QUERY) && is_structured(f->type))
		return "objects and arrays can only be in the body";
	if (f->place == PATH && !f->required)
		return "a PATH field is always required";
	if (f->place == OUT && (f->dflt || f->into))
		return "a member of an answer has no default and goes INTO nothing";
	if (f->dflt && field_from_text(c, f, f->name, f->dflt, &v) < 0)
		return "a default that the field itself would refuse";
	return nested_wrong(f);
}

const char *
form_wrong(const struct field *fields, size_t n)
{
	CLEANUP(ctx_free) struct ctx c = { .mem = NULL };
	struct form seen = { fields, 0, NULL };
	const char *wrong;

	if (ctx_init(&c, DEFAULT_MEM) < 0)
		return "no memory to check the table";
	for (; seen.n < n; seen.n++) {
		wrong = row_wrong(&c, &fields[seen.n]);
		if (wrong)
			return wrong;
		if (seen.n > 0 && fields[seen.n].name[0] == '\0')
			return "ABOUT is not the first row";
		if (form_find(&seen, fields[seen.n].name, fields[seen.n].place))
			return "two fields with one name";
		if (fields[seen.n].in_size && fields[0].in_size &&
		    fields[seen.n].in_size != fields[0].in_size)
			return "INTO names more than one struct";
	}
	return NULL;
}
