/*
 * signature.c - checks webhook signatures by a plan.
 */
#include "web/signature.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

enum { PARTS_MAX = 32, SECRET_MAX = 1024 };

const struct signature_plan signature_vapi[SIGNATURE_VAPI_PLANS] = {
	{ .kind = SIGNATURE_SECRET, .header = "X-Vapi-Secret", .prefix = "" },
	{ .kind = SIGNATURE_SECRET, .header = "Authorization", .prefix = "Bearer " },
	{ .kind = SIGNATURE_HMAC,
	    .header = "x-signature",
	    .prefix = "",
	    .digest = DIGEST_SHA256,
	    .format = "{timestamp}.{body}",
	    .timestamp_header = "x-timestamp" },
	{ .kind = SIGNATURE_HMAC,
	    .header = "x-vapi-signature",
	    .prefix = "",
	    .digest = DIGEST_SHA256,
	    .format = "{body}" },
};

#define SYNTHFLOW_PLAN(name)                                                                       \
	{                                                                                          \
		.kind = SIGNATURE_HMAC, .header = (name), .prefix = "", .digest = DIGEST_SHA256,   \
		.format = "{body}", .base64 = true                                                 \
	}

const struct signature_plan signature_synthflow[SIGNATURE_SYNTHFLOW_PLANS] = {
	SYNTHFLOW_PLAN("Synthflow-Signature"),
	SYNTHFLOW_PLAN("X-Synthflow-Signature"),
	SYNTHFLOW_PLAN("HTTP-SYNTHFLOW-SIGNATURE"),
};

const struct signature_plan signature_stripe[SIGNATURE_STRIPE_PLANS] = {
	{ .kind = SIGNATURE_HMAC,
	    .header = "Stripe-Signature",
	    .prefix = "",
	    .digest = DIGEST_SHA256,
	    .format = "{timestamp}.{body}",
	    .between = ',',
	    .timestamp_name = "t",
	    .signature_name = "v1" },
};

const struct signature_plan signature_paddle[SIGNATURE_PADDLE_PLANS] = {
	{ .kind = SIGNATURE_HMAC,
	    .header = "Paddle-Signature",
	    .prefix = "",
	    .digest = DIGEST_SHA256,
	    .format = "{timestamp}:{body}",
	    .between = ';',
	    .timestamp_name = "ts",
	    .signature_name = "h1" },
};

/* ---- plans ---------------------------------------------------------- */

static const char *
str_or(const struct json *config, const char *name, const char *dflt)
{
	const char *s = json_str(config, name);

	return s && s[0] != '\0' ? s : dflt;
}

static int
digest_named(const char *name, enum digest *ret)
{
	static const struct {
		const char *name;
		enum digest digest;
	} digests[] = { { "sha256", DIGEST_SHA256 }, { "sha512", DIGEST_SHA512 },
		{ "sha1", DIGEST_SHA1 } };
	size_t i;

	for (i = 0; i < COUNT(digests); i++) {
		if (strcmp(digests[i].name, name) == 0) {
			*ret = digests[i].digest;
			return 0;
		}
	}
	return -1;
}

static int
read_hmac(const struct json *config, struct signature_plan *ret)
{
	const char *encoding = str_or(config, "signatureEncoding", "hex");
	bool timestamp = json_bool(config, "includeTimestamp", true);

	*ret = (struct signature_plan){ .kind = SIGNATURE_HMAC,
		.header = str_or(config, "signatureHeader", "x-signature"),
		.prefix = str_or(config, "signaturePrefix", ""),
		.format =
		    str_or(config, "payloadFormat", timestamp ? "{timestamp}.{body}" : "{body}"),
		.timestamp_header = str_or(config, "timestampHeader", "x-timestamp"),
		.id_header = str_or(config, "messageIdHeader", "svix-id"),
		.base64 = strcmp(encoding, "base64") == 0,
		.secret_base64 = json_bool(config, "secretIsBase64", false) };
	if (!ret->base64 && strcmp(encoding, "hex") != 0)
		return -1;
	/* A signature that does not cover the event proves nothing about it. */
	if (!strstr(ret->format, "{body}"))
		return -1;
	return digest_named(str_or(config, "algorithm", "sha256"), &ret->digest);
}

