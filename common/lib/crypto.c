/*
 * crypto.c - OpenSSL's digests, MACs, key derivation and cipher.  Encodings are in crypto_text.c.
 *
 * OpenSSL 3 looks an algorithm up by name, which costs more than a short HMAC.  So each is looked
 * up once, when it is first needed: a program that never signs does not pay for it at its start.
 */
#include "lib/crypto.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

enum { GCM_TAG = 16, GCM_NONCE = 12 };

/* Set once by look_up and only read afterwards; they stay until the process ends. */
static struct {
	EVP_MD *sha256;
	EVP_MAC_CTX
	*hmac[3]; /* by enum digest: the digest is set, the key is not; copied for each use */
} found;

static pthread_once_t found_once = PTHREAD_ONCE_INIT;

/* By itself: OpenSSL makes 100 KiB of ciphers ready for it, and many a program seals nothing. */
static EVP_CIPHER *gcm;
static pthread_once_t gcm_once = PTHREAD_ONCE_INIT;

static void
mac_freep(EVP_MAC_CTX **c)
{
	EVP_MAC_CTX_free(*c);
	*c = NULL;
}

void
crypto_start(void)
{
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS, NULL);
}

static void
md_freep(EVP_MD_CTX **c)
{
	EVP_MD_CTX_free(*c);
	*c = NULL;
}

static void
cipher_freep(EVP_CIPHER_CTX **c)
{
	EVP_CIPHER_CTX_free(*c);
	*c = NULL;
}

static void
kdf_freep(EVP_KDF_CTX **c)
{
	EVP_KDF_CTX_free(*c);
	*c = NULL;
}

static EVP_MAC_CTX *
look_up_hmac(EVP_MAC *mac, const char *digest)
{
	CLEANUP(mac_freep) EVP_MAC_CTX *c = EVP_MAC_CTX_new(mac);
	char name[16];
	OSSL_PARAM params[2];
	EVP_MAC_CTX *given;

	snprintf(name, sizeof(name), "%s", digest);
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0);
	params[1] = OSSL_PARAM_construct_end();
	if (!c || EVP_MAC_CTX_set_params(c, params) != 1)
		return NULL;
	given = c;
	c = NULL;
	return given;
}

static void
look_up(void)
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);

	found.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (mac) {
		found.hmac[DIGEST_SHA1] = look_up_hmac(mac, "SHA1");
		found.hmac[DIGEST_SHA256] = look_up_hmac(mac, "SHA256");
		found.hmac[DIGEST_SHA512] = look_up_hmac(mac, "SHA512");
	}
	EVP_MAC_free(mac);
}

static void
need_found(void)
{
	pthread_once(&found_once, look_up);
}

static void
look_up_gcm(void)
{
	gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
}

int
crypto_sha256(struct span data, unsigned char ret[SHA256_LEN])
{
	CLEANUP(md_freep) EVP_MD_CTX *c = NULL;

	need_found();
	c = EVP_MD_CTX_new();
	if (!c || !found.sha256 || EVP_DigestInit_ex2(c, found.sha256, NULL) != 1)
		return -1;
	if (EVP_DigestUpdate(c, data.data, data.len) != 1)
		return -1;
	return EVP_DigestFinal_ex(c, ret, NULL) == 1 ? 0 : -1;
}

int
crypto_hmac_parts(enum digest d, struct span key, const struct span *parts, size_t n,
    unsigned char *ret)
{
	CLEANUP(mac_freep) EVP_MAC_CTX *c = NULL;
	const char *k = key.data ? key.data : "";
	size_t i, len;

	need_found();
	c = found.hmac[d] ? EVP_MAC_CTX_dup(found.hmac[d]) : NULL;
	if (!c || EVP_MAC_init(c, (const unsigned char *)k, key.len, NULL) != 1)
		return -1;
	for (i = 0; i < n; i++) {
		if (parts[i].len > 0 &&
		    EVP_MAC_update(c, (const unsigned char *)parts[i].data, parts[i].len) != 1)
			return -1;
	}
	return EVP_MAC_final(c, ret, &len, DIGEST_MAX) == 1 ? (int)len : -1;
}

