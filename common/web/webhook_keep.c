/*
 * webhook_keep.c - keeping events: each in its own statement, or those of several requests in one.
 */
#include "base/crash.h"
#include "lib/db.h"
#include "web/server.h"
#include "web/together.h"
#include "web/webhook.h"

#include <string.h>

enum { COLUMNS = 10 };

static const struct db_stmt keep_stmt = { "webhook_keep",
	"select public.webhook_keep($1, $2::uuid, $3, $4, $5, $6::uuid, $7, $8, $9, $10)" };
static const struct db_stmt ask_stmt = { "webhook_ask",
	"select state, reply from public.webhook_ask($1, $2::uuid, $3, $4, $5, $6::uuid, $7, $8,"
	" $9, $10)" };
static const struct db_stmt many_stmt = { "webhook_keep_many",
	"select unnest(public.webhook_keep_many($1, $2, $3, $4, $5, $6, $7, $8, $9, $10))" };

/* How it ended for one event; alone: it is still to be kept, by itself. */
enum part_end { PART_ALONE, PART_KEPT, PART_FAILED, PART_UNREACHABLE };

struct part {
	struct together_job job;
	struct webhook_keeping *k;
	enum part_end end;
};

/* ---- one ------------------------------------------------------------- */

static void
on_sent(void)
{
	crash_point(webhook_sent);
}

/* The token's attempt wins over the one that the body names; where they disagree, the database
 * finds it out. */
static const char *
attempt_of(const struct webhook_keeping *k)
{
	const char *named = k->proof->assignment_id;

	return named[0] != '\0' ? named : k->event->assignment_id;
}

/* What both functions take, in their order. */
static void
columns_of(const struct webhook_keeping *k, struct span ret[COLUMNS])
{
	const struct webhook_event *e = k->event;
	const struct span columns[COLUMNS] = { span_of(k->provider),
		span_of(k->proof->organization_id), span_of(k->proof->signer), span_of(e->key),
		span_of(e->type), span_of(attempt_of(k)), span_of(e->provider_call_id), k->body,
		span_of(e->report), span_of(k->class) };

	memcpy(ret, columns, sizeof(columns));
}

/* The event's key makes a second time harmless. */
static int
run(struct ctx *c, int flags, const struct db_stmt *stmt, const struct span params[COLUMNS],
    struct db_rows *ret)
{
	const struct db_step step = { stmt, params, COLUMNS, ret };
	int result;

	db_after_send(on_sent);
	result = db_run(c, server_db(), DB_REPEATABLE | flags, &step, 1);
	db_after_send(NULL);
	return result;
}

static void
set_state(struct webhook_keeping *k, const char *state)
{
	snprintf(k->state, sizeof(k->state), "%s", state);
}

static bool
asks(const struct webhook_keeping *k)
{
	return strcmp(k->class, "ask") == 0;
}

static int
keep_alone(struct ctx *c, struct webhook_keeping *k)
{
	struct db_rows kept = { 0 };
	struct span params[COLUMNS];
	const char *state;

	columns_of(k, params);
	if (run(c, 0, asks(k) ? &ask_stmt : &keep_stmt, params, &kept) < 0)
		return -1;
	state = db_str(&kept, 0, 0);
	if (!state)
		return fail(c, ERR_INTERNAL, NULL);
	set_state(k, state);
	if (asks(k))
		k->reply = db_str(&kept, 0, 1);
	return 0;
}

/* ---- several --------------------------------------------------------- */

/* The provider is one for all; each other column is an array. */
static int
columns_of_all(struct ctx *c, struct together_job *const *jobs, size_t n, struct span ret[COLUMNS])
{
	struct span rows[TOGETHER_MOST][COLUMNS], column[TOGETHER_MOST];
	size_t i, col;

	for (i = 0; i < n; i++)
		columns_of(((struct part *)jobs[i])->k, rows[i]);
	ret[0] = rows[0][0];
	for (col = 1; col < COLUMNS; col++) {
		for (i = 0; i < n; i++)
			column[i] = rows[i][col];
		ret[col] = db_texts(c->mem, column, n);
		if (!ret[col].data)
			return fail(c, ERR_INTERNAL, NULL);
	}
	return 0;
}

/* Where the database cannot be reached, nobody of them tries again alone; any other fault may be
 * that of a single event. */
static enum part_end
end_of_failure(struct ctx *c)
{
	if (c->failure.err == ERR_UNAVAILABLE)
		return PART_UNREACHABLE;
	fail_clear(c);
	return PART_ALONE;
}

static void
keep_many(struct ctx *c, struct together_job *const *jobs, size_t n)
{
	struct span params[COLUMNS];
	struct db_rows rows = { 0 };
	enum part_end end = PART_KEPT;
	struct part *part;
	size_t i;

	if (columns_of_all(c, jobs, n, params) < 0)
		end = end_of_failure(c);
	else if (run(c, DB_BINARY, &many_stmt, params, &rows) < 0)
		end = end_of_failure(c);
	for (i = 0; i < n; i++) {
		const char *state = end == PART_KEPT ? db_str(&rows, (int)i, 0) : NULL;

		part = (struct part *)jobs[i];
		part->end = end == PART_KEPT && !state ? PART_ALONE : end;
		if (state)
			set_state(part->k, state);
	}
}

static void
go(struct ctx *c, struct together_job *const *jobs, size_t n)
{
	struct part *only = (struct part *)jobs[0];

	if (n > 1)
		keep_many(c, jobs, n);
	else
		only->end = keep_alone(c, only->k) < 0 ? PART_FAILED : PART_KEPT;
}

static struct together together = TOGETHER(go);

/* An event that moves a call of which we do not know the attempt takes other locks than the rest,
 * and in another order. */
static bool
may_gather(const struct webhook_keeping *k)
{
	return !asks(k) && strcmp(k->class, "look") != 0 &&
	    (strcmp(k->class, "moves") != 0 || attempt_of(k));
}

/* One connection is left for what is no event. */
static int
most_goes(void)
{
	int connections = (int)setting_int(SET_HOOKSWITCH_DB_CONNECTIONS);

	return connections > 1 ? connections - 1 : 1;
}

int
webhook_keep(struct ctx *c, struct webhook_keeping *k)
{
	struct part part = { .k = k, .end = PART_ALONE };

	if (may_gather(k)) {
		part.job.size = k->body.len;
		together_do(c, &together, &part.job, most_goes());
	}
	switch (part.end) {
	case PART_KEPT:
		return 0;
	case PART_ALONE:
		return keep_alone(c, k);
	case PART_UNREACHABLE:
		/* Who led has said why; to that one this changes nothing. */
		fail(c, ERR_UNAVAILABLE, NULL);
		break;
	case PART_FAILED:
		break;
	}
	return -1;
}
