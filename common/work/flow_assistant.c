/*
 * flow_assistant.c - the workflow "assistant-sync": an assistant is brought to Vapi, changed and
 * removed there.
 *
 * Its input: {"assistant_id", "organization_id"}.  public.assistant_sync_decide
 * (sql/functions/33_assistants_sync.sql) says again and again what is missing; each step's prepare
 * looks once more whether that is still so.  Vapi takes no key: one that may have been made is
 * looked for in its list (find) before it is made again.  A look of the engine's own would not do:
 * the account's key comes from prepare, and is stored nowhere.
 */
#include "work/flow_assistant.h"

#include "base/settings.h"
#include "base/text.h"
#include "lib/seal.h"
#include "peers/vapi_assistant.h"
#include "peers/vapi_rest.h"
#include "work/outcome_step.h"

#include <errno.h>

/* What is not in Vapi's list so long after it was sent was not made. */
enum { LIST_LAG_S = 30 };
enum { TEN_MINUTES_MS = 10 * 60 * 1000, TRIES = 500, RESULT_MAX = 2048 };
#define DAY_MS (INT64_C(24) * 3600 * 1000)

static const struct json *
assistant_of(const struct step_in *in)
{
	return json_get(in->prepared, "assistant");
}

/* ---- requests ------------------------------------------------------- */

/* What is asked, and where. */
struct place {
	const char *method, *path;
};

static int
ask_place(struct mem *m, const struct step_in *in, struct place p, struct text *body,
    struct fetch_request *ret)
{
	struct voice_account a = { 0 };

	if (voice_account_read(m, json_get(in->prepared, "account"), &a) == -1)
		return -1;
	return vapi_rest(m, &a, &(const struct vapi_ask){ p.method, p.path, body }, ret);
}

static int
ask_with(struct mem *m, const struct step_in *in, struct place p, bool whole,
    struct fetch_request *ret)
{
	CLEANUP(text_clear) struct text body = TEXT(VAPI_ASSISTANT_MAX);
	const char *organization = json_str(assistant_of(in), "organization_id");
	const char *api = setting_str(SET_API_URL);
	const char *url, *token;

	if (!api || !organization) {
		errno = ENOTCONN;
		return -1;
	}
	url = mem_printf(m, "%s/api/webhooks/vapi/%s", api, organization);
	token = seal_token(m, SEAL_INBOUND, organization);
	if (!url || !token) {
		errno = ENOMEM;
		return -1;
	}
	vapi_assistant_write(&body, assistant_of(in), whole, url, token);
	return ask_place(m, in, p, &body, ret);
}

static const char *
own_path(struct mem *m, const struct step_in *in)
{
	return vapi_path(m, "/assistant/", json_str(assistant_of(in), "vapi_assistant_id"));
}

static int
ask_create(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	return ask_with(m, in, (struct place){ "POST", "/assistant" }, false, ret);
}

static int
ask_update(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	return ask_with(m, in, (struct place){ "PATCH", own_path(m, in) }, true, ret);
}

static int
ask_remove(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	return ask_place(m, in, (struct place){ "DELETE", own_path(m, in) }, NULL, ret);
}

static int
ask_find(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	const char *path = mem_printf(m, "/assistant?limit=%d", VAPI_ASSISTANTS_LISTED);

	return ask_place(m, in, (struct place){ "GET", path }, NULL, ret);
}

/* ---- answers -------------------------------------------------------- */

/* {"id","version","provider_id"}: what Vapi has now.  version 0: nobody knows which. */
static void
tell_id(struct mem *m, const struct step_in *in, const char *id, int64_t version,
    struct step_out *ret)
{
	CLEANUP(text_clear) struct text t = TEXT(RESULT_MAX);

	text_puts(&t, "{\"id\":");
	text_json(&t, id);
	text_printf(&t, ",\"version\":%lld,\"provider_id\":", (long long)version);
	text_json(&t, json_str_of(json_path(in->prepared, "account.provider_id"), NULL));
	text_putc(&t, '}');
	ret->result = text_ok(&t) ? mem_dup(m, text_str(&t), t.len) : NULL;
	ret->verdict = ret->result ? STEP_DONE : STEP_UNKNOWN;
}

/* {"refused","version"}: it will never be had so. */
static void
tell_refused(struct mem *m, const struct step_in *in, const struct outcome *o, struct step_out *ret)
{
	CLEANUP(text_clear) struct text t = TEXT(RESULT_MAX);

	text_puts(&t, "{\"refused\":");
	text_json(&t, o->code);
	text_printf(&t, ",\"version\":%lld}", (long long)json_int(in->prepared, "version", 0));
	*ret = (struct step_out){ .verdict = STEP_DONE, .retry_after = -1 };
	ret->result = text_ok(&t) ? mem_dup(m, text_str(&t), t.len) : NULL;
}

