/*
 * totp.c - secrets and codes; base32 and the truncated HMAC are liboath's.
 */
#include "lib/totp.h"

#include <liboath/oath.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "lib/crypto.h"

enum { SECRET_BYTES = 20, URI_MAX = 2048 };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool ready;

static void
make_ready(void)
{
	ready = oath_init() == OATH_OK;
}

static bool
is_ready(void)
{
	return pthread_once(&once, make_ready) == 0 && ready;
}

const char *
totp_secret(struct mem *m)
{
	char raw[SECRET_BYTES], *text = NULL;
	const char *secret;
	size_t n;

	if (!is_ready() || crypto_random(raw, sizeof(raw)) < 0)
		return NULL;
	if (oath_base32_encode(raw, sizeof(raw), &text, &n) != OATH_OK)
		return NULL;
	secret = mem_str(m, text);
	crypto_forget(raw, sizeof(raw));
	crypto_forget(text, n);
	free(text);
	return secret;
}

const char *
totp_uri(struct mem *m, const char *issuer, const char *account, const char *secret)
{
	CLEANUP(text_clear) struct text t = TEXT(URI_MAX);

	text_puts(&t, "otpauth://totp/");
	text_url(&t, issuer);
	text_putc(&t, ':');
	text_url(&t, account);
	text_printf(&t, "?secret=%s&issuer=", secret);
	text_url(&t, issuer);
	text_printf(&t, "&algorithm=SHA1&digits=%d&period=%d", TOTP_DIGITS, TOTP_STEP_SECONDS);
	return text_ok(&t) ? mem_str(m, text_str(&t)) : NULL;
}

int
totp_code(const char *secret, int64_t now, char ret[TOTP_DIGITS + 1])
{
	char *raw = NULL;
	size_t n = 0;
	int rc;

	if (!is_ready() || oath_base32_decode(secret, strlen(secret), &raw, &n) != OATH_OK)
		return -1;
	rc = oath_totp_generate(raw, n, (time_t)now, TOTP_STEP_SECONDS,
	    OATH_TOTP_DEFAULT_START_TIME, TOTP_DIGITS, ret);
	crypto_forget(raw, n);
	free(raw);
	return rc == OATH_OK ? 0 : -1;
}

int64_t
totp_step(const char *secret, const char *code, int64_t now)
{
	int64_t step, at = now / TOTP_STEP_SECONDS, found = -1;
	char right[TOTP_DIGITS + 1];

	for (step = at - TOTP_WINDOW; step <= at + TOTP_WINDOW; step++) {
		if (totp_code(secret, step * TOTP_STEP_SECONDS, right) < 0)
			return -1;
		if (crypto_equal(span_of(right), span_of(code)))
			found = step;
	}
	return found;
}
