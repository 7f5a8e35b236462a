/*
 * idempotency.c - takes keys, keeps answers (sealed where they hold a secret).  Refusals are not
 * kept: they are computed again.
 */
#include "web/idempotency.h"

#include "base/crash.h"
#include "lib/crypto.h"
#include "lib/seal.h"
#include "web/server.h"

#include <string.h>

enum { KEY_MAX = 255, FINGERPRINT_MAX = 2 * SHA256_LEN + 1 };

static const struct db_stmt take = { "idempotency_take",
	"select t.state, t.status, t.body from public.idempotency_take($1, $2, $3) t" };
static const struct db_stmt keep = { "idempotency_keep",
	"select public.idempotency_keep($1, $2, $3, $4, $5)" };

int
idempotency_key(struct ctx *c)
{
	struct request *r = request_of(c);
	const char *s = request_header(c, "Idempotency-Key");
	size_t n;

	if (!s || r->method != POST || r->identity.kind == IDENTITY_NONE)
		return 0;
	for (n = 0; s[n]; n++)
		if (s[n] <= 0x20 || s[n] >= 0x7f || n >= KEY_MAX)
			return fail(c, ERR_BAD_IDEMPOTENCY_KEY, NULL);
	if (n == 0)
		return fail(c, ERR_BAD_IDEMPOTENCY_KEY, NULL);
	r->idempotency_key = s;
	return 0;
}

static const char *
asker(const struct request *r)
{
	const struct identity *id = &r->identity;
	const char *who = id->kind == IDENTITY_KEY ? id->key_hash : id->subject;

	return who ? who : "";
}

/* The same request has the same method, path, query and body, to the byte; where a secret is told
 * it also comes from the same person or API key. */
static int
fingerprint(struct ctx *c, char ret[FINGERPRINT_MAX])
{
	CLEANUP(text_clear) struct text t = TEXT(SERVER_MEM_MAX);
	const struct request *r = request_of(c);
	unsigned char digest[SHA256_LEN];

	text_printf(&t, "%s %s?%s\n", method_name(r->method), r->path, r->query);
	text_put(&t, r->body.data ? r->body.data : "", r->body.len);
	if (r->route->flags & ROUTE_SECRET)
		text_printf(&t, "\n%s", asker(r));
	if (!text_ok(&t) || crypto_sha256((struct span){ t.data, t.len }, digest) < 0)
		return fail(c, ERR_INTERNAL, "no fingerprint");
	crypto_hex(digest, sizeof(digest), ret);
	return 0;
}

/* ---- answers that hold a secret ------------------------------------------ */

/* Sealed for this key alone. */
static const char *
purpose(struct ctx *c)
{
	return mem_printf(c->mem, "idempotency:%.200s", request_of(c)->idempotency_key);
}

static int
seal(struct ctx *c, struct span *body)
{
	const char *about, *plain, *sealed;

	if (!(request_of(c)->route->flags & ROUTE_SECRET) || !body->len)
		return 0;
	about = purpose(c);
	plain = mem_dup(c->mem, body->data, body->len);
	sealed = about && plain ? seal_close(c->mem, about, plain) : NULL;
	if (!sealed)
		return fail(c, ERR_INTERNAL, "the answer could not be sealed");
	*body = span_of(sealed);
	return 0;
}

static int
unseal(struct ctx *c, struct span *body)
{
	const char *about, *plain;

	if (!body->len || !seal_is_sealed(body->data))
		return 0;
	about = purpose(c);
	plain = about ? seal_open(c->mem, about, body->data) : NULL;
	if (!plain)
		return fail(c, ERR_INTERNAL, "the answer was sealed under a key that is gone");
	*body = span_of(plain);
	return 0;
}

/* ---- keys ------------------------------------------------------------------ */

/* What is a person's own is done once for the person, in whatever organization; all else once for
 * the organization. */
static struct span
is_persons(const struct request *r)
{
	enum access_kind kind = r->route->access.kind;

	return kind == ACCESS_PERSON || kind == ACCESS_OPERATOR ? SPAN("true") : SPAN("false");
}

