/*
 * admin.c - for operators of an installation: people and organizations, plans and who has one,
 * providers and their keys, what waits or hangs, what was used, what does not fit together.
 *
 * What may be done is decided by sql/functions; dialling, hanging up and runs are the pumps'.
 */
#include "admin-answers.h"
#include "admin-billing.h"
#include "admin-fields.h"
#include "admin-numbers.h"
#include "admin-provider-answers.h"
#include "base/clock.h"
#include "base/poke.h"
#include "base/settings.h"
#include "lib/crypto.h"
#include "lib/fetch.h"
#include "lib/seal.h"
#include "peers/voice.h"
#include "web/reply.h"
#include "web/server.h"
#include "web/stream_query.h"
#include "workflow-answers.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define ROOT "/api/v1/admin"
#define PERSON_PATH ROOT "/people/{user_id}"
#define ORGANIZATION ROOT "/organizations/{organization_id}"
#define SUBSCRIPTION ORGANIZATION "/subscription"
#define PLAN ROOT "/plans/{plan_id}"
#define DIFFERENCE ROOT "/billing/differences/{difference_id}"
#define NUMBERS ROOT "/numbers"
#define PROVIDER ROOT "/providers/{provider_id}"
#define RUN ROOT "/runs/{run_id}"

/* ---- keys of providers ------------------------------------------------ */

enum { HINT = 4, HINT_FROM = 12, FINGERPRINT = 16 };

static const struct db_stmt key_stmt = { "admin_provider_key",
	"select api.admin_provider_key($1, $2, $3, $4, $5)" };

/* The account of the route's function, with another key; NULL: its own. */
static const struct json *
read_account(struct ctx *c, const struct provider_in *in, struct voice_account *ret)
{
	const struct json *row = db_call(c, ARGS(in->provider_id));

	if (!row)
		return NULL;
	if (voice_account_read(c->mem, row, ret) < 0 && (errno != EACCES || !in->api_key)) {
		fail(c, ERR_UNAVAILABLE, "the provider's account cannot be read");
		return NULL;
	}
	if (in->api_key)
		ret->api_key = in->api_key;
	return row;
}

/* Asks something harmless.  Both routes are no POSTs, so that no transaction is open meanwhile. */
static int
ask_provider(struct ctx *c, const struct voice_account *a, struct fetch_answer *ret)
{
	struct fetch_request request = { .method = NULL };

	if (voice_find(a->type)->check(c->mem, a, &request) < 0)
		return fail(c, errno == ENOMEM ? ERR_INTERNAL : ERR_PROVIDER_KEY_REFUSED,
		    "the key cannot be sent");
	if (fetch_one(c, &request, ret) < 0)
		return fail(c, ERR_UNAVAILABLE, "the provider cannot be asked just now");
	return 0;
}

/* What a key is told by: its end, and its digest's beginning. */
static int
mark_key(struct ctx *c, const char *key, struct span *hint, struct span *fingerprint)
{
	unsigned char digest[SHA256_LEN];
	char hex[2 * SHA256_LEN + 1];
	size_t n = strlen(key);

	if (crypto_sha256(span_of(key), digest) < 0)
		return fail(c, ERR_INTERNAL, "no digest");
	crypto_hex(digest, sizeof(digest), hex);
	*hint = span_of(n >= HINT_FROM ? mem_str(c->mem, key + n - HINT) : NULL);
	*fingerprint = span_of(mem_dup(c->mem, hex, FINGERPRINT));
	return fingerprint->data ? 0 : fail(c, ERR_INTERNAL, "out of memory");
}

/* The old key is good until this one statement has put the new one in its place. */
static int
store_key(struct ctx *c, const struct provider_in *in, int64_t number)
{
	const char *sealed = seal_close(c->mem, "provider.api_key", in->api_key);
	const char *which = mem_printf(c->mem, "%" PRId64, number);
	struct db_rows rows = { .n = 0 };
	struct span params[5];

	if (!sealed)
		return fail(c, ERR_UNAVAILABLE, "HOOKSWITCH_SECRET_KEY is needed to keep a key");
	if (!which)
		return fail(c, ERR_INTERNAL, "out of memory");
	params[0] = span_of(in->provider_id);
	params[1] = span_of(which);
	params[2] = span_of(sealed);
	if (mark_key(c, in->api_key, &params[3], &params[4]) < 0)
		return -1;
	if (db_ask(c, &(struct db_step){ &key_stmt, params, COUNT(params), &rows }, 1) < 0)
		return -1;
	return reply_json(c, 200, db_value(&rows, 0, 0));
}

