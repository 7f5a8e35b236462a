/*
 * reply.c - builds answers and writes them out; the one place where errors get their form.
 */
#include "web/reply.h"

#include "web/cors.h"
#include "web/limit.h"
#include "web/request.h"
#include "web/server.h"

#include <math.h>
#include <string.h>

enum { OUT_MAX = 8 * 1024 * 1024, OUT_DEPTH_MAX = 30, HEADERS_MAX = REPLY_HEAD_MAX / 2 };

#define TYPE_JSON "application/json"
#define TYPE_PROBLEM "application/problem+json"

/* ---- answers of handlers ------------------------------------------------ */

int
reply_raw(struct ctx *c, int status, const char *type, struct span body)
{
	struct answer *a = &request_of(c)->answer;

	a->status = status;
	a->type = type;
	a->body = body;
	return 0;
}

int
reply_json(struct ctx *c, int status, struct span json)
{
	return reply_raw(c, status, TYPE_JSON, json);
}

int
reply_empty(struct ctx *c, int status)
{
	return reply_raw(c, status, NULL, (struct span){ "", 0 });
}

static bool
is_header_text(const char *s)
{
	for (; *s; s++)
		if (((unsigned char)*s < 0x20 && *s != '\t') || *s == 0x7f)
			return false;
	return true;
}

void
reply_header(struct ctx *c, const char *name, const char *value)
{
	struct text *t = &request_of(c)->answer.headers;

	if (!value || !is_header_text(value))
		return;
	if (!t->max)
		*t = TEXT(HEADERS_MAX);
	text_printf(t, "%s: %s\r\n", name, value);
}

/* ---- objects, member by member ------------------------------------------- */

struct out *
reply_open(struct ctx *c, int status)
{
	struct out *o = &request_of(c)->answer.out;

	text_clear(&o->text);
	*o = (struct out){ .c = c, .status = status, .text = TEXT(OUT_MAX) };
	text_putc(&o->text, '{');
	return o;
}

/* What stands before a value: a comma, unless it is the first, and its name, unless it stands in an
 * array. */
static struct text *
before_value(struct out *o, const char *name)
{
	const struct text *t = &o->text;
	char last = t->len ? t->data[t->len - 1] : '{';

	if (last != '{' && last != '[')
		text_putc(&o->text, ',');
	if (name) {
		text_json(&o->text, name);
		text_putc(&o->text, ':');
	}
	return &o->text;
}

void
put_str(struct out *o, const char *name, const char *value)
{
	text_json(before_value(o, name), value);
}

void
put_int(struct out *o, const char *name, int64_t value)
{
	text_printf(before_value(o, name), "%lld", (long long)value);
}

void
put_num(struct out *o, const char *name, double value)
{
	if (isfinite(value))
		text_printf(before_value(o, name), "%.15g", value);
	else
		put_null(o, name);
}

void
put_bool(struct out *o, const char *name, bool value)
{
	text_puts(before_value(o, name), value ? "true" : "false");
}

void
put_null(struct out *o, const char *name)
{
	text_puts(before_value(o, name), "null");
}

void
put_json(struct out *o, const char *name, struct span json)
{
	if (json.data && json.len)
		text_put(before_value(o, name), json.data, json.len);
	else
		put_null(o, name);
}

static void
open_inside(struct out *o, const char *name, bool array)
{
	if (o->depth >= OUT_DEPTH_MAX) {
		o->text.failed = true;
		return;
	}
	text_putc(before_value(o, name), array ? '[' : '{');
	o->depth++;
	o->arrays = (o->arrays & ~(1u << o->depth)) | ((unsigned)array << o->depth);
}

void
put_object(struct out *o, const char *name)
{
	open_inside(o, name, false);
}

void
put_array(struct out *o, const char *name)
{
	open_inside(o, name, true);
}

void
put_end(struct out *o)
{
	if (!o->depth) {
		o->text.failed = true;
		return;
	}
	text_putc(&o->text, o->arrays & 1u << o->depth ? ']' : '}');
	o->depth--;
}

int
reply_close(struct out *o)
{
	text_putc(&o->text, '}');
	if (!text_ok(&o->text) || o->depth)
		return fail(o->c, ERR_INTERNAL, "the answer could not be written");
	return reply_json(o->c, o->status, (struct span){ o->text.data, o->text.len });
}

/* ---- errors ---------------------------------------------------------------- */

