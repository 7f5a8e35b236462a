/*
 * queue-pump.c - dials what is due.  Triggered on an interval: POST /internal/queue-pump?wait=55 by
 * a timer or cron, cgi-fcgi from a shell, or queue-pump --once.
 *
 * Any number may run, on any number of hosts.  What is dialled is decided in
 * sql/functions/40_claim.sql.
 */
#include "base/settings.h"
#include "lib/seal.h"
#include "web/server.h"
#include "work/pump.h"

#include <stdlib.h>
#include <string.h>

/* ---- input ---------------------------------------------------------- */

struct turn_in {
	int64_t wait;
};

static const struct field turn_fields[] = {
	FIELD(wait, QUERY, T_INT, INTO(struct turn_in, wait), .min = 0, .max = 3600, .dflt = "0",
	    .doc = "Seconds to stay and dial what becomes due."),
};

/* ---- answers --------------------------------------------------------- */

static const struct field dial_result_out[] = {
	ABOUT("What became of a dial of this turn."),
	FIELD(success, OUT, T_BOOL, .required = true, .doc = "Whether the provider took it."),
	FIELD(call_id, OUT, T_UUID, .required = true, .doc = "The call."),
	FIELD(provider_call_id, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "The provider's own name for it."),
	FIELD(error, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "Why it was not taken."),
};

static const struct field call_turn_out[] = {
	ABOUT("What a turn of the pump did."),
	FIELD(claimed, OUT, T_INT, .required = true, .doc = "Calls that this turn took to dial."),
	FIELD(accepted, OUT, T_INT, .required = true, .doc = "Dials that a provider took."),
	FIELD(refused, OUT, T_INT, .required = true, .doc = "Dials that were certainly not made."),
	FIELD(unknown, OUT, T_INT, .required = true, .doc = "Dials that may have been made."),
	FIELD(looked, OUT, T_INT, .required = true, .doc = "Questions to providers."),
	FIELD(hung_up, OUT, T_INT, .required = true, .doc = "Calls that were ended on request."),
	FIELD(expired, OUT, T_INT, .required = true, .doc = "Calls that were given up in time."),
	FIELD(swept, OUT, T_INT, .required = true, .doc = "Kept events that were applied."),
	FIELD(sealed, OUT, T_INT, .required = true, .doc = "Plain keys that were sealed."),
	FIELD(failures, OUT, T_INT, .required = true, .doc = "Times the database failed it."),
	FIELD(waiting, OUT, T_OBJECT, ITEMS(T_INT), .required = true,
	    .doc = "How many due calls wait for which reason."),
	FIELD(message, OUT, T_STR, .required = true, .doc = "The turn in words."),
	FIELD(seconds, OUT, T_NUMBER, .required = true, .doc = "How long it took."),
	FIELD(results, OUT, T_ARRAY, MEMBERS(dial_result_out), .required = true,
	    .doc = "What became of the first dials."),
};

/* ---- operations ----------------------------------------------------- */

static int
run_turn(struct ctx *c, const void *arg)
{
	const struct turn_in *in = arg;
	struct pump p;
	const char *summary;

	if (pump_open(&p, server_db()) == -1)
		return fail(c, ERR_UNAVAILABLE, "out of memory");

	summary = pump_turn(&p, in->wait * 1000, server_stop_fd());
	summary = summary ? mem_str(c->mem, summary) : NULL;
	pump_close(&p);
	if (!summary)
		return fail(c, ERR_UNAVAILABLE, "out of memory");
	return reply_json(c, 200, span_of(summary));
}

/* ---- routes --------------------------------------------------------- */

static const struct route routes[] = {
	{ POST, "/internal/queue-pump", INTERNAL, FIELDS(turn_fields), run_turn, 200, NULL,
	    "Do all that is due; stay for a while if asked to.",
	    .returns = RETURNS(call_turn_out) },
};

/* ---- from a shell ---------------------------------------------------- */

/* queue-pump --once [--wait SECONDS]: one turn, its summary on standard output. */
static bool
run_once(int argc, char *argv[], int *ret)
{
	struct pump p;
	const char *summary;
	long wait = 0;

	if (strcmp(argv[1], "--once") != 0)
		return false;
	if (argc == 4 && strcmp(argv[2], "--wait") == 0)
		wait = strtol(argv[3], NULL, 10);
	else if (argc != 2)
		return false;
	*ret = EXIT_FAILURE;
	if (pump_open(&p, server_db()) == -1)
		return true;
	summary = pump_turn(&p, wait * 1000, server_stop_fd());
	if (summary)
		puts(summary);
	if (summary && p.counts.failures == 0)
		*ret = EXIT_SUCCESS;
	pump_close(&p);
	return true;
}

static int
check_settings(void)
{
	return seal_ready();
}

static const int needs[] = { SET_DATABASE_URL, SET_HOOKSWITCH_SECRET_KEY, -1 };

int
main(int argc, char *argv[])
{
	return server_main(argc, argv,
	    &(const struct server){ "queue-pump", routes, COUNT(routes),
		.about = "Dials what is due.", .db_role = "hookswitch_pump", .needs = needs,
		.usage = "  --once [--wait SECONDS]   do one turn and print its summary",
		.start = check_settings, .option = run_once });
}
