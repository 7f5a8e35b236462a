/*
 * fuzz_query.c - any bytes as a path with a query: never a crash, and nothing undecoded gets
 * through.
 */
#include "web/bind.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

static const struct field fields[] = {
	FIELD(id, PATH, T_UUID, .required = true, .doc = "x"),
	FIELD(status, QUERY, T_ENUM, VALUES("queued", "failed"), .doc = "x"),
	FIELD(from, QUERY, T_TIME, .doc = "x"),
	FIELD(number, QUERY, T_E164, .doc = "x"),
	FIELD(after, QUERY, T_CURSOR, .doc = "x"),
	FIELD(q, QUERY, T_STR, .doc = "x"),
	FIELD(limit, QUERY, T_INT, .min = 1, .max = 100, .dflt = "20", .doc = "x"),
	FIELD(flag, QUERY, T_BOOL, .doc = "x"),
	FIELD(share, QUERY, T_NUMBER, .doc = "x"),
};

static const struct route routes[] = {
	{ GET, "/v1/calls", PUBLIC, NO_FIELDS, NULL, 200, NULL, "x" },
	{ GET, "/v1/calls/stats", PUBLIC, NO_FIELDS, NULL, 200, NULL, "x" },
	{ GET, "/v1/calls/{id}", PUBLIC, FIELDS(fields), NULL, 200, NULL, "x" },
	{ POST, "/v1/calls/{id}/{part}", PUBLIC, NO_FIELDS, NULL, 200, NULL, "x" },
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_path(struct ctx *c, const char *raw)
{
	struct route_match found;
	struct route_path p;
	size_t i;

	if (route_split(c, raw, &p) < 0) {
		assert(c->failure.err == ERR_BAD_PATH || c->failure.err == ERR_INTERNAL);
		return;
	}
	for (i = 0; i < p.n && i < ROUTE_PARTS_MAX; i++)
		assert(!strchr(p.parts[i], '/') &&
		    (!*p.parts[i] || utf8_valid(p.parts[i], strlen(p.parts[i]))));
	found = route_find(routes, COUNT(routes), GET, &p);
	if (found.route == &routes[2])
		assert(route_param(found.route, &p, "id"));
}

static void
check_query(struct ctx *c, const char *query)
{
	struct value values[COUNT(fields)] = { { .given = false } };
	struct form form = { fields, COUNT(fields), values };
	size_t i;

	bind_query(c, &form, query, false);
	for (i = 0; i < COUNT(fields); i++)
		if (values[i].given && values[i].text.len)
			assert(utf8_valid(values[i].text.data, values[i].text.len));
	if (c->failure.err == ERR_NONE && values[6].given)
		assert(values[6].number >= 1 && values[6].number <= 100);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(ctx_free) struct ctx c = { .mem = NULL };
	const char *uri;
	size_t n;

	if (ctx_init(&c, 1 << 26) < 0)
		return 0;
	uri = mem_dup(c.mem, (const char *)data, size);
	if (!uri)
		return 0;
	n = strcspn(uri, "?");
	check_path(&c, mem_dup(c.mem, uri, n));
	fail_clear(&c);
	check_query(&c, uri[n] ? uri + n + 1 : "");
	return 0;
}
