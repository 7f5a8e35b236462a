/*
 * auth.c - reads Authorization, X-API-Key and X-Organization-Id.
 */
#include "web/auth.h"

#include "base/clock.h"
#include "base/settings.h"
#include "lib/crypto.h"
#include "lib/jwt.h"
#include "web/keyset.h"

#include <string.h>
#include <strings.h>

enum { TOKEN_MAX = 16384, KEY_MAX = 200, ORGANIZATION_MAX = 200, STEP_PARAMS = 6 };

#define KEY_PREFIX "hsk_"

/* The place of the request's own settings is the same in all statements. */
#define SET_REQUEST                                                                                \
	"set_config('hookswitch.request_id', $1::text, true),"                                     \
	" set_config('hookswitch.address', $2::text, true)"
#define SET_IDENTITY_AS(role)                                                                      \
	"select set_config('role', '" role "', true),"                                             \
	" set_config('request.jwt.claims', coalesce(i.claims::text, ''), true),"                   \
	" set_config('hookswitch.organization_id', coalesce(i.organization_id::text, ''), true),"  \
	" i.organization_id, i.user_id, " SET_REQUEST " from "

#define SET_IDENTITY SET_IDENTITY_AS("hookswitch_api")

enum { COLUMN_ORGANIZATION = 3, COLUMN_USER = 4 };

static const struct db_stmt by_token = { "identity_token",
	SET_IDENTITY "public.request_identity_token($3::jsonb, $4::text, $5::text) i" };
static const struct db_stmt by_operator = { "identity_operator",
	SET_IDENTITY_AS("hookswitch_operator") "public.request_identity_token($3::jsonb, $4::text, "
					       "$5::text, $6::text) i" };
static const struct db_stmt by_key = { "identity_key",
	SET_IDENTITY "public.request_identity_key($3::text, $4::text, $5::text, $6::boolean) i" };
static const struct db_stmt by_nobody = { "identity_none", "select " SET_REQUEST };
static const struct db_stmt admitted = { "identity_admitted",
	SET_IDENTITY "public.request_admitted() i" };
static const struct db_stmt admitted_operator = { "identity_admitted_operator",
	SET_IDENTITY_AS("hookswitch_operator") "public.request_admitted() i" };
static const struct db_stmt admitted_nobody = { "identity_admitted_none",
	"select " SET_REQUEST " from public.request_admitted()" };

/* ---- tokens and keys ---------------------------------------------------- */

/* What stands behind "Bearer "; NULL when the header is missing or of another kind. */
static const char *
bearer(const struct ctx *c)
{
	const char *s = request_header(c, "Authorization");

	if (!s || strncasecmp(s, "Bearer ", 7) != 0)
		return NULL;
	s += 7;
	return s + strspn(s, " ");
}

bool
auth_secrets_missing(void)
{
	return !setting_str(SET_HOOKSWITCH_JWT_SECRET) && !setting_str(SET_SUPABASE_JWT_SECRET) &&
	    !setting_str(SET_SUPABASE_URL);
}

/* Several parts of a setup may have signed it: the best that one of them says of it. */
static enum jwt_verdict
better(enum jwt_verdict a, enum jwt_verdict b)
{
	if (a == JWT_OK || b == JWT_OK)
		return JWT_OK;
	return a == JWT_EXPIRED || b == JWT_EXPIRED ? JWT_EXPIRED : JWT_INVALID;
}

/* Where tokens come from; NULL: anywhere.  Nothing is from "". */
static const char *
issuer(struct ctx *c, enum setting base)
{
	const char *url = setting_str(base), *text;

	if (!url)
		return NULL;
	text = mem_printf(c->mem, "%s/auth/v1", url);
	return text ? text : "";
}

static enum jwt_verdict
judge_own(struct ctx *c, const char *token, const struct json **ret)
{
	const struct jwt_keys keys = { .hs256 = { setting_str(SET_HOOKSWITCH_JWT_SECRET) },
		.issuer = issuer(c, SET_API_URL),
		.issuer_may_lack = true };

	return jwt_check(c->mem, span_of(token), &keys, clock_wall_ms() / 1000, ret);
}

/* The project's: by the shared secret, or by a key that it publishes.  -1 with the failure
 * recorded: the key cannot be had. */
static int
judge_supabase(struct ctx *c, const char *token, enum jwt_verdict *verdict, const struct json **ret)
{
	struct jwt_keys keys = { .hs256 = { setting_str(SET_SUPABASE_JWT_SECRET) },
		.issuer = issuer(c, SET_SUPABASE_URL),
		.service_issuer = "supabase" };
	struct jwt_claim says;

	*verdict = JWT_INVALID;
	if (jwt_peek(c->mem, span_of(token), &says) < 0)
		return 0;
	if (says.kid && strcmp(says.alg, "HS256") != 0) {
		switch (keyset_find(c, says.kid, &keys.jwks)) {
		case KEYSET_FOUND:
			break;
		case KEYSET_UNKNOWN:
			return 0;
		case KEYSET_UNAVAILABLE:
			return fail(c, ERR_UNAVAILABLE, "the signing keys cannot be had just now");
		}
	}
	*verdict = jwt_check(c->mem, span_of(token), &keys, clock_wall_ms() / 1000, ret);
	return 0;
}

