/*
 * fetch.c - requests over libcurl's multi handle: taking them, moving them along, giving them back.
 *
 * Never twice: libcurl by itself sends a request again when a kept connection turns out to be
 * closed, also one that the peer may have read and acted on.  So each request counts how often it
 * was about to be sent (before_send), and a second time is refused unless the method is GET or
 * HEAD.  The same count is the proof that nothing was sent.
 */
#include "lib/fetch_private.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

enum { FETCH_MEMORY = 64 * 1024, FDS_MAX = 16, ONE_WAIT_MS = 1000 };
/* Mails under way at once: each has a thread, and a connection to the one mail server. */
enum { MAILS_MAX = 8 };

/* ---- beginning and end -------------------------------------------------- */

static void
close_curl(struct fetch *f)
{
	if (f->multi)
		curl()->multi_cleanup(f->multi);
	if (f->share)
		curl()->share_cleanup(f->share);
	f->share = NULL;
	f->multi = NULL;
}

/* Not before somebody fetches. */
static int
open_curl(struct fetch *f)
{
	if (f->multi)
		return 0;
	if (curl_load())
		return -1;
	f->multi = curl()->multi_init();
	f->share = curl()->share_init();
	if (!f->multi || !f->share) {
		close_curl(f);
		errno = ENOMEM;
		return -1;
	}
	curl()->multi_setopt(f->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
	curl()->multi_setopt(f->multi, CURLMOPT_MAXCONNECTS, (long)f->max);
	curl()->share_setopt(f->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
	return 0;
}

struct fetch *
fetch_new(int max)
{
	struct mem *m;
	struct fetch *f;

	if (max < 1) {
		errno = EINVAL;
		return NULL;
	}
	m = mem_new(FETCH_MEMORY);
	f = m ? mem_alloc(m, sizeof(*f)) : NULL;
	if (!f) {
		mem_free(m);
		return NULL;
	}

	*f = (struct fetch){ .mem = m, .max = max };
	return f;
}

static void
free_list(struct fetch *f, struct transfer *t)
{
	for (struct transfer *next; t; t = next) {
		next = t->next;
		if (t->running && t->mail.wanted)
			mail_join(t);
		else if (t->running)
			curl()->multi_remove_handle(f->multi, t->easy);
		transfer_free(t);
	}
}

void
fetch_free(struct fetch *f)
{
	if (!f)
		return;
	free_list(f, f->running);
	free_list(f, f->waiting.first);
	free_list(f, f->done.first);
	free_list(f, f->given);
	free_list(f, f->spare);
	close_curl(f);
	mem_free(f->mem);
}

/* ---- lists -------------------------------------------------------------- */

static void
push(struct queue *q, struct transfer *t)
{
	t->next = NULL;
	if (q->last)
		q->last->next = t;
	else
		q->first = t;
	q->last = t;
}

static struct transfer *
pop(struct queue *q)
{
	struct transfer *t = q->first;

	if (!t)
		return NULL;
	q->first = t->next;
	if (!q->first)
		q->last = NULL;
	t->next = NULL;
	return t;
}

static void
unlink_running(struct fetch *f, struct transfer *t)
{
	struct transfer **p = &f->running;

	while (*p != t)
		p = &(*p)->next;
	*p = t->next;
	t->running = false;
	f->nrunning--;
	f->nmails -= t->mail.wanted;
}

/* ---- moving along ------------------------------------------------------- */

static void
finish(struct fetch *f, struct transfer *t, CURLcode code)
{
	transfer_conclude(t, code);
	push(&f->done, t);
}

static int
begin(struct fetch *f, struct transfer *t)
{
	if (t->mail.wanted)
		return mail_start(t, f->multi);
	return curl()->multi_add_handle(f->multi, t->easy) == CURLM_OK ? 0 : -1;
}

/* The time in the queue counts: who asked waits for all of it. */
static void
start(struct fetch *f, struct transfer *t)
{
	int64_t left = t->deadline - clock_steady_ms();

	if (left <= 0) {
		finish(f, t, CURLE_OPERATION_TIMEDOUT);
		return;
	}
	curl()->easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, (long)left);
	if (begin(f, t)) {
		finish(f, t, CURLE_FAILED_INIT);
		return;
	}
	t->running = true;
	t->next = f->running;
	f->running = t;
	f->nrunning++;
	f->nmails += t->mail.wanted;
}

/* Mails that find no room do not hold up what came after them. */
static void
start_waiting(struct fetch *f)
{
	struct queue all = f->waiting;
	struct transfer *t;

	f->waiting = (struct queue){ NULL, NULL };
	while ((t = pop(&all))) {
		if (f->nrunning < f->max && (!t->mail.wanted || f->nmails < MAILS_MAX))
			start(f, t);
		else
			push(&f->waiting, t);
	}
}

/* Those that waited past their time are finished where they stand: the queue is in the order of
 * asking, times may differ. */
static void
expire_waiting(struct fetch *f)
{
	struct queue all = f->waiting;
	int64_t now = clock_steady_ms();
	struct transfer *t;

	f->waiting = (struct queue){ NULL, NULL };
	while ((t = pop(&all))) {
		if (t->deadline <= now)
			finish(f, t, CURLE_OPERATION_TIMEDOUT);
		else
			push(&f->waiting, t);
	}
}

static void
finish_mails(struct fetch *f)
{
	struct transfer *next;

	for (struct transfer *t = f->nmails ? f->running : NULL; t; t = next) {
		next = t->next;
		if (!t->mail.wanted || !mail_over(t))
			continue;
		unlink_running(f, t);
		finish(f, t, mail_join(t));
	}
}

void
fetch_step(struct fetch *f)
{
	struct transfer *t;
	CURLcode code;
	CURLMsg *msg;
	int n;

	if (!f->multi)
		return;
	curl()->multi_perform(f->multi, &n);
	while ((msg = curl()->multi_info_read(f->multi, &n))) {
		if (msg->msg != CURLMSG_DONE)
			continue;
		code = msg->data.result;
		curl()->easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&t);
		curl()->multi_remove_handle(f->multi, t->easy);
		unlink_running(f, t);
		finish(f, t, code);
	}
	finish_mails(f);
	expire_waiting(f);
	if (f->waiting.first && f->nrunning < f->max) {
		start_waiting(f);
		curl()->multi_perform(f->multi, &n);
	}
}

