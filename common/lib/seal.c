/*
 * seal.c - sealing with the keys of HOOKSWITCH_SECRET_KEY, and tokens that are worth one thing
 * only.
 *
 * A key of the setting is a master: what encrypts and what signs are keys derived from it, so that
 * neither use says anything about the other.
 */
#include "lib/seal.h"

#include <pthread.h>
#include <string.h>

#include "base/log.h"
#include "base/settings.h"
#include "base/text.h"
#include "lib/crypto.h"

enum {
	KEYS_MAX = 8,
	ID_MAX = 32,
	KEY_LEN = 32,
	NONCE_LEN = 12,
	TAG_LEN = 16,
	UUID_LEN = 36,
	TOKEN_LEN = UUID_LEN + 1 + 2 * SHA256_LEN,
	PLAIN_MAX = 64 * 1024,
	PURPOSE_MAX = 40
};

static const char prefix[] = "sealed:1:";

struct seal_key {
	char id[ID_MAX + 1];
	unsigned char sealing[KEY_LEN];
	unsigned char token[KEY_LEN];
};

struct ring {
	struct seal_key keys[KEYS_MAX];
	size_t n;
};

/* The keys of the setting's text that they were made from; behind the lock. */
static struct {
	pthread_mutex_t lock;
	unsigned char made_from[SHA256_LEN];
	bool made;
	struct ring ring;
} cache = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void
ring_forget(struct ring *r)
{
	crypto_forget(r, sizeof(*r));
}

