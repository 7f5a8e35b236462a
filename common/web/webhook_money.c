/*
 * webhook_money.c - webhooks of payment providers: kept, and followed, in one statement.
 *
 * They belong to no organization before the database has looked whose the object is; nobody but the
 * installation has secrets for them.
 */
#include "base/crash.h"
#include "base/poke.h"
#include "lib/db.h"
#include "web/reply.h"
#include "web/request.h"
#include "web/server.h"
#include "web/webhook.h"

static const struct db_stmt keep_stmt = { "money_keep",
	"select public.money_keep($1, $2, $3, $4::jsonb, $5)" };

static void
on_sent(void)
{
	crash_point(webhook_sent);
}

/* The event's id makes a second time harmless. */
static const char *
keep(struct ctx *c, const struct webhook *w, const struct webhook_money *e)
{
	const struct span body = webhook_text(c->mem, request_body(c));
	const struct span params[] = { span_of(w->provider), span_of(e->id), span_of(e->type),
		span_of(e->object), body };
	struct db_rows rows = { 0 };
	const struct db_step step = { &keep_stmt, params, COUNT(params), &rows };
	const char *state;
	int result;

	if (!body.data) {
		fail(c, ERR_UNAVAILABLE, "out of memory");
		return NULL;
	}
	db_after_send(on_sent);
	result = db_run(c, server_db(), DB_REPEATABLE, &step, 1);
	db_after_send(NULL);
	state = result < 0 ? NULL : db_str(&rows, 0, 0);
	if (result == 0 && !state)
		fail(c, ERR_INTERNAL, NULL);
	return state;
}

int
webhook_take_money(struct ctx *c, const struct webhook *w, const struct webhook_money *e)
{
	const char *state = keep(c, w, e);

	if (!state) {
		if (c->failure.retry_after == 0)
			c->failure.retry_after = 1;
		return -1;
	}
	crash_point(webhook_kept);
	webhook_count_state(c, w, state);
	/* A run that was started, or runs that its effect started. */
	poke_send("work");
	return reply_json(c, 200, SPAN("{}"));
}
