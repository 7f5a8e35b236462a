/*
 * test_crypto.c - OpenSSL's work against published vectors, and the encodings with what they must
 * refuse.
 */
#include "lib/crypto.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
assert_bytes(const unsigned char *got, size_t n, const char *hex)
{
	char text[2 * 512 + 1];

	assert_true(n <= 512);
	crypto_hex(got, n, text);
	assert_string_equal(text, hex);
}

/* FIPS 180-2. */
static void
sha256_is_right(void **state UNUSED)
{
	unsigned char d[SHA256_LEN];

	assert_int_equal(crypto_sha256(SPAN("abc"), d), 0);
	assert_bytes(d, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(crypto_sha256(span_of(NULL), d), 0);
	assert_bytes(d, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* RFC 2202 and RFC 4231, case 2; case 6 has a key longer than a block. */
static void
hmac_is_right(void **state UNUSED)
{
	struct span key = SPAN("Jefe"), data = SPAN("what do ya want for nothing?");
	unsigned char mac[DIGEST_MAX];
	char longer[131];
	size_t n = 0;

	assert_int_equal(crypto_hmac(DIGEST_SHA1, key, data, mac, &n), 0);
	assert_bytes(mac, n, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
	assert_int_equal(crypto_hmac(DIGEST_SHA256, key, data, mac, &n), 0);
	assert_bytes(mac, n, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	assert_int_equal(crypto_hmac(DIGEST_SHA512, key, data, mac, &n), 0);
	assert_bytes(mac, n,
	    "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
	    "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737");

	memset(longer, 0xaa, sizeof(longer));
	assert_int_equal(crypto_hmac(DIGEST_SHA256, (struct span){ longer, sizeof(longer) },
			     SPAN("Test Using Larger Than Block-Size Key - Hash Key First"), mac,
			     &n),
	    0);
	assert_bytes(mac, n, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void
hmac_of_parts_is_the_hmac_of_all(void **state UNUSED)
{
	static const struct span parts[] = { { "what do", 7 }, { NULL, 0 }, { " ya want", 8 },
		{ " for nothing?", 13 } };
	unsigned char mac[DIGEST_MAX];

	assert_int_equal(crypto_hmac_parts(DIGEST_SHA256, SPAN("Jefe"), parts, 4, mac), 32);
	assert_bytes(mac, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	assert_int_equal(crypto_hmac_parts(DIGEST_SHA1, span_of(NULL), NULL, 0, mac), 20);
	assert_bytes(mac, 20, "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d");
}

/* RFC 5869, case 3: no salt, no info. */
static void
a_derived_key_is_hkdf(void **state UNUSED)
{
	unsigned char key[32], other[32];
	char master[22];

	memset(master, 0x0b, sizeof(master));
	assert_int_equal(crypto_derive((struct span){ master, sizeof(master) }, "", key), 0);
	assert_bytes(key, 32, "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");
	assert_int_equal(crypto_derive((struct span){ master, sizeof(master) }, "a", other), 0);
	assert_memory_not_equal(key, other, 32);
}

static void
equality_looks_at_length_and_bytes(void **state UNUSED)
{
	assert_true(crypto_equal(SPAN("abc"), SPAN("abc")));
	assert_false(crypto_equal(SPAN("abc"), SPAN("abd")));
	assert_false(crypto_equal(SPAN("abc"), SPAN("ab")));
	assert_true(crypto_equal(span_of(NULL), span_of("")));
	assert_false(crypto_equal(span_of(NULL), SPAN("a")));
}

static void
random_bytes_and_uuids_differ(void **state UNUSED)
{
	unsigned char a[32] = { 0 }, b[32] = { 0 };
	char one[37], two[37];

	assert_int_equal(crypto_random(a, sizeof(a)), 0);
	assert_int_equal(crypto_random(b, sizeof(b)), 0);
	assert_memory_not_equal(a, b, sizeof(a));
	assert_int_equal(crypto_uuid(one), 0);
	assert_int_equal(crypto_uuid(two), 0);
	assert_string_not_equal(one, two);
	assert_true(base_is_uuid(one));
	assert_int_equal(one[14], '4');
	assert_non_null(strchr("89ab", one[19]));
}

static void
a_secret_is_forgotten(void **state UNUSED)
{
	char secret[] = "secret", zero[sizeof(secret)] = { 0 };

	crypto_forget(secret, sizeof(secret));
	assert_memory_equal(secret, zero, sizeof(secret));
}

static void
hex_is_read_and_written(void **state UNUSED)
{
	unsigned char b[4];

	assert_int_equal(crypto_unhex(SPAN("00fFA0"), b, sizeof(b)), 3);
	assert_bytes(b, 3, "00ffa0");
	assert_int_equal(crypto_unhex(SPAN(""), b, 0), 0);
	assert_int_equal(crypto_unhex(SPAN("0"), b, sizeof(b)), -1);
	assert_int_equal(crypto_unhex(SPAN("0g"), b, sizeof(b)), -1);
	assert_int_equal(crypto_unhex(SPAN("0 "), b, sizeof(b)), -1);
	assert_int_equal(crypto_unhex(SPAN("0011223344"), b, sizeof(b)), -1);
}

/* RFC 4648, section 10. */
static void
base64_is_read_and_written(void **state UNUSED)
{
	static const struct {
		struct span plain;
		const char *base64;
		const char *url;
	} cases[] = {
		{ { "", 0 }, "", "" },
		{ { "f", 1 }, "Zg==", "Zg" },
		{ { "fo", 2 }, "Zm8=", "Zm8" },
		{ { "foo", 3 }, "Zm9v", "Zm9v" },
		{ { "foob", 4 }, "Zm9vYg==", "Zm9vYg" },
		{ { "foobar", 6 }, "Zm9vYmFy", "Zm9vYmFy" },
		{ { "\xfb\xff\xfe", 3 }, "+//+", "-__-" },
	};
	unsigned char b[16];
	char text[16];
	size_t i, n;

	for (i = 0; i < COUNT(cases); i++) {
		const unsigned char *plain = (const unsigned char *)cases[i].plain.data;

		n = cases[i].plain.len;
		assert_int_equal(crypto_base64(plain, n, text, sizeof(text)),
		    strlen(cases[i].base64));
		assert_string_equal(text, cases[i].base64);
		assert_int_equal(crypto_base64(plain, n, text, strlen(text)), -1);
		assert_int_equal(crypto_unbase64(span_of(cases[i].base64), b, n), n);
		assert_memory_equal(b, plain, n);

		assert_int_equal(crypto_base64url(plain, n, text, sizeof(text)),
		    strlen(cases[i].url));
		assert_string_equal(text, cases[i].url);
		assert_int_equal(crypto_base64url(plain, n, text, strlen(text)), -1);
		assert_int_equal(crypto_unbase64url(span_of(cases[i].url), b, n), n);
		assert_memory_equal(b, plain, n);
		if (n > 0)
			assert_int_equal(crypto_unbase64url(span_of(cases[i].url), b, n - 1), -1);
	}
}

static void
base64_has_one_spelling_only(void **state UNUSED)
{
	static const char *const wrong[] = { "Z", "Zg",
		"Zg=", "Zg===", "Zh==", "Zm9=", "Zm9v=", "====", "=", "Zg==Zg==", "Zm 9", "Zm9v\n",
		"-__-", "Zm9v Zg==", "Z===", "Zm\xc3\xa9" };
	static const char *const wrong_url[] = { "Z", "Zg==", "Zh", "Zm9", "+//+", "Zm9v\n", " Zg",
		"Zm9vZ" };
	unsigned char b[16];
	size_t i;

	for (i = 0; i < COUNT(wrong); i++) {
		if (crypto_unbase64(span_of(wrong[i]), b, sizeof(b)) != -1)
			fail_msg("%s passed for base64", wrong[i]);
	}
	for (i = 0; i < COUNT(wrong_url); i++) {
		if (crypto_unbase64url(span_of(wrong_url[i]), b, sizeof(b)) != -1)
			fail_msg("%s passed for base64url", wrong_url[i]);
	}
}

/* The GCM specification's test case 16. */
static void
gcm_is_right(void **state UNUSED)
{
	unsigned char key[32], nonce[12], aad[20], plain[60], out[76], back[60];
	struct span aad_span = { (char *)aad, sizeof(aad) };
	struct span plain_hex = SPAN("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da"
				     "2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525"
				     "b16aedf5aa0de657ba637b39");

	crypto_unhex(SPAN("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"), key,
	    32);
	crypto_unhex(SPAN("cafebabefacedbaddecaf888"), nonce, 12);
	crypto_unhex(SPAN("feedfacedeadbeeffeedfacedeadbeefabaddad2"), aad, 20);
	assert_int_equal(crypto_unhex(plain_hex, plain, 60), 60);
	assert_int_equal(crypto_gcm_seal(key, nonce, aad_span, (struct span){ (char *)plain, 60 },
			     out),
	    0);
	assert_bytes(out, 76,
	    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
	    "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
	    "76fc6ece0f4e1768cddf8853bb2d551b");
	assert_int_equal(crypto_gcm_open(key, nonce, aad_span, (struct span){ (char *)out, 76 },
			     back),
	    0);
	assert_memory_equal(back, plain, 60);
}

static void
a_changed_byte_does_not_open(void **state UNUSED)
{
	unsigned char key[32] = { 1 }, nonce[12] = { 2 }, out[21], back[5];
	struct span sealed = { (char *)out, sizeof(out) };
	size_t i;

	assert_int_equal(crypto_gcm_seal(key, nonce, SPAN("aad"), SPAN("hello"), out), 0);
	assert_int_equal(crypto_gcm_open(key, nonce, SPAN("aad"), sealed, back), 0);
	assert_memory_equal(back, "hello", 5);
	for (i = 0; i < sizeof(out); i++) {
		out[i] ^= 0x40;
		assert_int_equal(crypto_gcm_open(key, nonce, SPAN("aad"), sealed, back), -1);
		assert_memory_not_equal(back, "hello", 5);
		out[i] ^= 0x40;
	}
	assert_int_equal(crypto_gcm_open(key, nonce, SPAN("aae"), sealed, back), -1);
	nonce[0]++;
	assert_int_equal(crypto_gcm_open(key, nonce, SPAN("aad"), sealed, back), -1);
	sealed.len = 15;
	assert_int_equal(crypto_gcm_open(key, nonce, SPAN("aad"), sealed, back), -1);
}

static void
an_empty_text_is_sealed_too(void **state UNUSED)
{
	unsigned char key[32] = { 0 }, nonce[12] = { 0 }, out[16], back[1];

	assert_int_equal(crypto_gcm_seal(key, nonce, span_of(NULL), span_of(NULL), out), 0);
	assert_bytes(out, 16, "530f8afbc74536b9a963b4f1c4cb738b");
	assert_int_equal(crypto_gcm_open(key, nonce, span_of(NULL),
			     (struct span){ (char *)out, 16 }, back),
	    0);
}

static void
keys_that_are_none_verify_nothing(void **state UNUSED)
{
	static const unsigned char zero[256];
	struct span n32 = { (const char *)zero, 32 }, n64 = { (const char *)zero, 64 };
	struct span n256 = { (const char *)zero, 256 };

	assert_false(crypto_verify_p256(n32, n32, SPAN("x"), n64));
	assert_false(crypto_verify_p256(n64, n32, SPAN("x"), n64));
	assert_false(crypto_verify_p256(span_of(NULL), span_of(NULL), SPAN("x"), n64));
	assert_false(crypto_verify_rsa(n256, SPAN("\1\0\1"), SPAN("x"), n256));
	assert_false(crypto_verify_rsa(span_of(NULL), span_of(NULL), SPAN("x"), n256));
}

static void *
work(void *arg)
{
	unsigned char mac[DIGEST_MAX], d[SHA256_LEN];
	size_t n;
	int i;

	for (i = 0; i < 200; i++) {
		if (crypto_hmac(DIGEST_SHA256, SPAN("Jefe"), SPAN("what do ya want for nothing?"),
			mac, &n) != 0 ||
		    mac[0] != 0x5b || crypto_sha256(SPAN("abc"), d) != 0 || d[0] != 0xba)
			return NULL;
	}
	return arg;
}

/* In a program of its own the first use of all is by several threads at once. */
static void
threads_use_it_at_once(void **state UNUSED)
{
	static char fine;
	pthread_t t[8];
	void *ret;
	size_t i;

	for (i = 0; i < COUNT(t); i++)
		assert_int_equal(pthread_create(&t[i], NULL, work, &fine), 0);
	for (i = 0; i < COUNT(t); i++) {
		pthread_join(t[i], &ret);
		assert_ptr_equal(ret, &fine);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_use_it_at_once),
		cmocka_unit_test(sha256_is_right),
		cmocka_unit_test(hmac_is_right),
		cmocka_unit_test(hmac_of_parts_is_the_hmac_of_all),
		cmocka_unit_test(a_derived_key_is_hkdf),
		cmocka_unit_test(equality_looks_at_length_and_bytes),
		cmocka_unit_test(random_bytes_and_uuids_differ),
		cmocka_unit_test(a_secret_is_forgotten),
		cmocka_unit_test(hex_is_read_and_written),
		cmocka_unit_test(base64_is_read_and_written),
		cmocka_unit_test(base64_has_one_spelling_only),
		cmocka_unit_test(gcm_is_right),
		cmocka_unit_test(a_changed_byte_does_not_open),
		cmocka_unit_test(an_empty_text_is_sealed_too),
		cmocka_unit_test(keys_that_are_none_verify_nothing),
	};

	return cmocka_run_group_tests_name("crypto", tests, NULL, NULL);
}
