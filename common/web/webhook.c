/*
 * webhook.c - webhooks: taking, answering, counting.  webhook_verify.c proves who sent them,
 * webhook_keep.c keeps them; webhook_money.c takes those of payment providers.
 */
#include "web/webhook.h"

#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/poke.h"
#include "lib/db.h"
#include "web/reply.h"
#include "web/request.h"
#include "web/server.h"

#include <pthread.h>
#include <string.h>

enum { COUNT_SLOTS = 16, COUNT_TYPE_MAX = 100, COUNT_EVERY_MS = 1000 };

static const struct db_stmt count_stmt = { "webhook_count",
	"select public.webhook_count($1, $2, $3::bigint)" };

const struct field webhook_fields[1] = {
	FIELD(organization_id, PATH, T_UUID, INTO(struct webhook_in, organization_id),
	    .required = true, .doc = "The organization whose events they are."),
};

/* ---- chatter -------------------------------------------------------- */

struct slot {
	const char *provider; /* NULL: free */
	char type[COUNT_TYPE_MAX + 1];
	int64_t n;
};

/* Chatter comes many times a second for each call: it is gathered here and written once a second.
 */
static struct {
	pthread_mutex_t lock;
	struct slot slots[COUNT_SLOTS];
	int64_t written_ms;
} counted = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Adds n of a type; false when there is no room for another type.  The lock is held. */
static bool
count_add(const char *provider, const char *type, int64_t n)
{
	struct slot *s;
	size_t i;

	for (i = 0; i < COUNT_SLOTS; i++) {
		s = &counted.slots[i];
		if (!s->provider) {
			s->provider = provider;
			snprintf(s->type, sizeof(s->type), "%s", type);
		}
		if (strcmp(s->provider, provider) == 0 && strcmp(s->type, type) == 0) {
			s->n += n;
			return true;
		}
	}
	return false;
}

/* Takes all that was counted; how many types. */
static size_t
count_take(struct slot *ret)
{
	size_t i, n = 0;

	pthread_mutex_lock(&counted.lock);
	for (i = 0; i < COUNT_SLOTS && counted.slots[i].provider; i++)
		ret[n++] = counted.slots[i];
	memset(counted.slots, 0, sizeof(counted.slots));
	counted.written_ms = clock_steady_ms();
	pthread_mutex_unlock(&counted.lock);
	return n;
}

static void
count_give_back(const struct slot *slots, size_t n)
{
	size_t i;

	pthread_mutex_lock(&counted.lock);
	for (i = 0; i < n; i++)
		count_add(slots[i].provider, slots[i].type, slots[i].n);
	pthread_mutex_unlock(&counted.lock);
}

void
webhook_flush(struct ctx *c)
{
	struct span params[COUNT_SLOTS][3];
	struct db_step steps[COUNT_SLOTS];
	struct slot slots[COUNT_SLOTS];
	char numbers[COUNT_SLOTS][24];
	size_t i, n = count_take(slots);

	for (i = 0; i < n; i++) {
		snprintf(numbers[i], sizeof(numbers[i]), "%lld", (long long)slots[i].n);
		params[i][0] = span_of(slots[i].provider);
		params[i][1] = span_of(slots[i].type);
		params[i][2] = span_of(numbers[i]);
		steps[i] = (struct db_step){ &count_stmt, params[i], 3, NULL };
	}
	/* A count is worth no failure: what could not be written is written with the next. */
	if (n > 0 && db_run(c, server_db(), DB_TRANSACTION, steps, n) < 0) {
		count_give_back(slots, n);
		fail_clear(c);
	}
}

