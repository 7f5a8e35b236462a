/*
 * redis.c - connections to one Redis, kept between requests; the script is sent once for each
 * connection and then called by its digest.
 */
#include "lib/redis.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "lib/redis_url.h"

enum { IDLE_MAX = 16, DIGEST_LEN = 40, REST_MS = 1000, MEMORY = 64 * 1024 };

struct link {
	redisContext *at;
	char digest[DIGEST_LEN + 1];
};

struct redis {
	struct mem *mem;
	struct redis_url url;
	struct timeval timeout;
	const char *script;
	pthread_mutex_t lock; /* holds what is below */
	struct link idle[IDLE_MAX];
	size_t nidle;
	bool down, told_down;
	int64_t rest_until;
	char why[128];
};

struct redis *
redis_open(const char *url, int timeout_ms, const char *script)
{
	CLEANUP(mem_freep) struct mem *m = mem_new(MEMORY);
	struct redis *r = m ? mem_alloc(m, sizeof(*r)) : NULL;

	if (!r)
		return NULL;
	r->mem = m;
	r->timeout = (struct timeval){ timeout_ms / 1000, timeout_ms % 1000 * 1000 };
	r->script = mem_str(m, script);
	if (!r->script || redis_url_read(m, url, &r->url) < 0) {
		errno = EINVAL;
		return NULL;
	}
	errno = pthread_mutex_init(&r->lock, NULL);
	if (errno)
		return NULL;
	m = NULL;
	return r;
}

void
redis_close(struct redis *r)
{
	if (!r)
		return;
	while (r->nidle)
		redisFree(r->idle[--r->nidle].at);
	pthread_mutex_destroy(&r->lock);
	mem_free(r->mem);
}

/* ---- one connection ------------------------------------------------------- */

static int
said(struct redis *r, const char *why)
{
	pthread_mutex_lock(&r->lock);
	snprintf(r->why, sizeof(r->why), "%s", why);
	pthread_mutex_unlock(&r->lock);
	return -1;
}

/* A command whose answer must not be an error; NULL: it was one, or none came. */
static redisReply *
ask(struct redis *r, struct link *x, const struct span *words, size_t n)
{
	const char *argv[REDIS_ARGS_MAX + 3];
	size_t lengths[REDIS_ARGS_MAX + 3], i;
	redisReply *reply;

	for (i = 0; i < n; i++) {
		argv[i] = words[i].data ? words[i].data : "";
		lengths[i] = words[i].len;
	}
	reply = redisCommandArgv(x->at, (int)n, argv, lengths);
	if (reply && reply->type != REDIS_REPLY_ERROR)
		return reply;
	/* Its own words name no secret; what hiredis says is the system's. */
	said(r, reply ? reply->str : x->at->errstr);
	freeReplyObject(reply);
	return NULL;
}

static int
tell(struct redis *r, struct link *x, const struct span *words, size_t n)
{
	redisReply *reply = ask(r, x, words, n);

	if (!reply)
		return -1;
	freeReplyObject(reply);
	return 0;
}

static int
learn_script(struct redis *r, struct link *x)
{
	const struct span words[] = { SPAN("SCRIPT"), SPAN("LOAD"), span_of(r->script) };
	redisReply *reply = ask(r, x, words, COUNT(words));
	bool good = reply && reply->type == REDIS_REPLY_STRING && reply->len == DIGEST_LEN;

	if (good)
		memcpy(x->digest, reply->str, DIGEST_LEN + 1);
	freeReplyObject(reply);
	return good ? 0 : -1;
}

static int
sign_in(struct redis *r, struct link *x)
{
	struct span words[3] = { SPAN("AUTH"), span_of(r->url.password), span_of(NULL) };
	char database[16];

	if (r->url.user) {
		words[1] = span_of(r->url.user);
		words[2] = span_of(r->url.password);
	}
	if (r->url.password && tell(r, x, words, r->url.user ? 3 : 2) < 0)
		return -1;
	snprintf(database, sizeof(database), "%d", r->url.database);
	words[0] = SPAN("SELECT");
	words[1] = span_of(database);
	return r->url.database && tell(r, x, words, 2) < 0 ? -1 : 0;
}

static void
hang_up(struct link *x)
{
	if (x->at)
		redisFree(x->at);
	x->at = NULL;
}

