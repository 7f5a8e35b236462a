/*
 * auth_key.c - "hsk_" and 32 random bytes in hex.
 */
#include "web/auth_key.h"

#include <string.h>

int
api_key_make(struct ctx *c, struct api_key *ret)
{
	const size_t mark = sizeof(API_KEY_MARK) - 1;
	unsigned char bytes[API_KEY_BYTES], digest[SHA256_LEN];

	if (crypto_random(bytes, sizeof(bytes)) < 0)
		return fail(c, ERR_INTERNAL, "no random bytes");
	memcpy(ret->text, API_KEY_MARK, mark);
	crypto_hex(bytes, sizeof(bytes), ret->text + mark);
	crypto_forget(bytes, sizeof(bytes));
	if (crypto_sha256(span_of(ret->text), digest) < 0)
		return fail(c, ERR_INTERNAL, "no digest");
	crypto_hex(digest, sizeof(digest), ret->hash);
	memcpy(ret->prefix, ret->text, API_KEY_PREFIX_LEN);
	ret->prefix[API_KEY_PREFIX_LEN] = '\0';
	return 0;
}
