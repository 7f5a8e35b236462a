/*
 * check.c - the route table in words and as JSON, and its proof against the functions of schema
 * api.
 */
#include "web/check.h"

#include "web/server.h"

#include <string.h>

enum { CHECK_MEM = 4 * 1024 * 1024, DESCRIBE_MAX = 4 * 1024 * 1024 };

/* ---- --describe ------------------------------------------------------------ */

static const char
    *const places[] = { [PATH] = "path", [QUERY] = "query", [BODY] = "body", [OUT] = "out" };
static const char *const kinds[] = { [ACCESS_PUBLIC] = "public",
	[ACCESS_API] = "api",
	[ACCESS_PERSON] = "person",
	[ACCESS_OPERATOR] = "operator",
	[ACCESS_LOCAL] = "local",
	[ACCESS_INTERNAL] = "internal" };

static const char *const forms[] = { [RETURNS_OBJECT] = "object",
	[RETURNS_PAGES] = "list",
	[RETURNS_ITEMS] = "data",
	[RETURNS_BYTES] = "file" };

static const struct {
	enum route_flags flag;
	const char *name;
} flags[] = { { ROUTE_RAW, "raw" }, { ROUTE_LENIENT, "lenient" }, { ROUTE_STREAM, "stream" },
	{ ROUTE_SECRET, "secret" }, { ROUTE_UNLIMITED, "unlimited" } };

static void
put_pair(struct text *t, const char *name, const char *value)
{
	text_printf(t, ",\"%s\":", name);
	text_json(t, value);
}

static void describe_table(struct text *t, const char *name, const struct field *fields, size_t n);

/* What holds for a field and for an item without a name alike. */
static void
describe_value(struct text *t, const struct field *f)
{
	size_t i;

	text_puts(t, "\"type\":");
	text_json(t, field_type_name(f->type));
	text_printf(t, ",\"nullable\":%s", f->nullable ? "true" : "false");
	if (f->min || f->max)
		text_printf(t, ",\"min\":%lld,\"max\":%lld", (long long)f->min, (long long)f->max);
	if (f->dflt)
		put_pair(t, "default", f->dflt);
	for (i = 0; f->values && f->values[i]; i++) {
		text_puts(t, i ? "," : ",\"values\":[");
		text_json(t, f->values[i]);
	}
	text_puts(t, f->values ? "]" : "");
	if (f->fields)
		describe_table(t, f->table, f->fields, f->nfields);
	if (f->items) {
		text_puts(t, ",\"items\":{");
		describe_value(t, f->items);
		text_putc(t, '}');
	}
}

static void
describe_field(struct text *t, const struct field *f)
{
	text_puts(t, "{\"name\":");
	text_json(t, f->name);
	put_pair(t, "in", places[f->place]);
	text_printf(t, ",\"required\":%s,", f->required ? "true" : "false");
	describe_value(t, f);
	put_pair(t, "doc", f->doc);
	text_putc(t, '}');
}

static void
describe_fields(struct text *t, const struct field *fields, size_t n)
{
	size_t i;

	text_putc(t, '[');
	for (i = 0; i < n; i++) {
		text_puts(t, i ? "," : "");
		describe_field(t, &fields[i]);
	}
	text_putc(t, ']');
}

/* name: NULL for what a route is asked for.  A row without a name says what the table is. */
static void
describe_table(struct text *t, const char *name, const struct field *fields, size_t n)
{
	size_t about = n > 0 && fields[0].name[0] == '\0' ? 1 : 0;

	if (name)
		put_pair(t, "table", name);
	if (about)
		put_pair(t, "about", fields[0].doc);
	text_puts(t, ",\"fields\":");
	describe_fields(t, fields + about, n - about);
}

static void
describe_returns(struct text *t, const struct returns *r)
{
	text_puts(t, "{\"form\":");
	text_json(t, forms[r->form]);
	if (r->type)
		put_pair(t, "type", r->type);
	if (r->fields)
		describe_table(t, r->table, r->fields, r->nfields);
	if (r->other) {
		text_puts(t, ",\"or\":");
		describe_returns(t, r->other);
	}
	text_putc(t, '}');
}

