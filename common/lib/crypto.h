/*
 * crypto.h - OpenSSL, wrapped: digests, HMAC, constant-time comparison, encodings, random bytes,
 * AES-256-GCM.
 */
#ifndef LIB_CRYPTO_H
#define LIB_CRYPTO_H

#include "base/base.h"

enum { SHA256_LEN = 32, DIGEST_MAX = 64 };
enum digest { DIGEST_SHA1, DIGEST_SHA256, DIGEST_SHA512 };

/* crypto_start: before anything else asks OpenSSL, libpq and libcurl too: it does without the words
 * for its errors, which take 40 KiB and are shown nowhere; those of TLS stay. */
void crypto_start(void);

/* All return -1 on failure of the library, 0 else. */
int crypto_sha256(struct span data, unsigned char ret[SHA256_LEN]);
int crypto_hmac(enum digest d, struct span key, struct span data, unsigned char ret[DIGEST_MAX],
    size_t *len);
/* crypto_hmac_parts: over the parts joined, without copying them together, into the DIGEST_MAX
 * bytes at ret; the length, or -1. */
int crypto_hmac_parts(enum digest d, struct span key, const struct span *parts, size_t n,
    unsigned char *ret);
/* crypto_derive: a 32-byte key for one purpose from a master key: HKDF-SHA256 with info = purpose.
 */
int crypto_derive(struct span master, const char *purpose, unsigned char ret[32]);

/* A SHA-256 over what comes piece by piece.  crypto_sum_new: NULL on failure.  crypto_sum_of: of
 * all that was added so far; more may be added afterwards. */
struct crypto_sum;
struct crypto_sum *crypto_sum_new(void);
int crypto_sum_add(struct crypto_sum *s, struct span data);
int crypto_sum_of(const struct crypto_sum *s, unsigned char ret[SHA256_LEN]);
void crypto_sum_free(struct crypto_sum *s);

/* crypto_equal: compares lengths first, then bytes in constant time. */
bool crypto_equal(struct span a, struct span b);
int crypto_random(void *buf, size_t n);
/* crypto_forget: overwrites a secret that is not needed any more. */
void crypto_forget(void *p, size_t n);
/* crypto_uuid: a random UUID (version 4) as text. */
int crypto_uuid(char ret[37]);

/* Encodings: the decoders are strict (no white space; base64 with right padding, base64url without
 * any). size is the room at ret; -1 when it is not enough or the text is wrong, else the length.
 * Encoders end with a NUL, which needs room too; crypto_hex needs 2 * n + 1. */
void crypto_hex(const unsigned char *data, size_t n, char *ret);
int crypto_unhex(struct span s, unsigned char *ret, size_t size);
int crypto_base64(const unsigned char *data, size_t n, char *ret, size_t size);
int crypto_unbase64(struct span s, unsigned char *ret, size_t size);
int crypto_unbase64url(struct span s, unsigned char *ret, size_t size);
int crypto_base64url(const unsigned char *data, size_t n, char *ret, size_t size);

/* AES-256-GCM with a 12-byte nonce and a 16-byte tag behind the text; aad may be empty.  -1 also
 * when the tag is wrong. */
int crypto_gcm_seal(const unsigned char key[32], const unsigned char nonce[12], struct span aad,
    struct span plain, unsigned char *ret);
int crypto_gcm_open(const unsigned char key[32], const unsigned char nonce[12], struct span aad,
    struct span sealed, unsigned char *ret);

/* crypto_verify_p256: true when signature (r and s, 32 bytes each) is ECDSA's with SHA-256 over
 * data by the P-256 key whose point has x and y (32 bytes each); false also when they are no such
 * key. */
bool crypto_verify_p256(struct span x, struct span y, struct span data, struct span signature);
/* crypto_verify_rsa: the same for RSA (PKCS #1 v1.5, SHA-256) with modulus n of 2048 bits or more
 * and exponent e, big-endian. */
bool crypto_verify_rsa(struct span n, struct span e, struct span data, struct span signature);

#endif
