/*
 * request.c - reads the head and the body of a request; checks neither rights nor fields.
 */
#include "web/request.h"

#include "base/clock.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

enum { HEADER_NAME_MAX = 100, READ_PIECE = 16384, ID_BYTES = 16 };
/* What is left of a body that nobody wants is read so far, and so long. */
enum { REST_PIECE = 4096, REST_PIECES = 16, REST_SECONDS = 2 };

struct request *
request_of(const struct ctx *c)
{
	return c->owner;
}

/* ---- the head --------------------------------------------------------- */

const char *
request_variable(const struct ctx *c, const char *name)
{
	const char *const *v = request_of(c)->variables;
	size_t n = strlen(name);

	for (; v && *v; v++)
		if (strncmp(*v, name, n) == 0 && (*v)[n] == '=')
			return *v + n + 1;
	return NULL;
}

const char *
request_header(const struct ctx *c, const char *name)
{
	char variable[HEADER_NAME_MAX + 6] = "HTTP_";
	size_t i;

	if (strlen(name) > HEADER_NAME_MAX)
		return NULL;
	for (i = 0; name[i]; i++)
		variable[5 + i] = name[i] == '-' ? '_' : (char)toupper((unsigned char)name[i]);
	/* These two have names of their own in CGI. */
	if (strcmp(variable, "HTTP_CONTENT_TYPE") == 0 ||
	    strcmp(variable, "HTTP_CONTENT_LENGTH") == 0)
		return request_variable(c, variable + 5);
	return request_variable(c, variable);
}

bool
request_loopback(const struct ctx *c)
{
	const char *addr = request_variable(c, "REMOTE_ADDR");

	if (!addr || !*addr || strcmp(addr, "unix:") == 0)
		return true;
	return strncmp(addr, "127.", 4) == 0 || strcmp(addr, "::1") == 0 ||
	    strncmp(addr, "::ffff:127.", 11) == 0;
}

const char *
request_address(const struct ctx *c)
{
	const char *addr = request_variable(c, "REMOTE_ADDR");

	return addr ? addr : "";
}

static bool
is_id(const char *s)
{
	size_t n =
	    s ? strspn(s, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.") : 0;

	return n > 0 && n < CTX_ID_MAX && !s[n];
}

/* nginx's id when it gave one; else 16 random bytes, straight from the kernel: no library has to
 * wake up for that. */
static void
set_id(struct ctx *c)
{
	const char *given = request_variable(c, "REQUEST_ID");
	unsigned char random[ID_BYTES] = { 0 };
	size_t i;

	if (is_id(given)) {
		snprintf(c->request_id, sizeof(c->request_id), "%s", given);
		return;
	}
	(void)!getrandom(random, sizeof(random), 0);
	for (i = 0; i < ID_BYTES; i++)
		snprintf(c->request_id + 2 * i, 3, "%02x", random[i]);
}

int
request_begin(struct ctx *c, struct request *r)
{
	const char *name, *uri;
	size_t n;

	c->owner = r;
	r->started_us = clock_steady_us();
	r->path = r->query = "";
	r->stream = TEXT(0);
	set_id(c);

	name = request_variable(c, "REQUEST_METHOD");
	r->method = method_of(name);
	r->head = name && strcmp(name, "HEAD") == 0;

	uri = request_variable(c, "REQUEST_URI");
	if (!uri)
		return fail(c, ERR_BAD_PATH, "REQUEST_URI is missing");
	n = strcspn(uri, "?");
	r->path = mem_dup(c->mem, uri, n);
	if (!r->path) {
		r->path = "";
		return fail(c, ERR_INTERNAL, "out of memory");
	}
	r->query = uri[n] ? uri + n + 1 : "";
	return route_split(c, r->path, &r->parts);
}

/* ---- the body ---------------------------------------------------------- */

/* The length announced: 0 and *ret, -1 when it is no number.  *ret is -1 when none was announced.
 */
static int
announced_length(const char *s, int64_t *ret)
{
	int64_t n = 0;

	*ret = -1;
	if (!s || !*s)
		return 0;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return -1;
		if (n <= INT64_MAX / 100)
			n = n * 10 + (*s - '0');
	}
	*ret = n;
	return 0;
}

static int
cut_off(struct ctx *c)
{
	return fail(c, ERR_BAD_REQUEST, "the body ended too early");
}

