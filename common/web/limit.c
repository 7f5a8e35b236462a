/*
 * limit.c - counts a request: in PostgreSQL together with who asks, or by limit_redis.c.
 *
 * What a bucket is and who has which stands in sql/functions/22_limits.sql.
 */
#include "web/limit.h"

#include "base/settings.h"
#include "base/text.h"
#include "web/auth.h"
#include "web/limit_private.h"
#include "web/server.h"

#include <arpa/inet.h>
#include <string.h>

enum { MINUTE_US = 60 * 1000000, ADMIT_PARAMS = 12, NET_BYTES = 8 };

#define ADMIT                                                                                      \
	"select a.refused, a.bucket_size, a.remaining, a.reset_seconds, a.retry_seconds,"          \
	" a.organization_id, a.user_id, set_config('hookswitch.request_id', $1::text, true),"      \
	" set_config('hookswitch.address', $2::text, true)"                                        \
	" from public.request_admit($3, $4, $5, $6, $7::boolean, $8, $9, $10::bigint[],"           \
	" $11::boolean, $12) a"

enum {
	COLUMN_REFUSED,
	COLUMN_SIZE,
	COLUMN_REMAINING,
	COLUMN_RESET,
	COLUMN_RETRY,
	COLUMN_ORGANIZATION,
	COLUMN_USER
};

static const struct db_stmt admit = { "request_admit", ADMIT };

/* Written by limit_start only, before there are threads. */
static struct limit_rates rates;

/* ---- start ------------------------------------------------------------------ */

/* A little longer than it might be rather than shorter: the rate is never exceeded. */
static struct limit_rate
read_rate(enum setting per_minute, enum setting burst)
{
	int64_t n = setting_int(per_minute);

	return (struct limit_rate){ n ? (MINUTE_US + n - 1) / n : 0, setting_int(burst) };
}

int
limit_start(void)
{
	rates.who = read_rate(SET_HOOKSWITCH_RATE_PER_KEY, SET_HOOKSWITCH_BURST_PER_KEY);
	rates.organization =
	    read_rate(SET_HOOKSWITCH_RATE_PER_ORGANIZATION, SET_HOOKSWITCH_BURST_PER_ORGANIZATION);
	rates.address =
	    read_rate(SET_HOOKSWITCH_RATE_PER_ADDRESS, SET_HOOKSWITCH_BURST_PER_ADDRESS);
	return limit_redis_start();
}

void
limit_stop(void)
{
	limit_redis_stop();
}

/* ---- who is counted ------------------------------------------------------------ */

bool
limit_due(const struct ctx *c)
{
	const struct request *r = request_of(c);

	if (!r->route || r->limit.counted)
		return false;
	switch (r->route->access.kind) {
	case ACCESS_PUBLIC:
		return rates.address.interval_us && !(r->route->flags & ROUTE_UNLIMITED);
	case ACCESS_API:
	case ACCESS_PERSON:
	case ACCESS_OPERATOR:
		return rates.who.interval_us || rates.organization.interval_us;
	case ACCESS_LOCAL:
	case ACCESS_INTERNAL:
		break;
	}
	return false;
}

void
limit_address(const char *address, char ret[LIMIT_ADDRESS_MAX])
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
	unsigned char bytes[16];

	snprintf(ret, LIMIT_ADDRESS_MAX, "%s", "unknown");
	if (inet_pton(AF_INET, address, bytes) == 1)
		(void)inet_ntop(AF_INET, bytes, ret, LIMIT_ADDRESS_MAX);
	if (inet_pton(AF_INET6, address, bytes) != 1)
		return;
	if (memcmp(bytes, mapped, sizeof(mapped)) == 0) {
		(void)inet_ntop(AF_INET, bytes + sizeof(mapped), ret, LIMIT_ADDRESS_MAX);
		return;
	}
	memset(bytes + NET_BYTES, 0, sizeof(bytes) - NET_BYTES);
	if (inet_ntop(AF_INET6, bytes, ret, INET6_ADDRSTRLEN))
		snprintf(ret + strlen(ret), LIMIT_ADDRESS_MAX - strlen(ret), "/64");
}

int
limit_names(struct ctx *c, struct limit_names *ret)
{
	const struct identity *id = &request_of(c)->identity;
	char address[LIMIT_ADDRESS_MAX];

	limit_address(request_address(c), address);
	ret->address = mem_printf(c->mem, "address:%s", address);
	if (id->kind == IDENTITY_KEY)
		ret->who = mem_printf(c->mem, "key:%.32s", id->key_hash);
	else if (id->kind == IDENTITY_TOKEN && id->subject)
		ret->who = mem_printf(c->mem, "person:%s", id->subject);
	else if (id->kind == IDENTITY_TOKEN)
		ret->who =
		    mem_printf(c->mem, "service:%s", id->organization ? id->organization : "");
	else
		ret->who = ret->address;
	return ret->who && ret->address ? 0 : fail(c, ERR_INTERNAL, "out of memory");
}

/* ---- in PostgreSQL --------------------------------------------------------------- */

