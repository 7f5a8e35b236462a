/*
 * calls.c - the calls resource: order calls, see what became of them, move, end and repeat them,
 * hear their recordings, judge them, look for what was said, count them, take them along.
 *
 * What may happen is decided by sql/functions; dialling is queue-pump's.
 */
#include "base/poke.h"
#include "base/settings.h"
#include "calls-fields.h"
#include "lib/fetch.h"
#include "lib/seal.h"
#include "peers/voice.h"
#include "web/reply.h"
#include "web/server.h"
#include "web/stream_query.h"

#include <string.h>

#define CALLS_READ SCOPE("calls:read")
#define CALLS_WRITE SCOPE("calls:write")

enum { BATCH_MAX = 500, BATCH_BODY_MAX = 1536 * 1024 };

/* ---- input ---------------------------------------------------------- */

static const struct field create_fields[] = {
	FIELD(recipient_number, BODY, T_E164, .required = true, .doc = "Who is called."),
	FIELD(template_id, BODY, T_UUID, .required = true, .doc = "What the call says."),
	FIELD(recipient_name, BODY, T_STR, .max = 200, .doc = "The person's name."),
	FIELD(recipient_email, BODY, T_EMAIL, .doc = "The person's e-mail address."),
	FIELD(scheduled_time, BODY, T_TIME, .doc = "Not before this time; without it: now."),
	FIELD(priority, BODY, T_INT, .min = 0, .max = 1000, .dflt = "5",
	    .doc = "A smaller number is sooner."),
	FIELD(custom_variables, BODY, T_OBJECT, .doc = "Values for the template's variables."),
	FIELD(metadata, BODY, T_OBJECT, .doc = "Kept with the call and given back."),
	FIELD(voice_id, BODY, T_UUID, .doc = "Another voice than the template's."),
	FIELD(caller_number_id, BODY, T_UUID, .doc = "The number that the call comes from."),
	FIELD(max_attempts, BODY, T_INT, .min = 1, .max = 20,
	    .doc = "How often the person is tried at most."),
	FIELD(expires_at, BODY, T_TIME,
	    .doc = "Not after this time; without it: a day after it is due."),
};

struct batch_in {
	const char *on_error;
};

static const struct field batch_fields[] = {
	FIELD(calls, BODY, T_ARRAY, MEMBERS(create_fields), .apart = true, .required = true,
	    .min = 1, .max = BATCH_MAX, .doc = "The calls."),
	FIELD(on_error, BODY, T_ENUM, INTO(struct batch_in, on_error), VALUES("stop", "continue"),
	    .dflt = "stop", .doc = "All of them are taken or none, or each by itself."),
};

/* What a list, an export and a search leave out. */
struct export_in {
	const char *format, *status, *direction, *template_id, *number, *from, *to;
	bool transcripts;
};

#define FILTER_STATUS                                                                              \
	FIELD(status, QUERY, T_ENUM, INTO(struct export_in, status), CALL_STATUS,                  \
	    .doc = "Only calls in this state.")
#define FILTER_TEMPLATE                                                                            \
	FIELD(template_id, QUERY, T_UUID, INTO(struct export_in, template_id),                     \
	    .doc = "Only calls with this template.")
#define FILTER_CREATED                                                                             \
	FIELD(created_from, QUERY, T_TIME, INTO(struct export_in, from),                           \
	    .doc = "Only calls made at this time or later."),                                      \
	    FIELD(created_to, QUERY, T_TIME, INTO(struct export_in, to),                           \
		.doc = "Only calls made before this time.")
#define FILTER                                                                                     \
	FILTER_STATUS,                                                                             \
	    FIELD(direction, QUERY, T_ENUM, INTO(struct export_in, direction), CALL_DIRECTION,     \
		.doc = "Only calls of this direction."),                                           \
	    FILTER_TEMPLATE,                                                                       \
	    FIELD(recipient_number, QUERY, T_E164, INTO(struct export_in, number),                 \
		.doc = "Only calls with this number."),                                            \
	    FILTER_CREATED