static int
wait_limit(const struct fetch *f, int timeout_ms)
{
	int64_t now = clock_steady_ms(), limit = timeout_ms;

	if (f->done.first)
		return 0;
	for (const struct transfer *t = f->waiting.first; t; t = t->next) {
		if (t->deadline - now < limit)
			limit = t->deadline - now;
	}
	return limit > 0 ? (int)limit : 0;
}

/* Where nothing was ever fetched there is nothing of libcurl's to wait for. */
static int
wait_plainly(int timeout_ms, const int *fds, size_t n, bool *readable)
{
	struct pollfd w[FDS_MAX];

	for (size_t i = 0; i < n; i++)
		w[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
	if (poll(w, n, timeout_ms > 0 ? timeout_ms : 0) < 0 && errno != EINTR)
		return -1;
	for (size_t i = 0; readable && i < n; i++)
		readable[i] = w[i].revents != 0;
	return 0;
}

static int
wait_for_all(struct fetch *f, int timeout_ms, const int *fds, size_t n, bool *readable)
{
	struct curl_waitfd w[FDS_MAX];

	for (size_t i = 0; i < n; i++)
		w[i] = (struct curl_waitfd){ .fd = fds[i], .events = CURL_WAIT_POLLIN };
	if (curl()->multi_poll(f->multi, w, (unsigned)n, wait_limit(f, timeout_ms), NULL) !=
	    CURLM_OK) {
		errno = EIO;
		return -1;
	}
	for (size_t i = 0; readable && i < n; i++)
		readable[i] = w[i].revents != 0;
	fetch_step(f);
	return 0;
}

int
fetch_wait(struct fetch *f, int timeout_ms, const int *fds, size_t n, bool *readable)
{
	if (n > FDS_MAX) {
		errno = EINVAL;
		return -1;
	}
	return f->multi ? wait_for_all(f, timeout_ms, fds, n, readable) :
			  wait_plainly(timeout_ms, fds, n, readable);
}

/* ---- taking and giving back --------------------------------------------- */

int
fetch_add(struct fetch *f, const struct fetch_request *r)
{
	struct transfer *t = f->spare;

	if (open_curl(f))
		return -1;
	if (t)
		f->spare = t->next;
	else
		t = transfer_new();
	if (!t)
		return -1;
	if (transfer_prepare(t, r, f->share)) {
		t->next = f->spare;
		f->spare = t;
		return -1;
	}

	f->live++;
	push(&f->waiting, t);
	start_waiting(f);
	return 0;
}

bool
fetch_next(struct fetch *f, struct fetch_answer *ret)
{
	if (f->given) {
		f->given->next = f->spare;
		f->spare = f->given;
	}
	f->given = pop(&f->done);
	if (!f->given)
		return false;
	f->live--;
	*ret = f->given->answer;
	return true;
}

int
fetch_live(const struct fetch *f)
{
	return f->live;
}

static void
free_fetch(void *arg)
{
	fetch_free(arg);
}

int
fetch_one(struct ctx *c, const struct fetch_request *r, struct fetch_answer *ret)
{
	struct fetch *f = fetch_new(1);

	if (!f)
		return -1;
	/* The answer stays in f, which goes when the ctx's memory does. */
	if (mem_on_reset(c->mem, free_fetch, f)) {
		fetch_free(f);
		errno = ENOMEM;
		return -1;
	}
	if (fetch_add(f, r))
		return -1;

	while (!fetch_next(f, ret)) {
		if (fetch_wait(f, ONE_WAIT_MS, NULL, 0, NULL))
			poll(NULL, 0, 1);
	}
	return 0;
}
