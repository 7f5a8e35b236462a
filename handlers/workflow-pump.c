/*
 * workflow-pump.c - works on runs that are due.  Triggered like queue-pump: POST
 * /internal/workflow-pump?wait=55 by a timer or cron, cgi-fcgi from a shell, or workflow-pump
 * --once.
 *
 * Any number may run, on any number of hosts.  What a workflow does stands in
 * common/work/flow_*.c; what operators may ask of runs is here.
 */
#include "base/settings.h"
#include "lib/seal.h"
#include "peers/mail.h"
#include "web/server.h"
#include "work/flow_assistant.h"
#include "work/flow_auth.h"
#include "work/flow_cycle.h"
#include "work/flow_dunning.h"
#include "work/flow_mail.h"
#include "work/flow_number.h"
#include "work/flow_number_sweep.h"
#include "work/flow_organization.h"
#include "work/flow_provision.h"
#include "work/flow_reconcile.h"
#include "work/flow_sms.h"
#include "work/flow_stripe.h"
#include "work/flow_stripe_surplus.h"
#include "work/flow_usage.h"
#include "work/flow_usage_report.h"
#include "work/flow_verify.h"
#include "work/run.h"
#include "workflow-answers.h"

#include <stdlib.h>

/* All workflows that this program knows, ended by NULL; runs of others are left alone. */
static const struct workflow *const workflows[] = { &flow_assistant, &flow_auth, &flow_cycle,
	&flow_dunning, &flow_mail, &flow_number, &flow_number_release, &flow_number_sweep,
	&flow_organization, &flow_periods, &flow_provision, &flow_provision_catchup,
	&flow_reconcile, &flow_sms, &flow_stripe_end, &flow_stripe_expire, &flow_stripe_surplus,
	&flow_stripe_sync, &flow_subscription_sync, &flow_usage, &flow_usage_report, &flow_verify,
	NULL };

/* ---- input ---------------------------------------------------------- */

struct turn_in {
	int64_t wait;
};

static const struct field turn_fields[] = {
	FIELD(wait, QUERY, T_INT, INTO(struct turn_in, wait), .min = 0, .max = 3600, .dflt = "0",
	    .doc = "Seconds to stay and work on what becomes due."),
};

static const struct field list_fields[] = {
	FIELD(state, QUERY, T_ENUM, RUN_STATES,
	    .doc = "Runs in this state; failed are the dead letters."),
	FIELD(workflow, QUERY, T_STR, .min = 1, .max = 100, .doc = "Runs of this workflow."),
	FIELD(after, QUERY, T_CURSOR, .doc = "Continue behind this cursor."),
	FIELD(limit, QUERY, T_INT, .min = 1, .max = 100, .dflt = "20", .doc = "Page size."),
};

#define RUN_ID FIELD(run_id, PATH, T_STR, .required = true, .min = 1, .max = 300, .doc = "The run.")

static const struct field run_fields[] = { RUN_ID };

static const struct field signal_fields[] = {
	RUN_ID,
	FIELD(name, BODY, T_STR, .required = true, .min = 1, .max = 100,
	    .doc = "What the run waits for."),
	FIELD(payload, BODY, T_OBJECT, .doc = "What the waiting step's result gets as signal."),
	FIELD(signal, BODY, T_STR, .min = 1, .max = 300,
	    .doc = "An id of your choosing: the same twice is once."),
};

/* ---- answers --------------------------------------------------------- */

static const struct field work_turn_out[] = {
	ABOUT("What a turn of the pump did."),
	FIELD(claimed, OUT, T_INT, .required = true, .doc = "Runs that this turn took."),
	FIELD(rescued, OUT, T_INT, .required = true, .doc = "Of these: from a worker that died."),
	FIELD(sent, OUT, T_INT, .required = true, .doc = "Requests to outside systems."),
	FIELD(looked, OUT, T_INT, .required = true, .doc = "Questions about unknown outcomes."),
	FIELD(done, OUT, T_INT, .required = true, .doc = "Steps that are done."),
	FIELD(retried, OUT, T_INT, .required = true, .doc = "Steps that are tried again later."),
	FIELD(unknown, OUT, T_INT, .required = true, .doc = "Steps of unknown outcome."),
	FIELD(failed, OUT, T_INT, .required = true, .doc = "Steps that failed for good."),
	FIELD(finished, OUT, T_INT, .required = true, .doc = "Runs that came to their end."),
	FIELD(dead, OUT, T_INT, .required = true, .doc = "Runs that became dead letters."),
	FIELD(scheduled, OUT, T_INT, .required = true, .doc = "Runs that the clock started."),
	FIELD(pruned, OUT, T_INT, .required = true, .doc = "Old runs that were removed."),
	FIELD(transcripts_read, OUT, T_INT, .required = true,
	    .doc = "Transcripts that can be searched now."),
	FIELD(usage_counted, OUT, T_INT, .required = true,
	    .doc = "Rows of the ledger that are in the sums of their periods now."),
	FIELD(failures, OUT, T_INT, .required = true, .doc = "Times the database failed it."),
	FIELD(message, OUT, T_STR, .required = true, .doc = "The turn in words."),
	FIELD(seconds, OUT, T_NUMBER, .required = true, .doc = "How long it took."),
};