#define PAGE                                                                                       \
	FIELD(after, QUERY, T_CURSOR, .doc = "next_cursor of the page before."),                   \
	    FIELD(limit, QUERY, T_INT, .min = 1, .max = 100, .dflt = "20", .doc = "Page size.")

static const struct field list_fields[] = { FILTER, PAGE };

static const struct field export_fields[] = {
	FIELD(format, QUERY, T_ENUM, INTO(struct export_in, format), VALUES("csv", "ndjson"),
	    .dflt = "ndjson", .doc = "A table, or an object in each line."),
	FIELD(transcripts, QUERY, T_BOOL, INTO(struct export_in, transcripts), .dflt = "false",
	    .doc = "With what was said."),
	FILTER,
};

static const struct field search_fields[] = {
	FIELD(q, QUERY, T_STR, .required = true, .min = 1, .max = 200,
	    .doc = "Words; \"in this order\", one or another, -without."),
	FIELD(language, QUERY, T_STR, .min = 2, .max = 35,
	    .doc =
		"The language of the words, such as de or pt-BR; without it: each transcript's."),
	FILTER_STATUS,
	FILTER_TEMPLATE,
	FILTER_CREATED,
	PAGE,
};

static const struct field stats_fields[] = {
	FIELD(from, QUERY, T_TIME, .doc = "Calls made at this time or later."),
	FIELD(to, QUERY, T_TIME, .doc = "Calls made before this time."),
};

static const struct field analytics_fields[] = {
	FIELD(from, QUERY, T_TIME, .doc = "Calls made at this time or later; else of 30 days."),
	FIELD(to, QUERY, T_TIME, .doc = "Calls made before this time."),
	FIELD(group_by, QUERY, T_ENUM, CALL_GROUPS, .dflt = "day", .doc = "What makes a group."),
	FIELD(timezone, QUERY, T_STR, .min = 1, .max = 64, .dflt = "UTC",
	    .doc = "Where days and hours are, such as America/New_York."),
};

#define CALL_ID FIELD(call_id, PATH, T_UUID, .required = true, .doc = "The call.")

static const struct field call_fields[] = { CALL_ID };

static const struct field feedback_fields[] = {
	CALL_ID,
	FIELD(rating, BODY, T_INT, .required = true, .min = 1, .max = 5, .doc = "5 is best."),
	FIELD(comments, BODY, T_STR, .max = 4000, .doc = "In words."),
};

static const struct field feedback_change_fields[] = {
	CALL_ID,
	FIELD(rating, BODY, T_INT, .min = 1, .max = 5, .doc = "5 is best."),
	FIELD(comments, BODY, T_STR, .nullable = true, .max = 4000, .doc = "In words."),
};

static const struct field feedback_list_fields[] = { CALL_ID, PAGE };

static const struct field reschedule_fields[] = {
	CALL_ID,
	FIELD(scheduled_time, BODY, T_TIME, .required = true, .doc = "The new time."),
};

static const struct field retry_fields[] = {
	FIELD(call_id, PATH, T_UUID, .required = true, .doc = "The call that ended."),
	FIELD(scheduled_time, BODY, T_TIME, .doc = "Not before this time; without it: now."),
};

struct recording_in {
	const char *call_id;
};

static const struct field recording_fields[] = {
	FIELD(call_id, PATH, T_UUID, INTO(struct recording_in, call_id), .required = true,
	    .doc = "The call."),
};

/* ---- recordings ----------------------------------------------------- */

/* What the address's own name says about the bytes behind it; NULL: nothing. */
static const char *
content_type(const char *url)
{
	size_t n = url ? strcspn(url, "?#") : 0;

	if (n > 4 && strncmp(url + n - 4, ".mp3", 4) == 0)
		return "audio/mpeg";
	if (n > 4 && strncmp(url + n - 4, ".wav", 4) == 0)
		return "audio/wav";
	return NULL;
}