static int
check_token(struct ctx *c, const char *token)
{
	struct identity *id = &request_of(c)->identity;
	enum jwt_verdict verdict, theirs;
	const struct json *claims;

	if (strlen(token) > TOKEN_MAX)
		return fail(c, ERR_TOKEN_INVALID, NULL);
	verdict = judge_own(c, token, &claims);
	if (verdict != JWT_OK) {
		if (judge_supabase(c, token, &theirs, &claims) < 0)
			return -1;
		verdict = better(verdict, theirs);
	}
	if (verdict != JWT_OK)
		return fail(c, verdict == JWT_EXPIRED ? ERR_TOKEN_EXPIRED : ERR_TOKEN_INVALID,
		    NULL);
	id->kind = IDENTITY_TOKEN;
	id->subject = json_str(claims, "sub");
	id->claims = json_print(c->mem, claims);
	return id->claims ? 0 : fail(c, ERR_INTERNAL, "out of memory");
}

/* Only the hash goes on: a key is never sent to the database. */
static int
check_key(struct ctx *c, const char *key)
{
	struct identity *id = &request_of(c)->identity;
	unsigned char digest[SHA256_LEN];
	char hex[2 * SHA256_LEN + 1];

	if (strncmp(key, KEY_PREFIX, sizeof(KEY_PREFIX) - 1) != 0 || strlen(key) > KEY_MAX)
		return fail(c, ERR_API_KEY_INVALID, NULL);
	if (crypto_sha256(span_of(key), digest) < 0)
		return fail(c, ERR_INTERNAL, "no digest");
	crypto_hex(digest, sizeof(digest), hex);
	id->kind = IDENTITY_KEY;
	id->key_hash = mem_dup(c->mem, hex, sizeof(hex) - 1);
	return id->key_hash ? 0 : fail(c, ERR_INTERNAL, "out of memory");
}

/* The path's organization counts, else the header's (not where a person is asked for, in whatever
 * organization; neither for operators, who act for none).  The database says whether it may be
 * used; here only what it could not even read is kept away from it. */
static int
check_organization(struct ctx *c)
{
	struct request *r = request_of(c);
	const char *header = request_header(c, "X-Organization-Id"), *s;
	const char *in_path = route_param(r->route, &r->parts, ROUTE_ORGANIZATION);

	if (r->route->access.kind == ACCESS_OPERATOR)
		return 0;
	if (in_path && header && *header && strcasecmp(in_path, header) != 0)
		return fail(c, ERR_ORGANIZATION_MISMATCH,
		    "the header names another organization than the path");
	s = in_path || r->route->access.kind == ACCESS_PERSON ? in_path : header;
	if (!s || !*s)
		return 0;
	if (strlen(s) > ORGANIZATION_MAX || !utf8_valid(s, strlen(s)))
		return fail(c, ERR_ORGANIZATION_NOT_FOUND, NULL);
	r->identity.organization = s;
	r->identity.in_path = in_path;
	return 0;
}

/* What somebody with an API key is told where only people may ask. */
static int
judge_key(struct ctx *c, const char *key)
{
	switch (request_of(c)->route->access.kind) {
	case ACCESS_PERSON:
		return fail(c, ERR_PERSON_NEEDED, NULL);
	case ACCESS_OPERATOR:
		return fail(c, ERR_OPERATOR_NEEDED, NULL);
	default:
		return check_key(c, key);
	}
}

static int
check_somebody(struct ctx *c)
{
	const char *key = request_header(c, "X-API-Key"), *token = bearer(c);
	int rc;

	if (token && strncmp(token, KEY_PREFIX, sizeof(KEY_PREFIX) - 1) != 0)
		rc = check_token(c, token);
	else if (!token && (!key || request_header(c, "Authorization")))
		rc = fail(c, ERR_UNAUTHENTICATED, NULL);
	else
		rc = judge_key(c, token ? token : key);
	return rc < 0 ? -1 : check_organization(c);
}

/* ---- loopback and the internal token -------------------------------------- */

/* 1: the right token, 0: none was sent or none is set, -1: a wrong one. */
static int
internal_token(const struct ctx *c)
{
	const char *token = bearer(c), *want = setting_str(SET_HOOKSWITCH_INTERNAL_TOKEN);

	if (!token || !want)
		return 0;
	return crypto_equal(span_of(token), span_of(want)) ? 1 : -1;
}

