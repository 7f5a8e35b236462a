/*
 * calls-fields.h - what calls.c answers; contacts.c lists calls too.
 */
#ifndef HANDLERS_CALLS_FIELDS_H
#define HANDLERS_CALLS_FIELDS_H

#include "web/field.h"

#define CALL_STATUS VALUES("queued", "in-progress", "completed", "failed", "canceled", "expired")
#define CALL_DIRECTION VALUES("outbound", "inbound")
#define CALL_GROUPS VALUES("day", "hour", "outcome", "status", "template", "direction")

/* public.call_view */
#define CALL_MEMBERS                                                                               \
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The call."),                              \
	    FIELD(organization_id, OUT, T_UUID, .required = true, .doc = "Whose call it is."),     \
	    FIELD(user_id, OUT, T_UUID, .required = true, .nullable = true,                        \
		.doc = "Who ordered it."),                                                         \
	    FIELD(direction, OUT, T_ENUM, CALL_DIRECTION, .required = true,                        \
		.doc = "Whether we call or are called."),                                          \
	    FIELD(status, OUT, T_ENUM, CALL_STATUS, .required = true,                              \
		.doc = "What became of it."),                                                      \
	    FIELD(progress, OUT, T_ENUM,                                                           \
		VALUES("queued", "ringing", "in-progress", "forwarding", "ended"),                 \
		.required = true, .nullable = true, .doc = "What the provider last told of it."),  \
	    FIELD(recipient_number, OUT, T_STR, .required = true, .nullable = true,                \
		.doc = "Who is called."),                                                          \
	    FIELD(recipient_name, OUT, T_STR, .required = true, .nullable = true,                  \
		.doc = "The person's name."),                                                      \
	    FIELD(recipient_email, OUT, T_STR, .required = true, .nullable = true,                 \
		.doc = "The person's e-mail address."),                                            \
	    FIELD(from_number, OUT, T_STR, .required = true, .nullable = true,                     \
		.doc = "The number that calls."),                                                  \
	    FIELD(template_id, OUT, T_UUID, .required = true, .nullable = true,                    \
		.doc = "What the call says."),                                                     \
	    FIELD(voice_id, OUT, T_UUID, .required = true, .nullable = true,                       \
		.doc = "Another voice than the template's."),                                      \
	    FIELD(caller_number_id, OUT, T_UUID, .required = true, .nullable = true,               \
		.doc = "The number that the call comes from."),                                    \
	    FIELD(phone_number_id, OUT, T_UUID, .required = true, .nullable = true,                \
		.doc = "The number of ours that was called; null: an outbound call."),             \
	    FIELD(assistant_id, OUT, T_UUID, .required = true, .nullable = true,                   \
		.doc = "The assistant of that number when the call came in."),                     \
	    FIELD(provider_type, OUT, T_STR, .required = true, .nullable = true,                   \
		.doc = "The voice provider that dialled it last, or took it."),                    \
	    FIELD(provider_call_id, OUT, T_STR, .required = true, .nullable = true,                \
		.doc = "The provider's own name for it."),                                         \
	    FIELD(priority, OUT, T_INT, .required = true, .nullable = true,                        \
		.doc = "A smaller number is sooner."),                                             \
	    FIELD(scheduled_time, OUT, T_TIME, .required = true, .nullable = true,                 \
		.doc = "Not before this time."),                                                   \
	    FIELD(attempts, OUT, T_INT, .required = true, .doc = "How often it was dialled."),     \
	    FIELD(retry_of, OUT, T_UUID, .required = true, .nullable = true,                       \
		.doc = "The call that this one repeats."),                                         \
	    FIELD(custom_variables, OUT, T_OBJECT, .required = true,                               \
		.doc = "Values for the template's variables."),                                    \
	    FIELD(metadata, OUT, T_OBJECT, .required = true, .doc = "As it was given."),           \
	    FIELD(started_at, OUT, T_TIME, .required = true, .nullable = true,                     \
		.doc = "When somebody answered."),                                                 \
	    FIELD(ended_at, OUT, T_TIME, .required = true, .nullable = true,                       \
		.doc = "When the conversation was over."),                                         \
	    FIELD(duration_seconds, OUT, T_INT, .required = true, .nullable = true,                \
		.doc = "How long it was."),                                                        \
	    FIELD(ended_reason, OUT, T_STR, .required = true, .nullable = true,                    \
		.doc = "Why it ended, in the provider's words or ours."),                          \
	    FIELD(cost_cents, OUT, T_NUMBER, .required = true, .nullable = true,                   \
		.doc = "What it cost, in cents."),                                                 \
	    FIELD(created_at, OUT, T_TIME, .required = true, .doc = "When it was entered."),       \
	    FIELD(updated_at, OUT, T_TIME, .required = true, .doc = "When it changed last.")

