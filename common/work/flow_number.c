/*
 * flow_number.c - the workflow "phone-number": one number is searched, bought, imported at Vapi,
 * linked, told of changes, unlinked, removed and given back, as its row wants it.
 *
 * Its input: {"number_id"}.  Which step comes next is decided in SQL alone
 * (sql/functions/35_numbers_steps.sql), anew after each step and before each request.
 *
 * Neither Twilio nor Vapi takes a key.  A purchase or an import that may have been done is looked
 * for by a step of its own ("check", "find"), to which number_prepare leads before it would be done
 * again; all else may be done twice.  To the engine each is therefore a step that may be sent
 * again.
 */
#include "work/flow_number.h"

#include "base/settings.h"
#include "peers/twilio.h"
#include "work/number_twilio.h"
#include "work/number_vapi.h"

enum { TIMEOUT_MS = 15000, MINUTE_MS = 60 * 1000, TRIES = 10000 };
#define DAY_MS (INT64_C(24) * 60 * MINUTE_MS)

/* Somebody waits for it. */
#define SOON                                                                                       \
	{                                                                                          \
		.first_ms = 1000, .factor = 2, .max_ms = MINUTE_MS, .attempts = TRIES,             \
		.limit_ms = DAY_MS, .timeout_ms = TIMEOUT_MS                                       \
	}
/* It costs money until it is done, and nobody else can do it. */
#define UNTIL_DONE                                                                                 \
	{                                                                                          \
		.first_ms = 1000, .factor = 2, .max_ms = 10 * MINUTE_MS, .attempts = TRIES,        \
		.timeout_ms = TIMEOUT_MS                                                           \
	}

static const char *const found[] = { "candidates", "full", "refused", NULL };
static const char *const bought[] = { "sid", "account", "capabilities", "refused", "absent", NULL };
static const char *const imported[] = { "id", "provider_id", "assistant", "assistant_id", "version",
	"found", "refused", "absent", NULL };
static const char *const linked[] = { "assistant", "assistant_id", "version", "refused", NULL };
static const char *const gone[] = { "gone", NULL };

#define STEP(step, effect, fields, how_often)                                                      \
	.name = #step, .prepare = "number_prepare", .ask = number_ask_##step,                      \
	.read = number_read_##step, .apply = effect, .takes_key = true, .keep = fields,            \
	.retry = how_often

static const struct step steps[] = {
	{ .name = "decide", .apply = "number_decide", .retry = UNTIL_DONE },
	{ STEP(search, "number_searched", found, SOON) },
	{ STEP(buy, "number_bought", bought, SOON) },
	{ STEP(check, "number_bought", bought, SOON) },
	{ .name = "assistant", .apply = "number_assistant_wait", .retry = UNTIL_DONE },
	{ STEP(import, "number_imported", imported, SOON) },
	{ STEP(find, "number_imported", imported, SOON) },
	{ STEP(configure, "number_configured", linked, SOON) },
	{ STEP(link, "number_linked", linked, SOON) },
	{ .name = "commit", .apply = "number_committed", .retry = UNTIL_DONE },
	{ .name = "unlink",
	    .prepare = "number_prepare",
	    .ask = number_ask_link,
	    .read = number_read_link,
	    .apply = "number_unlinked",
	    .takes_key = true,
	    .keep = linked,
	    .retry = UNTIL_DONE },
	{ STEP(remove, "number_removed", gone, UNTIL_DONE) },
	{ STEP(release, "number_given_back", gone, UNTIL_DONE) },
};

static bool
ready(void)
{
	return twilio_ready() && setting_str(SET_API_URL);
}

const struct workflow flow_number = {
	.name = "phone-number",
	.steps = steps,
	.nsteps = COUNT(steps),
	.doc = "Brings one phone number to what it shall be: bought, linked, paused or given back.",
	.ready = ready,
};