static void
tell_absent(struct step_out *ret)
{
	*ret = (struct step_out){ .verdict = STEP_DONE,
		.result = "{\"absent\":true}",
		.retry_after = -1 };
}

static void
read_change(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret)
{
	struct outcome o;
	const char *id;

	vapi_rest_answer(m, a, &o);
	outcome_step(&o, ret);
	id = json_str(o.body, "id");
	if (o.result == OUTCOME_FAILED) {
		tell_refused(m, in, &o, ret);
	} else if (o.result == OUTCOME_ABSENT) {
		tell_absent(ret);
	} else if (o.result == OUTCOME_OK && vapi_path(m, "", id)) {
		tell_id(m, in, id, json_int(in->prepared, "version", 0), ret);
	} else if (o.result == OUTCOME_OK) {
		ret->verdict = STEP_UNKNOWN;
		ret->reason = "unreadable";
	}
}

static void
read_create(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret)
{
	struct outcome o;

	vapi_rest_answer(m, a, &o);
	/* Nothing is named by the path: whoever says 404 there is not Vapi as we know it. */
	if (o.result == OUTCOME_ABSENT)
		*ret = (struct step_out){ .verdict = STEP_RETRY,
			.reason = o.code,
			.retry_after = OUTCOME_AGAIN_SETTINGS };
	else
		read_change(m, in, a, ret);
}

static void
read_remove(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret)
{
	struct outcome o;

	vapi_rest_answer(m, a, &o);
	outcome_step(&o, ret);
	if (o.result == OUTCOME_FAILED)
		tell_refused(m, in, &o, ret);
	else if (o.result == OUTCOME_OK || o.result == OUTCOME_ABSENT)
		tell_absent(ret);
}

/* What is not in the list yet may still come into it: that it is absent is believed later. */
static void
read_find(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret)
{
	int64_t wait = LIST_LAG_S - json_int(in->prepared, "sent_s", LIST_LAG_S);
	struct outcome o;
	const char *id;

	vapi_rest_answer(m, a, &o);
	outcome_step(&o, ret);
	if (o.result != OUTCOME_OK) {
		ret->verdict = STEP_RETRY;
		return;
	}
	id = vapi_assistant_find(o.body, json_str(assistant_of(in), "id"));
	if (json_type(o.body) != JSON_ARRAY)
		*ret = (struct step_out){ .verdict = STEP_RETRY,
			.reason = "unreadable",
			.retry_after = -1 };
	else if (id && vapi_path(m, "", id))
		tell_id(m, in, id, 0, ret);
	else if (wait > 0)
		*ret = (struct step_out){ .verdict = STEP_RETRY,
			.reason = "not_listed_yet",
			.retry_after = wait };
	else
		tell_absent(ret);
}

/* ---- the workflow --------------------------------------------------- */

static bool
is_ready(void)
{
	const char *api = setting_str(SET_API_URL);

	return api && api[0] != '\0';
}

static const char *const kept[] = { "id", "version", "provider_id", "absent", "refused", NULL };

#define PATIENCE                                                                                   \
	{                                                                                          \
		.first_ms = 1000, .factor = 2, .max_ms = TEN_MINUTES_MS, .attempts = TRIES,        \
		.limit_ms = DAY_MS                                                                 \
	}

/* takes_key: to change, to remove and to look twice does no harm; and of create prepare sees to
 * that. */
#define ASKS(what, before, reads)                                                                  \
	{                                                                                          \
		.name = #what, .prepare = before, .ask = ask_##what, .read = reads,                \
		.apply = "assistant_sync_apply", .takes_key = true, .keep = kept,                  \
		.retry = PATIENCE                                                                  \
	}

static const struct step steps[] = {
	{ .name = "decide", .apply = "assistant_sync_decide", .retry = PATIENCE },
	ASKS(create, "assistant_sync_create", read_create),
	ASKS(find, "assistant_sync_find", read_find),
	ASKS(update, "assistant_sync_prepare", read_change),
	ASKS(remove, "assistant_sync_prepare", read_remove),
	{ .name = "settle", .apply = "assistant_sync_settle", .retry = PATIENCE },
};

const struct workflow flow_assistant = {
	.name = "assistant-sync",
	.steps = steps,
	.nsteps = COUNT(steps),
	.doc = "Brings an assistant to Vapi, changes and removes it there.",
	.ready = is_ready,
};