/* ---- operations ----------------------------------------------------- */

static int
rotate_key(struct ctx *c, const void *arg)
{
	const struct provider_in *in = arg;
	struct voice_account account = { .type = NULL };
	struct fetch_answer answer = { .why = NULL };
	const struct json *row = read_account(c, in, &account);

	if (!row || ask_provider(c, &account, &answer) < 0)
		return -1;

	switch (voice_checked(&answer)) {
	case KEY_GOOD:
		return store_key(c, in, json_int(row, "key_number", 0));
	case KEY_REFUSED:
		return fail(c, ERR_PROVIDER_KEY_REFUSED, "the old key stays");
	case KEY_UNKNOWN:
		break;
	}
	fail(c, ERR_UNAVAILABLE, "the provider did not tell; the old key stays");
	fail_log(c, "check: status %d %s", answer.status, answer.why ? answer.why : "");
	return -1;
}

static int
check_provider(struct ctx *c, const void *arg)
{
	static const char *const results
	    [] = { [KEY_GOOD] = "good", [KEY_REFUSED] = "refused", [KEY_UNKNOWN] = "unknown" };
	struct voice_account account = { .type = NULL };
	struct fetch_answer answer = { .why = NULL };
	struct out *o;

	if (!read_account(c, arg, &account) || ask_provider(c, &account, &answer) < 0)
		return -1;

	o = reply_open(c, 200);
	put_str(o, "result", results[voice_checked(&answer)]);
	put_int(o, "status", answer.status);
	put_int(o, "ms", answer.ms);
	return reply_close(o);
}

/* What ends while it is written is not in it. */
static int
export_usage(struct ctx *c, const void *arg)
{
	const struct usage_in *in = arg;
	char now[CLOCK_TEXT_MAX];

	return stream_query(c, "text/csv; charset=utf-8", "usage.csv",
	    ARGS(in->from, in->to ? in->to : clock_format(clock_wall_ms(), now)));
}

/* Waiting pumps of this host need not wait for their next look. */
static void
poke_pump(struct ctx *c)
{
	(void)c;
	poke_send("pump");
}

static void
poke_work(struct ctx *c)
{
	(void)c;
	poke_send("work");
}

/* ---- routes --------------------------------------------------------- */

