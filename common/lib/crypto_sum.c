/*
 * crypto_sum.c - OpenSSL's SHA-256 over what comes piece by piece.
 */
#include "lib/crypto.h"

#include <openssl/evp.h>

static void
md_freep(EVP_MD_CTX **c)
{
	EVP_MD_CTX_free(*c);
	*c = NULL;
}

/* The library's own context, under our name. */
static EVP_MD_CTX *
inner(const struct crypto_sum *s)
{
	return (EVP_MD_CTX *)s;
}

struct crypto_sum *
crypto_sum_new(void)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();

	if (c && EVP_DigestInit_ex(c, EVP_sha256(), NULL) == 1)
		return (struct crypto_sum *)c;
	EVP_MD_CTX_free(c);
	return NULL;
}

int
crypto_sum_add(struct crypto_sum *s, struct span data)
{
	return !data.len || EVP_DigestUpdate(inner(s), data.data, data.len) == 1 ? 0 : -1;
}

int
crypto_sum_of(const struct crypto_sum *s, unsigned char ret[SHA256_LEN])
{
	CLEANUP(md_freep) EVP_MD_CTX *c = EVP_MD_CTX_new();

	if (!c || EVP_MD_CTX_copy_ex(c, inner(s)) != 1)
		return -1;
	return EVP_DigestFinal_ex(c, ret, NULL) == 1 ? 0 : -1;
}

void
crypto_sum_free(struct crypto_sum *s)
{
	EVP_MD_CTX_free(inner(s));
}