static int
too_large(struct ctx *c, size_t max)
{
	return fail(c, ERR_TOO_LARGE, "the body may have %zu bytes", max);
}

static int
read_known(struct ctx *c, size_t length)
{
	struct request *r = request_of(c);
	size_t have = 0;
	char *data;
	int n;

	data = mem_alloc(c->mem, length + 1);
	if (!data)
		return fail(c, ERR_TOO_LARGE, "the request needs too much memory");
	while (have < length) {
		n = fcgi_read(r->fcgi, data + have, (int)(length - have));
		if (n <= 0)
			return cut_off(c);
		have += (size_t)n;
	}
	r->body = (struct span){ data, length };
	return 0;
}

/* A body whose length nobody told: up to its end, or one byte more than the limit. */
static int
read_unknown(struct ctx *c, size_t max)
{
	struct request *r = request_of(c);
	char piece[READ_PIECE];
	int n;

	r->stream = TEXT(max + READ_PIECE + 1);
	while ((n = fcgi_read(r->fcgi, piece, sizeof(piece))) > 0) {
		text_put(&r->stream, piece, (size_t)n);
		if (r->stream.len > max)
			return too_large(c, max);
	}
	if (n < 0)
		return cut_off(c);
	if (!text_ok(&r->stream))
		return fail(c, ERR_INTERNAL, "out of memory");
	r->body = (struct span){ text_str(&r->stream), r->stream.len };
	return 0;
}

int
request_read_body(struct ctx *c)
{
	struct request *r = request_of(c);
	size_t max = r->route->body_max ? r->route->body_max : ROUTE_BODY_MAX;
	int64_t length;

	r->body = (struct span){ "", 0 };
	if (announced_length(request_variable(c, "CONTENT_LENGTH"), &length) < 0)
		return fail(c, ERR_BAD_REQUEST, "Content-Length is not a number");
	if (length > (int64_t)max)
		return too_large(c, max);
	if (length == 0 || !r->fcgi)
		return 0;
	if (length > 0)
		return read_known(c, (size_t)length);
	return read_unknown(c, max);
}

int
request_read(struct ctx *c, char *buf, size_t n)
{
	struct request *r = request_of(c);
	int got;

	if (!r->fcgi)
		return 0;
	got = fcgi_read(r->fcgi, buf, n > INT32_MAX ? INT32_MAX : (int)n);
	if (got < 0 && errno == ETIMEDOUT)
		return fail(c, ERR_BODY_SLOW, "nothing came for too long");
	return got < 0 ? cut_off(c) : got;
}

void
request_rest(struct ctx *c)
{
	struct request *r = request_of(c);
	int64_t until = clock_steady_us() + REST_SECONDS * INT64_C(1000000);
	char piece[REST_PIECE];
	int n;

	if (!r->fcgi || !r->route || !(r->route->flags & ROUTE_STREAM) ||
	    c->failure.err == ERR_BODY_SLOW)
		return;
	(void)fcgi_patience(r->fcgi, REST_SECONDS);
	for (n = 0; n < REST_PIECES && clock_steady_us() < until; n++)
		if (fcgi_read(r->fcgi, piece, sizeof(piece)) <= 0)
			return;
}

void
request_patience(struct ctx *c, int seconds)
{
	struct request *r = request_of(c);

	if (r->fcgi)
		(void)fcgi_patience(r->fcgi, seconds);
}

void
request_end(struct ctx *c)
{
	struct request *r = request_of(c);

	text_clear(&r->stream);
	reply_clear(c);
	c->owner = NULL;
}

/* ---- what handlers ask -------------------------------------------------- */

const struct value *
request_value(const struct ctx *c, const char *name)
{
	const struct request *r = request_of(c);
	size_t i;

	for (i = 0; r->form.values && i < r->form.n; i++)
		if (strcmp(r->form.fields[i].name, name) == 0)
			return &r->form.values[i];
	return NULL;
}

const char *
request_param(const struct ctx *c, const char *name)
{
	const struct request *r = request_of(c);
	const struct field *f = form_find(&r->form, name, PATH);

	if (f && r->form.values)
		return r->form.values[f - r->form.fields].text.data;
	return route_param(r->route, &r->parts, name);
}

struct span
request_body(const struct ctx *c)
{
	return request_of(c)->body;
}

const char *
request_path(const struct ctx *c)
{
	return request_of(c)->path;
}

const char *
request_query(const struct ctx *c)
{
	return request_of(c)->query;
}