/* What public.call_view_of adds from the queue, where finished calls stay for a while only. */
#define CALL_WAITING                                                                               \
	FIELD(admission, OUT, T_STR, .required = true, .nullable = true,                           \
	    .doc = "Why it was let through, or why it waits."),                                    \
	    FIELD(due_at, OUT, T_TIME, .required = true, .nullable = true,                         \
		.doc = "When it is dialled next, unless something is in the way."),                \
	    FIELD(expires_at, OUT, T_TIME, .required = true, .nullable = true,                     \
		.doc = "When it is given up if nobody was reached."),                              \
	    FIELD(max_attempts, OUT, T_INT, .required = true, .nullable = true,                    \
		.doc = "How often the person is tried at most."),                                  \
	    FIELD(cancel_requested_at, OUT, T_TIME, .required = true, .nullable = true,            \
		.doc = "When somebody asked for its end.")

static const struct field call_line_out[] = {
	ABOUT("A call, as lists show one."),
	CALL_MEMBERS,
};

static const struct field call_out[] = {
	ABOUT("A call."),
	CALL_MEMBERS,
	CALL_WAITING,
};

static const struct field call_retry_out[] = {
	ABOUT("An attempt that reached nobody and was followed by another one."),
	FIELD(attempt, OUT, T_INT, .required = true, .doc = "Which attempt reached nobody."),
	FIELD(reason, OUT, T_STR, .required = true, .nullable = true, .doc = "Why."),
	FIELD(retry_at, OUT, T_TIME, .required = true, .doc = "When the next one was due."),
};

static const struct field call_detail_out[] = {
	ABOUT("A call, with the attempts that reached nobody."),
	CALL_MEMBERS,
	CALL_WAITING,
	FIELD(retries, OUT, T_ARRAY, MEMBERS(call_retry_out), .required = true,
	    .doc = "The attempts that were followed by another one."),
};

/* public.calls_grouped */
#define CALL_COUNTS                                                                                \
	FIELD(total, OUT, T_INT, .required = true, .doc = "All of them."),                         \
	    FIELD(completed, OUT, T_INT, .required = true, .doc = "Somebody was reached."),        \
	    FIELD(failed, OUT, T_INT, .required = true,                                            \
		.doc = "Nobody was reached, or it broke."),                                        \
	    FIELD(canceled, OUT, T_INT, .required = true, .doc = "Taken back."),                   \
	    FIELD(expired, OUT, T_INT, .required = true, .doc = "Given up in time."),              \
	    FIELD(queued, OUT, T_INT, .required = true, .doc = "Those that wait."),                \
	    FIELD(in_progress, OUT, T_INT, .required = true, .doc = "Those under way."),           \
	    FIELD(attempts, OUT, T_INT, .required = true, .doc = "How often was dialled."),        \
	    FIELD(duration_seconds, OUT, T_INT, .required = true, .doc = "Time talked."),          \
	    FIELD(average_duration_seconds, OUT, T_NUMBER, .required = true, .nullable = true,     \
		.doc = "Of completed calls."),                                                     \
	    FIELD(cost_cents, OUT, T_NUMBER, .required = true, .doc = "What they cost, in cents.")

