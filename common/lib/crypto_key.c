/*
 * crypto_key.c - signatures by public keys, with OpenSSL.
 */
#include "lib/crypto.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <string.h>

enum { P256_LEN = 32, RSA_MIN_BITS = 2048, RSA_MAX_BYTES = 1024, DER_MAX = 80 };

static void
pkey_freep(EVP_PKEY **p)
{
	EVP_PKEY_free(*p);
	*p = NULL;
}

static void
pkey_ctx_freep(EVP_PKEY_CTX **p)
{
	EVP_PKEY_CTX_free(*p);
	*p = NULL;
}

static void
bn_freep(BIGNUM **p)
{
	BN_free(*p);
	*p = NULL;
}

static void
bld_freep(OSSL_PARAM_BLD **p)
{
	OSSL_PARAM_BLD_free(*p);
	*p = NULL;
}

static void
params_freep(OSSL_PARAM **p)
{
	OSSL_PARAM_free(*p);
	*p = NULL;
}

static void
md_freep(EVP_MD_CTX **p)
{
	EVP_MD_CTX_free(*p);
	*p = NULL;
}

static void
sig_freep(ECDSA_SIG **p)
{
	ECDSA_SIG_free(*p);
	*p = NULL;
}

/* The key of that type from its parameters; the caller frees it.  OpenSSL checks that a point lies
 * on its curve. */
static EVP_PKEY *
make_key(const char *type, OSSL_PARAM *params)
{
	CLEANUP(pkey_ctx_freep) EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	if (!c || !params || EVP_PKEY_fromdata_init(c) != 1)
		return NULL;
	if (EVP_PKEY_fromdata(c, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		return NULL;
	return key;
}

static EVP_PKEY *
make_p256(struct span x, struct span y)
{
	unsigned char point[1 + 2 * P256_LEN] = { 0x04 };
	char group[] = "prime256v1";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)),
		OSSL_PARAM_construct_end(),
	};

	if (x.len != P256_LEN || y.len != P256_LEN)
		return NULL;
	memcpy(point + 1, x.data, P256_LEN);
	memcpy(point + 1 + P256_LEN, y.data, P256_LEN);
	return make_key("EC", params);
}

/* Big-endian bytes as a number; the caller frees it. */
static BIGNUM *
to_number(struct span s)
{
	if (s.len == 0 || s.len > RSA_MAX_BYTES)
		return NULL;
	return BN_bin2bn((const unsigned char *)s.data, (int)s.len, NULL);
}

static EVP_PKEY *
make_rsa(struct span modulus, struct span exponent)
{
	CLEANUP(bn_freep) BIGNUM *n = to_number(modulus);
	CLEANUP(bn_freep) BIGNUM *e = to_number(exponent);
	CLEANUP(bld_freep) OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	CLEANUP(params_freep) OSSL_PARAM *params = NULL;

	if (!n || !e || !b || BN_num_bits(n) < RSA_MIN_BITS || BN_num_bits(e) > 64)
		return NULL;
	if (OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, n) != 1 ||
	    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, e) != 1)
		return NULL;
	params = OSSL_PARAM_BLD_to_param(b);
	return make_key("RSA", params);
}

static bool
verify(EVP_PKEY *key, struct span data, struct span signature)
{
	CLEANUP(md_freep) EVP_MD_CTX *c = EVP_MD_CTX_new();

	if (!c || EVP_DigestVerifyInit(c, NULL, EVP_sha256(), NULL, key) != 1)
		return false;
	return EVP_DigestVerify(c, (const unsigned char *)signature.data, signature.len,
		   (const unsigned char *)data.data, data.len) == 1;
}

/* A token has the two numbers side by side; OpenSSL wants them as DER. */
static bool
verify_p256(EVP_PKEY *key, struct span data, struct span signature)
{
	const unsigned char *raw = (const unsigned char *)signature.data;
	CLEANUP(sig_freep) ECDSA_SIG *sig = ECDSA_SIG_new();
	unsigned char der[DER_MAX], *p = der;
	BIGNUM *r, *s;
	int n;

	if (!sig || signature.len != 2 * P256_LEN)
		return false;
	r = BN_bin2bn(raw, P256_LEN, NULL);
	s = BN_bin2bn(raw + P256_LEN, P256_LEN, NULL);
	if (!r || !s || ECDSA_SIG_set0(sig, r, s) != 1) {
		BN_free(r);
		BN_free(s);
		return false;
	}
	n = i2d_ECDSA_SIG(sig, NULL);
	if (n <= 0 || (size_t)n > sizeof(der) || i2d_ECDSA_SIG(sig, &p) != n)
		return false;
	return verify(key, data, (struct span){ (const char *)der, (size_t)n });
}

bool
crypto_verify_p256(struct span x, struct span y, struct span data, struct span signature)
{
	CLEANUP(pkey_freep) EVP_PKEY *key = make_p256(x, y);
	bool good = key && verify_p256(key, data, signature);

	/* A later TLS read of this thread must not find a failure in OpenSSL's list. */
	ERR_clear_error();
	return good;
}

bool
crypto_verify_rsa(struct span n, struct span e, struct span data, struct span signature)
{
	CLEANUP(pkey_freep) EVP_PKEY *key = make_rsa(n, e);
	bool good = key && verify(key, data, signature);

	ERR_clear_error();
	return good;
}
