/*
 * flow_number_sweep.c - the workflow "number-sweep": Twilio's numbers, and Vapi's numbers and
 * assistants, against our rows; a page of a list at a time.
 *
 * Which list, what its pages say, and what is done about it is decided in SQL
 * (sql/functions/87_number_sweep*.sql); each request is a generation of the run.
 */
#include "work/flow_number_sweep.h"

#include "base/settings.h"
#include "peers/twilio.h"
#include "peers/twilio_url.h"
#include "peers/vapi_rest.h"
#include "work/outcome_step.h"

#include <string.h>

enum { ITEMS_MAX = 8 * 1024 * 1024, TWILIO_PAGE = 500, VAPI_PAGE = 500 };

/* A step is told what to ask: {"system","account", ...}. */
static bool
is_twilio(const struct step_in *in)
{
	const char *whom = json_str(in->prepared, "system");

	return whom && strcmp(whom, "twilio") == 0;
}

static int
ask_vapi(struct mem *m, const struct step_in *in, const char *method, const char *path,
    struct fetch_request *ret)
{
	struct voice_account a = { .id = NULL };

	if (voice_account_read(m, json_get(in->prepared, "account"), &a) < 0)
		return -1;
	return vapi_rest(m, &a, &(const struct vapi_ask){ method, path, NULL }, ret);
}

/* What an answer means, whoever gave it. */
static void
read_outcome(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct outcome *ret)
{
	if (is_twilio(in))
		twilio_answer(m, a, ret);
	else
		vapi_rest_answer(m, a, ret);
}

/* ---- lists ----------------------------------------------------------- */

/* prepared: {"system","what","path","next","account"}. */
static int
ask_page(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	CLEANUP(twilio_form_clear) struct twilio_form f = TWILIO_FORM;
	const char *path = json_str(in->prepared, "path"), *next = json_str(in->prepared, "next");

	if (!is_twilio(in))
		return ask_vapi(m, in, "GET", path, ret);
	if (next)
		return twilio_next(m, next, ret);
	twilio_put_int(&f, "PageSize", TWILIO_PAGE);
	return twilio_get(m, path, &f, ret);
}

/* One member of an item, by another name; what is not there, or empty, is not told. */
struct told {
	const char *name, *path;
};

static const struct told twilio_number[] = { { "number", "phone_number" },
	{ "name", "friendly_name" }, { "sms_url", "sms_url" },
	{ "status_callback", "status_callback" }, { "voice_fallback_url", "voice_fallback_url" },
	{ "created", "date_created" }, { NULL, NULL } };
static const struct told vapi_number[] = { { "number", "number" }, { "name", "name" },
	{ "assistant", "assistantId" }, { "server_url", "server.url" }, { "created", "createdAt" },
	{ NULL, NULL } };
static const struct told vapi_assistant[] = { { "name", "name" },
	{ "mark", "metadata.assistant_id" }, { "organization", "metadata.organizationId" },
	{ "server_url", "server.url" }, { "created", "createdAt" }, { NULL, NULL } };

static void
put_member(struct text *t, const char *name, const char *value)
{
	if (!value || value[0] == '\0')
		return;
	text_printf(t, ",\"%s\":", name);
	text_json(t, value);
}

static int
put_item(struct text *t, const struct json *j, const char *id, const struct told *told)
{
	if (!json_str(j, id))
		return -1;
	text_puts(t, "{\"id\":");
	text_json(t, json_str(j, id));
	for (; told->name; told++)
		put_member(t, told->name, json_str_of(json_path(j, told->path), NULL));
	text_putc(t, '}');
	return 0;
}

static int
put_items(struct text *t, const struct step_in *in, const struct json *list)
{
	const char *what = json_str(in->prepared, "what");
	const struct told *told = vapi_assistant;

	if (what && strcmp(what, "numbers") == 0)
		told = is_twilio(in) ? twilio_number : vapi_number;
	text_puts(t, "{\"items\":[");
	for (size_t i = 0; i < json_len(list); i++) {
		if (i > 0)
			text_putc(t, ',');
		if (put_item(t, json_at(list, i), is_twilio(in) ? "sid" : "id", told) < 0)
			return -1;
	}
	text_putc(t, ']');
	return 0;
}

/* A full page may not be the last one: the next goes on with what is as old as its oldest. */
static const char *
vapi_next(const struct json *list)
{
	const char *oldest = NULL;

	for (size_t i = 0; json_len(list) >= VAPI_PAGE && i < json_len(list); i++) {
		const char *at = json_str(json_at(list, i), "createdAt");

		if (at && (!oldest || strcmp(at, oldest) < 0))
			oldest = at;
	}
	return oldest;
}

/* Where Twilio and Vapi were told to come, from our own settings. */
static void
put_ours(struct text *t, struct mem *m, const struct step_in *in)
{
	const char *api = setting_str(SET_API_URL);

	if (!is_twilio(in)) {
		put_member(t, "base", api ? mem_printf(m, "%s/api/webhooks/vapi/", api) : NULL);
		return;
	}
	put_member(t, "account", setting_str(SET_TWILIO_ACCOUNT_SID));
	if (!twilio_webhook_url(m, "/sms"))
		return;
	text_puts(t, ",\"urls\":{\"at\":0");
	put_member(t, "sms", twilio_webhook_url(m, "/sms"));
	put_member(t, "status", twilio_webhook_url(m, "/status"));
	put_member(t, "voice", twilio_webhook_url(m, "/voice"));
	text_putc(t, '}');
}

