/*
 * threads.c - threads that accept in turn: one waits, another is started while all are busy, and
 * what is not needed any more ends or is given back.
 */
#include "web/threads.h"

#include "base/timing.h"
#include "web/handle.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

enum { TICK_MS = 1000, KEEP_MS = 3000, CREW_MEM_MAX = 1024 * 1024 };
enum life { LIFE_NONE, LIFE_WORKS, LIFE_ENDED };
/* What came since the last time that nothing did. */
enum news { NEWS_NONE, NEWS_TOLD, NEWS_REQUEST };
enum turn { TURN_STOP, TURN_VAIN, TURN_TIMEOUT, TURN_NOTHING, TURN_REQUEST };

struct worker {
	struct crew *crew;
	pthread_t thread;
	atomic_int life;
	struct ctx c;
	struct request request;
	struct fcgi *fcgi;
};

struct crew {
	const struct server *server;
	const struct route_sql *sql;
	struct worker *workers[SERVER_THREADS_MAX]; /* NULL: was never needed; the first is the
						       program's main thread and stays */
	struct mem *mem;                            /* where they are */
	size_t max;
	atomic_int busy;      /* threads with a request in hand */
	atomic_int waiting;   /* threads without one */
	atomic_int news;      /* enum news */
	pthread_mutex_t turn; /* held by the one thread that waits at the socket */
};

/* ---- coming and going ---------------------------------------------------------------- */

static int
open_worker(struct worker *w, struct crew *crew)
{
	w->crew = crew;
	w->fcgi = fcgi_new();
	return w->fcgi ? ctx_init(&w->c, SERVER_MEM_MAX) : -1;
}

static void
close_worker(struct worker *w)
{
	ctx_free(&w->c);
	fcgi_free(w->fcgi);
	w->fcgi = NULL;
}

static void *work(void *arg);

static bool
start_worker(struct worker *w, struct crew *crew)
{
	if (w->life == LIFE_ENDED)
		pthread_join(w->thread, NULL);
	w->life = LIFE_NONE;
	if (open_worker(w, crew) == 0) {
		atomic_fetch_add(&crew->waiting, 1);
		w->life = LIFE_WORKS;
		if (pthread_create(&w->thread, NULL, work, w) == 0)
			return true;
		w->life = LIFE_NONE;
		atomic_fetch_sub(&crew->waiting, 1);
	}
	close_worker(w);
	return false;
}

/* The caller has the turn, so that one thread starts others at a time.  Where it fails the next
 * request tries again. */
static void
start_another(struct crew *crew)
{
	size_t i;

	for (i = 1; i < crew->max; i++) {
		if (!crew->workers[i])
			crew->workers[i] = mem_alloc(crew->mem, sizeof(struct worker));
		if (!crew->workers[i] || crew->workers[i]->life != LIFE_WORKS)
			break;
	}
	if (i < crew->max && crew->workers[i])
		start_worker(crew->workers[i], crew);
}

/* Whether this thread is one too many: another one waits, and goes on waiting. */
static bool
may_leave(struct worker *w)
{
	int n = atomic_load(&w->crew->waiting);

	while (w != w->crew->workers[0] && n > 1)
		if (atomic_compare_exchange_weak(&w->crew->waiting, &n, n - 1))
			return true;
	return false;
}

/* ---- waiting for requests ---------------------------------------------------------- */

/* How long to wait at most.  While others are at work the rest may change at any moment, so it is
 * looked at again soon. */
static int
wait_ms(struct crew *crew)
{
	int ms = server_db() ? db_close_idle(server_db()) : -1, most = -1;

	if (atomic_load(&crew->busy) > 0 || atomic_load(&crew->news) == NEWS_REQUEST)
		most = TICK_MS;
	else if (atomic_load(&crew->waiting) > 1 || atomic_load(&crew->news) != NEWS_NONE)
		most = KEEP_MS;
	return most >= 0 && (ms < 0 || ms > most) ? most : ms;
}

/* False when others had the turn all the time: they do without this thread. */
static bool
get_turn(struct crew *crew)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += KEEP_MS / 1000;
	return pthread_mutex_timedlock(&crew->turn, &until) == 0;
}

/* Exactly one thread waits at a time; a request is taken under the lock, so that no thread blocks
 * in accept. */
