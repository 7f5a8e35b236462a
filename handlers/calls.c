/*
 * calls.c - the calls resource: order calls, see what became of them, move, end and repeat them,
 * hear their recordings.
 *
 * What may happen is decided by sql/functions; dialling is queue-pump's.
 */
#include "base/poke.h"
#include "base/settings.h"
#include "lib/fetch.h"
#include "lib/seal.h"
#include "peers/voice.h"
#include "web/reply.h"
#include "web/server.h"

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

static const struct field batch_fields[] = {
	FIELD(calls, BODY, T_ARRAY, MEMBERS(create_fields), .required = true, .min = 1,
	    .max = BATCH_MAX, .doc = "The calls; all of them are taken, or none."),
};

static const struct field list_fields[] = {
	FIELD(status, QUERY, T_ENUM,
	    VALUES("queued", "in-progress", "completed", "failed", "canceled", "expired"),
	    .doc = "Only calls in this state."),
	FIELD(direction, QUERY, T_ENUM, VALUES("outbound", "inbound"),
	    .doc = "Only calls of this direction."),
	FIELD(template_id, QUERY, T_UUID, .doc = "Only calls with this template."),
	FIELD(recipient_number, QUERY, T_E164, .doc = "Only calls with this number."),
	FIELD(created_from, QUERY, T_TIME, .doc = "Only calls made at this time or later."),
	FIELD(created_to, QUERY, T_TIME, .doc = "Only calls made before this time."),
	FIELD(after, QUERY, T_CURSOR, .doc = "next_cursor of the page before."),
	FIELD(limit, QUERY, T_INT, .min = 1, .max = 100, .dflt = "20", .doc = "Page size."),
};

static const struct field stats_fields[] = {
	FIELD(from, QUERY, T_TIME, .doc = "Calls made at this time or later."),
	FIELD(to, QUERY, T_TIME, .doc = "Calls made before this time."),
};

static const struct field call_fields[] = {
	FIELD(call_id, PATH, T_UUID, .required = true, .doc = "The call."),
};

