/*
 * pump_upkeep.c - what a turn does beside dialling: expiry, waiting events, sealing of plain keys.
 */
#include "work/pump.h"

#include "base/crash.h"
#include "base/log.h"
#include "lib/seal.h"

#include <inttypes.h>
#include <string.h>

/* As many calls as public.queue_expire ends at once. */
enum { EXPIRE_MAX = 500 };

static const struct db_stmt upkeep_stmt = { "turn_upkeep",
	"select public.turn_upkeep($1::boolean)" };
static const struct db_stmt due_stmt = { "turn_due", "select public.turn_due()" };
static const struct db_stmt plain_stmt = { "secrets_plain", "select public.secrets_plain()" };
static const struct db_stmt seal_stmt = { "secret_seal",
	"select public.secret_seal($1::text, $2::uuid, $3::text, $4::text, $5::text)" };
static const struct db_stmt count_stmt = { "pump_count",
	"select public.webhook_count('pump', $1::text, $2::bigint)" };

/* Columns with secrets, and what each is sealed for. */
static const struct {
	const char *table, *field, *purpose;
} secret_columns[] = {
	{ "provider", "api_key", "provider.api_key" },
	{ "provider", "api_secret", "provider.api_secret" },
	{ "webhook", "secret", "webhook.secret" },
};

static void
secret_close(struct pump *p, const struct json *row, size_t column)
{
	const char *table = secret_columns[column].table, *field = secret_columns[column].field;
	const char *plain = json_str(row, field), *id = json_str(row, "id"), *sealed;
	struct db_step step = { &seal_stmt, NULL, 5, NULL };
	struct span params[5];

	if (!plain || seal_is_sealed(plain))
		return;
	sealed = seal_close(p->c.mem, secret_columns[column].purpose, plain);
	if (!sealed) {
		log_line(LOG_ERROR, "event=seal_failed table=%s id=%s", table, id);
		return;
	}
	params[0] = span_of(table);
	params[1] = span_of(id);
	params[2] = span_of(field);
	params[3] = span_of(plain);
	params[4] = span_of(sealed);
	step.params = params;
	if (pump_run(p, DB_REPEATABLE, &step, 1) == 0)
		p->counts.sealed++;
}

static int
secrets_close(struct pump *p)
{
	const struct json *rows = pump_json(p, &plain_stmt, NULL, 0);
	size_t i, k;

	if (!rows)
		return -1;
	for (i = 0; i < json_len(rows); i++) {
		const struct json *row = json_at(rows, i);
		for (k = 0; k < COUNT(secret_columns); k++) {
			if (span_equal(span_of(json_str(row, "table")),
				span_of(secret_columns[k].table)))
				secret_close(p, row, k);
		}
	}
	return 0;
}

/* ---- counters -------------------------------------------------------------- */

static int
count_write(struct pump *p, const char *what, int64_t n)
{
	const char *number = mem_printf(p->c.mem, "%" PRId64, n);
	struct span params[2] = { span_of(what), span_of(number) };
	struct db_step step = { &count_stmt, params, 2, NULL };

	if (n <= 0)
		return 0;
	return what && number ? pump_run(p, 0, &step, 1) : -1;
}

void
upkeep_dialled(struct pump *p, const char *type, enum voice_result result)
{
	size_t i;

	for (i = 0; i < PUMP_TYPES_MAX; i++) {
		struct pump_dials *d = &p->by_type[i];
		if (!d->type)
			d->type = type;
		if (strcmp(d->type, type) == 0) {
			d->n[result]++;
			return;
		}
	}
}

static void
dials_write(struct pump *p)
{
	static const char *const names[] = { "accepted", "refused", "unknown" };
	size_t i, k;

	for (i = 0; i < PUMP_TYPES_MAX && p->by_type[i].type; i++) {
		struct pump_dials *d = &p->by_type[i];
		for (k = 0; k < COUNT(names); k++)
			count_write(p, mem_printf(p->c.mem, "dial:%s:%s", d->type, names[k]),
			    d->n[k]);
		*d = (struct pump_dials){ .type = d->type };
	}
}

/* What could not be written is written with the next. */
static void
turn_write(struct pump *p, const char *what, int64_t n, int64_t *counted)
{
	if (count_write(p, what, n - *counted) == 0)
		*counted = n;
}

void
upkeep_count(struct pump *p)
{
	dials_write(p);
	turn_write(p, "turns", p->counts.turns, &p->counted.turns);
	turn_write(p, "claimed", p->counts.claimed, &p->counted.claimed);
	turn_write(p, "looked", p->counts.looked, &p->counted.looked);
}

/* ---- upkeep ----------------------------------------------------------------- */

int
upkeep_run(struct pump *p, bool full)
{
	const struct json *done;
	int64_t expired;

	crash_point(sweep_before);
	done = pump_json(p, &upkeep_stmt, (const struct span[]){ span_of(full ? "true" : "false") },
	    1);
	if (!done)
		return -1;
	crash_point(sweep_after);
	expired = json_int(done, "expired", 0);
	p->counts.expired += expired;
	p->counts.swept += json_int(done, "swept", 0);
	upkeep_count(p);
	if (secrets_close(p) == -1)
		return -1;
	return expired >= EXPIRE_MAX;
}

int
upkeep_due(struct pump *p)
{
	struct db_rows rows = { 0 };
	struct db_step step = { &due_stmt, NULL, 0, &rows };
	const char *due;

	if (pump_run(p, DB_REPEATABLE, &step, 1) == -1)
		return -1;
	due = db_str(&rows, 0, 0);
	return due && due[0] == 't';
}