static const struct route routes[] = {
	{ GET, ROOT "/people", OPERATOR, FIELDS(people_fields), run_query, 200, "admin_person_list",
	    "Find people, the newest first.", .returns = RETURNS_LIST(admin_person_line_out) },
	{ GET, PERSON_PATH, OPERATOR, FIELDS(person_fields), run_query, 200, "admin_person_get",
	    "One person, with organizations.", .returns = RETURNS(admin_person_out),
	    .errors = ERRORS(ERR_USER_NOT_FOUND) },
	{ POST, PERSON_PATH "/disable", OPERATOR, FIELDS(person_fields), run_query, 200,
	    "admin_person_disable", "Close an account at once, with its sessions.",
	    .returns = RETURNS(admin_person_out),
	    .errors = ERRORS(ERR_USER_NOT_FOUND, ERR_OPERATOR_SELF) },
	{ POST, PERSON_PATH "/enable", OPERATOR, FIELDS(person_fields), run_query, 200,
	    "admin_person_enable", "Open it again, if its address is confirmed.",
	    .returns = RETURNS(admin_person_out), .errors = ERRORS(ERR_USER_NOT_FOUND) },
	{ GET, ROOT "/organizations", OPERATOR, FIELDS(organizations_fields), run_query, 200,
	    "admin_organization_list", "Find organizations, the newest first.",
	    .returns = RETURNS_LIST(admin_organization_line_out) },
	{ GET, ORGANIZATION, OPERATOR, FIELDS(organization_fields), run_query, 200,
	    "admin_organization_get", "One organization, with members, plan and usage.",
	    .returns = RETURNS(admin_organization_out),
	    .errors = ERRORS(ERR_ORGANIZATION_NOT_FOUND) },
	{ POST, ORGANIZATION "/disable", OPERATOR, FIELDS(organization_fields), run_query, 200,
	    "admin_organization_disable",
	    "Close it at once: nobody gets in, nothing more is dialled.",
	    .returns = RETURNS(admin_organization_out),
	    .errors = ERRORS(ERR_ORGANIZATION_NOT_FOUND, ERR_ORGANIZATION_DELETED) },
	{ POST, ORGANIZATION "/enable", OPERATOR, FIELDS(organization_fields), run_query, 200,
	    "admin_organization_enable", "Open it again, as it was.", .after = poke_pump,
	    .returns = RETURNS(admin_organization_out),
	    .errors = ERRORS(ERR_ORGANIZATION_NOT_FOUND, ERR_ORGANIZATION_DELETED) },
	{ GET, SUBSCRIPTION, OPERATOR, FIELDS(organization_fields), run_query, 200,
	    "admin_subscription_get", "What it has, how it stands, what it had before.",
	    .returns = RETURNS(admin_subscription_out),
	    .errors = ERRORS(ERR_ORGANIZATION_NOT_FOUND) },
	{ PUT, SUBSCRIPTION, OPERATOR, FIELDS(subscription_put_fields), run_query, 200,
	    "admin_subscription_put", "Give it a plan by hand, with an end or for good.",
	    .after = poke_pump, .returns = RETURNS(admin_subscription_out),
	    .errors = ERRORS(ERR_ORGANIZATION_NOT_FOUND, ERR_SUBSCRIPTION_PLAN_NOT_FOUND,
		ERR_EXPIRES_IN_PAST, ERR_SUBSCRIPTION_PAID) },
	{ DELETE, SUBSCRIPTION, OPERATOR, FIELDS(organization_fields), run_query, 200,
	    "admin_subscription_delete", "End one by hand: what remains is the default plan.",
	    .returns = RETURNS(admin_subscription_out),
	    .errors = ERRORS(ERR_ORGANIZATION_NOT_FOUND, ERR_SUBSCRIPTION_PAID) },
	{ GET, ROOT "/plans", OPERATOR, FIELDS(page_fields), run_query, 200, "admin_plan_list",
	    "All plans, the oldest first.", .returns = RETURNS_LIST(admin_plan_full_out) },
	{ POST, ROOT "/plans", OPERATOR, FIELDS(plan_create_fields), run_query, 201,
	    "admin_plan_create", "Make one.", .returns = RETURNS(admin_plan_full_out),
	    .errors = ERRORS(ERR_PLAN_NAME_TAKEN, ERR_PLAN_DEFAULT, ERR_PRICE_TAKEN,
		ERR_CURRENCY_INVALID) },
	{ GET, PLAN, OPERATOR, FIELDS(plan_fields), run_query, 200, "admin_plan_get",
	    "One plan, with its prices.", .returns = RETURNS(admin_plan_full_out),
	    .errors = ERRORS(ERR_SUBSCRIPTION_PLAN_NOT_FOUND) },
	{ PATCH, PLAN, OPERATOR, FIELDS(plan_update_fields), run_query, 200, "admin_plan_update",
	    "Change it; who pays for it keeps what he bought.", .after = poke_pump,
	    .returns = RETURNS(admin_plan_full_out),
	    .errors = ERRORS(ERR_SUBSCRIPTION_PLAN_NOT_FOUND, ERR_PLAN_NAME_TAKEN, ERR_PLAN_DEFAULT,
		ERR_PLAN_IN_USE, ERR_PRICE_TAKEN, ERR_CURRENCY_INVALID) },
	{ POST, PLAN "/prices", OPERATOR, FIELDS(plan_price_fields), run_query, 200,
	    "admin_plan_price", "Say that a price at a provider stands for it.", .after = poke_work,
	    .returns = RETURNS(admin_plan_full_out),
	    .errors = ERRORS(ERR_SUBSCRIPTION_PLAN_NOT_FOUND, ERR_PRICE_TAKEN) },
	{ GET, ROOT "/billing/differences", OPERATOR, FIELDS(differences_fields), run_query, 200,
	    "admin_difference_list",
	    "Where our books and a provider's do not agree, those seen last first.",
	    .returns = RETURNS_LIST(admin_difference_out) },
	{ GET, DIFFERENCE, OPERATOR, FIELDS(difference_fields), run_query, 200,
	    "admin_difference_get", "One difference.", .returns = RETURNS(admin_difference_out),
	    .errors = ERRORS(ERR_DIFFERENCE_NOT_FOUND) },
	{ POST, DIFFERENCE "/reread", OPERATOR, FIELDS(difference_fields), run_query, 200,
	    "admin_difference_reread", "Have the thing read again at the provider now.",
	    .after = poke_work, .returns = RETURNS(admin_difference_out),
	    .errors = ERRORS(ERR_DIFFERENCE_NOT_FOUND, ERR_DIFFERENCE_NOT_READABLE) },
	{ POST, ROOT "/billing/reconcile", OPERATOR, NO_FIELDS, run_query, 202, "admin_reconcile",
	    "Compare our books with Stripe's now.", .after = poke_work,
	    .returns = RETURNS(admin_reconcile_out) },
	{ GET, ROOT "/billing/events", OPERATOR, FIELDS(billing_events_fields), run_query, 200,
	    "admin_billing_event_list", "Money events of all organizations, the newest first.",
	    .returns = RETURNS_LIST(admin_billing_event_out) },
	{ GET, NUMBERS "/policy", OPERATOR, NO_FIELDS, run_query, 200, "admin_number_policy_get",
	    "How numbers are given by themselves.", .returns = RETURNS(admin_number_policy_out) },
	{ PATCH, NUMBERS "/policy", OPERATOR, FIELDS(number_policy_fields), run_query, 200,
	    "admin_number_policy_update",
	    "Change that: off, on, for a share of the organizations, for some.", .after = poke_work,
	    .returns = RETURNS(admin_number_policy_out),
	    .errors = ERRORS(ERR_COUNTRY_INVALID, ERR_ASSISTANT_TEMPLATE_NOT_FOUND) },
	{ GET, NUMBERS, OPERATOR, FIELDS(admin_numbers_fields), run_query, 200, "admin_number_list",
	    "Numbers of all organizations, the newest first.",
	    .returns = RETURNS_LIST(admin_number_out) },
	{ GET, NUMBERS "/log", OPERATOR, FIELDS(admin_number_log_fields), run_query, 200,
	    "admin_number_log", "What was decided and done about numbers, the newest first.",
	    .returns = RETURNS_LIST(admin_number_log_out) },
	{ GET, NUMBERS "/differences", OPERATOR, FIELDS(admin_number_differences_fields), run_query,
	    200, "admin_number_difference_list",
	    "Where our numbers and Twilio's and Vapi's do not agree, those seen last first.",
	    .returns = RETURNS_LIST(admin_number_difference_out) },
	{ POST, NUMBERS "/{number_id}/release", OPERATOR, FIELDS(admin_number_fields), run_query,
	    200, "admin_number_release", "Give a number back, whoever has it.", .after = poke_work,
	    .returns = RETURNS(admin_number_out), .errors = ERRORS(ERR_NUMBER_NOT_FOUND) },
	{ GET, ROOT "/providers", OPERATOR, FIELDS(page_fields), run_query, 200,
	    "admin_provider_list", "Accounts at voice providers, the first ones first.",
	    .returns = RETURNS_LIST(admin_provider_out) },
	{ POST, ROOT "/providers", OPERATOR, FIELDS(provider_create_fields), run_query, 201,
	    "admin_provider_create", "Make one; unless told otherwise it takes no calls yet.",
	    .returns = RETURNS(admin_provider_out),
	    .errors = ERRORS(ERR_URL_INVALID, ERR_STARTS_INVALID, ERR_PROVIDER_TYPE_UNKNOWN) },
	{ GET, PROVIDER, OPERATOR, FIELDS(provider_fields), run_query, 200, "admin_provider_get",
	    "One provider.", .returns = RETURNS(admin_provider_out),
	    .errors = ERRORS(ERR_PROVIDER_NOT_FOUND) },
	{ PATCH, PROVIDER, OPERATOR, FIELDS(provider_update_fields), run_query, 200,
	    "admin_provider_update", "Change it.", .after = poke_pump,
	    .returns = RETURNS(admin_provider_out),
	    .errors = ERRORS(ERR_PROVIDER_NOT_FOUND, ERR_URL_INVALID, ERR_STARTS_INVALID) },
	{ DELETE, PROVIDER, OPERATOR, FIELDS(provider_fields), run_query, 204,
	    "admin_provider_delete", "Take it away; not while calls are under way there.",
	    .errors = ERRORS(ERR_PROVIDER_NOT_FOUND, ERR_PROVIDER_IN_USE) },
	{ PUT, PROVIDER "/key", OPERATOR, FIELDS(key_fields), rotate_key, 200,
	    "admin_provider_account",
	    "Give it another key; the old one stays until the provider has taken the new one.",
	    .after = poke_pump, .returns = RETURNS(admin_provider_out),
	    .errors = ERRORS(ERR_PROVIDER_NOT_FOUND, ERR_PROVIDER_KEY_REFUSED,
		ERR_PROVIDER_KEY_CHANGED) },
	{ GET, PROVIDER "/check", OPERATOR, FIELDS(check_fields), check_provider, 200,
	    "admin_provider_account", "Ask the provider now whether the key is good.",
	    .returns = RETURNS(admin_check_out),
	    .errors = ERRORS(ERR_PROVIDER_NOT_FOUND, ERR_PROVIDER_KEY_REFUSED) },
	{ GET, PROVIDER "/health", OPERATOR, FIELDS(provider_fields), run_query, 200,
	    "admin_provider_health", "How it does: live calls, refusals, the last hour.",
	    .returns = RETURNS(admin_health_out), .errors = ERRORS(ERR_PROVIDER_NOT_FOUND) },
	{ POST, PROVIDER "/pause", OPERATOR, FIELDS(provider_fields), run_query, 200,
	    "admin_provider_pause", "Switch it off: calls under way go to their end.",
	    .returns = RETURNS(admin_provider_out), .errors = ERRORS(ERR_PROVIDER_NOT_FOUND) },
	{ POST, PROVIDER "/drain", OPERATOR, FIELDS(provider_fields), run_query, 200,
	    "admin_provider_drain", "Send new calls elsewhere for a while.", .after = poke_pump,
	    .returns = RETURNS(admin_provider_out), .errors = ERRORS(ERR_PROVIDER_NOT_FOUND) },
	{ POST, PROVIDER "/resume", OPERATOR, FIELDS(provider_fields), run_query, 200,
	    "admin_provider_resume", "Send it calls again, at once.", .after = poke_pump,
	    .returns = RETURNS(admin_provider_out), .errors = ERRORS(ERR_PROVIDER_NOT_FOUND) },
	{ GET, ROOT "/queue", OPERATOR, NO_FIELDS, run_query, 200, "admin_queue",
	    "All tenants' calls at a glance.", .returns = RETURNS(admin_queue_out) },
	{ GET, ROOT "/queue/attempts", OPERATOR, FIELDS(attempts_fields), run_query, 200,
	    "admin_attempt_list", "Attempts that hang, or of which nobody knows, the oldest first.",
	    .returns = RETURNS_LIST(admin_attempt_out) },
	{ POST, ROOT "/queue/attempts/{attempt_id}/look", OPERATOR, FIELDS(attempt_fields),
	    run_query, 200, "admin_attempt_look", "Have the provider asked now what became of it.",
	    .after = poke_pump, .returns = RETURNS(admin_attempt_out),
	    .errors = ERRORS(ERR_ATTEMPT_NOT_FOUND, ERR_ATTEMPT_OVER) },
	{ POST, ROOT "/queue/calls/{call_id}/cancel", OPERATOR, FIELDS(call_fields), run_query, 200,
	    "admin_call_cancel", "End a call, or take it out of the queue.", .after = poke_pump,
	    .returns = RETURNS(admin_canceled_out),
	    .errors = ERRORS(ERR_CALL_NOT_FOUND, ERR_CALL_ENDED) },
	{ GET, ROOT "/queue/webhooks", OPERATOR, FIELDS(webhooks_fields), run_query, 200,
	    "admin_webhook_list",
	    "Events that could not be applied, or that somebody should look at, the newest first.",
	    .returns = RETURNS_LIST(admin_webhook_out) },
	{ POST, ROOT "/queue/webhooks/{event_id}/apply", OPERATOR, FIELDS(event_fields), run_query,
	    200, "admin_webhook_apply", "Apply an event again now.", .after = poke_pump,
	    .returns = RETURNS(admin_webhook_out),
	    .errors = ERRORS(ERR_WEBHOOK_EVENT_NOT_FOUND, ERR_WEBHOOK_EVENT_OVER) },
	{ GET, ROOT "/queue/end-reasons", OPERATOR, FIELDS(page_fields), run_query, 200,
	    "admin_end_reasons", "End reasons that are in no list, the newest first.",
	    .returns = RETURNS_LIST(admin_end_reason_out) },
	{ GET, ROOT "/runs", OPERATOR, FIELDS(runs_fields), run_query, 200, "workflow_run_list",
	    "Runs of workflows, the newest first.",
	    .returns = RETURNS_LIST(workflow_run_line_out) },
	{ GET, RUN, OPERATOR, FIELDS(run_fields), run_query, 200, "workflow_run_get",
	    "One run, with its history.", .returns = RETURNS(workflow_run_out),
	    .errors = ERRORS(ERR_WORKFLOW_RUN_NOT_FOUND) },
	{ POST, RUN "/redrive", OPERATOR, FIELDS(run_fields), run_query, 200, "admin_run_redrive",
	    "Let a dead letter go on where it stood.", .after = poke_work,
	    .returns = RETURNS(workflow_run_out),
	    .errors = ERRORS(ERR_WORKFLOW_RUN_NOT_FOUND, ERR_WORKFLOW_RUN_NOT_FAILED) },
	{ POST, RUN "/cancel", OPERATOR, FIELDS(run_fields), run_query, 200, "admin_run_cancel",
	    "End a run; what can be undone is undone.", .after = poke_work,
	    .returns = RETURNS(workflow_run_out),
	    .errors = ERRORS(ERR_WORKFLOW_RUN_NOT_FOUND, ERR_WORKFLOW_RUN_OVER) },
	{ GET, ROOT "/usage", OPERATOR, FIELDS(usage_fields), run_query, 200, "admin_usage",
	    "What each organization used, the newest first.",
	    .returns = RETURNS_LIST(admin_usage_out) },
	{ GET, ROOT "/usage/export", OPERATOR, FIELDS(export_fields), export_usage, 200,
	    "admin_usage_export", "The same of all organizations, as a table.",
	    .returns = RETURNS_FILE("text/csv") },
	{ GET, ROOT "/audit-log", OPERATOR, FIELDS(log_fields), run_query, 200, "admin_audit_list",
	    "What operators did, the newest first.", .returns = RETURNS_LIST(admin_log_entry_out) },
};

static const int needs[] = { SET_DATABASE_URL, -1 };

/* Without the key all but giving keys works; a wrong one is told at once. */
static int
start(void)
{
	return setting_str(SET_HOOKSWITCH_SECRET_KEY) ? seal_ready() : 0;
}

int
main(int argc, char *argv[])
{
	return server_main(argc, argv,
	    &(const struct server){ "admin", routes, COUNT(routes),
		.about = "What operators of an installation see and do.", .needs = needs,
		.start = start });
}