static enum turn
take_turn(struct worker *w)
{
	struct pollfd fds[2] = { { server_stop_fd(), POLLIN, 0 }, { STDIN_FILENO, POLLIN, 0 } };
	struct crew *crew = w->crew;
	enum turn turn = TURN_NOTHING;
	int n;

	if (!get_turn(crew))
		return TURN_VAIN;
	n = server_stopping() ? 0 : poll(fds, COUNT(fds), wait_ms(crew));
	if (server_stopping() || (fds[1].revents & (POLLERR | POLLNVAL)))
		turn = TURN_STOP;
	else if (n == 0)
		turn = TURN_TIMEOUT;
	else if (n > 0 && fds[1].revents && fcgi_accept(w->fcgi) == 0) {
		turn = TURN_REQUEST;
		atomic_fetch_add(&crew->busy, 1);
		if (atomic_fetch_sub(&crew->waiting, 1) == 1)
			start_another(crew);
	}
	pthread_mutex_unlock(&crew->turn);
	return turn;
}

/* When its request is answered.  Under plain CGI nothing is gathered. */
static void
write_timings(struct worker *w, int64_t every_ms)
{
	if (!server_db() || server_is_cgi() || !timing_due(every_ms))
		return;
	db_timings(&w->c, server_db());
	ctx_reset(&w->c);
}

static void
serve_request(struct worker *w)
{
	w->request = (struct request){ .server = w->crew->server, .fcgi = w->fcgi };
	w->request.variables = fcgi_params(w->fcgi);
	handle_request(&w->c, &w->request, w->crew->sql);
	ctx_reset(&w->c);
	write_timings(w, TIMING_EVERY_MS);
	atomic_store(&w->crew->news, NEWS_REQUEST);
}

/* Nothing came for a while: the server is told once; once its connections are closed too, memory
 * that was needed for work is given back. */
static void
be_quiet(struct worker *w)
{
	struct crew *crew = w->crew;
	int news = NEWS_REQUEST;

	if (atomic_load(&crew->busy) > 0)
		return;
	if (atomic_compare_exchange_strong(&crew->news, &news, NEWS_TOLD)) {
		if (crew->server->quiet)
			crew->server->quiet(&w->c);
		ctx_reset(&w->c);
		write_timings(w, 0);
	}
	news = NEWS_TOLD;
	if ((!server_db() || db_close_idle(server_db()) < 0) &&
	    atomic_compare_exchange_strong(&crew->news, &news, NEWS_NONE)) {
		mem_empty(w->c.mem);
		mem_give_back();
	}
}

static void *
work(void *arg)
{
	struct worker *w = arg;
	enum turn turn;

	while ((turn = take_turn(w)) != TURN_STOP) {
		if (turn == TURN_REQUEST) {
			serve_request(w);
			atomic_fetch_sub(&w->crew->busy, 1);
			atomic_fetch_add(&w->crew->waiting, 1);
		} else if (turn == TURN_TIMEOUT)
			be_quiet(w);
		if ((turn == TURN_TIMEOUT || turn == TURN_VAIN) && may_leave(w))
			break;
	}
	if (w != w->crew->workers[0]) {
		close_worker(w);
		w->life = LIFE_ENDED;
	}
	return NULL;
}

/* ---- serving --------------------------------------------------------------------------- */

static void
stop(struct worker *w)
{
	ctx_reset(&w->c);
	if (w->crew->server->stop)
		w->crew->server->stop(&w->c);
	ctx_reset(&w->c);
	write_timings(w, 0);
	close_worker(w);
}

int
threads_serve(const struct server *s, const struct route_sql *sql, size_t max)
{
	CLEANUP(mem_freep) struct mem *m = mem_new(CREW_MEM_MAX);
	struct worker *first = m ? mem_alloc(m, sizeof(*first)) : NULL;
	struct crew crew = { .server = s,
		.sql = sql,
		.workers = { first },
		.mem = m,
		.max = max > SERVER_THREADS_MAX ? SERVER_THREADS_MAX : max,
		.waiting = 1 };
	size_t i;

	if (!first || open_worker(first, &crew) < 0)
		return -1;
	errno = pthread_mutex_init(&crew.turn, NULL);
	if (errno)
		return -1;
	work(first);
	for (i = 1; i < crew.max && crew.workers[i]; i++)
		if (crew.workers[i]->life != LIFE_NONE)
			pthread_join(crew.workers[i]->thread, NULL);
	pthread_mutex_destroy(&crew.turn);
	stop(first);
	return 0;
}

int
threads_serve_one(const struct server *s, const struct route_sql *sql)
{
	struct crew crew = { .server = s, .sql = sql };
	struct worker w = { 0 };
	int rc;

	if (open_worker(&w, &crew) < 0)
		return -1;
	rc = fcgi_accept(w.fcgi);
	if (rc == 0)
		serve_request(&w);
	stop(&w);
	return rc;
}
