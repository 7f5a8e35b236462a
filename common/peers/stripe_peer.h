/*
 * stripe_peer.h - what the files of Stripe share among themselves: writing our words, made in
 * stripe_read.c.
 */
#ifndef PEERS_STRIPE_PEER_H
#define PEERS_STRIPE_PEER_H

#include "peers/stripe.h"

enum { NORMAL_MAX = 1 << 20 };

/* normal_open: begins the words of an object: provider and id; false with EINVAL when j is not what
 * Stripe calls kind.  normal_close: the reading's number and the end; the text in m. */
bool normal_open(struct text *t, const struct json *j, const char *kind);
const char *normal_close(struct mem *m, struct text *t, int64_t read);

/* One member each: null when there is no such value. */
void normal_str(struct text *t, const char *name, const char *value);
void normal_int(struct text *t, const char *name, const struct json *value);
void normal_bool(struct text *t, const char *name, bool value);
/* normal_strs, normal_ints: members that are called alike here and there; names ends with NULL. */
void normal_strs(struct text *t, const struct json *j, const char *const *names);
void normal_ints(struct text *t, const struct json *j, const char *const *names);
/* normal_object: an object of the name whose members are texts; {} when there is none. */
void normal_object(struct text *t, const char *name, const struct json *value);

#endif