static const char *
rates_text(struct mem *m)
{
	return mem_printf(m, "{%lld,%lld,%lld,%lld,%lld,%lld}", (long long)rates.who.interval_us,
	    (long long)rates.who.burst, (long long)rates.organization.interval_us,
	    (long long)rates.organization.burst, (long long)rates.address.interval_us,
	    (long long)rates.address.burst);
}

/* pass: the verdict waits in the session for the next transaction of the same trip. */
static int
admit_step(struct ctx *c, bool pass, struct db_step *ret, struct db_rows *rows)
{
	static const char *const kinds
	    [] = { [IDENTITY_NONE] = "none", [IDENTITY_TOKEN] = "token", [IDENTITY_KEY] = "key" };
	const struct request *r = request_of(c);
	const struct identity *id = &r->identity;
	struct limit_names names;
	struct span *p = mem_alloc(c->mem, ADMIT_PARAMS * sizeof(*p));
	const char *limits = rates_text(c->mem);

	if (!p || !limits)
		return fail(c, ERR_INTERNAL, "out of memory");
	if (limit_names(c, &names) < 0)
		return -1;
	p[0] = span_of(c->request_id);
	p[1] = span_of(request_address(c));
	p[2] = span_of(kinds[id->kind]);
	p[3] = span_of(id->kind == IDENTITY_KEY ? id->key_hash : id->claims);
	p[4] = span_of(id->organization);
	p[5] = span_of(r->route->access.scope);
	p[6] = span_of(id->in_path ? "true" : "false");
	p[7] = span_of(names.who);
	p[8] = span_of(names.address);
	p[9] = span_of(limits);
	p[10] = span_of(pass ? "true" : "false");
	p[11] = span_of(auth_operators(c));
	*ret = (struct db_step){ &admit, p, ADMIT_PARAMS, rows };
	return 0;
}

static void
take(struct ctx *c, const struct db_rows *rows)
{
	struct limit *l = &request_of(c)->limit;
	const char *s = rows->n ? db_str(rows, 0, COLUMN_REFUSED) : NULL;

	if (!s)
		return;
	l->refused = *s == 't';
	l->size = db_int(rows, 0, COLUMN_SIZE, 0);
	l->remaining = db_int(rows, 0, COLUMN_REMAINING, 0);
	l->reset_s = db_int(rows, 0, COLUMN_RESET, 0);
	l->retry_s = db_int(rows, 0, COLUMN_RETRY, 0);
	l->known = l->size > 0;
	auth_remember(c, db_str(rows, 0, COLUMN_ORGANIZATION), db_str(rows, 0, COLUMN_USER));
}

int
limit_refuse(struct ctx *c)
{
	const struct limit *l = &request_of(c)->limit;

	fail(c, ERR_RATE_LIMITED, NULL);
	if (c->failure.err == ERR_RATE_LIMITED)
		c->failure.retry_after = (int)(l->retry_s > 0 ? l->retry_s : 1);
	return -1;
}

static int
by_postgresql(struct ctx *c)
{
	struct db_rows rows = { .n = 0 };
	struct db_step step;

	request_of(c)->limit.counted = true;
	if (!server_db())
		return fail(c, ERR_UNAVAILABLE, "no database");
	if (admit_step(c, false, &step, &rows) < 0 ||
	    db_run(c, server_db(), DB_TRANSACTION, &step, 1) < 0)
		return -1;
	take(c, &rows);
	return request_of(c)->limit.refused ? limit_refuse(c) : 0;
}

/* ---- as others call it --------------------------------------------------------------- */

int
limit_now(struct ctx *c)
{
	int rc;

	if (!limit_due(c))
		return 0;
	rc = limit_by_redis(c, &rates);
	return rc == LIMIT_NO_REDIS ? by_postgresql(c) : rc;
}

int
limit_head(struct ctx *c, struct limit_head *ret)
{
	bool own_trip = limit_redis_on() || !setting_bool(SET_HOOKSWITCH_DB_PREPARE);

	*ret = (struct limit_head){ .n = 1 };
	if (own_trip && limit_now(c) < 0)
		return -1;
	if (!limit_due(c))
		return auth_step(c, &ret->steps[0], &ret->who);
	request_of(c)->limit.counted = true;
	ret->n = LIMIT_HEAD_MAX;
	ret->steps[1].stmt = &db_apart;
	if (admit_step(c, true, &ret->steps[0], &ret->admitted) < 0)
		return -1;
	return auth_step_admitted(c, &ret->steps[2], &ret->who);
}

void
limit_tail(struct ctx *c, const struct limit_head *h, int rc)
{
	take(c, &h->admitted);
	if (rc == 0)
		auth_take(c, &h->who);
	else if (c->failure.err == ERR_RATE_LIMITED && request_of(c)->limit.refused)
		c->failure.retry_after = (int)request_of(c)->limit.retry_s;
}

void
limit_write(const struct ctx *c, struct text *t)
{
	const struct limit *l = &request_of(c)->limit;

	if (l->known)
		text_printf(t,
		    "RateLimit-Limit: %lld\r\nRateLimit-Remaining: %lld\r\n"
		    "RateLimit-Reset: %lld\r\n",
		    (long long)l->size, (long long)l->remaining, (long long)l->reset_s);
}