/* A message that a caller left while no assistant was there lies at Twilio, whose addresses stay. */
static const char *
plain_recording(const struct json *row)
{
	const char *type = json_str(row, "provider_type");

	return type && strcmp(type, "twilio") == 0 ? json_str(row, "recording_url") : NULL;
}

/* The call as the provider tells it now: addresses of recordings are only good for a while. */
static int
ask_provider(struct ctx *c, const struct voice_account *a, const struct voice_look *look,
    struct voice_recording *ret)
{
	const struct voice_provider *p = voice_find(a->type);
	struct fetch_request request = { .method = NULL };
	struct fetch_answer answer = { .why = NULL };
	enum voice_finding finding;

	if (p->look(c->mem, a, look, &request) < 0 || fetch_one(c, &request, &answer) < 0)
		return fail(c, ERR_UNAVAILABLE, "the provider cannot be asked just now");
	finding = p->recording(c->mem, a, look, &answer, ret);
	if (finding == FOUND)
		return 0;
	if (finding == NOT_FOUND)
		return fail(c, ERR_RECORDING_NOT_FOUND, NULL);
	fail(c, ERR_UNAVAILABLE, "the provider did not tell");
	fail_log(c, "recording: status %d %s %s", answer.status, ret->why ? ret->why : "",
	    answer.why ? answer.why : "");
	return -1;
}

static int
reply_recording(struct ctx *c, const struct voice_recording *r)
{
	const char *url = r->url ? r->url : r->stereo_url;
	struct out *o = reply_open(c, 200);

	put_str(o, "url", url);
	put_str(o, "stereo_url", r->stereo_url);
	put_str(o, "expires_at", r->expires_at);
	put_str(o, "content_type", content_type(url));
	return reply_close(o);
}

/* ---- operations ----------------------------------------------------- */

static int
link_recording(struct ctx *c, const void *arg)
{
	const struct recording_in *in = arg;
	struct voice_account account = { .type = NULL };
	struct voice_look look = { .kind = LOOK_BY_ID };
	struct voice_recording recording = { .url = NULL };
	const struct json *row;

	row = db_call(c, ARGS(in->call_id));
	if (!row)
		return -1;

	recording.url = plain_recording(row);
	if (recording.url)
		return reply_recording(c, &recording);

	look.provider_call_id = json_str(row, "provider_call_id");
	look.assignment_id = json_str(row, "assignment_id");
	if (!look.provider_call_id || !voice_find(json_str(row, "provider_type")))
		return fail(c, ERR_RECORDING_NOT_FOUND, NULL);
	if (voice_account_read(c->mem, row, &account) < 0)
		return fail(c, ERR_UNAVAILABLE, "the provider cannot be asked just now");

	if (ask_provider(c, &account, &look, &recording) < 0)
		return -1;
	return reply_recording(c, &recording);
}

/* Nothing was taken: each reason, as if it were the request's. */
static int
refuse_batch(struct ctx *c, enum err err, const struct json *results)
{
	const struct json *errors, *e;
	size_t i, k;

	for (i = 0; i < json_len(results); i++) {
		errors = json_get(json_at(results, i), "errors");
		for (k = 0; k < json_len(errors); k++) {
			e = json_at(errors, k);
			(void)fail_item(c, err, json_str(e, "field"), json_str(e, "code"),
			    json_str(e, "detail"));
		}
	}
	return -1;
}

static int
order_batch(struct ctx *c, const void *arg)
{
	const struct batch_in *in = arg;
	bool stop = strcmp(in->on_error, "stop") == 0;
	const struct json *answer;

	answer = db_call(c, ARGS(request_value(c, "calls")->text.data, in->on_error));
	if (!answer)
		return -1;
	if (json_int(answer, "taken", 0) == 0)
		return refuse_batch(c, stop ? ERR_BAD_FIELDS : ERR_BATCH_REFUSED,
		    json_get(answer, "results"));
	return reply_json(c, 201, span_of(json_print(c->mem, answer)));
}