/* {"items","next","account","urls"}: the whole page, or nothing. */
static const char *
page_of(struct mem *m, const struct step_in *in, const struct json *body)
{
	CLEANUP(text_clear) struct text t = TEXT(ITEMS_MAX);
	const struct json *list = is_twilio(in) ? json_get(body, "incoming_phone_numbers") : body;

	if (json_type(list) != JSON_ARRAY || put_items(&t, in, list) < 0)
		return NULL;
	/* A page that does not say whether there is another is not known to be whole. */
	if (is_twilio(in) && !json_get(body, "next_page_uri"))
		return NULL;
	put_member(&t, "next", is_twilio(in) ? json_str(body, "next_page_uri") : vapi_next(list));
	put_ours(&t, m, in);
	text_putc(&t, '}');
	return text_ok(&t) ? mem_dup(m, text_str(&t), t.len) : NULL;
}

/* It only reads: whatever the reason, asking again does no harm. */
static void
read_page(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret)
{
	struct outcome o;
	bool first = !json_str(in->prepared, "next");

	read_outcome(m, in, a, &o);
	outcome_step(&o, ret);
	if (o.result == OUTCOME_OK) {
		ret->result = page_of(m, in, o.body);
		ret->verdict = ret->result ? STEP_DONE : STEP_RETRY;
		ret->reason = ret->result ? NULL : "unreadable";
	} else if (!first && (o.result == OUTCOME_ABSENT || o.result == OUTCOME_FAILED)) {
		*ret = (struct step_out){ .result = "{\"absent\":true}", .retry_after = -1 };
	} else if (o.result == OUTCOME_UNKNOWN) {
		ret->verdict = STEP_RETRY;
	} else if (o.result == OUTCOME_ABSENT) {
		ret->verdict = STEP_FAILED;
	}
}

/* ---- one thing ------------------------------------------------------- */

/* prepared: {"system","front","id","back","account"}. */
static int
ask_one(struct mem *m, const struct step_in *in, const char *method, struct fetch_request *ret)
{
	const char *front = json_str(in->prepared, "front"), *id = json_str(in->prepared, "id");

	if (!front)
		return -1;
	if (!is_twilio(in))
		return ask_vapi(m, in, method, vapi_path(m, front, id), ret);
	if (strcmp(method, "DELETE") == 0)
		return twilio_delete(m, twilio_path(m, front, id, json_str(in->prepared, "back")),
		    ret);
	return twilio_get(m, twilio_path(m, front, id, json_str(in->prepared, "back")), NULL, ret);
}

static int
ask_look(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	return ask_one(m, in, "GET", ret);
}

static void
read_look(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret)
{
	struct outcome o;

	read_outcome(m, in, a, &o);
	outcome_step_refused(m, &o, ret);
	if (o.result == OUTCOME_ABSENT)
		ret->result = "{\"absent\":true}";
	else if (o.result == OUTCOME_OK)
		ret->result =
		    json_str(o.body, is_twilio(in) ? "sid" : "id") ? "{\"found\":true}" : NULL;
	else if (o.result == OUTCOME_UNKNOWN)
		ret->verdict = STEP_RETRY;
	if (o.result == OUTCOME_OK && !ret->result) {
		ret->verdict = STEP_RETRY;
		ret->reason = "unreadable";
	}
}

static int
ask_release(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	return ask_one(m, in, "DELETE", ret);
}

/* What is not there any more is released: an id is never given twice. */
static void
read_release(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret)
{
	struct outcome o;

	read_outcome(m, in, a, &o);
	outcome_step_refused(m, &o, ret);
	if (o.result == OUTCOME_OK || o.result == OUTCOME_ABSENT)
		ret->result = "{\"gone\":true}";
}

#define PATIENCE                                                                                   \
	{                                                                                          \
		.first_ms = 2000, .factor = 2, .max_ms = 10 * 60 * 1000, .attempts = 50,           \
		.timeout_ms = 30 * 1000                                                            \
	}

static const struct step steps[] = {
	{ .name = "page",
	    .prepare = "number_sweep_prepare",
	    .ask = ask_page,
	    .read = read_page,
	    .apply = "number_sweep_page",
	    .takes_key = true,
	    .retry = PATIENCE },
	{ .name = "look",
	    .prepare = "number_sweep_look_prepare",
	    .ask = ask_look,
	    .read = read_look,
	    .apply = "number_sweep_look",
	    .takes_key = true,
	    .retry = PATIENCE },
	{ .name = "release",
	    .prepare = "number_sweep_release_prepare",
	    .ask = ask_release,
	    .read = read_release,
	    .apply = "number_sweep_release",
	    .takes_key = true,
	    .retry = PATIENCE },
};

const struct workflow flow_number_sweep = {
	.name = "number-sweep",
	.steps = steps,
	.nsteps = COUNT(steps),
	.cron = "41 4 * * *",
	.missed = MISSED_ONE,
	.doc = "Compares our numbers and assistants with Twilio's and Vapi's.",
	.ready = twilio_ready,
};
