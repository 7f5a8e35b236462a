/*
 * password.c - hashing and checking passwords; slow on purpose, so no transaction is open
 * meanwhile.
 */
#include "lib/password.h"

#include <crypt.h>
#include <stdio.h>
#include <string.h>

#include "base/settings.h"
#include "lib/crypto.h"

enum { SALT_BYTES = 16 };

/* The salt of a hash that nobody has. */
#define NOBODY_SALT "abcdefghijklmnopqrstuu"

/* Characters, not bytes, of UTF-8. */
static size_t
count_characters(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

const char *
password_wrong(const char *password)
{
	if (strlen(password) > PASSWORD_MAX)
		return "The password may have 72 bytes at most.";
	if ((int64_t)count_characters(password) < setting_int(SET_HOOKSWITCH_PASSWORD_MIN))
		return "The password is too short.";
	return NULL;
}

/* crypt(3) with memory of m, which is wiped; NULL when the setting is none or memory is out. */
static const char *
run_crypt(struct mem *m, const char *password, const char *setting)
{
	struct crypt_data *data = mem_alloc(m, sizeof(*data));
	const char *hash;

	if (!data)
		return NULL;
	hash = crypt_r(password, setting, data);
	if (hash && hash[0] != '*')
		hash = mem_str(m, hash);
	else
		hash = NULL;
	crypto_forget(data, sizeof(*data));
	return hash;
}

const char *
password_hash(struct mem *m, const char *password)
{
	char random[SALT_BYTES], setting[CRYPT_GENSALT_OUTPUT_SIZE];
	unsigned long cost = (unsigned long)setting_int(SET_HOOKSWITCH_PASSWORD_COST);

	if (password_wrong(password) || crypto_random(random, sizeof(random)) < 0)
		return NULL;
	if (!crypt_gensalt_rn("$2b$", cost, random, sizeof(random), setting, sizeof(setting)))
		return NULL;
	return run_crypt(m, password, setting);
}

/* crypt(3) knows much that is weak; only these are a hash of ours. */
static bool
is_known(const char *hash)
{
	return strncmp(hash, "$2a$", 4) == 0 || strncmp(hash, "$2b$", 4) == 0 ||
	    strncmp(hash, "$2y$", 4) == 0 || strncmp(hash, "$y$", 3) == 0;
}

bool
password_check(struct mem *m, const char *password, const char *hash)
{
	char nobody[sizeof("$2b$00$" NOBODY_SALT)];
	bool known = hash && is_known(hash), fits = strlen(password) <= PASSWORD_MAX;
	const char *made;

	snprintf(nobody, sizeof(nobody), "$2b$%02d$" NOBODY_SALT,
	    (int)setting_int(SET_HOOKSWITCH_PASSWORD_COST));
	made = run_crypt(m, fits ? password : "", known ? hash : nobody);
	return made && known && fits && crypto_equal(span_of(made), span_of(hash));
}
