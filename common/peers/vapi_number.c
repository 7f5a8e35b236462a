/*
 * vapi_number.c - numbers at Vapi: the requests about them.
 */
#include "peers/vapi_number.h"

#include "base/settings.h"
#include "peers/twilio.h"

#include <errno.h>
#include <string.h>

enum { BODY_MAX = 16 * 1024 };

/* With what Vapi reaches Twilio; false: we have nothing. */
static bool
put_twilio(struct mem *m, struct text *t)
{
	const char *token = twilio_token(m);

	if (!twilio_ready() || !token)
		return false;
	text_puts(t, ",\"twilioAccountSid\":");
	text_json(t, setting_str(SET_TWILIO_ACCOUNT_SID));
	text_puts(t, ",\"twilioAuthToken\":");
	text_json(t, token);
	return true;
}

/* All that Vapi shall know of it; a member of its own is each time the whole of it. */
static void
put_setup(struct text *t, const struct vapi_number_setup *s)
{
	if (s->name) {
		text_puts(t, ",\"name\":");
		text_json(t, s->name);
	}
	text_puts(t, ",\"assistantId\":");
	text_json(t, s->assistant);
	if (s->server_url) {
		text_putc(t, ',');
		vapi_put_server(t, s->server_url, s->server_token);
	}
	text_putc(t, '}');
}

int
vapi_number_import(struct mem *m, const struct voice_account *a, const char *number,
    const struct vapi_number_setup *s, struct fetch_request *ret)
{
	CLEANUP(text_clear) struct text t = TEXT(BODY_MAX);

	if (!number) {
		errno = EINVAL;
		return -1;
	}
	text_puts(&t, "{\"provider\":\"twilio\",\"number\":");
	text_json(&t, number);
	if (!put_twilio(m, &t)) {
		errno = ENOTCONN;
		return -1;
	}
	text_puts(&t, ",\"smsEnabled\":false");
	put_setup(&t, s);
	return vapi_rest(m, a, &(const struct vapi_ask){ "POST", "/phone-number", &t }, ret);
}

int
vapi_number_update(struct mem *m, const struct voice_account *a, const char *id,
    const struct vapi_number_setup *s, struct fetch_request *ret)
{
	CLEANUP(text_clear) struct text t = TEXT(BODY_MAX);

	text_puts(&t, "{\"provider\":\"twilio\"");
	/* Vapi keeps a token of its own, which ends when ours is changed. */
	put_twilio(m, &t);
	put_setup(&t, s);
	return vapi_rest(m, a,
	    &(const struct vapi_ask){ "PATCH", vapi_path(m, "/phone-number/", id), &t }, ret);
}

int
vapi_number_get(struct mem *m, const struct voice_account *a, const char *id,
    struct fetch_request *ret)
{
	return vapi_rest(m, a,
	    &(const struct vapi_ask){ "GET", vapi_path(m, "/phone-number/", id), NULL }, ret);
}

int
vapi_number_remove(struct mem *m, const struct voice_account *a, const char *id,
    struct fetch_request *ret)
{
	return vapi_rest(m, a,
	    &(const struct vapi_ask){ "DELETE", vapi_path(m, "/phone-number/", id), NULL }, ret);
}

int
vapi_number_list(struct mem *m, const struct voice_account *a, struct fetch_request *ret)
{
	return vapi_rest(m, a, &(const struct vapi_ask){ "GET", "/phone-number?limit=1000", NULL },
	    ret);
}

const char *
vapi_number_find(const struct json *list, const char *number)
{
	for (size_t i = 0; number && i < json_len(list); i++) {
		const struct json *j = json_at(list, i);
		const char *its = json_str(j, "number");

		if (its && strcmp(its, number) == 0)
			return json_str(j, "id");
	}
	return NULL;
}