int
signature_plan_read(const struct json *config, const char *kind, struct signature_plan *ret)
{
	struct signature_plan plan = { .kind = SIGNATURE_SECRET };
	const char *type = str_or(config, "type", kind ? kind : "");
	int result = -1;

	if (strcmp(type, "bearer") == 0) {
		plan.header = str_or(config, "headerName", "Authorization");
		plan.prefix = json_bool(config, "bearerPrefixEnabled", true) ? "Bearer " : "";
		result = 0;
	} else if (strcmp(type, "hmac") == 0) {
		result = read_hmac(config, &plan);
	}
	if (result < 0) {
		errno = EINVAL;
		return -1;
	}
	*ret = plan;
	return 0;
}

/* ---- what is signed ------------------------------------------------- */

/* Seconds, or milliseconds where the number is too large for seconds; which of them senders mean is
 * not written anywhere. */
static bool
is_fresh(struct span timestamp, const struct signed_request *r)
{
	int64_t t = 0, tolerance = r->tolerance > 0 ? r->tolerance : SIGNATURE_TOLERANCE;
	size_t i;

	if (timestamp.len == 0 || timestamp.len > 15)
		return false;
	for (i = 0; i < timestamp.len; i++) {
		if (timestamp.data[i] < '0' || timestamp.data[i] > '9')
			return false;
		t = t * 10 + (timestamp.data[i] - '0');
	}
	if (t > 100000000000)
		t /= 1000;
	return t - r->now <= tolerance && r->now - t <= tolerance;
}

static const char *
header_of(const struct signed_request *r, const char *name)
{
	return name ? r->header(r->arg, name) : NULL;
}

/* The next pair's value of that name in a header of pairs; *at is 0 at first, then behind what was
 * found.  False when there is none any more. */
static bool
next_pair(const struct signature_plan *p, const char *header, const char *name, size_t *at,
    struct span *ret)
{
	const char stops[] = { p->between, '\0' };
	size_t len = strlen(name), n;
	bool found = false;
	const char *s;

	while (!found && header[*at] != '\0') {
		s = header + *at;
		n = strcspn(s, stops);
		found = n > len && strncmp(s, name, len) == 0 && s[len] == '=';
		if (found)
			*ret = (struct span){ s + len + 1, n - len - 1 };
		*at += n + (s[n] != '\0');
	}
	return found;
}

static bool
timestamp_of(const struct signature_plan *p, const struct signed_request *r, struct span *ret)
{
	const char *header = header_of(r, p->header);
	size_t at = 0;

	if (p->between == '\0')
		*ret = span_of(header_of(r, p->timestamp_header));
	else if (!header || !next_pair(p, header, p->timestamp_name, &at, ret))
		return false;
	return ret->data && is_fresh(*ret, r);
}

/* The value of the placeholder at the front of s; *used is its length, 0 when there is none.  False
 * when what it stands for is missing or, for the timestamp, too old. */
static bool
placeholder(const struct signature_plan *p, const struct signed_request *r, const char *s,
    struct span *ret, size_t *used)
{
	static const char *const names[] = { "{body}", "{timestamp}", "{svix-id}", "{method}",
		"{url}" };
	size_t i;

	for (i = 0; i < COUNT(names); i++) {
		if (strncmp(s, names[i], strlen(names[i])) == 0)
			break;
	}
	*used = i < COUNT(names) ? strlen(names[i]) : 0;
	switch (i) {
	case 0:
		*ret = r->body;
		return true;
	case 1:
		return timestamp_of(p, r, ret);
	case 2:
		*ret = span_of(header_of(r, p->id_header));
		return ret->len > 0;
	case 3:
		*ret = span_of(r->method);
		return ret->data;
	case 4:
		*ret = span_of(r->url);
		return ret->data;
	default:
		return true;
	}
}

