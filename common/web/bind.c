/*
 * bind.c - from bytes to checked values: path, query and body against a route's fields.
 */
#include "web/bind.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

enum { PAIRS_MAX = 100 };

/* ---- the query --------------------------------------------------------- */

static void
bind_pair(struct ctx *c, const struct form *form, const char *name, const char *text, bool loose)
{
	const struct field *f = form_find(form, name, QUERY);
	const char *where = form_name(c, NULL, name);
	struct value *v;

	if (!f && !loose)
		(void)fail_field(c, where, "unknown", "there is no such field");
	if (!f)
		return;
	v = &form->values[f - form->fields];
	if (v->given)
		(void)fail_field(c, where, "twice", "was given more than once");
	else if (!text)
		(void)fail_field(c, where, "encoding", "cannot be decoded");
	else
		(void)field_from_text(c, f, where, text, v);
}

void
bind_query(struct ctx *c, const struct form *form, const char *query, bool loose)
{
	size_t n, name_len, pairs = 0;
	const char *name, *text;

	for (; *query; query += n + (query[n] == '&')) {
		n = strcspn(query, "&");
		if (n == 0)
			continue;
		if (++pairs > PAIRS_MAX) {
			(void)fail(c, ERR_BAD_REQUEST, "the query has too many fields");
			return;
		}
		name_len = strcspn(query, "=&");
		name = route_decode(c->mem, query, name_len, true);
		text = name_len < n ?
		    route_decode(c->mem, query + name_len + 1, n - name_len - 1, true) :
		    "";
		if (name)
			bind_pair(c, form, name, text, loose);
		else if (!loose)
			(void)fail(c, ERR_BAD_REQUEST, "the query cannot be decoded");
	}
}

/* ---- the path ----------------------------------------------------------- */

static void
bind_path(struct ctx *c)
{
	struct request *r = request_of(c);
	const struct field *f;
	const char *s;
	size_t i;

	for (i = 0; i < r->form.n; i++) {
		f = &r->form.fields[i];
		s = f->place == PATH ? route_param(r->route, &r->parts, f->name) : NULL;
		if (s)
			(void)field_from_text(c, f, f->name, s, &r->form.values[i]);
	}
}

/* ---- the body ------------------------------------------------------------ */

/* application/json, alone or with charset=utf-8. */
static bool
is_json_type(const char *type)
{
	const size_t n = sizeof("application/json") - 1;
	const char *rest;

	if (!type || strncasecmp(type, "application/json", n) != 0)
		return false;
	rest = type + n + strspn(type + n, " \t");
	if (!*rest)
		return true;
	if (*rest != ';')
		return false;
	rest += 1 + strspn(rest + 1, " \t");
	return !*rest || strcasecmp(rest, "charset=utf-8") == 0 ||
	    strcasecmp(rest, "charset=\"utf-8\"") == 0;
}

int
bind_body(struct ctx *c, const struct form *form, struct span body)
{
	const struct json *j;

	switch (json_read(c->mem, body.data, body.len, JSON_DEPTH_API, &j)) {
	case JSON_OK:
		break;
	case JSON_DEEP:
		return fail(c, ERR_JSON_TOO_DEEP, "at most %d levels", JSON_DEPTH_API);
	case JSON_BAD_TEXT:
		return fail(c, ERR_BAD_JSON, "a text holds \\u0000 or is not valid UTF-8");
	case JSON_NO_MEMORY:
		return fail(c, ERR_TOO_LARGE, "the request needs too much memory");
	case JSON_BAD:
		return fail(c, ERR_BAD_JSON, "it cannot be read, or names a member twice");
	}
	if (json_type(j) != JSON_OBJECT)
		return fail(c, ERR_BAD_JSON, "the body must be a JSON object");
	(void)form_object(c, form, NULL, j);
	return 0;
}

/* An empty body is an object without members, whatever its type. */
static int
take_body(struct ctx *c)
{
	struct request *r = request_of(c);

	if (!r->body.len) {
		(void)form_absent(c, &r->form, NULL, BODY);
		return 0;
	}
	if (!is_json_type(request_variable(c, "CONTENT_TYPE")))
		return fail(c, ERR_MEDIA_TYPE, "Content-Type must be application/json");
	return bind_body(c, &r->form, r->body);
}

/* ---- all of it ------------------------------------------------------------ */

static size_t
struct_size(const struct form *form)
{
	size_t i;

	for (i = 0; i < form->n; i++)
		if (form->fields[i].in_size)
			return form->fields[i].in_size;
	return 0;
}

static int
fill_struct(struct ctx *c)
{
	struct request *r = request_of(c);
	size_t size = struct_size(&r->form);
	void *in;

	if (!size)
		return 0;
	in = mem_alloc(c->mem, size);
	if (!in)
		return fail(c, ERR_INTERNAL, "out of memory");
	form_store(&r->form, in);
	r->in = in;
	return 0;
}

int
bind_fields(struct ctx *c)
{
	struct request *r = request_of(c);
	bool raw = r->route->flags & ROUTE_RAW, body;
	bool streamed = r->route->flags & ROUTE_STREAM;
	bool lenient = r->route->flags & ROUTE_LENIENT;

	body = r->method == POST || r->method == PUT || r->method == PATCH;
	r->form = (struct form){ r->route->fields, r->route->nfields, NULL, lenient };
	r->form.values = mem_alloc(c->mem, (r->form.n + 1) * sizeof(*r->form.values));
	if (!r->form.values)
		return fail(c, ERR_INTERNAL, "out of memory");
	/* A body that is no JSON at all comes first: its fields cannot be told then. */
	if (body && !raw && !streamed && take_body(c) < 0)
		return -1;
	bind_path(c);
	bind_query(c, &r->form, r->query, raw || lenient);
	(void)form_absent(c, &r->form, NULL, PATH);
	(void)form_absent(c, &r->form, NULL, QUERY);
	return c->failure.err == ERR_NONE ? fill_struct(c) : -1;
}