static int
dial(struct redis *r, struct link *x)
{
	x->at = r->url.path ? redisConnectUnixWithTimeout(r->url.path, r->timeout) :
			      redisConnectWithTimeout(r->url.host, r->url.port, r->timeout);
	if (!x->at)
		return said(r, "out of memory");
	if (x->at->err) {
		said(r, x->at->errstr);
		hang_up(x);
		return -1;
	}
	if (redisSetTimeout(x->at, r->timeout) != REDIS_OK || sign_in(r, x) < 0 ||
	    learn_script(r, x) < 0) {
		hang_up(x);
		return -1;
	}
	return 0;
}

/* ---- taking, giving, resting ------------------------------------------------ */

/* 1: a kept connection, 0: there is none, -1: it rests.  While it is down one caller a second goes
 * and looks. */
static int
take(struct redis *r, struct link *ret)
{
	int got = 0;

	pthread_mutex_lock(&r->lock);
	if (r->down && clock_steady_ms() < r->rest_until)
		got = -1;
	else if (r->down)
		r->rest_until = clock_steady_ms() + REST_MS;
	else if (r->nidle) {
		*ret = r->idle[--r->nidle];
		got = 1;
	}
	pthread_mutex_unlock(&r->lock);
	return got;
}

static void
give(struct redis *r, struct link *x)
{
	pthread_mutex_lock(&r->lock);
	r->down = false;
	if (r->nidle < IDLE_MAX) {
		r->idle[r->nidle++] = *x;
		x->at = NULL;
	}
	pthread_mutex_unlock(&r->lock);
	hang_up(x);
}

static void
give_up(struct redis *r)
{
	pthread_mutex_lock(&r->lock);
	r->down = true;
	r->rest_until = clock_steady_ms() + REST_MS;
	while (r->nidle)
		hang_up(&r->idle[--r->nidle]);
	pthread_mutex_unlock(&r->lock);
}

bool
redis_turned(struct redis *r, bool *up, char why[128])
{
	bool turned;

	pthread_mutex_lock(&r->lock);
	turned = r->down != r->told_down;
	r->told_down = r->down;
	*up = !r->down;
	snprintf(why, sizeof(r->why), "%s", r->down ? r->why : "");
	pthread_mutex_unlock(&r->lock);
	return turned;
}

/* ---- running the script ----------------------------------------------------- */

static redisReply *
call(struct redis *r, struct link *x, struct span *words, size_t n)
{
	redisReply *reply;

	words[1] = span_of(x->digest);
	reply = ask(r, x, words, n);
	if (reply || x->at->err)
		return reply;
	/* It may have forgotten the script: SCRIPT FLUSH. */
	if (learn_script(r, x) < 0)
		return NULL;
	return ask(r, x, words, n);
}

static int
read_numbers(const redisReply *reply, int64_t ret[REDIS_NUMBERS_MAX])
{
	size_t i;

	if (reply->type != REDIS_REPLY_ARRAY || reply->elements > REDIS_NUMBERS_MAX)
		return -1;
	for (i = 0; i < reply->elements; i++) {
		if (reply->element[i]->type != REDIS_REPLY_INTEGER)
			return -1;
		ret[i] = reply->element[i]->integer;
	}
	return (int)reply->elements;
}

/* One try over a connection that is kept or new. */
static int
try(struct redis *r, struct link *x, struct span *words, size_t n, int64_t *ret)
{
	redisReply *reply = call(r, x, words, n);
	int got = reply ? read_numbers(reply, ret) : -1;

	freeReplyObject(reply);
	if (got < 0)
		hang_up(x);
	return got;
}

int
redis_run(struct redis *r, const struct span *args, size_t nkeys, size_t n,
    int64_t ret[REDIS_NUMBERS_MAX])
{
	struct span words[REDIS_ARGS_MAX + 3] = { SPAN("EVALSHA") };
	struct link x = { .at = NULL };
	char keys[16];
	int kept = take(r, &x), got = -1;

	if (kept < 0 || n > REDIS_ARGS_MAX)
		return -1;
	snprintf(keys, sizeof(keys), "%zu", nkeys);
	words[2] = span_of(keys);
	memcpy(&words[3], args, n * sizeof(*args));
	if (kept)
		got = try(r, &x, words, n + 3, ret);
	/* A kept connection may have been closed from the other side: that says nothing yet. */
	if (got < 0 && dial(r, &x) == 0)
		got = try(r, &x, words, n + 3, ret);
	if (got < 0)
		give_up(r);
	else
		give(r, &x);
	return got;
}

bool
redis_ping(struct redis *r)
{
	const struct span ping = SPAN("PING");
	struct link x = { .at = NULL };

	if (dial(r, &x) < 0 || tell(r, &x, &ping, 1) < 0) {
		hang_up(&x);
		give_up(r);
		return false;
	}
	give(r, &x);
	return true;
}
