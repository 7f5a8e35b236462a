/*
 * db_fixture.h - for the tests of lib/db: a schema of their own, pools with the settings a test
 * wants, short ways to ask.
 *
 * The database is the one that HOOKSWITCH_TEST_DATABASE_URL names; without it these tests are
 * skipped.
 */
#ifndef TESTS_LIB_DB_FIXTURE_H
#define TESTS_LIB_DB_FIXTURE_H

/* cmocka has a macro with the name of our fail(): its header comes behind ours. */
#include "base/clock.h"
#include "base/ctx.h"
#include "base/settings.h"
#include "base/text.h"
#include "lib/db.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { URL_MAX = 2048 };

struct world {
	struct ctx c;
	struct db *db;    /* what is tested */
	struct db *other; /* looks on from the side */
	char schema[64];
};

static struct world world;

static inline const char *
database_url(void)
{
	const char *url = getenv("HOOKSWITCH_TEST_DATABASE_URL");

	return url && url[0] ? url : NULL;
}

/* The test's URL with one more word; all tables are looked for in the test's schema. */
static inline void
make_url(char buf[URL_MAX], const char *more)
{
	const char *url = database_url();
	bool uri = strstr(url, "://") != NULL;

	if (uri)
		snprintf(buf, URL_MAX, "%s%coptions=-csearch_path%%3D%s,public%s%s", url,
		    strchr(url, '?') ? '&' : '?', world.schema, more[0] ? "&" : "", more);
	else
		snprintf(buf, URL_MAX, "%s options='-csearch_path=%s,public' %s", url, world.schema,
		    more);
}

static inline void
set(const char *name, const char *value)
{
	setenv(name, value, 1);
	assert_int_equal(settings_load(), 0);
}

/* A pool of so many connections that waits so long. */
static inline struct db *
open_pool(const char *more, const char *role, const char *connections, const char *timeout)
{
	char url[URL_MAX];
	struct db *db;

	set("HOOKSWITCH_DB_CONNECTIONS", connections);
	set("HOOKSWITCH_DB_TIMEOUT_MS", timeout);
	make_url(url, more);
	db = db_open(url, role);
	assert_non_null(db);
	return db;
}

/* Text as a statement; its name is made from the text. */
static inline struct db_stmt
stmt(struct ctx *c, const char *sql)
{
	uint64_t h = 14695981039346656037u;

	for (const char *s = sql; *s; s++)
		h = (h ^ (unsigned char)*s) * 1099511628211u;
	return (struct db_stmt){ mem_printf(c->mem, "test_%016llx", (unsigned long long)h), sql };
}

static inline int
try_sql(struct ctx *c, struct db *db, int flags, const char *sql)
{
	struct db_stmt s = stmt(c, sql);
	struct db_step step = { .stmt = &s };

	fail_clear(c);
	return db_run(c, db, flags, &step, 1);
}

static inline void
sql(struct db *db, const char *text)
{
	if (try_sql(&world.c, db, 0, text))
		print_error("%s: %s\n", text, world.c.failure.log ? world.c.failure.log : "?");
	assert_int_equal(world.c.failure.err, ERR_NONE);
}

/* The first value of the first row, in the ctx's memory. */
static inline const char *
ask(struct db *db, const char *text)
{
	struct db_stmt s = stmt(&world.c, text);
	struct db_rows rows;
	struct db_step step = { .stmt = &s, .ret = &rows };

	fail_clear(&world.c);
	assert_int_equal(db_run(&world.c, db, 0, &step, 1), 0);
	assert_true(rows.n > 0);
	return db_str(&rows, 0, 0);
}

static inline int
ask_int(struct db *db, const char *text)
{
	return (int)strtol(ask(db, text), NULL, 10);
}

static inline void
make_schema(void)
{
	char text[512];

	snprintf(text, sizeof(text), "create schema if not exists %s", world.schema);
	sql(world.other, text);
	sql(world.other, "create table marks (mark text not null, number int)");
	sql(world.other, "create table once (number int unique deferrable initially deferred)");
	sql(world.other, "create sequence tries");
	/* Fails so often as a conflict would; a sequence is not undone by a rollback. */
	sql(world.other,
	    "create function conflict_until(p_try int) returns bigint language plpgsql as $$"
	    " declare n bigint := nextval('tries'); begin if n < p_try then"
	    " raise exception 'conflict' using errcode = '40001'; end if; return n; end $$");
	sql(world.other,
	    "create function sleep_once() returns void language sql as"
	    " $$ select pg_sleep(case when nextval('tries') = 1 then 30 else 0 end) $$");
}

static inline int
world_setup(void **state)
{
	*state = &world;
	memset(&world, 0, sizeof(world));
	if (!database_url())
		return 0;

	snprintf(world.schema, sizeof(world.schema), "hookswitch_test_%d", (int)getpid());
	if (ctx_init(&world.c, (size_t)64 << 20))
		return -1;
	world.other = open_pool("", "", "2", "10000");
	make_schema();
	world.db = open_pool("", "", "1", "10000");
	return 0;
}

static inline int
world_teardown(void **state)
{
	char text[128];

	(void)state;
	db_after_send(NULL);
	if (!world.other)
		return 0;
	db_close(world.db);
	snprintf(text, sizeof(text), "drop schema %s cascade", world.schema);
	sql(world.other, text);
	db_close(world.other);
	ctx_free(&world.c);
	setenv("HOOKSWITCH_DB_PREPARE", "on", 1);
	return 0;
}

static inline void
need_database(void)
{
	if (!database_url())
		skip();
}

/* Another pool takes the place of the one that is tested. */
static inline void
use_pool(const char *more, const char *role, const char *connections, const char *timeout)
{
	db_close(world.db);
	world.db = open_pool(more, role, connections, timeout);
}

static inline void
assert_failure(enum err e, int status, const char *code)
{
	assert_int_equal(world.c.failure.err, e);
	assert_int_equal(world.c.failure.status, status);
	assert_string_equal(world.c.failure.code, code);
}

static inline void
assert_idle(struct db *db)
{
	int open, used;

	db_counts(db, &open, &used);
	assert_int_equal(used, 0);
}

#define DB_TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

#endif