static const struct field reschedule_fields[] = {
	FIELD(call_id, PATH, T_UUID, .required = true, .doc = "The call."),
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

/* Where a provider's answer about a call holds the recording's addresses. */
struct recording_paths {
	const char *type;
	enum setting key;
	const char *url;
	const char *stereo_url;
	const char *expires_at;
};

static const struct recording_paths recording_paths[] = {
	{ "vapi", SET_VAPI_API_KEY, "artifact.presignedMonoUrl", "artifact.presignedStereoUrl",
	    "artifact.presignedUrlsExpiresAt" },
	{ "synthflow", SET_SYNTHFLOW_API_KEY, "response.calls.0.recording_url", NULL, NULL },
};

static const struct recording_paths *
paths_of(const char *type)
{
	size_t i;

	for (i = 0; type && i < COUNT(recording_paths); i++)
		if (strcmp(recording_paths[i].type, type) == 0)
			return &recording_paths[i];
	return NULL;
}

static const char *
text_at(const struct json *j, const char *path)
{
	return path ? json_str_of(json_path(j, path), NULL) : NULL;
}

/* What the address's own name says about the bytes behind it; NULL: nothing. */
static const char *
content_type(const char *url)
{
	size_t n = strcspn(url, "?#");

	if (n > 4 && strncmp(url + n - 4, ".mp3", 4) == 0)
		return "audio/mpeg";
	if (n > 4 && strncmp(url + n - 4, ".wav", 4) == 0)
		return "audio/wav";
	return NULL;
}

static int
find_account(struct ctx *c, const struct json *row, const struct recording_paths *p,
    struct voice_account *ret)
{
	const char *sealed = json_str(row, "api_key"), *key;

	key =
	    sealed && *sealed ? seal_open(c->mem, "provider.api_key", sealed) : setting_str(p->key);
	if (!key)
		return fail(c, ERR_UNAVAILABLE, "the provider cannot be asked just now");
	*ret = (struct voice_account){ .type = p->type,
		.base_url = voice_base_url(c->mem, p->type, json_str(row, "base_url")),
		.api_key = key,
		.timeout_ms = (int)setting_int(SET_HOOKSWITCH_DIAL_TIMEOUT_MS) };
	return ret->base_url ? 0 : fail(c, ERR_INTERNAL, "out of memory");
}

/* The call as the provider tells it now: addresses of recordings are only good for a while. */
static const struct json *
ask_provider(struct ctx *c, const struct voice_account *a, const char *provider_call_id)
{
	struct voice_look look = { .kind = LOOK_BY_ID, .provider_call_id = provider_call_id };
	const struct voice_provider *p = voice_find(a->type);
	struct fetch_request request = { .method = NULL };
	struct fetch_answer answer;
	const struct json *j = NULL;

	if (!p || p->look(c->mem, a, &look, &request) < 0 || fetch_one(c, &request, &answer) < 0) {
		fail(c, ERR_UNAVAILABLE, "the provider cannot be asked just now");
	} else if (answer.outcome == FETCH_ANSWERED && answer.status == 404) {
		fail(c, ERR_RECORDING_NOT_FOUND, NULL);
	} else if (answer.outcome != FETCH_ANSWERED || answer.status != 200 ||
	    json_read(c->mem, answer.body.data, answer.body.len, JSON_DEPTH_PROVIDER, &j) !=
		JSON_OK) {
		fail(c, ERR_UNAVAILABLE, "the provider did not tell");
		fail_log(c, "recording: status %d %s", answer.status, answer.why ? answer.why : "");
		j = NULL;
	}
	return j;
}

static int
reply_recording(struct ctx *c, const struct recording_paths *p, const struct json *call)
{
	const char *url = text_at(call, p->url), *stereo_url = text_at(call, p->stereo_url);
	struct out *o;

	if (!url && !stereo_url)
		return fail(c, ERR_RECORDING_NOT_FOUND, NULL);
	o = reply_open(c, 200);
	put_str(o, "url", url ? url : stereo_url);
	put_str(o, "stereo_url", stereo_url);
	put_str(o, "expires_at", text_at(call, p->expires_at));
	put_str(o, "content_type", content_type(url ? url : stereo_url));
	return reply_close(o);
}

/* ---- operations ----------------------------------------------------- */

static int
link_recording(struct ctx *c, const void *arg)
{
	const struct recording_in *in = arg;
	const struct recording_paths *p;
	const struct json *row, *call;
	struct voice_account account;

	row = db_call(c, ARGS(in->call_id));
	if (!row)
		return -1;

	p = paths_of(json_str(row, "provider_type"));
	if (!p || !json_str(row, "provider_call_id"))
		return fail(c, ERR_RECORDING_NOT_FOUND, NULL);
	if (find_account(c, row, p, &account) < 0)
		return -1;

	call = ask_provider(c, &account, json_str(row, "provider_call_id"));
	if (!call)
		return -1;
	return reply_recording(c, p, call);
}

/* A waiting pump of this host need not wait for its next look. */
static void
poke_pump(struct ctx *c)
{
	(void)c;
	poke_send("pump");
}

/* ---- routes --------------------------------------------------------- */

static const struct route routes[] = {
	{ POST, "/api/v1/calls", CALLS_WRITE, FIELDS(create_fields), run_query, 201, "call_create",
	    "Order a call.", .after = poke_pump },
	{ POST, "/api/v1/calls/batch", CALLS_WRITE, FIELDS(batch_fields), run_query, 201,
	    "call_create_many", "Order up to 500 calls at once.", .body_max = BATCH_BODY_MAX,
	    .after = poke_pump },
	{ GET, "/api/v1/calls", CALLS_READ, FIELDS(list_fields), run_query, 200, "call_list",
	    "List calls, newest first." },
	{ GET, "/api/v1/calls/stats", CALLS_READ, FIELDS(stats_fields), run_query, 200,
	    "call_stats", "Count calls by what became of them." },
	{ GET, "/api/v1/calls/queue", CALLS_READ, NO_FIELDS, run_query, 200, "queue_status",
	    "What waits and what is under way." },
	{ GET, "/api/v1/calls/{call_id}", CALLS_READ, FIELDS(call_fields), run_query, 200,
	    "call_get", "One call." },
	{ POST, "/api/v1/calls/{call_id}/cancel", CALLS_WRITE, FIELDS(call_fields), run_query, 200,
	    "call_cancel", "End a call, or take it out of the queue.", .after = poke_pump },
	{ POST, "/api/v1/calls/{call_id}/reschedule", CALLS_WRITE, FIELDS(reschedule_fields),
	    run_query, 200, "call_reschedule", "Move a waiting call to another time.",
	    .after = poke_pump },
	{ POST, "/api/v1/calls/{call_id}/retry", CALLS_WRITE, FIELDS(retry_fields), run_query, 201,
	    "call_retry", "Order a call that ended once more.", .after = poke_pump },
	{ GET, "/api/v1/calls/{call_id}/transcript", CALLS_READ, FIELDS(call_fields), run_query,
	    200, "call_transcript", "What was said." },
	{ GET, "/api/v1/calls/{call_id}/actions", CALLS_READ, FIELDS(call_fields), run_query, 200,
	    "call_actions", "What was done during and after the call." },
	{ GET, "/api/v1/calls/{call_id}/recording", CALLS_READ, FIELDS(recording_fields),
	    link_recording, 200, "call_recording", "Fresh links to the recording." },
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
	    &(const struct server){ "calls", routes, COUNT(routes), .needs = needs,
		.start = start });
}