static int
check_local(struct ctx *c)
{
	int token = internal_token(c);

	if (token < 0)
		return fail(c, ERR_TOKEN_INVALID, NULL);
	if (token || request_loopback(c))
		return 0;
	return fail(c, ERR_UNAUTHENTICATED, "only from this host, or with the internal token");
}

static int
check_internal(struct ctx *c)
{
	if (!request_loopback(c))
		return fail(c, ERR_FORBIDDEN, "only from this host");
	if (!setting_str(SET_HOOKSWITCH_INTERNAL_TOKEN))
		return 0;
	switch (internal_token(c)) {
	case 1:
		return 0;
	case 0:
		return fail(c, ERR_UNAUTHENTICATED, "the internal token is needed");
	default:
		return fail(c, ERR_TOKEN_INVALID, NULL);
	}
}

int
auth_check(struct ctx *c)
{
	switch (request_of(c)->route->access.kind) {
	case ACCESS_PUBLIC:
		return 0;
	case ACCESS_API:
	case ACCESS_PERSON:
	case ACCESS_OPERATOR:
		return check_somebody(c);
	case ACCESS_LOCAL:
		return check_local(c);
	case ACCESS_INTERNAL:
		return check_internal(c);
	}
	return fail(c, ERR_INTERNAL, "a route without access");
}

/* ---- in the database -------------------------------------------------------- */

/* The ids of a list of ids and addresses; "" when memory is out. */
static const char *
without_addresses(struct ctx *c, const char *list)
{
	static const char between[] = " \t\r\n\f\v,";
	char *ret = mem_dup(c->mem, list, strlen(list)), *word = ret;
	size_t n;

	while (word && *word) {
		n = strcspn(word, between);
		if (memchr(word, '@', n))
			memset(word, ' ', n);
		word += n;
		word += strspn(word, between);
	}
	return ret ? ret : "";
}

/* Where anybody can sign up under any address, and counts as its owner, an address names nobody. */
const char *
auth_operators(struct ctx *c)
{
	const char *list = setting_str(SET_HOOKSWITCH_OPERATORS);

	if (request_of(c)->route->access.kind != ACCESS_OPERATOR)
		return NULL;
	if (!list)
		return "";
	return setting_bool(SET_HOOKSWITCH_SIGNUP_CONFIRM) ? list : without_addresses(c, list);
}

int
auth_step(struct ctx *c, struct db_step *ret, struct db_rows *rows)
{
	const struct request *r = request_of(c);
	bool key = r->identity.kind == IDENTITY_KEY;
	struct span *params;

	params = mem_alloc(c->mem, STEP_PARAMS * sizeof(*params));
	if (!params)
		return fail(c, ERR_INTERNAL, "out of memory");
	params[0] = span_of(c->request_id);
	params[1] = span_of(request_address(c));
	params[2] = span_of(key ? r->identity.key_hash : r->identity.claims);
	params[3] = span_of(r->identity.organization);
	params[4] = span_of(r->route->access.scope);
	params[5] = span_of(r->identity.in_path ? "true" : "false");
	if (auth_operators(c))
		params[5] = span_of(auth_operators(c));
	if (r->identity.kind == IDENTITY_NONE)
		*ret = (struct db_step){ &by_nobody, params, 2, rows };
	else if (auth_operators(c))
		*ret = (struct db_step){ &by_operator, params, 6, rows };
	else
		*ret = (struct db_step){ key ? &by_key : &by_token, params, key ? 6 : 5, rows };
	return 0;
}

int
auth_step_admitted(struct ctx *c, struct db_step *ret, struct db_rows *rows)
{
	struct span *params = mem_alloc(c->mem, 2 * sizeof(*params));
	const struct db_stmt *stmt = auth_operators(c) ? &admitted_operator : &admitted;

	if (!params)
		return fail(c, ERR_INTERNAL, "out of memory");
	params[0] = span_of(c->request_id);
	params[1] = span_of(request_address(c));
	if (request_of(c)->identity.kind == IDENTITY_NONE)
		stmt = &admitted_nobody;
	*ret = (struct db_step){ stmt, params, 2, rows };
	return 0;
}

void
auth_remember(struct ctx *c, const char *organization, const char *user)
{
	snprintf(c->organization_id, sizeof(c->organization_id), "%s",
	    organization ? organization : "");
	snprintf(c->user_id, sizeof(c->user_id), "%s", user ? user : "");
}

void
auth_take(struct ctx *c, const struct db_rows *rows)
{
	if (rows->n < 1 || request_of(c)->identity.kind == IDENTITY_NONE)
		return;
	auth_remember(c, db_str(rows, 0, COLUMN_ORGANIZATION), db_str(rows, 0, COLUMN_USER));
}