static void
count_event(struct ctx *c, const char *provider, const char *type)
{
	bool due;

	pthread_mutex_lock(&counted.lock);
	due = !count_add(provider, type, 1);
	pthread_mutex_unlock(&counted.lock);
	if (due) {
		webhook_flush(c);
		pthread_mutex_lock(&counted.lock);
		count_add(provider, type, 1);
		pthread_mutex_unlock(&counted.lock);
	}

	pthread_mutex_lock(&counted.lock);
	due = server_is_cgi() || clock_steady_ms() - counted.written_ms >= COUNT_EVERY_MS;
	pthread_mutex_unlock(&counted.lock);
	if (due)
		webhook_flush(c);
}

void
webhook_count_state(struct ctx *c, const struct webhook *w, const char *state)
{
	char type[COUNT_TYPE_MAX + 1];

	snprintf(type, sizeof(type), "state:%s", state);
	count_event(c, w->provider, type);
}

/* ---- the body as text ----------------------------------------------- */

/* How many bytes the character at the front of s has; 0 when it is none that may stay. */
static size_t
character_len(const char *s, size_t n)
{
	size_t len;

	for (len = 1; len <= 4 && len <= n; len++) {
		if (utf8_valid(s, len))
			return len;
	}
	return 0;
}

struct span
webhook_text(struct mem *m, struct span body)
{
	CLEANUP(text_clear) struct text t = TEXT(6 * body.len);
	size_t i = 0, n;

	if (body.len == 0 || utf8_valid(body.data, body.len))
		return body.data ? body : SPAN("");

	while (i < body.len) {
		n = character_len(body.data + i, body.len - i);
		if (n > 0)
			text_put(&t, body.data + i, n);
		else
			text_printf(&t, "\\u%04x", (unsigned char)body.data[i]);
		i += n > 0 ? n : 1;
	}
	if (!text_ok(&t))
		return (struct span){ 0 };
	return (struct span){ mem_dup(m, t.data, t.len), t.len };
}

/* ---- taking ---------------------------------------------------------- */

/* Counts what became of it.  A line that became free, or a call to look at, is the pump's business
 * at once. */
static void
kept_as(struct ctx *c, const struct webhook *w, const struct webhook_event *e, const char *state)
{
	webhook_count_state(c, w, state);
	if (strcmp(state, "applied") == 0 &&
	    (!e->report || strstr(e->report, "\"status\":\"ended\"")))
		poke_send("pump");
}

static int
keep(struct ctx *c, const struct webhook *w, struct webhook_keeping *k)
{
	k->body = webhook_text(c->mem, request_body(c));
	if (!k->body.data)
		return fail(c, ERR_UNAVAILABLE, "out of memory");
	if (webhook_keep(c, k) < 0) {
		if (c->failure.retry_after == 0)
			c->failure.retry_after = 1;
		return -1;
	}
	kept_as(c, w, k->event, k->state);
	return 0;
}

/* Who waits on the line is told something, whatever is wrong here. */
static bool
answer_anyway(struct ctx *c, const struct webhook *w, const struct webhook_event *e)
{
	if (strcmp(e->class, "ask") != 0)
		return false;
	log_line(LOG_WARN, "event=webhook_not_kept provider=%s type=%s request_id=%s", w->provider,
	    e->type, c->request_id);
	fail_clear(c);
	return true;
}

int
webhook_take(struct ctx *c, const struct webhook *w, const struct webhook_proof *p,
    const struct webhook_event *e)
{
	bool chatter = strcmp(e->class, "chatter") == 0;
	struct webhook_keeping k = { .provider = w->provider,
		.proof = p,
		.event = e,
		.class = chatter ? "kept" : e->class };

	if (chatter && !setting_bool(SET_HOOKSWITCH_KEEP_CHATTER))
		count_event(c, w->provider, e->type);
	else if (keep(c, w, &k) < 0 && !answer_anyway(c, w, e))
		return -1;

	crash_point(webhook_kept);
	return reply_json(c, 200, span_of(k.reply ? k.reply : e->reply));
}

void
webhook_answered(struct ctx *c)
{
	(void)c;
	crash_point(webhook_answered);
}