static void
put_field_errors(struct out *o, const struct failure *f)
{
	size_t i;

	put_array(o, "errors");
	for (i = 0; i < f->nfields; i++) {
		put_object(o, NULL);
		put_str(o, "field", f->fields[i].field);
		put_str(o, "code", f->fields[i].code);
		put_str(o, "detail", f->fields[i].detail);
		put_end(o);
	}
	put_end(o);
}

static void
problem_headers(struct ctx *c, const struct failure *f)
{
	char seconds[16];

	if (f->status == 401)
		reply_header(c, "WWW-Authenticate",
		    f->err == ERR_UNAUTHENTICATED ? "Bearer" : "Bearer error=\"invalid_token\"");
	if (f->retry_after > 0 || f->status == 503) {
		snprintf(seconds, sizeof(seconds), "%d", f->retry_after > 0 ? f->retry_after : 1);
		reply_header(c, "Retry-After", seconds);
	}
}

void
reply_problem(struct ctx *c)
{
	const struct failure *f = &c->failure;
	struct out *o = reply_open(c, f->status);
	char type[128];

	snprintf(type, sizeof(type), "urn:hookswitch:error:%s", f->code);
	put_str(o, "type", type);
	put_str(o, "title", f->title);
	put_int(o, "status", f->status);
	put_str(o, "code", f->code);
	put_str(o, "detail", f->detail ? f->detail : "");
	put_field_errors(o, f);
	put_str(o, "request_id", c->request_id);
	if (reply_close(o) < 0)
		(void)reply_json(c, 500, SPAN("{\"type\":\"about:blank\",\"status\":500}"));
	request_of(c)->answer.type = TYPE_PROBLEM;
}

void
reply_failure(struct ctx *c)
{
	const struct server *s = request_of(c)->server;

	problem_headers(c, &c->failure);
	if (s && s->problem) {
		request_of(c)->answer.status = 0;
		s->problem(c);
		if (request_of(c)->answer.status)
			return;
	}
	reply_problem(c);
}

/* ---- out -------------------------------------------------------------------- */

/* Web servers pass the words on; without them some would write a status line that is none. */
static const char *
reason_of(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = { { 200, "OK" }, { 201, "Created" }, { 202, "Accepted" },
		{ 204, "No Content" }, { 303, "See Other" }, { 304, "Not Modified" },
		{ 400, "Bad Request" }, { 401, "Unauthorized" }, { 402, "Payment Required" },
		{ 403, "Forbidden" }, { 404, "Not Found" }, { 405, "Method Not Allowed" },
		{ 408, "Request Timeout" }, { 409, "Conflict" }, { 412, "Precondition Failed" },
		{ 413, "Content Too Large" }, { 415, "Unsupported Media Type" },
		{ 422, "Unprocessable Content" }, { 429, "Too Many Requests" },
		{ 500, "Internal Server Error" }, { 503, "Service Unavailable" } };
	size_t i;

	for (i = 0; i < COUNT(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return status < 400 ? "Fine" : "Refused";
}

void
reply_head(struct ctx *c, struct text *t, int64_t length)
{
	const struct answer *a = &request_of(c)->answer;

	text_printf(t, "Status: %d %s\r\n", a->status, reason_of(a->status));
	if (a->type)
		text_printf(t, "Content-Type: %s\r\n", a->type);
	if (a->type && length >= 0)
		text_printf(t, "Content-Length: %lld\r\n", (long long)length);
	text_printf(t,
	    "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nX-Request-Id: %s\r\n",
	    c->request_id);
	cors_write(c, t);
	limit_write(c, t);
	text_puts(t, text_str(&a->headers));
	text_puts(t, "\r\n");
}

int
reply_send(struct ctx *c)
{
	CLEANUP(text_clear) struct text t = TEXT(REPLY_HEAD_MAX);
	struct request *r = request_of(c);
	const struct answer *a = &r->answer;

	reply_head(c, &t, (int64_t)a->body.len);
	if (!text_ok(&t) || fcgi_write(r->fcgi, t.data, t.len) < 0)
		return -1;
	if (!r->head && a->type && a->body.len)
		return fcgi_write(r->fcgi, a->body.data, a->body.len);
	return 0;
}

void
reply_forget(struct ctx *c, size_t keep)
{
	struct answer *a = &request_of(c)->answer;

	if (keep < a->headers.len) {
		a->headers.len = keep;
		a->headers.data[keep] = '\0';
	}
	a->status = 0;
	a->type = NULL;
	a->body = (struct span){ "", 0 };
}

void
reply_clear(struct ctx *c)
{
	struct answer *a = &request_of(c)->answer;

	text_clear(&a->headers);
	text_clear(&a->out.text);
	*a = (struct answer){ .status = 0 };
}
