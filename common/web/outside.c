/*
 * outside.c - steps of a request that asks somebody outside: a step, a question, the next step.
 */
#include "web/outside.h"

#include "base/clock.h"
#include "base/timing.h"
#include "lib/crypto.h"
#include "web/flight.h"
#include "web/idempotency.h"
#include "web/server.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

/* Questions of one request at most, and the time after which no further one is asked: the web
 * server waits for 60 seconds. */
enum { ASKS_MAX = 20, PATIENCE_MS = 30000, BUSY_MS = 5000, PAUSE_MS = 100, MARK_BYTES = 16 };

struct steps {
	const struct outside *to;
	const char *known;
	const char *state, *answer; /* for the next step */
	struct outside_answer last;
	int64_t begun_ms;
};

/* The same request under the same key has the same mark; without a key each has its own. */
static int
mark(struct ctx *c, unsigned char ret[SHA256_LEN])
{
	const struct request *r = request_of(c);
	const char *text;

	if (!r->idempotency_key)
		return crypto_random(ret, SHA256_LEN);
	text = mem_printf(c->mem, "%s %s %s", c->organization_id, r->path, r->idempotency_key);
	return text ? crypto_sha256(span_of(text), ret) : -1;
}

static const char *
first_state(struct ctx *c, const char *known)
{
	unsigned char raw[SHA256_LEN];
	char hex[2 * SHA256_LEN + 1];

	if (mark(c, raw) < 0)
		return NULL;
	crypto_hex(raw, MARK_BYTES, hex);
	return mem_printf(c->mem, "{\"request\":\"%s\",\"known\":%s}", hex, known ? known : "{}");
}

/* The route's fields, the state and the last answer. */
static const struct json *
call(struct ctx *c, struct steps *s)
{
	const struct form *form = &request_of(c)->form;
	const char *args[FLIGHT_ARGS_MAX];
	size_t i, n = 0;

	if (form->n + 2 > FLIGHT_ARGS_MAX) {
		fail(c, ERR_INTERNAL, "too many fields");
		return NULL;
	}
	for (i = 0; i < form->n; i++)
		args[n++] = form->values[i].text.data;
	if (!s->state)
		s->state = first_state(c, s->known);
	if (!s->state) {
		fail(c, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	args[n++] = s->state;
	args[n++] = s->answer;
	return db_call(c, args, n);
}

/* Under plain CGI nobody would write it down. */
static void
time_answer(struct ctx *c, const struct fetch_request *q, const struct fetch_answer *a)
{
	char name[TIMING_NAME_MAX], code[FETCH_CODE_MAX];

	if (!q->peer || server_is_cgi())
		return;
	snprintf(name, sizeof(name), "%s.%s", q->peer, request_of(c)->route->query);
	timing_add(TIMING_PROVIDER, name, fetch_code(a, code), a->ms * 1000);
}

static int
ask_once(struct ctx *c, struct steps *s, const struct json *what,
    const struct fetch_request *request)
{
	struct fetch_answer answer = { .why = NULL };

	if (clock_steady_ms() - s->begun_ms > PATIENCE_MS)
		return fail(c, ERR_UNAVAILABLE, "who is asked is slow; try again");
	if (fetch_one(c, request, &answer) < 0)
		return fail(c, ERR_UNAVAILABLE, "nobody can be asked just now");
	time_answer(c, request, &answer);
	if (s->to->read(c->mem, what, &answer, &s->last) < 0)
		return fail(c, ERR_INTERNAL, "what was answered cannot be handed on");
	return 0;
}

/* While somebody does the same outside, what comes of it is waited for. */
static int
ask(struct ctx *c, struct steps *s, const struct json *what)
{
	struct fetch_request request = { .method = NULL };
	int64_t until = clock_steady_ms() + BUSY_MS;

	if (!s->to->ready())
		return fail(c, s->to->missing, NULL);
	if (s->to->build(c->mem, what, &request) < 0)
		return fail(c, ERR_INTERNAL, "what is to be asked cannot be: %s", strerror(errno));
	if (ask_once(c, s, what, &request) < 0)
		return -1;
	while (s->last.busy && clock_steady_ms() < until) {
		poll(NULL, 0, PAUSE_MS);
		if (ask_once(c, s, what, &request) < 0)
			return -1;
	}
	s->answer = s->last.json;
	return 0;
}

/* A step was refused: when to come again, and what was answered outside, is said with it. */
static int
refuse(struct ctx *c, const struct steps *s)
{
	if (c->failure.status == 503 && s->last.retry_after > 0)
		c->failure.retry_after = (int)s->last.retry_after;
	if (s->last.log)
		fail_log(c, "%s", s->last.log);
	return -1;
}

/* 1: there is more to ask, 0: it is answered, -1: refused. */
static int
step(struct ctx *c, struct steps *s, const struct json **what)
{
	const struct json *j, *view;

	if (request_of(c)->idempotency_key) {
		switch (idempotency_begin(c)) {
		case IDEMPOTENCY_FAILED:
			return -1;
		case IDEMPOTENCY_REPLAYED:
			return 0;
		case IDEMPOTENCY_RUN:
			break;
		}
	}
	j = call(c, s);
	if (!j)
		return refuse(c, s);
	view = json_get(j, "view");
	if (view)
		return reply_json(c, request_of(c)->route->status,
		    span_of(json_print(c->mem, view)));
	*what = json_get(j, "ask");
	s->state = json_print(c->mem, json_get(j, "state"));
	if (!s->state)
		return fail(c, ERR_INTERNAL, "out of memory");
	return idempotency_pause(c) < 0 ? -1 : 1;
}

int
outside_run(struct ctx *c, const struct outside *to, const char *known)
{
	struct steps s = { .to = to, .known = known, .begun_ms = clock_steady_ms() };
	const struct json *what = NULL;
	int n, rc = 1;

	for (n = 0; n < ASKS_MAX; n++) {
		rc = step(c, &s, &what);
		if (rc <= 0)
			return rc;
		if (ask(c, &s, what) < 0)
			return -1;
	}
	return fail(c, ERR_INTERNAL, "it does not come to an end");
}
