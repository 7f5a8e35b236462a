/*
 * admin-provider-answers.h - what admin answers of voice providers: tables for admin.c alone.
 */
#ifndef HANDLERS_ADMIN_PROVIDER_ANSWERS_H
#define HANDLERS_ADMIN_PROVIDER_ANSWERS_H

#include "web/field.h"

/* public.admin_provider_view */
static const struct field admin_provider_out[] = {
	ABOUT("A voice provider's account that calls go to; its key is never shown."),
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The provider."),
	FIELD(name, OUT, T_STR, .required = true, .doc = "Its name."),
	FIELD(provider_type, OUT, T_STR, .required = true, .doc = "Its kind: vapi, synthflow."),
	FIELD(base_url, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "Where its API is, unless a setting says so."),
	FIELD(is_active, OUT, T_BOOL, .required = true, .doc = "Whether calls go there."),
	FIELD(is_draining, OUT, T_BOOL, .required = true,
	    .doc = "Whether nothing new goes there for a while."),
	FIELD(priority, OUT, T_INT, .required = true, .doc = "A smaller number is asked first."),
	FIELD(max_concurrent_calls, OUT, T_INT, .required = true,
	    .doc = "Live calls at once at most."),
	FIELD(starts_per_second, OUT, T_NUMBER, .required = true, .nullable = true,
	    .doc = "Dials in any second at most; null: no limit."),
	FIELD(timeout_ms, OUT, T_INT, .required = true, .nullable = true,
	    .doc = "How long it may take to answer; null: as the settings say."),
	FIELD(silence_seconds, OUT, T_NUMBER, .required = true,
	    .doc = "A live call that was not heard of for so long is looked up."),
	FIELD(report_grace_seconds, OUT, T_NUMBER, .required = true,
	    .doc = "An ended call without a report is looked up then."),
	FIELD(report_patience_seconds, OUT, T_NUMBER, .required = true,
	    .doc = "After this time it is closed without one."),
	FIELD(absence_gap_seconds, OUT, T_NUMBER, .required = true,
	    .doc = "How far apart two listings are that prove absence."),
	FIELD(absence_after_seconds, OUT, T_NUMBER, .required = true,
	    .doc = "How long after the deadline the later one begins."),
	FIELD(absence_slack_seconds, OUT, T_NUMBER, .required = true,
	    .doc = "How far before the start listings go back."),
	FIELD(unknown_patience_seconds, OUT, T_NUMBER, .required = true,
	    .doc = "An attempt unknown for longer has failed."),
	FIELD(cool_seconds, OUT, T_NUMBER, .required = true,
	    .doc = "The first rest after a refusal."),
	FIELD(retry_scale, OUT, T_NUMBER, .required = true,
	    .doc = "Multiplies the waits between redials."),
	FIELD(has_key, OUT, T_BOOL, .required = true,
	    .doc = "Whether it has a key of its own; else the setting's counts."),
	FIELD(key_number, OUT, T_INT, .required = true, .doc = "Grows with each new key."),
	FIELD(key_hint, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "The key's last four characters."),
	FIELD(key_fingerprint, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "The first sixteen digits of its SHA-256."),
	FIELD(key_changed_at, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "When it was given."),
	FIELD(created_at, OUT, T_TIME, .required = true, .doc = "Made at this time."),
};

static const struct field admin_hour_out[] = {
	ABOUT("What became of a provider's attempts in an hour."),
	FIELD(started, OUT, T_INT, .max = INT64_MAX, .required = true,
	    .doc = "Attempts that began."),
	FIELD(accepted, OUT, T_INT, .max = INT64_MAX, .required = true,
	    .doc = "Those that it took."),
	FIELD(refused, OUT, T_INT, .max = INT64_MAX, .required = true,
	    .doc = "Those that it refused."),
	FIELD(unknown, OUT, T_INT, .max = INT64_MAX, .required = true,
	    .doc = "Those of which nobody knows yet."),
	FIELD(absent, OUT, T_INT, .max = INT64_MAX, .required = true,
	    .doc = "Those that proved not to be there."),
};

/* public.admin_provider_health */
static const struct field admin_health_out[] = {
	ABOUT("How a provider does."),
	FIELD(provider_id, OUT, T_UUID, .required = true, .doc = "The provider."),
	FIELD(state, OUT, T_ENUM, VALUES("active", "paused", "draining", "cooling"),
	    .required = true, .doc = "Whether calls go there, and why not."),
	FIELD(failures, OUT, T_INT, .required = true, .doc = "Refusals in a row."),
	FIELD(cooling_until, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "It refused, and rests until then."),
	FIELD(cooling_reason, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "What it refused for: rate, credit, key, ..."),
	FIELD(last_error, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "What it said then."),
	FIELD(last_error_at, OUT, T_TIME, .required = true, .nullable = true, .doc = "When."),
	FIELD(last_accepted_at, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "When it last took a call."),
	FIELD(free, OUT, T_INT, .required = true, .doc = "Calls that it could take now."),
	FIELD(live, OUT, T_INT, .max = INT64_MAX, .required = true, .doc = "Attempts under way."),
	FIELD(unknown, OUT, T_INT, .max = INT64_MAX, .required = true,
	    .doc = "Of them those of which nobody knows."),
	FIELD(reports_awaited, OUT, T_INT, .max = INT64_MAX, .required = true,
	    .doc = "Calls that ended, and whose report has not come."),
	FIELD(last_hour, OUT, T_OBJECT, MEMBERS(admin_hour_out), .required = true,
	    .doc = "What became of the attempts of the last hour."),
};

static const struct field admin_check_out[] = {
	ABOUT("What came of asking a provider with its key."),
	FIELD(result, OUT, T_ENUM, VALUES("good", "refused", "unknown"), .required = true,
	    .doc = "What the provider says of the key."),
	FIELD(status, OUT, T_INT, .required = true,
	    .doc = "Its HTTP status; 0: it did not answer."),
	FIELD(ms, OUT, T_INT, .max = INT64_MAX, .required = true, .doc = "How long it took."),
};

#endif