static void
describe_route(struct text *t, const struct route *r)
{
	size_t i;

	text_puts(t, "{\"method\":");
	text_json(t, method_name(r->method));
	put_pair(t, "path", r->path);
	put_pair(t, "access", kinds[r->access.kind]);
	if (r->access.scope)
		put_pair(t, "scope", r->access.scope);
	text_printf(t, ",\"status\":%d", r->status);
	if (r->query)
		put_pair(t, "query", r->query);
	text_printf(t, ",\"body_max\":%zu", r->body_max ? r->body_max : ROUTE_BODY_MAX);
	if (r->body_type)
		put_pair(t, "body_type", r->body_type);
	for (i = 0; i < COUNT(flags); i++)
		text_printf(t, ",\"%s\":%s", flags[i].name,
		    r->flags & flags[i].flag ? "true" : "false");
	put_pair(t, "doc", r->doc);
	describe_table(t, NULL, r->fields, r->nfields);
	if (r->returns.form != RETURNS_NOTHING) {
		text_puts(t, ",\"returns\":");
		describe_returns(t, &r->returns);
	}
	text_puts(t, ",\"errors\":[");
	for (i = 0; r->errors && r->errors[i] != ERR_NONE; i++) {
		text_puts(t, i ? "," : "");
		text_json(t, err_info(r->errors[i])->code);
	}
	text_puts(t, "]}");
}

/* Codes that are told as others. */
static void
describe_codes(struct text *t, const struct server *s)
{
	const char *theirs;
	bool first = true;
	int e, status;

	text_puts(t, ",\"codes\":{");
	for (e = ERR_NONE + 1; e < ERR_COUNT; e++) {
		status = err_info((enum err)e)->status;
		theirs = s->problem_code(err_info((enum err)e)->code, &status);
		if (strcmp(theirs, err_info((enum err)e)->code) == 0 &&
		    status == err_info((enum err)e)->status)
			continue;
		text_puts(t, first ? "" : ",");
		text_json(t, err_info((enum err)e)->code);
		text_puts(t, ":{\"code\":");
		text_json(t, theirs);
		text_printf(t, ",\"status\":%d}", status);
		first = false;
	}
	text_putc(t, '}');
}

static void
describe(const struct server *s)
{
	CLEANUP(text_clear) struct text t = TEXT(DESCRIBE_MAX);
	size_t i;

	text_puts(&t, "{\"program\":");
	text_json(&t, s->name);
	if (s->about)
		put_pair(&t, "about", s->about);
	text_printf(&t, ",\"own_errors\":%s", s->problem ? "true" : "false");
	if (s->problem_code)
		describe_codes(&t, s);
	text_puts(&t, ",\"routes\":[");
	for (i = 0; i < s->nroutes; i++) {
		text_puts(&t, i ? ",\n" : "\n");
		describe_route(&t, &s->routes[i]);
	}
	text_puts(&t, "\n]}\n");
	fputs(text_str(&t), stdout);
}

static void
help(const struct server *s)
{
	printf("%s: a FastCGI program of Hookswitch; the listening socket is its standard input.\n"
	       "%s%s"
	       "  --check              prove the routes against the database\n"
	       "  --describe           the routes and their fields as JSON\n"
	       "  --describe-settings  all settings as JSON\n"
	       "  --version            the version\n"
	       "%s",
	    s->name, s->about ? s->about : "", s->about ? "\n" : "", s->usage ? s->usage : "");
}

bool
check_option(const struct server *s, const char *option)
{
	if (strcmp(option, "--describe") == 0)
		describe(s);
	else if (strcmp(option, "--describe-settings") == 0)
		settings_describe(stdout);
	else if (strcmp(option, "--version") == 0)
		printf("%s %s\n", s->name, PACKAGE_VERSION);
	else if (strcmp(option, "--help") == 0)
		help(s);
	else
		return false;
	return true;
}

/* ---- --check ----------------------------------------------------------------- */

/* One row for each argument (one with nulls for a function without any): name, type, has a default,
 * what is returned, how many functions have the name. */
static const struct db_stmt arguments = { "check_arguments",
	"select p.proargnames[a.i], format_type(p.proargtypes[a.i - 1], null),"
	" a.i > p.pronargs - p.pronargdefaults, format_type(p.prorettype, null),"
	" count(*) over () / greatest(p.pronargs, 1)"
	" from pg_proc p join pg_namespace n on n.oid = p.pronamespace"
	" left join lateral generate_series(1, p.pronargs) a(i) on true"
	" where n.nspname = 'api' and p.proname = $1 order by p.oid, a.i" };

struct proof {
	const struct server *server;
	const struct route *route;
	const struct db_rows *rows;
	int wrong;
};