/* Takes one "id:base64" into k; what is wrong with it, NULL when nothing is. */
static const char *
read_key(struct span s, struct seal_key *k)
{
	static const char id_bytes[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
	const char *colon = memchr(s.data, ':', s.len);
	unsigned char master[KEY_LEN];
	struct span text;
	bool derived;

	if (!colon || colon == s.data || colon - s.data > ID_MAX)
		return "a key is not of the form id:base64";
	memset(k, 0, sizeof(*k));
	memcpy(k->id, s.data, (size_t)(colon - s.data));
	if (strspn(k->id, id_bytes) != (size_t)(colon - s.data))
		return "a key's id may hold letters, digits, _ and - only";
	text = (struct span){ colon + 1, s.len - (size_t)(colon + 1 - s.data) };
	if (crypto_unbase64(text, master, sizeof(master)) != KEY_LEN)
		return "a key is not the base64 of 32 bytes";

	text = (struct span){ (const char *)master, KEY_LEN };
	derived = crypto_derive(text, "hookswitch seal 1", k->sealing) == 0 &&
	    crypto_derive(text, "hookswitch call token 1", k->token) == 0;
	crypto_forget(master, sizeof(master));
	return derived ? NULL : "a key could not be derived";
}

static const char *
add_key(struct span s, struct ring *r)
{
	const char *why;
	size_t i;

	if (r->n == KEYS_MAX)
		return "there are more than 8 keys";
	why = read_key(s, &r->keys[r->n]);
	if (why)
		return why;
	for (i = 0; i < r->n; i++) {
		if (strcmp(r->keys[i].id, r->keys[r->n].id) == 0)
			return "two keys have the same id";
	}
	r->n++;
	return NULL;
}

/* All keys of the setting's text into r. */
static const char *
read_ring(const char *s, struct ring *r)
{
	const char *why = NULL;
	size_t n, blanks;

	r->n = 0;
	do {
		s += strspn(s, " ");
		n = strcspn(s, ",");
		for (blanks = 0; blanks < n && s[n - 1 - blanks] == ' '; blanks++)
			continue;
		why = add_key((struct span){ s, n - blanks }, r);
		s += n + (s[n] == ',');
	} while (!why && (s[0] || s[-1] == ','));
	return why;
}

/* As ring_get, with the lock held. */
static const char *
ring_get_locked(const char *setting, struct ring *ret)
{
	unsigned char digest[SHA256_LEN];
	const char *why;

	if (crypto_sha256(span_of(setting), digest) != 0)
		return "there is no SHA-256";
	if (!cache.made || memcmp(digest, cache.made_from, sizeof(digest)) != 0) {
		cache.made = false;
		why = read_ring(setting, &cache.ring);
		if (why)
			return why;
		memcpy(cache.made_from, digest, sizeof(digest));
		cache.made = true;
	}
	*ret = cache.ring;
	return NULL;
}

/* A copy of the keys; the reason why there are none, else NULL.  Deriving them costs more than most
 * of their uses: kept. */
static const char *
ring_get(struct ring *ret)
{
	const char *setting = setting_str(SET_HOOKSWITCH_SECRET_KEY);
	const char *why;

	ret->n = 0;
	if (!setting)
		return "must be set";
	pthread_mutex_lock(&cache.lock);
	why = ring_get_locked(setting, ret);
	pthread_mutex_unlock(&cache.lock);
	return why;
}

int
seal_ready(void)
{
	CLEANUP(ring_forget) struct ring r;
	const char *why = ring_get(&r);
	char buf[128];

	if (!why)
		return 0;
	log_line(LOG_ERROR, "event=wrong_setting setting=HOOKSWITCH_SECRET_KEY reason=%s",
	    log_quote(why, buf, sizeof(buf)));
	return -1;
}

bool
seal_is_sealed(const char *text)
{
	/* Any version: what only looks sealed must never be taken for the secret itself. */
	return text && strncmp(text, prefix, sizeof("sealed:") - 1) == 0;
}

/* What is authenticated beside the text: the form, the key and the purpose. */
static int
make_aad(char *buf, size_t size, const char *id, const char *purpose)
{
	int n = snprintf(buf, size, "%s%s:%s", prefix, id, purpose);

	return n > 0 && (size_t)n < size ? 0 : -1;
}

const char *
seal_close(struct mem *m, const char *purpose, const char *plain)
{
	CLEANUP(ring_forget) struct ring r;
	size_t n = strlen(plain), raw_len = NONCE_LEN + n + TAG_LEN, size = raw_len * 2;
	unsigned char *raw;
	char aad[256], *text;

	if (ring_get(&r) != NULL || n > PLAIN_MAX)
		return NULL;
	raw = mem_alloc(m, raw_len);
	text = mem_alloc(m, size);
	if (!raw || !text || make_aad(aad, sizeof(aad), r.keys[0].id, purpose) != 0)
		return NULL;
	if (crypto_random(raw, NONCE_LEN) != 0)
		return NULL;
	if (crypto_gcm_seal(r.keys[0].sealing, raw, span_of(aad), span_of(plain),
		raw + NONCE_LEN) != 0)
		return NULL;
	if (crypto_base64url(raw, raw_len, text, size) < 0)
		return NULL;
	return mem_printf(m, "%s%s:%s", prefix, r.keys[0].id, text);
}

static const struct seal_key *
find_key(const struct ring *r, const char *id, size_t n)
{
	size_t i;

	for (i = 0; i < r->n; i++) {
		if (strlen(r->keys[i].id) == n && memcmp(r->keys[i].id, id, n) == 0)
			return &r->keys[i];
	}
	return NULL;
}

const char *
seal_open(struct mem *m, const char *purpose, const char *sealed)
{
	CLEANUP(ring_forget) struct ring r;
	const struct seal_key *key;
	const char *id, *colon;
	unsigned char *raw;
	char aad[256], *plain;
	int n;

	if (!seal_is_sealed(sealed))
		return sealed;
	if (strncmp(sealed, prefix, sizeof(prefix) - 1) != 0 || ring_get(&r) != NULL)
		return NULL;
	id = sealed + sizeof(prefix) - 1;
	colon = strchr(id, ':');
	key = colon ? find_key(&r, id, (size_t)(colon - id)) : NULL;
	raw = mem_alloc(m, strlen(sealed));
	plain = mem_alloc(m, strlen(sealed));
	if (!key || !raw || !plain || make_aad(aad, sizeof(aad), key->id, purpose) != 0)
		return NULL;

	n = crypto_unbase64url(span_of(colon + 1), raw, strlen(sealed));
	if (n < NONCE_LEN + TAG_LEN)
		return NULL;
	if (crypto_gcm_open(key->sealing, raw, span_of(aad),
		(struct span){ (const char *)raw + NONCE_LEN, (size_t)n - NONCE_LEN },
		(unsigned char *)plain) != 0)
		return NULL;
	plain[n - NONCE_LEN - TAG_LEN] = '\0';
	return plain;
}

/* ---- tokens of one thing ---------------------------------------------- */

/* The MAC of a purpose and an id under k; a call's has no purpose in front, and no other is as
 * short. */
static int
make_mac(const struct seal_key *k, const char *purpose, const char *id,
    unsigned char ret[DIGEST_MAX], size_t *n)
{
	struct span key = { (const char *)k->token, KEY_LEN };
	char said[PURPOSE_MAX + UUID_LEN + 2];
	int len;

	len = snprintf(said, sizeof(said), "%s%s%s", purpose, *purpose ? " " : "", id);
	if (len < 0 || (size_t)len >= sizeof(said))
		return -1;
	return crypto_hmac(DIGEST_SHA256, key, (struct span){ said, (size_t)len }, ret, n);
}

/* The token of the id under k into ret, which has room for TOKEN_LEN + 1. */
static int
make_token(const struct seal_key *k, const char *purpose, const char *id, char *ret)
{
	unsigned char mac[DIGEST_MAX];
	size_t n;

	if (make_mac(k, purpose, id, mac, &n) != 0)
		return -1;
	memcpy(ret, id, UUID_LEN);
	ret[UUID_LEN] = '.';
	crypto_hex(mac, n, ret + UUID_LEN + 1);
	return 0;
}

/* Six digits that only we can tell from the id. */
static int
make_code(const struct seal_key *k, const char *purpose, const char *id, char ret[7])
{
	unsigned char mac[DIGEST_MAX];
	uint64_t number = 0;
	size_t i, n;

	if (make_mac(k, purpose, id, mac, &n) != 0)
		return -1;
	for (i = 0; i < sizeof(number); i++)
		number = number << 8 | mac[i];
	snprintf(ret, 7, "%06u", (unsigned)(number % 1000000));
	return 0;
}

/* An id in lower case; false when it is none. */
static bool
lower_id(const char *s, char ret[UUID_LEN + 1])
{
	size_t i;

	if (!base_is_uuid(s))
		return false;
	for (i = 0; i <= UUID_LEN; i++)
		ret[i] = s[i] >= 'A' && s[i] <= 'F' ? (char)(s[i] | 0x20) : s[i];
	return true;
}

const char *
seal_token(struct mem *m, const char *purpose, const char *id)
{
	CLEANUP(ring_forget) struct ring r;
	char lower[UUID_LEN + 1], *token;

	if (!lower_id(id, lower) || ring_get(&r) != NULL)
		return NULL;
	token = mem_alloc(m, TOKEN_LEN + 1);
	if (!token || make_token(&r.keys[0], purpose, lower, token) != 0)
		return NULL;
	return token;
}

bool
seal_token_check(const char *purpose, const char *token, char ret[37])
{
	CLEANUP(ring_forget) struct ring r;
	char id[UUID_LEN + 1], ours[TOKEN_LEN + 1];
	size_t i;

	if (!token || strlen(token) != TOKEN_LEN)
		return false;
	memcpy(id, token, UUID_LEN);
	id[UUID_LEN] = '\0';
	if (!base_is_uuid(id) || ring_get(&r) != NULL)
		return false;
	for (i = 0; i < r.n; i++) {
		if (make_token(&r.keys[i], purpose, id, ours) != 0)
			return false;
		if (crypto_equal((struct span){ ours, TOKEN_LEN },
			(struct span){ token, TOKEN_LEN })) {
			memcpy(ret, id, sizeof(id));
			return true;
		}
	}
	return false;
}

const char *
seal_code(struct mem *m, const char *purpose, const char *id)
{
	CLEANUP(ring_forget) struct ring r;
	char lower[UUID_LEN + 1], code[7];

	if (!lower_id(id, lower) || ring_get(&r) != NULL)
		return NULL;
	return make_code(&r.keys[0], purpose, lower, code) == 0 ? mem_str(m, code) : NULL;
}

bool
seal_code_check(const char *purpose, const char *id, const char *code)
{
	CLEANUP(ring_forget) struct ring r;
	char lower[UUID_LEN + 1], ours[7];
	size_t i;

	if (!code || !lower_id(id, lower) || ring_get(&r) != NULL)
		return false;
	for (i = 0; i < r.n; i++)
		if (make_code(&r.keys[i], purpose, lower, ours) == 0 &&
		    crypto_equal(span_of(ours), span_of(code)))
			return true;
	return false;
}
