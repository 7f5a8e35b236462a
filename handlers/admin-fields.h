/*
 * admin-fields.h - what admin takes: tables for admin.c alone.
 */
#ifndef HANDLERS_ADMIN_FIELDS_H
#define HANDLERS_ADMIN_FIELDS_H

#include "admin-answers.h"

enum {
	PRIORITY_MAX = 1000,
	CONCURRENT_MAX = 100000,
	STARTS_MAX = 10000,
	TIMEOUT_MAX = 120000,
	SECONDS_MAX = 7 * 86400,
	SCALE_MAX = 1000
};

#define PAGE                                                                                       \
	FIELD(after, QUERY, T_CURSOR, .doc = "next_cursor of the page before."),                   \
	    FIELD(limit, QUERY, T_INT, .min = 1, .max = 100, .dflt = "20", .doc = "Page size.")
#define SEARCH                                                                                     \
	FIELD(q, QUERY, T_STR, .min = 1, .max = 200,                                               \
	    .doc = "Only those whose id begins so, or whose names hold it.")

static const struct field page_fields[] = { PAGE };

/* ---- people and organizations --------------------------------------------- */

static const struct field people_fields[] = {
	SEARCH,
	FIELD(status, QUERY, T_ENUM, VALUES("active", "inactive"),
	    .doc = "Only open or closed accounts."),
	PAGE,
};

static const struct field person_fields[] = {
	FIELD(user_id, PATH, T_UUID, .required = true, .doc = "The person."),
};

static const struct field organizations_fields[] = {
	SEARCH,
	FIELD(status, QUERY, T_ENUM, ORGANIZATION_STATUS, .doc = "Only those with this status."),
	PAGE,
};

static const struct field organization_fields[] = {
	FIELD(organization_id, PATH, T_UUID, .required = true, .doc = "The organization."),
};

/* ---- providers --------------------------------------------------------------- */

#define PROVIDER_ID FIELD(provider_id, PATH, T_UUID, .required = true, .doc = "The provider.")

#define PROVIDER_NUMBERS                                                                           \
	FIELD(is_active, BODY, T_BOOL, .doc = "Whether calls go there."),                          \
	    FIELD(priority, BODY, T_INT, .min = 0, .max = PRIORITY_MAX,                            \
		.doc = "A smaller number is asked first."),                                        \
	    FIELD(max_concurrent_calls, BODY, T_INT, .min = 0, .max = CONCURRENT_MAX,              \
		.doc = "Live calls at once at most."),                                             \
	    FIELD(silence_seconds, BODY, T_NUMBER, .min = 1, .max = SECONDS_MAX,                   \
		.doc = "A live call that was not heard of for so long is looked up."),             \
	    FIELD(report_grace_seconds, BODY, T_NUMBER, .min = 0, .max = SECONDS_MAX,              \
		.doc = "An ended call whose report has not come after this time is looked up."),   \
	    FIELD(report_patience_seconds, BODY, T_NUMBER, .min = 1, .max = SECONDS_MAX,           \
		.doc = "After this time without any report an ended call is closed."),             \
	    FIELD(absence_gap_seconds, BODY, T_NUMBER, .min = 1, .max = SECONDS_MAX,               \
		.doc = "Two listings that prove absence are at least so far apart."),              \
	    FIELD(absence_after_seconds, BODY, T_NUMBER, .min = 1, .max = SECONDS_MAX,             \
		.doc = "The later of them begins so long after the attempt's deadline."),          \
	    FIELD(absence_slack_seconds, BODY, T_NUMBER, .min = 0, .max = SECONDS_MAX,             \
		.doc = "Listings go back so far before the attempt's start."),                     \
	    FIELD(unknown_patience_seconds, BODY, T_NUMBER, .min = 60, .max = SECONDS_MAX,         \
		.doc = "An attempt unknown for longer fails."),                                    \
	    FIELD(cool_seconds, BODY, T_NUMBER, .min = 0, .max = SECONDS_MAX,                      \
		.doc = "The first rest after a refusal; it doubles."),                             \
	    FIELD(retry_scale, BODY, T_NUMBER, .min = 0, .max = SCALE_MAX,                         \
		.doc = "Multiplies the waits between redials.")

static const struct field provider_create_fields[] = {
	FIELD(name, BODY, T_STR, .min = 1, .max = 200, .required = true, .doc = "Its name."),
	FIELD(provider_type, BODY, T_ENUM, VALUES("vapi", "synthflow"), .required = true,
	    .doc = "Its kind."),
	FIELD(base_url, BODY, T_STR, .min = 1, .max = 500,
	    .doc = "Where its API is, https; without it the provider's own."),
	FIELD(starts_per_second, BODY, T_NUMBER, .min = 0, .max = STARTS_MAX,
	    .doc = "Dials in any second at most; without it no limit, for SynthFlow one."),
	FIELD(timeout_ms, BODY, T_INT, .min = 100, .max = TIMEOUT_MAX,
	    .doc = "How long it may take to answer; without it as the settings say."),
	PROVIDER_NUMBERS,
};