/* What public.calls_grouped knows besides. */
#define CALL_RATES                                                                                 \
	FIELD(answered, OUT, T_INT, .required = true,                                              \
	    .doc = "Ended calls that somebody answered."),                                         \
	    FIELD(answer_rate, OUT, T_NUMBER, .required = true, .nullable = true,                  \
		.doc = "Their part of the ended calls that rang at all, 0 to 1."),                 \
	    FIELD(feedback_count, OUT, T_INT, .required = true, .doc = "How many judged them."),   \
	    FIELD(feedback_average, OUT, T_NUMBER, .required = true, .nullable = true,             \
		.doc = "How, 1 to 5.")

static const struct field call_stats_out[] = {
	ABOUT("How many calls there were, and what became of them."),
	FIELD(from, OUT, T_TIME, .required = true, .doc = "Calls made at this time or later."),
	FIELD(to, OUT, T_TIME, .required = true, .doc = "Calls made before this time."),
	CALL_COUNTS,
	FIELD(ended_reasons, OUT, T_OBJECT, ITEMS(T_INT), .required = true,
	    .doc = "How many ended for which reason."),
};

static const struct field queue_status_out[] = {
	ABOUT("How many calls of the organization wait, and for what."),
	FIELD(queued, OUT, T_INT, .required = true, .doc = "Calls that wait."),
	FIELD(due, OUT, T_INT, .required = true, .doc = "Of these: due now."),
	FIELD(scheduled, OUT, T_INT, .required = true, .doc = "Of these: due later."),
	FIELD(in_progress, OUT, T_INT, .required = true, .doc = "Calls under way."),
	FIELD(oldest_due_at, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "Since when the oldest one waits."),
	FIELD(waiting_for, OUT, T_OBJECT, ITEMS(T_INT), .required = true,
	    .doc = "How many wait for which reason."),
};

static const struct field transcript_out[] = {
	ABOUT("What was said in a call."),
	FIELD(call_id, OUT, T_UUID, .required = true, .doc = "The call."),
	FIELD(transcript, OUT, T_STR, .required = true, .nullable = true, .doc = "What was said."),
	FIELD(segments, OUT, T_ARRAY, ITEMS(T_OBJECT), .required = true,
	    .doc = "The same, part by part, as the provider tells them: Vapi's have role, message, "
		   "time, secondsFromStart and others."),
	FIELD(summary, OUT, T_STR, .required = true, .nullable = true, .doc = "In short."),
	FIELD(extracted_data, OUT, T_ANY, .required = true, .nullable = true,
	    .doc = "What the assistant found out."),
};

static const struct field call_action_out[] = {
	ABOUT("Something that was done in a call."),
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The action."),
	FIELD(action_type, OUT, T_STR, .required = true, .doc = "What was done."),
	FIELD(action_data, OUT, T_ANY, .required = true, .doc = "With what."),
	FIELD(status, OUT, T_STR, .required = true, .doc = "Whether it is done."),
	FIELD(triggered_at, OUT, T_TIME, .required = true, .doc = "When it began."),
};

static const struct field recording_out[] = {
	ABOUT("Where a call's recording can be heard."),
	FIELD(url, OUT, T_STR, .required = true, .nullable = true, .doc = "Where it can be heard."),
	FIELD(stereo_url, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "The same with both sides apart."),
	FIELD(expires_at, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "Until when the links work."),
	FIELD(content_type, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "What the bytes behind url are."),
};

static const struct field call_batch_error_out[] = {
	ABOUT("What is wrong with one call of a batch."),
	FIELD(field, OUT, T_STR, .required = true, .doc = "Where: calls.3.recipient_number."),
	FIELD(code, OUT, T_STR, .required = true, .doc = "What is wrong, in a word."),
	FIELD(detail, OUT, T_STR, .required = true, .nullable = true, .doc = "In a sentence."),
};

