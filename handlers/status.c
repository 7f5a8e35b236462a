/*
 * status.c - tells whether this installation lives, whether it is ready, and its numbers for
 * Prometheus.
 */
#include "base/settings.h"
#include "lib/db.h"
#include "web/limit.h"
#include "web/reply.h"
#include "web/server.h"

#include <string.h>

enum { METRICS_MAX = 4 * 1024 * 1024 };

/* ---- metrics: from SQL's JSON to Prometheus' text -------------------- */

/* A text between quotes as Prometheus wants it. */
static void
put_label_value(struct text *t, const char *s)
{
	for (; *s; s++) {
		if (*s == '\\' || *s == '"')
			text_putc(t, '\\');
		if (*s == '\n')
			text_puts(t, "\\n");
		else
			text_putc(t, *s);
	}
}

static int
put_label(void *arg, const char *name, const struct json *value)
{
	struct text *t = arg;
	const char *s = json_str_of(value, NULL);

	text_printf(t, "%s%s=\"", t->data[t->len - 1] == '{' ? "" : ",", name);
	put_label_value(t, s ? s : "");
	text_putc(t, '"');
	return 0;
}

/* What follows a name; le: the bucket's upper end, NULL: it is none. */
static void
put_value(struct text *t, const struct json *sample, const char *le, const struct json *value)
{
	const struct json *labels = json_get(sample, "labels");

	if (json_len(labels) || le) {
		text_putc(t, '{');
		(void)json_each(labels, put_label, t);
		if (le)
			text_printf(t, "%sle=\"%s\"", json_len(labels) ? "," : "", le);
		text_putc(t, '}');
	}
	text_putc(t, ' ');
	json_write(t, value);
	text_putc(t, '\n');
}

/* How many took at most so long, for each bound and for all. */
static void
put_histogram(struct text *t, const char *name, const struct json *sample,
    const struct json *bounds)
{
	const struct json *buckets = json_get(sample, "buckets");
	size_t i;

	for (i = 0; i < json_len(bounds) && i < json_len(buckets); i++) {
		CLEANUP(text_clear) struct text le = TEXT(64);

		json_write(&le, json_at(bounds, i));
		text_printf(t, "%s_bucket", name);
		put_value(t, sample, text_str(&le), json_at(buckets, i));
	}
	text_printf(t, "%s_bucket", name);
	put_value(t, sample, "+Inf", json_get(sample, "count"));
	text_printf(t, "%s_sum", name);
	put_value(t, sample, NULL, json_get(sample, "sum"));
	text_printf(t, "%s_count", name);
	put_value(t, sample, NULL, json_get(sample, "count"));
}

static void
put_metric(struct text *t, const struct json *metric)
{
	const char *name = json_str(metric, "name"), *help = json_str(metric, "help");
	const struct json *samples = json_get(metric, "samples");
	const char *type = json_str(metric, "type");
	const struct json *bounds = json_get(metric, "bounds");
	size_t i;

	if (!name)
		return;
	if (help)
		text_printf(t, "# HELP %s %s\n", name, help);
	if (type)
		text_printf(t, "# TYPE %s %s\n", name, type);
	for (i = 0; i < json_len(samples); i++) {
		const struct json *sample = json_at(samples, i);

		if (bounds) {
			put_histogram(t, name, sample, bounds);
			continue;
		}
		text_puts(t, name);
		put_value(t, sample, NULL, json_get(sample, "value"));
	}
}

/* ---- operations ----------------------------------------------------- */

/* The process lives: no database is asked, so that a slow one does not get healthy programs
 * restarted. */
static int
tell_health(struct ctx *c, const void *arg)
{
	(void)arg;
	return reply_json(c, 200, SPAN("{\"status\":\"ok\"}"));
}

/* Without its Redis an installation is as ready as before: PostgreSQL counts. */
static int
reply_ready(struct ctx *c)
{
	const char *redis = limit_redis_state();
	struct out *o = reply_open(c, 200);

	put_str(o, "status", "ready");
	if (strcmp(redis, "off") != 0)
		put_str(o, "redis", redis);
	return reply_close(o);
}

/* Makefile.am tells NEWEST_MIGRATION: a database that lacks it is not ready for these programs. */
static int
tell_ready(struct ctx *c, const void *arg)
{
	const struct json *version, *done;
	const char *name;
	size_t i;

	(void)arg;
	version = db_call(c, NULL, 0);
	if (!version)
		return -1;
	done = json_get(version, "migrations");
	for (i = 0; i < json_len(done); i++) {
		name = json_str_of(json_at(done, i), NULL);
		if (name && strcmp(name, NEWEST_MIGRATION) == 0)
			return reply_ready(c);
	}
	return fail(c, ERR_UNAVAILABLE, "the database lacks migrations of this version");
}

static void
put_redis(struct text *t)
{
	const char *redis = limit_redis_state();

	if (strcmp(redis, "off") != 0)
		text_printf(t,
		    "# HELP hookswitch_redis_up 1 while Redis counts for the rate limits.\n"
		    "# TYPE hookswitch_redis_up gauge\nhookswitch_redis_up %d\n",
		    strcmp(redis, "ok") == 0);
}

static int
tell_metrics(struct ctx *c, const void *arg)
{
	CLEANUP(text_clear) struct text t = TEXT(METRICS_MAX);
	const struct json *metrics;
	const char *body;
	size_t i;

	(void)arg;
	metrics = db_call(c, NULL, 0);
	if (!metrics)
		return -1;
	for (i = 0; i < json_len(metrics); i++)
		put_metric(&t, json_at(metrics, i));
	put_redis(&t);
	body = text_ok(&t) ? mem_str(c->mem, text_str(&t)) : NULL;
	if (!body)
		return fail(c, ERR_INTERNAL, "the numbers could not be written");
	return reply_raw(c, 200, "text/plain; version=0.0.4; charset=utf-8", span_of(body));
}

/* ---- answers --------------------------------------------------------- */

static const struct field liveness_out[] = {
	ABOUT("The program lives."),
	FIELD(status, OUT, T_ENUM, VALUES("ok"), .required = true, .doc = "It lives."),
};

static const struct field readiness_out[] = {
	ABOUT("The installation can serve."),
	FIELD(status, OUT, T_ENUM, VALUES("ready"), .required = true, .doc = "It can serve."),
	FIELD(redis, OUT, T_ENUM, VALUES("ok", "unavailable"),
	    .doc = "Where Redis counts for the rate limits: whether it answers."),
};

/* ---- routes --------------------------------------------------------- */

static const struct route routes[] = {
	{ GET, "/healthz", PUBLIC, NO_FIELDS, tell_health, 200, NULL, "The program lives.",
	    .flags = ROUTE_UNLIMITED, .returns = RETURNS(liveness_out) },
	{ GET, "/readyz", PUBLIC, NO_FIELDS, tell_ready, 200, "schema_version",
	    "The database answers and knows all that these programs need.",
	    .flags = ROUTE_UNLIMITED, .returns = RETURNS(readiness_out) },
	{ GET, "/metrics", LOCAL, NO_FIELDS, tell_metrics, 200, "metrics",
	    "Numbers for Prometheus.", .returns = RETURNS_FILE("text/plain") },
};

static const int needs[] = { SET_DATABASE_URL, -1 };

int
main(int argc, char *argv[])
{
	return server_main(argc, argv,
	    &(const struct server){ "status", routes, COUNT(routes),
		.about = "Whether the installation lives and is ready; its numbers.",
		.db_role = "hookswitch_pump", .needs = needs });
}