static const struct field provider_update_fields[] = {
	PROVIDER_ID,
	FIELD(name, BODY, T_STR, .min = 1, .max = 200, .doc = "Its name."),
	FIELD(base_url, BODY, T_STR, .min = 1, .max = 500, .nullable = true,
	    .doc = "Where its API is, https; null: the provider's own."),
	FIELD(starts_per_second, BODY, T_NUMBER, .min = 0, .max = STARTS_MAX, .nullable = true,
	    .doc = "Dials in any second at most; null: no limit."),
	FIELD(timeout_ms, BODY, T_INT, .min = 100, .max = TIMEOUT_MAX, .nullable = true,
	    .doc = "How long it may take to answer; null: as the settings say."),
	PROVIDER_NUMBERS,
};

static const struct field provider_fields[] = { PROVIDER_ID };

struct provider_in {
	const char *provider_id;
	const char *api_key;
};

static const struct field check_fields[] = {
	FIELD(provider_id, PATH, T_UUID, INTO(struct provider_in, provider_id), .required = true,
	    .doc = "The provider."),
};

static const struct field key_fields[] = {
	FIELD(provider_id, PATH, T_UUID, INTO(struct provider_in, provider_id), .required = true,
	    .doc = "The provider."),
	FIELD(api_key, BODY, T_STR, INTO(struct provider_in, api_key), .min = 8, .max = 500,
	    .required = true,
	    .doc = "The new key; it is tried there first, and never shown again."),
};

/* ---- the queue ------------------------------------------------------------------ */

static const struct field attempts_fields[] = {
	FIELD(kind, QUERY, T_ENUM, VALUES("stuck", "unknown", "live"), .dflt = "stuck",
	    .doc = "Those that should have gone on, those of which nobody knows, or all."),
	FIELD(seconds, QUERY, T_INT, .min = 0, .max = SECONDS_MAX, .dflt = "300",
	    .doc = "Stuck: for longer than this."),
	PAGE,
};

static const struct field attempt_fields[] = {
	FIELD(attempt_id, PATH, T_UUID, .required = true, .doc = "The attempt."),
};

static const struct field call_fields[] = {
	FIELD(call_id, PATH, T_UUID, .required = true, .doc = "The call."),
};

static const struct field webhooks_fields[] = {
	FIELD(state, QUERY, T_ENUM,
	    VALUES("failed", "waiting", "foreign_call", "unmatched", "unknown"), .dflt = "failed",
	    .doc = "What became of them."),
	PAGE,
};

static const struct field event_fields[] = {
	FIELD(event_id, PATH, T_INT, .min = 1, .max = INT64_MAX, .required = true,
	    .doc = "The event."),
};

/* ---- runs, usage, the log ------------------------------------------------------------ */

static const struct field runs_fields[] = {
	FIELD(state, QUERY, T_ENUM,
	    VALUES("ready", "working", "waiting", "done", "failed", "canceled"),
	    .doc = "Only runs in this state; failed ones are dead letters."),
	FIELD(workflow, QUERY, T_STR, .max = 100, .doc = "Only runs of this workflow."),
	PAGE,
};

static const struct field run_fields[] = {
	FIELD(run_id, PATH, T_STR, .min = 1, .max = 200, .required = true, .doc = "The run."),
};

struct usage_in {
	const char *from, *to;
};

#define PERIOD                                                                                     \
	FIELD(from, QUERY, T_TIME, INTO(struct usage_in, from),                                    \
	    .doc = "What ended at this time or later; without it: this month (UTC)."),             \
	    FIELD(to, QUERY, T_TIME, INTO(struct usage_in, to),                                    \
		.doc = "What ended before this time; without it: until now.")

static const struct field usage_fields[] = { PERIOD, PAGE };
static const struct field export_fields[] = { PERIOD };

static const struct field log_fields[] = {
	FIELD(action, QUERY, T_STR, .max = 100, .doc = "Only this action: provider.updated."),
	FIELD(actor_id, QUERY, T_UUID, .doc = "Only what this operator did."),
	FIELD(from, QUERY, T_TIME, .doc = "Only what was done at this time or later."),
	FIELD(to, QUERY, T_TIME, .doc = "Only what was done before this time."),
	PAGE,
};

#endif
