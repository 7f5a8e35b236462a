/*
 * vapi_rest.c - Vapi: requests about things that are no calls, and what its answers mean.
 */
#include "peers/vapi_rest.h"

#include "peers/peer.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

enum { TIMEOUT_MS = 15000, ANSWER_MAX = 16 * 1024 * 1024, ID_MAX = 100 };

/* Without a plan Vapi never repeats a webhook. */
static const char backoff_plan[] =
    "{\"type\":\"exponential\",\"maxRetries\":10,\"baseDelaySeconds\":2}";

const char *
vapi_path(struct mem *m, const char *front, const char *id)
{
	size_t n = id ? strlen(id) : 0;

	for (size_t i = 0; i < n; i++) {
		if (!isalnum((unsigned char)id[i]) && id[i] != '_' && id[i] != '-')
			n = 0;
	}
	if (n == 0 || n > ID_MAX) {
		errno = EINVAL;
		return NULL;
	}
	return mem_printf(m, "%s%s", front, id);
}

int
vapi_rest(struct mem *m, const struct voice_account *a, const struct vapi_ask *ask,
    struct fetch_request *ret)
{
	if (!a->api_key || a->api_key[0] == '\0') {
		errno = ENOTCONN;
		return -1;
	}
	if (!ask->path || ask->path[0] != '/') {
		errno = EINVAL;
		return -1;
	}
	if (peer_request(m, a, mem_printf(m, "%s%s", a->base_url, ask->path), ask->body, ret) < 0)
		return -1;
	ret->method = ask->method;
	ret->max_bytes = ANSWER_MAX;
	if (ret->timeout_ms <= 0)
		ret->timeout_ms = TIMEOUT_MS;
	return 0;
}

/* Vapi's refusals say {"message", "error", "statusCode"}. */
static void
read_error(struct mem *m, const struct fetch_answer *a, const struct json *body,
    struct outcome *ret)
{
	const struct json *message = json_get(body, "message");

	if (json_int(body, "statusCode", 0) != a->status || a->status == 401 || a->status == 402 ||
	    a->status == 403 || a->status == 408 || a->status == 429) {
		outcome_stranger(m, a, ret);
	} else if (a->status < 500) {
		ret->code = mem_printf(m, "vapi_%d", a->status);
		ret->result = a->status == 404 ? OUTCOME_ABSENT : OUTCOME_FAILED;
	} else {
		ret->code = mem_printf(m, "vapi_%d", a->status);
	}
	ret->person = a->status >= 401 && a->status <= 403;
	ret->message = json_type(message) == JSON_ARRAY ? json_str_of(json_at(message, 0), NULL) :
							  json_str(body, "message");
	if (!ret->code)
		ret->code = "vapi_error";
}

void
vapi_rest_answer(struct mem *m, const struct fetch_answer *a, struct outcome *ret)
{
	const struct json *body;

	if (!outcome_open(m, a, ret, &body))
		return;
	if (a->status >= 200 && a->status < 300 &&
	    (json_type(body) == JSON_OBJECT || json_type(body) == JSON_ARRAY))
		outcome_ok(ret, body);
	else if (a->status < 200 || a->status >= 300)
		read_error(m, a, body, ret);
}

void
vapi_put_server(struct text *t, const char *url, const char *token)
{
	text_puts(t, "\"server\":{\"url\":");
	text_json(t, url);
	text_puts(t, ",\"timeoutSeconds\":20");
	if (token) {
		text_puts(t, ",\"headers\":{\"X-Vapi-Secret\":");
		text_json(t, token);
		text_putc(t, '}');
	}
	text_printf(t, ",\"backoffPlan\":%s}", backoff_plan);
}