/* Cuts the format into parts; their number, -1 when one is missing or there are too many. */
static int
fill_format(const struct signature_plan *p, const struct signed_request *r, struct span *parts)
{
	const char *s = p->format;
	size_t used, n = 0, literal;

	while (*s != '\0') {
		if (n == PARTS_MAX || !placeholder(p, r, s, &parts[n], &used))
			return -1;
		if (used == 0) {
			literal = 1 + strcspn(s + 1, "{");
			parts[n] = (struct span){ s, literal };
			used = literal;
		}
		s += used;
		n++;
	}
	return (int)n;
}

/* ---- comparing ------------------------------------------------------ */

/* One signature as sent, prefix included, against the right one. */
static bool
equals(const struct signature_plan *p, struct span sent, struct span mac)
{
	size_t n = strlen(p->prefix);
	unsigned char raw[DIGEST_MAX];
	int len;

	if (sent.len < n || strncmp(sent.data, p->prefix, n) != 0)
		return false;
	sent = (struct span){ sent.data + n, sent.len - n };
	len = p->base64 ? crypto_unbase64(sent, raw, sizeof(raw)) :
			  crypto_unhex(sent, raw, sizeof(raw));
	return len > 0 && crypto_equal((struct span){ (const char *)raw, (size_t)len }, mac);
}

/* The same in a header of pairs. */
static bool
any_pair_equals(const struct signature_plan *p, const char *header, struct span mac)
{
	char hex[2 * DIGEST_MAX + 1];
	struct span sent;
	bool equal = false;
	size_t at = 0;

	crypto_hex((const unsigned char *)mac.data, mac.len, hex);
	while (!equal && next_pair(p, header, p->signature_name, &at, &sent))
		equal = crypto_equal(sent, span_of(hex));
	return equal;
}

/* While a secret is changed, a header may hold a signature for each, with spaces between. */
static bool
any_equals(const struct signature_plan *p, const char *header, struct span mac)
{
	bool equal = equals(p, span_of(header), mac);
	size_t n;

	while (*header != '\0' && !equal) {
		header += strspn(header, " ");
		n = strcspn(header, " ");
		equal = n > 0 && equals(p, (struct span){ header, n }, mac);
		header += n;
	}
	return equal;
}

static bool
hmac_fits(const struct signature_plan *p, struct span secret, const struct signed_request *r)
{
	const char *header = header_of(r, p->header);
	unsigned char key[SECRET_MAX], mac[DIGEST_MAX];
	struct span parts[PARTS_MAX];
	int n;

	if (!header)
		return false;
	if (p->secret_base64) {
		if (secret.len > 6 && memcmp(secret.data, "whsec_", 6) == 0)
			secret = (struct span){ secret.data + 6, secret.len - 6 };
		n = crypto_unbase64(secret, key, sizeof(key));
		if (n <= 0)
			return false;
		secret = (struct span){ (const char *)key, (size_t)n };
	}
	n = fill_format(p, r, parts);
	if (n < 0)
		return false;
	n = crypto_hmac_parts(p->digest, secret, parts, (size_t)n, mac);
	if (n <= 0)
		return false;
	return (p->between != '\0' ? any_pair_equals : any_equals)(p, header,
	    (struct span){ (const char *)mac, (size_t)n });
}

static bool
secret_fits(const struct signature_plan *p, struct span secret, const struct signed_request *r)
{
	const char *header = header_of(r, p->header);
	size_t n = strlen(p->prefix);

	/* The scheme's name may come in any case. */
	if (!header || strncasecmp(header, p->prefix, n) != 0)
		return false;
	return crypto_equal(span_of(header + n), secret);
}

bool
signature_fits(const struct signature_plan *p, struct span secret, const struct signed_request *r)
{
	if (secret.len == 0)
		return false;
	switch (p->kind) {
	case SIGNATURE_SECRET:
		return secret_fits(p, secret, r);
	case SIGNATURE_TWILIO:
		return signature_twilio_fits(p, secret, r);
	case SIGNATURE_HMAC:
		break;
	}
	return hmac_fits(p, secret, r);
}
