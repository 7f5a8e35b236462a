/*
 * auth_key.h - makes API keys; who comes with one is auth.h's business.
 */
#ifndef WEB_AUTH_KEY_H
#define WEB_AUTH_KEY_H

#include "base/ctx.h"
#include "lib/crypto.h"

enum { API_KEY_BYTES = 32, API_KEY_PREFIX_LEN = 12 };

/* What every key begins with. */
#define API_KEY_MARK "hsk_"

/* A new key, and what is stored of it.  crypto_forget it when it was shown. */
struct api_key {
	char text[sizeof(API_KEY_MARK) + 2 * API_KEY_BYTES];
	char hash[2 * SHA256_LEN + 1];       /* of the text, in hex */
	char prefix[API_KEY_PREFIX_LEN + 1]; /* by which people tell it from others */
};

/* api_key_make: a key that nobody can guess; -1 with the failure recorded. */
int api_key_make(struct ctx *c, struct api_key *ret);

#endif