static const struct field call_batch_result_out[] = {
	ABOUT("What became of one call of a batch."),
	FIELD(index, OUT, T_INT, .required = true, .doc = "Which of the calls sent; from 0."),
	FIELD(call_id, OUT, T_UUID, .required = true, .nullable = true,
	    .doc = "The call that it became; null: it was refused."),
	FIELD(errors, OUT, T_ARRAY, MEMBERS(call_batch_error_out), .required = true, .doc = "Why."),
};

static const struct field call_batch_out[] = {
	ABOUT("What became of calls that were ordered together."),
	FIELD(data, OUT, T_ARRAY, MEMBERS(call_out), .required = true,
	    .doc = "The calls that were taken, in their order."),
	FIELD(results, OUT, T_ARRAY, MEMBERS(call_batch_result_out), .required = true,
	    .doc = "What became of each."),
	FIELD(taken, OUT, T_INT, .required = true, .doc = "How many were taken."),
	FIELD(refused, OUT, T_INT, .required = true, .doc = "How many were not."),
};

static const struct field call_feedback_out[] = {
	ABOUT("What somebody thinks of a call."),
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The feedback."),
	FIELD(call_id, OUT, T_UUID, .required = true, .doc = "The call."),
	FIELD(user_id, OUT, T_UUID, .required = true, .nullable = true,
	    .doc = "The person who gave it."),
	FIELD(key_id, OUT, T_UUID, .required = true, .nullable = true,
	    .doc = "The API key that gave it, where no person did."),
	FIELD(rating, OUT, T_INT, .required = true, .nullable = true, .doc = "1 to 5; 5 is best."),
	FIELD(comments, OUT, T_STR, .required = true, .nullable = true, .doc = "In words."),
	FIELD(created_at, OUT, T_TIME, .required = true, .doc = "When it was given."),
	FIELD(updated_at, OUT, T_TIME, .required = true, .doc = "When it was changed last."),
};

static const struct field search_piece_out[] = {
	ABOUT("A piece of a text: found words, or what stands between them."),
	FIELD(text, OUT, T_STR, .required = true, .doc = "Plain text: escape it before showing."),
	FIELD(match, OUT, T_BOOL, .required = true, .doc = "Whether it is what was looked for."),
};

static const struct field search_hit_out[] = {
	ABOUT("A call in which the words were found."),
	FIELD(call, OUT, T_OBJECT, MEMBERS(call_line_out), .required = true, .doc = "The call."),
	FIELD(rank, OUT, T_NUMBER, .required = true, .doc = "More is better."),
	FIELD(language, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "The language it was read in; null: none that is known."),
	FIELD(summary, OUT, T_ARRAY, MEMBERS(search_piece_out), .required = true,
	    .doc = "Of the summary, piece by piece."),
	FIELD(transcript, OUT, T_ARRAY, MEMBERS(search_piece_out), .required = true,
	    .doc = "Of what was said."),
};

static const struct field analytics_totals_out[] = {
	ABOUT("Calls in numbers."),
	CALL_COUNTS,
	CALL_RATES,
};

static const struct field analytics_group_out[] = {
	ABOUT("The calls of one group in numbers: of a day, an hour, an outcome, a template."),
	FIELD(key, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "The day, the hour, the id or word; null: calls that have none."),
	CALL_COUNTS,
	CALL_RATES,
};

static const struct field call_analytics_out[] = {
	ABOUT("Calls in numbers, by groups."),
	FIELD(from, OUT, T_TIME, .required = true, .doc = "Calls made at this time or later."),
	FIELD(to, OUT, T_TIME, .required = true, .doc = "Calls made before this time."),
	FIELD(group_by, OUT, T_ENUM, CALL_GROUPS, .required = true, .doc = "What makes a group."),
	FIELD(timezone, OUT, T_STR, .required = true, .doc = "Where days and hours are."),
	FIELD(total, OUT, T_OBJECT, MEMBERS(analytics_totals_out), .required = true,
	    .doc = "All groups together."),
	FIELD(groups, OUT, T_ARRAY, MEMBERS(analytics_group_out), .required = true,
	    .doc = "Days and hours in their order, else the largest first; none that are empty."),
};

#endif