static int
export_calls(struct ctx *c, const void *arg)
{
	const struct export_in *in = arg;
	bool csv = strcmp(in->format, "csv") == 0;

	return stream_query(c, csv ? "text/csv; charset=utf-8" : "application/x-ndjson",
	    csv ? "calls.csv" : "calls.ndjson",
	    ARGS(in->format, in->transcripts ? "true" : "false", in->status, in->direction,
		in->template_id, in->number, in->from, in->to));
}

/* A waiting pump of this host need not wait for its next look. */
static void
poke_pump(struct ctx *c)
{
	(void)c;
	poke_send("pump");
}

/* ---- routes --------------------------------------------------------- */

/* What public.call_enter refuses. */
#define ENTER_ERRORS                                                                               \
	ERR_TEMPLATE_NOT_FOUND, ERR_TEMPLATE_NO_TARGET, ERR_VARIABLE_MISSING,                      \
	    ERR_VARIABLE_UNKNOWN, ERR_VARIABLE_INVALID, ERR_VOICE_NOT_FOUND, ERR_NUMBER_NOT_OWNED, \
	    ERR_TIME_PAST, ERR_NUMBER_DO_NOT_CALL, ERR_PLAN_CALLS, ERR_PLAN_MINUTES,               \
	    ERR_SUBSCRIPTION_INACTIVE, ERR_ORGANIZATION_INACTIVE