static void
complain(struct proof *p, const char *what, const char *which)
{
	printf("%s: %s %s: api.%s: %s%s\n", p->server->name, method_name(p->route->method),
	    p->route->path, p->route->query, what, which);
	p->wrong++;
}

/* Types that take the text of a field of type t without loss. */
static bool
type_fits(enum field_type t, const char *sql)
{
	static const char *const fits[] = { [T_INT] = " integer bigint smallint numeric ",
		[T_NUMBER] = " numeric double precision real ",
		[T_BOOL] = " boolean ",
		[T_UUID] = " uuid ",
		[T_TIME] = " timestamp with time zone ",
		[T_OBJECT] = " jsonb json ",
		[T_ARRAY] = " jsonb json ",
		[T_ANY] = " jsonb json ",
		[T_CURSOR] = " text " };
	const char *list = t < COUNT(fits) ? fits[t] : NULL, *at;

	/* Texts may also go to enums, domains and the like. */
	if (!list)
		return true;
	at = strstr(list, sql);
	return at && at[-1] == ' ' && at[strlen(sql)] == ' ';
}

static int
find_argument(const struct db_rows *rows, const char *name)
{
	const char *s;
	int i;

	for (i = 0; i < rows->n; i++) {
		s = db_str(rows, i, 0);
		if (s && strncmp(s, "p_", 2) == 0 && strcmp(s + 2, name) == 0)
			return i;
	}
	return -1;
}

static bool
is_sent(const struct route *r, const struct field *f)
{
	return r->method != PATCH || f->place != BODY;
}

static void
prove_fields(struct proof *p)
{
	const struct field *f;
	size_t i;
	int at;

	for (i = 0; i < p->route->nfields; i++) {
		f = &p->route->fields[i];
		if (!is_sent(p->route, f))
			continue;
		at = find_argument(p->rows, f->name);
		if (at < 0)
			complain(p, "has no argument p_", f->name);
		else if (!type_fits(f->type, db_str(p->rows, at, 1)))
			complain(p, "another type is wanted for p_", f->name);
	}
	if (p->route->method == PATCH && find_argument(p->rows, "changes") < 0)
		complain(p, "has no argument p_", "changes");
}

static bool
is_field(const struct route *r, const char *argument)
{
	size_t i;

	if (strncmp(argument, "p_", 2) != 0)
		return false;
	for (i = 0; i < r->nfields; i++)
		if (is_sent(r, &r->fields[i]) && strcmp(r->fields[i].name, argument + 2) == 0)
			return true;
	return r->method == PATCH && strcmp(argument, "p_changes") == 0;
}

static void
prove_arguments(struct proof *p)
{
	const char *name;
	int i;

	for (i = 0; i < p->rows->n; i++) {
		name = db_str(p->rows, i, 0);
		if (name && !is_field(p->route, name) && strcmp(db_str(p->rows, i, 2), "t") != 0)
			complain(p, "no field gives its argument ", name);
	}
}

static void
prove_route(struct ctx *c, struct db *db, struct proof *p)
{
	struct span name = span_of(p->route->query);
	struct db_rows rows = { .n = 0 };
	struct db_step step = { &arguments, &name, 1, &rows };

	p->rows = &rows;
	if (db_run(c, db, DB_REPEATABLE, &step, 1) < 0) {
		complain(p, "the database cannot be asked: ",
		    c->failure.log ? c->failure.log : c->failure.code);
	} else if (rows.n == 0)
		complain(p, "there is no such function", "");
	else if (db_int(&rows, 0, 4, 1) > 1)
		complain(p, "there is more than one", "");
	else if (p->route->run == run_query) {
		if (strcmp(db_str(&rows, 0, 3), "jsonb") != 0)
			complain(p, "does not return jsonb", "");
		prove_fields(p);
		prove_arguments(p);
	}
	ctx_reset(c);
}

int
check_routes(const struct server *s, struct db *db)
{
	CLEANUP(ctx_free) struct ctx c = { .mem = NULL };
	struct proof p = { .server = s };
	size_t i, n = 0;

	if (!db) {
		printf("%s: DATABASE_URL is not set\n", s->name);
		return -1;
	}
	if (ctx_init(&c, CHECK_MEM) < 0)
		return -1;
	for (i = 0; i < s->nroutes; i++) {
		p.route = &s->routes[i];
		if (!p.route->query)
			continue;
		prove_route(&c, db, &p);
		n++;
	}
	if (!p.wrong)
		printf("%s: %zu routes, %zu queries: all fit\n", s->name, s->nroutes, n);
	return p.wrong ? -1 : 0;
}