static enum idempotency
replay(struct ctx *c, const struct db_rows *rows)
{
	struct span body = db_value(rows, 0, 2);

	if (unseal(c, &body) < 0)
		return IDEMPOTENCY_FAILED;
	request_of(c)->replayed = true;
	reply_header(c, "Idempotent-Replayed", "true");
	if (body.len)
		(void)reply_json(c, (int)db_int(rows, 0, 1, 200), body);
	else
		(void)reply_empty(c, (int)db_int(rows, 0, 1, 204));
	return IDEMPOTENCY_REPLAYED;
}

static enum idempotency
judge(struct ctx *c, const struct db_rows *rows)
{
	const char *state = rows->n ? db_str(rows, 0, 0) : NULL;

	if (state && strcmp(state, "new") == 0)
		return IDEMPOTENCY_RUN;
	if (state && strcmp(state, "replay") == 0)
		return replay(c, rows);
	if (state && strcmp(state, "reused") == 0)
		fail(c, ERR_IDEMPOTENCY_KEY_REUSED, NULL);
	else if (state && strcmp(state, "in_use") == 0) {
		fail(c, ERR_IDEMPOTENCY_IN_USE, NULL);
		c->failure.retry_after = 1;
	} else
		fail(c, ERR_INTERNAL, "an unknown state of the key");
	return IDEMPOTENCY_FAILED;
}

enum idempotency
idempotency_begin(struct ctx *c)
{
	struct request *r = request_of(c);
	struct db_rows rows = { .n = 0 };
	struct span params[3];
	struct limit_head head;
	struct db_step steps[LIMIT_HEAD_MAX + 1];
	char print[FINGERPRINT_MAX];
	enum idempotency verdict;
	int rc;

	if (!server_db()) {
		fail(c, ERR_UNAVAILABLE, "no database");
		return IDEMPOTENCY_FAILED;
	}
	if (fingerprint(c, print) < 0 || limit_head(c, &head) < 0)
		return IDEMPOTENCY_FAILED;
	memcpy(steps, head.steps, head.n * sizeof(*steps));
	params[0] = span_of(r->idempotency_key);
	params[1] = span_of(print);
	params[2] = is_persons(r);
	steps[head.n] = (struct db_step){ &take, params, COUNT(params), &rows };
	rc = db_begin(c, server_db(), steps, head.n + 1, &r->tx);
	limit_tail(c, &head, rc);
	if (rc < 0) {
		r->tx = NULL;
		return IDEMPOTENCY_FAILED;
	}
	verdict = judge(c, &rows);
	if (verdict == IDEMPOTENCY_RUN)
		crash_point(keyed_taken);
	if (verdict != IDEMPOTENCY_RUN) {
		db_rollback(c, r->tx);
		r->tx = NULL;
	}
	return verdict;
}

static int
commit(struct ctx *c, struct db_tx *tx)
{
	const struct request *r = request_of(c);
	struct span params[5];
	struct db_step step = { &keep, params, COUNT(params), NULL };
	char print[FINGERPRINT_MAX], status[16];
	int rc;

	if (r->answer.status < 200 || r->answer.status > 299)
		return db_commit(c, tx, NULL, 0);
	params[3] = r->answer.body;
	if (fingerprint(c, print) < 0 || seal(c, &params[3]) < 0) {
		db_rollback(c, tx);
		return -1;
	}
	snprintf(status, sizeof(status), "%d", r->answer.status);
	params[0] = span_of(r->idempotency_key);
	params[1] = span_of(print);
	params[2] = span_of(status);
	params[4] = is_persons(r);
	crash_point(keyed_before_commit);
	rc = db_commit(c, tx, &step, 1);
	crash_point(keyed_committed);
	return rc;
}

int
idempotency_pause(struct ctx *c)
{
	struct request *r = request_of(c);
	struct db_tx *tx = r->tx;

	r->tx = NULL;
	return tx ? db_commit(c, tx, NULL, 0) : 0;
}

int
idempotency_end(struct ctx *c, int rc)
{
	struct request *r = request_of(c);
	struct db_tx *tx = r->tx;

	r->tx = NULL;
	if (!tx)
		return rc;
	if (rc == 0)
		return commit(c, tx);
	db_rollback(c, tx);
	return rc;
}