/* ---- operations ----------------------------------------------------- */

static int
run_turn(struct ctx *c, const void *arg)
{
	const struct turn_in *in = arg;
	struct work w;
	const char *summary;

	if (work_open(&w, server_db(), workflows) == -1)
		return fail(c, ERR_UNAVAILABLE, "out of memory");

	summary = work_turn(&w, in->wait * 1000, server_stop_fd());
	summary = summary ? mem_str(c->mem, summary) : NULL;
	work_close(&w);
	if (!summary)
		return fail(c, ERR_UNAVAILABLE, "out of memory");
	return reply_json(c, 200, span_of(summary));
}

static void
poke_after(struct ctx *c)
{
	(void)c;
	work_poke();
}

/* ---- routes --------------------------------------------------------- */

/* run_query: answer with what the named function of schema api returns. */
static const struct route routes[] = {
	{ POST, "/internal/workflow-pump", INTERNAL, FIELDS(turn_fields), run_turn, 200, NULL,
	    "Work on all that is due; stay for a while if asked to.",
	    .returns = RETURNS(work_turn_out) },
	{ GET, "/internal/workflow-runs", INTERNAL, FIELDS(list_fields), run_query, 200,
	    "workflow_run_list", "List runs, newest first.",
	    .returns = RETURNS_LIST(workflow_run_line_out) },
	{ GET, "/internal/workflow-runs/{run_id}", INTERNAL, FIELDS(run_fields), run_query, 200,
	    "workflow_run_get", "One run with its history.", .returns = RETURNS(workflow_run_out),
	    .errors = ERRORS(ERR_WORKFLOW_RUN_NOT_FOUND) },
	{ POST, "/internal/workflow-runs/{run_id}/redrive", INTERNAL, FIELDS(run_fields), run_query,
	    200, "workflow_run_redrive", "A dead letter goes on where it failed.",
	    .after = poke_after, .returns = RETURNS(workflow_run_out),
	    .errors = ERRORS(ERR_WORKFLOW_RUN_NOT_FOUND, ERR_WORKFLOW_RUN_NOT_FAILED) },
	{ POST, "/internal/workflow-runs/{run_id}/cancel", INTERNAL, FIELDS(run_fields), run_query,
	    200, "workflow_run_cancel", "End a run; what it did is undone.", .after = poke_after,
	    .returns = RETURNS(workflow_run_out),
	    .errors = ERRORS(ERR_WORKFLOW_RUN_NOT_FOUND, ERR_WORKFLOW_RUN_OVER) },
	{ POST, "/internal/workflow-runs/{run_id}/signal", INTERNAL, FIELDS(signal_fields),
	    run_query, 200, "workflow_run_signal", "Tell a run something.", .after = poke_after,
	    .returns = RETURNS(workflow_run_out),
	    .errors = ERRORS(ERR_WORKFLOW_RUN_NOT_FOUND, ERR_WORKFLOW_RUN_OVER) },
};

/* ---- from a shell ---------------------------------------------------- */

static bool
run_once(int argc, char *argv[], int *ret)
{
	return work_once(argc, argv, workflows, ret);
}

static int
check_settings(void)
{
	return seal_ready() == 0 ? mail_ready() : -1;
}

static const int needs[] = { SET_DATABASE_URL, SET_HOOKSWITCH_SECRET_KEY, -1 };

int
main(int argc, char *argv[])
{
	return server_main(argc, argv,
	    &(const struct server){ "workflow-pump", routes, COUNT(routes),
		.about = "Works on runs that are due, and shows them.",
		.db_role = "hookswitch_pump", .needs = needs,
		.usage = "  --once [--wait SECONDS]   do one turn and print its summary",
		.start = check_settings, .option = run_once });
}