int
crypto_hmac(enum digest d, struct span key, struct span data, unsigned char ret[DIGEST_MAX],
    size_t *len)
{
	int n = crypto_hmac_parts(d, key, &data, 1, ret);

	if (n < 0)
		return -1;
	*len = (size_t)n;
	return 0;
}

int
crypto_derive(struct span master, const char *purpose, unsigned char ret[32])
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	CLEANUP(kdf_freep) EVP_KDF_CTX *c = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY,
		    (void *)(uintptr_t)master.data, master.len),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)purpose,
		    strlen(purpose)),
		OSSL_PARAM_construct_end(),
	};

	EVP_KDF_free(kdf);
	return c && EVP_KDF_derive(c, ret, 32, params) == 1 ? 0 : -1;
}

bool
crypto_equal(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || CRYPTO_memcmp(a.data, b.data, a.len) == 0);
}

/* The system's own, which no process must gather or keep for itself. */
int
crypto_random(void *buf, size_t n)
{
	char *at = buf;
	ssize_t got;

	for (; n > 0; at += got, n -= (size_t)got) {
		got = getrandom(at, n, 0);
		if (got < 0 && errno != EINTR)
			return -1;
		got = got < 0 ? 0 : got;
	}
	return 0;
}

int
crypto_uuid(char ret[37])
{
	unsigned char b[16];
	char hex[33];

	if (crypto_random(b, sizeof(b)) != 0)
		return -1;
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	crypto_hex(b, sizeof(b), hex);
	snprintf(ret, 37, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
	return 0;
}

void
crypto_forget(void *p, size_t n)
{
	OPENSSL_cleanse(p, n);
}

int
crypto_gcm_seal(const unsigned char key[32], const unsigned char nonce[12], struct span aad,
    struct span plain, unsigned char *ret)
{
	CLEANUP(cipher_freep) EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int n = 0;

	pthread_once(&gcm_once, look_up_gcm);
	if (!c || !gcm || plain.len > INT32_MAX / 2 || aad.len > INT32_MAX / 2)
		return -1;
	if (EVP_EncryptInit_ex2(c, gcm, key, nonce, NULL) != 1)
		return -1;
	if (aad.len > 0 &&
	    EVP_EncryptUpdate(c, NULL, &n, (const unsigned char *)aad.data, (int)aad.len) != 1)
		return -1;
	if (plain.len > 0 &&
	    EVP_EncryptUpdate(c, ret, &n, (const unsigned char *)plain.data, (int)plain.len) != 1)
		return -1;
	if (EVP_EncryptFinal_ex(c, ret + plain.len, &n) != 1)
		return -1;
	return EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, GCM_TAG, ret + plain.len) == 1 ? 0 :
											      -1;
}

int
crypto_gcm_open(const unsigned char key[32], const unsigned char nonce[12], struct span aad,
    struct span sealed, unsigned char *ret)
{
	CLEANUP(cipher_freep) EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	const unsigned char *in = (const unsigned char *)sealed.data;
	size_t len = sealed.len - GCM_TAG;
	unsigned char tag[GCM_TAG];
	int n = 0;

	pthread_once(&gcm_once, look_up_gcm);
	if (!c || !gcm || sealed.len < GCM_TAG || sealed.len > INT32_MAX / 2)
		return -1;
	memcpy(tag, in + len, GCM_TAG);
	if (EVP_DecryptInit_ex2(c, gcm, key, nonce, NULL) != 1)
		return -1;
	if (aad.len > 0 &&
	    EVP_DecryptUpdate(c, NULL, &n, (const unsigned char *)aad.data, (int)aad.len) != 1)
		return -1;
	if (len > 0 && EVP_DecryptUpdate(c, ret, &n, in, (int)len) != 1)
		return -1;
	if (EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, GCM_TAG, tag) != 1 ||
	    EVP_DecryptFinal_ex(c, ret + len, &n) != 1) {
		/* What is not proven is not shown; and a later TLS read must not find this failure.
		 */
		crypto_forget(ret, len);
		ERR_clear_error();
		return -1;
	}
	return 0;
}
