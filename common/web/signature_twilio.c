/*
 * signature_twilio.c - Twilio's signature: HMAC-SHA1 over the address as Twilio was told it and
 * over the form's fields.
 *
 * The fields are sorted, each distinct one once, name and value without anything between.  A body
 * that is no form is proved by its SHA-256 in the address (bodySHA256), which is signed.  There is
 * no time in it: the same request is good for ever.
 */
#include "base/pairs.h"
#include "web/signature.h"

#include <stdlib.h>
#include <string.h>

enum { MEMORY_MAX = 16 * 1024 * 1024, URL_PARTS = 3 };

const struct signature_plan signature_twilio[SIGNATURE_TWILIO_PLANS] = {
	{ .kind = SIGNATURE_TWILIO,
	    .header = "X-Twilio-Signature",
	    .prefix = "",
	    .digest = DIGEST_SHA1,
	    .base64 = true },
};

/* ---- the address ----------------------------------------------------- */

/* An address in three parts: up to the host, the port with its colon, the rest. */
struct address {
	struct span parts[URL_PARTS];
};

static bool
split(const char *url, struct address *ret)
{
	const char *host = strstr(url, "://"), *end, *colon;

	if (!host)
		return false;
	host += 3;
	end = host + strcspn(host, "/?#");
	colon = memchr(host, ':', (size_t)(end - host));
	if (!colon)
		colon = end;
	ret->parts[0] = (struct span){ url, (size_t)(colon - url) };
	ret->parts[1] = (struct span){ colon, (size_t)(end - colon) };
	ret->parts[2] = span_of(end);
	return true;
}

/* The same address written the other way: with the standard port, or without it.  False when its
 * port is another one. */
static bool
other_way(const char *url, struct address *a)
{
	struct span standard = strncmp(url, "https:", 6) == 0 ? SPAN(":443") : SPAN(":80");

	if (a->parts[1].len == 0) {
		a->parts[1] = standard;
		return true;
	}
	if (a->parts[1].len != standard.len ||
	    memcmp(a->parts[1].data, standard.data, standard.len) != 0)
		return false;
	a->parts[1] = SPAN("");
	return true;
}

/* What the address says of its body's SHA-256; data NULL: nothing. */
static struct span
hash_told(const char *url)
{
	static const char name[] = "bodySHA256=";
	const char *s = strchr(url, '?');

	while (s && *s != '\0' && *s != '#') {
		s++;
		if (strncmp(s, name, sizeof(name) - 1) == 0) {
			s += sizeof(name) - 1;
			return (struct span){ s, strcspn(s, "&#") };
		}
		s += strcspn(s, "&#");
	}
	return (struct span){ 0 };
}

static bool
hash_fits(struct span told, struct span body)
{
	unsigned char hash[SHA256_LEN];
	char hex[2 * SHA256_LEN + 1];

	if (crypto_sha256(body, hash) < 0)
		return false;
	crypto_hex(hash, sizeof(hash), hex);
	return crypto_equal(told, span_of(hex));
}

/* ---- the fields ------------------------------------------------------ */

static int
compare(struct span a, struct span b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int order = n > 0 ? memcmp(a.data, b.data, n) : 0;

	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int
by_name_and_value(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;
	int order = compare(x->name, y->name);

	return order != 0 ? order : compare(x->value, y->value);
}

/* The fields as they are signed, behind room for the address; how many parts all of it has, 0 when
 * it cannot be done. */
static size_t
sign_fields(struct mem *m, struct span body, struct span **ret)
{
	struct pair *sorted;
	struct pairs fields;
	struct span *parts;
	size_t i, n = URL_PARTS;

	if (pairs_read(m, body, &fields) < 0)
		return 0;
	sorted = mem_alloc(m, (fields.n + 1) * sizeof(*sorted));
	parts = mem_alloc(m, (URL_PARTS + 2 * fields.n) * sizeof(*parts));
	if (!sorted || !parts)
		return 0;
	if (fields.n > 0) {
		memcpy(sorted, fields.items, fields.n * sizeof(*sorted));
		qsort(sorted, fields.n, sizeof(*sorted), by_name_and_value);
	}
	for (i = 0; i < fields.n; i++) {
		if (i > 0 && by_name_and_value(&sorted[i - 1], &sorted[i]) == 0)
			continue;
		parts[n++] = sorted[i].name;
		parts[n++] = sorted[i].value;
	}
	*ret = parts;
	return n;
}

/* ---- both ------------------------------------------------------------ */

static bool
mac_fits(struct span secret, const struct address *a, struct span *parts, size_t n,
    struct span sent)
{
	unsigned char mac[DIGEST_MAX];
	int len;

	memcpy(parts, a->parts, sizeof(a->parts));
	len = crypto_hmac_parts(DIGEST_SHA1, secret, parts, n, mac);
	return len > 0 && crypto_equal(sent, (struct span){ (const char *)mac, (size_t)len });
}

static bool
either_fits(struct mem *m, struct span secret, const struct signed_request *r, struct span body,
    struct span sent)
{
	struct span *parts = NULL;
	struct address a;
	size_t n = sign_fields(m, body, &parts);

	if (n == 0 || !split(r->url, &a))
		return false;
	return mac_fits(secret, &a, parts, n, sent) ||
	    (other_way(r->url, &a) && mac_fits(secret, &a, parts, n, sent));
}

bool
signature_twilio_fits(const struct signature_plan *p, struct span secret,
    const struct signed_request *r)
{
	CLEANUP(mem_freep) struct mem *m = mem_new(MEMORY_MAX);
	const char *header = r->header(r->arg, p->header);
	unsigned char sent[DIGEST_MAX];
	struct span body = r->body, told;
	int len;

	if (!m || !header || !r->url)
		return false;
	len = crypto_unbase64(span_of(header), sent, sizeof(sent));
	if (len <= 0)
		return false;
	told = hash_told(r->url);
	if (told.data) {
		if (!hash_fits(told, body))
			return false;
		body = SPAN("");
	}
	return either_fits(m, secret, r, body, (struct span){ (const char *)sent, (size_t)len });
}
