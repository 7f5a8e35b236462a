/*
 * limit_redis.c - counts a request in Redis, with the same buckets by the same rule.
 *
 * Redis cannot know for which organization a key or a person asks: the database tells it once, and
 * it is remembered there for a minute.  When it does not answer, PostgreSQL counts.
 */
#include "base/log.h"
#include "base/settings.h"
#include "lib/redis.h"
#include "web/flight.h"
#include "web/limit_private.h"
#include "web/server.h"

#include <string.h>

enum { LUA_OK, LUA_REFUSED, LUA_UNKNOWN };
enum { KEYS = 2, ARGS = 7, SECOND_US = 1000000 };

/* Keys: the bucket of who asks, and where his organization is remembered.  Arguments: interval and
 * burst of the first, of the organization, and its id: "" none, "?" what is remembered. */
static const char script[] =
    "local t = redis.call('TIME') "
    "local now = t[1] * 1000000 + t[2] "
    "local who = ARGV[5] "
    "if who == '?' then "
    "  who = redis.call('GET', KEYS[2]) "
    "  if not who then return {2} end "
    "elseif who ~= '' then redis.call('SET', KEYS[2], who, 'EX', 60) end "
    "local buckets = {} "
    "local function add(key, interval, burst) "
    "  if interval > 0 then buckets[#buckets + 1] = {key, interval, burst} end "
    "end "
    "add(KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])) "
    "if who ~= '' then "
    "  add('hookswitch:organization:' .. who, tonumber(ARGV[3]), tonumber(ARGV[4])) "
    "end "
    "for _, b in ipairs(buckets) do "
    "  local full, all = tonumber(redis.call('GET', b[1]) or 0), b[2] * b[3] "
    "  if full < now or full > now + all + 60000000 then full = now end "
    "  b[4] = full + b[2] - now "
    "  if b[4] > all then return {1, b[3], 0, full - now, b[4] - all} end "
    "end "
    "local size, left, reset = 0, -1, 0 "
    "for _, b in ipairs(buckets) do "
    "  redis.call('SET', b[1], string.format('%.0f', now + b[4]), "
    "    'PX', math.ceil(b[4] / 1000) + 1) "
    "  local n = math.floor((b[2] * b[3] - b[4]) / b[2]) "
    "  if left < 0 or n < left then size, left, reset = b[3], n, b[4] end "
    "end "
    "return {0, size, left, reset, 0}";

/* Written at start only. */
static struct redis *redis;

/* ---- start ------------------------------------------------------------------ */

int
limit_redis_start(void)
{
	const char *url = setting_str(SET_REDIS_URL);

	if (!url)
		return 0;
	redis = redis_open(url, (int)setting_int(SET_HOOKSWITCH_REDIS_TIMEOUT_MS), script);
	if (redis)
		return 0;
	fprintf(stderr,
	    "REDIS_URL must be redis://[:password@]host[:port][/database] or "
	    "unix:///path\n");
	return -1;
}

void
limit_redis_stop(void)
{
	redis_close(redis);
	redis = NULL;
}

bool
limit_redis_on(void)
{
	return redis != NULL;
}

/* Each change is told once. */
static void
log_state(void)
{
	char why[128], quoted[300];
	bool up;

	if (!redis_turned(redis, &up, why))
		return;
	if (up)
		log_line(LOG_INFO, "event=redis_back");
	else
		log_line(LOG_WARN, "event=redis_unavailable limits=postgresql why=%s",
		    log_quote(why, quoted, sizeof(quoted)));
}

const char *
limit_redis_state(void)
{
	bool up;

	if (!redis)
		return "off";
	up = redis_ping(redis);
	log_state();
	return up ? "ok" : "unavailable";
}

/* ---- counting ------------------------------------------------------------------ */

struct question {
	const char *bucket;
	const struct limit_rate *rate;
	const struct limit_rate *organization_rate;
	const char *organization; /* "": none, "?": what is remembered */
	const char *remembered;   /* where */
};

