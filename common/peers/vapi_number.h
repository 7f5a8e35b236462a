/*
 * vapi_number.h - numbers at Vapi: one of Twilio's is imported there, so that an assistant answers
 * it; told of another assistant, removed, listed.  Requests and answers only (vapi_rest.h).
 *
 * What Vapi answers of a number may repeat Twilio's token: it is neither kept nor logged.
 */
#ifndef PEERS_VAPI_NUMBER_H
#define PEERS_VAPI_NUMBER_H

#include "peers/vapi_rest.h"

enum { VAPI_NAME_MAX = 40 };

/* How a number shall be at Vapi. */
struct vapi_number_setup {
	const char *name;         /* at most VAPI_NAME_MAX; NULL: as it is */
	const char *assistant;    /* Vapi's id; NULL: none, we are asked at each call */
	const char *server_url;   /* where its calls are told; NULL: nowhere */
	const char *server_token; /* what they are proved by */
};

/* vapi_number_import: a number of the Twilio account of the settings.  Calls to it go to Vapi from
 * then on; text messages do not. */
int vapi_number_import(struct mem *m, const struct voice_account *a, const char *number,
    const struct vapi_number_setup *s, struct fetch_request *ret);
/* vapi_number_update: also of Twilio's token, where there is one. */
int vapi_number_update(struct mem *m, const struct voice_account *a, const char *id,
    const struct vapi_number_setup *s, struct fetch_request *ret);
int vapi_number_get(struct mem *m, const struct voice_account *a, const char *id,
    struct fetch_request *ret);
/* vapi_number_remove: it stays at Twilio. */
int vapi_number_remove(struct mem *m, const struct voice_account *a, const char *id,
    struct fetch_request *ret);
int vapi_number_list(struct mem *m, const struct voice_account *a, struct fetch_request *ret);
/* vapi_number_find: the id of that number in such a list; NULL: it is not in it. */
const char *vapi_number_find(const struct json *list, const char *number);

#endif