static const struct route routes[] = {
	{ POST, "/api/v1/calls", CALLS_WRITE, FIELDS(create_fields), run_query, 201, "call_create",
	    "Order a call.", .after = poke_pump, .returns = RETURNS(call_out),
	    .errors = ERRORS(ENTER_ERRORS) },
	{ POST, "/api/v1/calls/batch", CALLS_WRITE, FIELDS(batch_fields), order_batch, 201,
	    "call_create_many", "Order up to 500 calls at once.", .body_max = BATCH_BODY_MAX,
	    .after = poke_pump, .returns = RETURNS(call_batch_out),
	    .errors = ERRORS(ENTER_ERRORS, ERR_BATCH_REFUSED) },
	{ GET, "/api/v1/calls", CALLS_READ, FIELDS(list_fields), run_query, 200, "call_list",
	    "List calls, newest first.", .returns = RETURNS_LIST(call_line_out) },
	{ GET, "/api/v1/calls/stats", CALLS_READ, FIELDS(stats_fields), run_query, 200,
	    "call_stats", "Count calls by what became of them.",
	    .returns = RETURNS(call_stats_out) },
	{ GET, "/api/v1/calls/analytics", CALLS_READ, FIELDS(analytics_fields), run_query, 200,
	    "call_analytics", "Calls in numbers, by day, hour, outcome or template.",
	    .returns = RETURNS(call_analytics_out), .errors = ERRORS(ERR_TIMEZONE_UNKNOWN) },
	{ GET, "/api/v1/calls/search", CALLS_READ, FIELDS(search_fields), run_query, 200,
	    "call_search", "Find calls by what was said, the best first.",
	    .returns = RETURNS_LIST(search_hit_out), .errors = ERRORS(ERR_SEARCH_EMPTY) },
	{ GET, "/api/v1/calls/export", CALLS_READ, FIELDS(export_fields), export_calls, 200,
	    "call_export", "All calls in one file, newest first.",
	    .returns = RETURNS_FILE("text/csv, application/x-ndjson") },
	{ GET, "/api/v1/calls/queue", CALLS_READ, NO_FIELDS, run_query, 200, "queue_status",
	    "What waits and what is under way.", .returns = RETURNS(queue_status_out) },
	{ GET, "/api/v1/calls/{call_id}", CALLS_READ, FIELDS(call_fields), run_query, 200,
	    "call_get", "One call.", .returns = RETURNS(call_detail_out),
	    .errors = ERRORS(ERR_CALL_NOT_FOUND) },
	{ POST, "/api/v1/calls/{call_id}/cancel", CALLS_WRITE, FIELDS(call_fields), run_query, 200,
	    "call_cancel", "End a call, or take it out of the queue.", .after = poke_pump,
	    .returns = RETURNS(call_out), .errors = ERRORS(ERR_CALL_NOT_FOUND, ERR_CALL_ENDED) },
	{ POST, "/api/v1/calls/{call_id}/reschedule", CALLS_WRITE, FIELDS(reschedule_fields),
	    run_query, 200, "call_reschedule", "Move a waiting call to another time.",
	    .after = poke_pump, .returns = RETURNS(call_out),
	    .errors = ERRORS(ERR_CALL_NOT_FOUND, ERR_CALL_NOT_QUEUED) },
	{ POST, "/api/v1/calls/{call_id}/retry", CALLS_WRITE, FIELDS(retry_fields), run_query, 201,
	    "call_retry", "Order a call that ended once more.", .after = poke_pump,
	    .returns = RETURNS(call_out),
	    .errors = ERRORS(ERR_CALL_NOT_FOUND, ERR_CALL_NOT_ENDED, ENTER_ERRORS) },
	{ GET, "/api/v1/calls/{call_id}/transcript", CALLS_READ, FIELDS(call_fields), run_query,
	    200, "call_transcript", "What was said.", .returns = RETURNS(transcript_out),
	    .errors = ERRORS(ERR_CALL_NOT_FOUND, ERR_TRANSCRIPT_NOT_FOUND) },
	{ GET, "/api/v1/calls/{call_id}/feedback", CALLS_READ, FIELDS(feedback_list_fields),
	    run_query, 200, "feedback_list", "What people thought of it, newest first.",
	    .returns = RETURNS_LIST(call_feedback_out), .errors = ERRORS(ERR_CALL_NOT_FOUND) },
	{ POST, "/api/v1/calls/{call_id}/feedback", CALLS_WRITE, FIELDS(feedback_fields), run_query,
	    201, "feedback_give", "Say what you think of a call that is over; the later counts.",
	    .returns = RETURNS(call_feedback_out),
	    .errors = ERRORS(ERR_CALL_NOT_FOUND, ERR_CALL_NOT_ENDED, ERR_PERSON_NEEDED) },
	{ PATCH, "/api/v1/calls/{call_id}/feedback", CALLS_WRITE, FIELDS(feedback_change_fields),
	    run_query, 200, "feedback_change", "Change one's own.",
	    .returns = RETURNS(call_feedback_out),
	    .errors = ERRORS(ERR_CALL_NOT_FOUND, ERR_FEEDBACK_NOT_FOUND) },
	{ DELETE, "/api/v1/calls/{call_id}/feedback", CALLS_WRITE, FIELDS(call_fields), run_query,
	    204, "feedback_withdraw", "Take one's own back.",
	    .errors = ERRORS(ERR_CALL_NOT_FOUND, ERR_FEEDBACK_NOT_FOUND) },
	{ GET, "/api/v1/calls/{call_id}/actions", CALLS_READ, FIELDS(call_fields), run_query, 200,
	    "call_actions", "What was done during and after the call.",
	    .returns = RETURNS_LIST(call_action_out), .errors = ERRORS(ERR_CALL_NOT_FOUND) },
	{ GET, "/api/v1/calls/{call_id}/recording", CALLS_READ, FIELDS(recording_fields),
	    link_recording, 200, "call_recording", "Fresh links to the recording.",
	    .returns = RETURNS(recording_out),
	    .errors = ERRORS(ERR_CALL_NOT_FOUND, ERR_RECORDING_NOT_FOUND) },
};

static const int needs[] = { SET_DATABASE_URL, -1 };

/* Without the key all but recordings works; a wrong one is told at once. */
static int
start(void)
{
	return setting_str(SET_HOOKSWITCH_SECRET_KEY) ? seal_ready() : 0;
}

int
main(int argc, char *argv[])
{
	return server_main(argc, argv,
	    &(const struct server){ "calls", routes, COUNT(routes),
		.about = "Order calls, follow them, hear, judge, search and count them.",
		.needs = needs, .start = start });
}
