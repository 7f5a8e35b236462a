/*
 * peer.h - what the files of the voice providers share among themselves, made in voice.c.
 */
#ifndef PEERS_PEER_H
#define PEERS_PEER_H

#include "base/scan.h"
#include "base/text.h"
#include "peers/voice.h"

enum { PEER_URL_MAX = 4096, PEER_BODY_MAX = 1 << 20 };

/* peer_is_success: a whole answer with a 2xx. */
bool peer_is_success(const struct fetch_answer *in);
/* peer_hide_key: forgets the detail when it repeats the account's key. */
void peer_hide_key(const struct voice_account *a, struct voice_outcome *o);
/* peer_request: a request with the account's key: POST with a body, GET when body is NULL.  -1 with
 * errno (url NULL: ENOMEM). */
int peer_request(struct mem *m, const struct voice_account *a, const char *url, struct text *body,
    struct fetch_request *ret);
/* peer_put: one member with a string, behind the '{' or the members that are there; nothing when
 * value is NULL or empty. */
void peer_put(struct text *t, const char *name, const char *value);
/* peer_url: what was written as text in m, and clears it; NULL when memory is out. */
const char *peer_url(struct mem *m, struct text *url);
/* peer_text: the string f in m; NULL when it is none, or memory is out. */
const char *peer_text(struct mem *m, const struct scan_field *f);
/* peer_put_id: an id as a part of a path; -1 with EINVAL when it is none (empty, or one that a path
 * would swallow). */
int peer_put_id(struct text *url, const char *id);
/* peer_look_failed: a look without a complete answer. */
void peer_look_failed(struct mem *m, const struct fetch_answer *in, struct voice_sight *ret);

#endif
