/*
 * webhook_twilio.c - Twilio's webhooks: kept, applied and answered in one statement.
 *
 * Nobody but the installation has an account there; whose the event is, the number says that it is
 * about.
 */
#include "base/crash.h"
#include "base/poke.h"
#include "lib/db.h"
#include "web/request.h"
#include "web/server.h"
#include "web/webhook.h"

#include <string.h>

static const struct db_stmt keep_stmt = { "twilio_keep",
	"select public.twilio_keep($1, $2, $3::jsonb, $4)::text" };

static void
on_sent(void)
{
	crash_point(webhook_sent);
}

/* The event's key makes a second time harmless, and its answer is the same. */
static int
keep(struct ctx *c, const struct webhook_twilio *e, const struct json **ret)
{
	const struct span body = webhook_text(c->mem, request_body(c));
	const struct span params[] = { span_of(e->key), span_of(e->type), span_of(e->facts), body };
	struct db_rows rows = { 0 };
	const struct db_step step = { &keep_stmt, params, COUNT(params), &rows };
	const char *kept;
	int result;

	if (!body.data)
		return fail(c, ERR_UNAVAILABLE, "out of memory");
	db_after_send(on_sent);
	result = db_run(c, server_db(), DB_REPEATABLE, &step, 1);
	db_after_send(NULL);
	if (result < 0)
		return -1;
	kept = db_str(&rows, 0, 0);
	if (!kept || json_read(c->mem, kept, strlen(kept), JSON_DEPTH_API, ret) != JSON_OK)
		return fail(c, ERR_INTERNAL, NULL);
	return 0;
}

int
webhook_take_twilio(struct ctx *c, const struct webhook *w, const struct webhook_twilio *e,
    const struct json **ret)
{
	const struct json *kept;

	if (keep(c, e, &kept) < 0) {
		if (c->failure.retry_after == 0)
			c->failure.retry_after = 1;
		return -1;
	}
	crash_point(webhook_kept);
	webhook_count_state(c, w, json_str(kept, "state"));
	/* Texts that go on, and mails. */
	poke_send("work");
	*ret = json_get(kept, "answer");
	return 0;
}