static int
ask(struct ctx *c, const struct question *q, int64_t ret[REDIS_NUMBERS_MAX])
{
	char numbers[4][24];
	struct span args[ARGS];
	int n;

	snprintf(numbers[0], sizeof(numbers[0]), "%lld", (long long)q->rate->interval_us);
	snprintf(numbers[1], sizeof(numbers[1]), "%lld", (long long)q->rate->burst);
	snprintf(numbers[2], sizeof(numbers[2]), "%lld",
	    (long long)q->organization_rate->interval_us);
	snprintf(numbers[3], sizeof(numbers[3]), "%lld", (long long)q->organization_rate->burst);
	args[0] = span_of(mem_printf(c->mem, "hookswitch:%s", q->bucket));
	args[1] = span_of(q->remembered);
	for (n = 0; n < 4; n++)
		args[KEYS + n] = span_of(numbers[n]);
	args[KEYS + 4] = span_of(q->organization);
	if (!args[0].data)
		return -1;
	n = redis_run(redis, args, KEYS, ARGS, ret);
	log_state();
	return n == 5 || (n == 1 && ret[0] == LUA_UNKNOWN) ? 0 : -1;
}

static int64_t
seconds(int64_t us)
{
	return (us + SECOND_US - 1) / SECOND_US;
}

static int
take(struct ctx *c, const int64_t n[REDIS_NUMBERS_MAX])
{
	struct limit *l = &request_of(c)->limit;

	l->refused = n[0] == LUA_REFUSED;
	l->size = n[1];
	l->remaining = n[2] > 0 ? n[2] : 0;
	l->reset_s = seconds(n[3]);
	l->retry_s = seconds(n[4]);
	l->known = l->size > 0;
	return l->refused ? limit_refuse(c) : 0;
}

/* Whom it could not say: the database is asked.  A request that fails there is counted too, for
 * whom it can be counted. */
static int
ask_who(struct ctx *c, struct question *q, const struct limit_rates *rates, const char *address)
{
	int64_t n[REDIS_NUMBERS_MAX];
	struct failure kept;

	if (flight_prove(c) == 0) {
		q->organization = c->organization_id;
		return ask(c, q, n) < 0 ? LIMIT_NO_REDIS : take(c, n);
	}
	if (c->failure.status >= 500)
		return -1;
	q->organization = "";
	if (c->failure.err == ERR_API_KEY_INVALID) {
		q->bucket = address;
		q->rate = &rates->address;
	}
	kept = c->failure;
	fail_clear(c);
	if (ask(c, q, n) == 0 && take(c, n) < 0)
		return -1;
	c->failure = kept;
	return -1;
}

int
limit_by_redis(struct ctx *c, const struct limit_rates *rates)
{
	struct request *r = request_of(c);
	const char *wish = r->identity.organization ? r->identity.organization : "";
	bool nobody = r->identity.kind == IDENTITY_NONE;
	bool organization = !nobody && rates->organization.interval_us;
	struct limit_names names;
	struct question q = { .rate = nobody ? &rates->address : &rates->who };
	int64_t n[REDIS_NUMBERS_MAX];

	if (!redis)
		return LIMIT_NO_REDIS;
	if (limit_names(c, &names) < 0)
		return -1;
	q.bucket = names.who;
	q.organization_rate = &rates->organization;
	q.organization = organization || r->identity.kind == IDENTITY_KEY ? "?" : "";
	q.remembered = mem_printf(c->mem, "hookswitch:as:%s %s", names.who, wish);
	if (!q.remembered)
		return fail(c, ERR_INTERNAL, "out of memory");
	if (ask(c, &q, n) < 0)
		return LIMIT_NO_REDIS;
	r->limit.counted = true;
	return n[0] == LUA_UNKNOWN ? ask_who(c, &q, rates, names.address) : take(c, n);
}
