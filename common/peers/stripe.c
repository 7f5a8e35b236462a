/*
 * stripe.c - Stripe: builds the requests.  stripe_answer.c says what became of them, stripe_read.c
 * and stripe_invoice.c read what they answer.
 */
#include "peers/stripe.h"

#include "base/settings.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { TIMEOUT_MS = 20000, ANSWER_MAX = 8 * 1024 * 1024, URL_MAX = 16 * 1024 };

/* ---- the form ------------------------------------------------------- */

void
stripe_put(struct stripe_form *f, const char *name, const char *value)
{
	if (!value)
		return;
	if (f->text.len > 0)
		text_putc(&f->text, '&');
	/* Brackets may be sent bare, and are easier to read in a log. */
	text_puts(&f->text, name);
	text_putc(&f->text, '=');
	text_url(&f->text, value);
}

void
stripe_put_int(struct stripe_form *f, const char *name, int64_t value)
{
	char buf[32];

	snprintf(buf, sizeof(buf), "%" PRId64, value);
	stripe_put(f, name, buf);
}

void
stripe_put_bool(struct stripe_form *f, const char *name, bool value)
{
	stripe_put(f, name, value ? "true" : "false");
}

void
stripe_form_clear(struct stripe_form *f)
{
	text_clear(&f->text);
}

/* ---- the request ---------------------------------------------------- */

bool
stripe_ready(void)
{
	return setting_str(SET_STRIPE_SECRET_KEY) != NULL;
}

const char *
stripe_path(struct mem *m, const char *front, const char *id, const char *back)
{
	size_t n = id ? strlen(id) : 0;

	for (size_t i = 0; i < n; i++) {
		if (!isalnum((unsigned char)id[i]) && id[i] != '_' && id[i] != '-')
			n = 0;
	}
	if (n == 0 || n > STRIPE_ID_MAX) {
		errno = EINVAL;
		return NULL;
	}
	return mem_printf(m, "%s%s%s", front, id, back);
}

static bool
is_key(const char *key)
{
	size_t n = key ? strlen(key) : 0;

	for (size_t i = 0; i < n; i++) {
		if (!isgraph((unsigned char)key[i]))
			return false;
	}
	return n > 0 && n <= STRIPE_KEY_MAX;
}

static const char *const *
headers(struct mem *m, const char *key, bool form)
{
	const char **h = mem_alloc(m, 6 * sizeof(*h));
	size_t n = 0;

	if (!h)
		return NULL;
	h[n++] = mem_printf(m, "Authorization: Bearer %s", setting_str(SET_STRIPE_SECRET_KEY));
	h[n++] = "Stripe-Version: " STRIPE_VERSION;
	h[n++] = "User-Agent: hookswitch";
	if (form)
		h[n++] = "Content-Type: application/x-www-form-urlencoded";
	if (key)
		h[n] = mem_printf(m, "Idempotency-Key: %s", key);
	return h[0] && (!key || h[n]) ? h : NULL;
}

/* Whether the request can be built at all. */
static int
check(const char *path, const struct stripe_form *f, const char *key, bool keyed)
{
	if (!stripe_ready()) {
		errno = ENOTCONN;
		return -1;
	}
	if (!path || path[0] != '/' || (keyed && !is_key(key))) {
		errno = EINVAL;
		return -1;
	}
	if (f && !text_ok(&f->text)) {
		errno = ENOMEM;
		return -1;
	}
	return 0;
}

/* What the request is but for where it goes and what it brings. */
static int
build(struct mem *m, const char *method, const char *key, struct fetch_request *ret)
{
	ret->peer = "stripe";
	ret->method = method;
	ret->headers = headers(m, key, ret->body.len > 0);
	ret->timeout_ms = TIMEOUT_MS;
	ret->max_bytes = ANSWER_MAX;
	ret->https_only = ret->url && strncmp(ret->url, "https:", 6) == 0;
	if (!ret->url || !ret->headers) {
		errno = ENOMEM;
		return -1;
	}
	return 0;
}

/* All that is asked stands in the address. */
static int
ask_by_address(struct mem *m, const char *path, const struct stripe_form *f,
    struct fetch_request *ret)
{
	const char *base = setting_str(SET_STRIPE_BASE_URL);
	bool any = f && f->text.len > 0;

	*ret = (struct fetch_request){ 0 };
	if (any && f->text.len > URL_MAX) {
		errno = EINVAL;
		return -1;
	}
	ret->url =
	    mem_printf(m, "%s%s%s%s", base, path, any ? "?" : "", any ? text_str(&f->text) : "");
	return 0;
}

int
stripe_get(struct mem *m, const char *path, const struct stripe_form *f, struct fetch_request *ret)
{
	if (check(path, f, NULL, false) < 0 || ask_by_address(m, path, f, ret) < 0)
		return -1;
	return build(m, "GET", NULL, ret);
}

int
stripe_delete(struct mem *m, const char *path, const struct stripe_form *f, const char *key,
    struct fetch_request *ret)
{
	if (check(path, f, key, true) < 0 || ask_by_address(m, path, f, ret) < 0)
		return -1;
	return build(m, "DELETE", key, ret);
}

int
stripe_post(struct mem *m, const char *path, const struct stripe_form *f, const char *key,
    struct fetch_request *ret)
{
	if (check(path, f, key, true) < 0)
		return -1;

	*ret = (struct fetch_request){ 0 };
	ret->url = mem_printf(m, "%s%s", setting_str(SET_STRIPE_BASE_URL), path);
	if (f && f->text.len > 0) {
		ret->body =
		    (struct span){ mem_dup(m, text_str(&f->text), f->text.len), f->text.len };
		if (!ret->body.data)
			return -1;
	}
	return build(m, "POST", key, ret);
}
