/*
 * together.h - requests that wait for the same at the same time, done in one go: one statement and
 * one commit for all of them.
 *
 * Nobody waits for company.  A request that comes while no go is under way begins one at once, with
 * itself alone.  Those that come meanwhile gather, and go together when it ends; or beside it, as
 * soon as there are more than a few.  What is done, and what is told to each, is the business of
 * the caller.
 */
#ifndef WEB_TOGETHER_H
#define WEB_TOGETHER_H

#include "base/ctx.h"

#include <pthread.h>
#include <semaphore.h>

/* So many begin another go beside one that is under way: fewer are not worth a commit. */
enum { TOGETHER_FEW = 8 };
enum { TOGETHER_MOST = 32, TOGETHER_BYTES = 1024 * 1024 };

/* One request's part; the first member of what the caller knows about it. */
struct together_job {
	size_t size; /* in bytes; a go takes so many jobs and bytes at most, but always one job */
	/* The rest is together.c's own. */
	struct together_job *next;
	sem_t woken;
	bool leads;
};

struct together {
	/* Does them all with the memory of c and writes into each what became of it.  Their threads
	 * sleep meanwhile. */
	void (*go)(struct ctx *c, struct together_job *const *jobs, size_t n);
	pthread_mutex_t lock;
	struct together_job *first;
	struct together_job *last;
	size_t waiting;
	int under_way;
};

#define TOGETHER(f)                                                                                \
	{                                                                                          \
		.go = (f), .lock = PTHREAD_MUTEX_INITIALIZER                                       \
	}

/* together_do: returns when job was part of a go, whoever's thread did it; no more than most goes
 * are under way at a time. */
void together_do(struct ctx *c, struct together *t, struct together_job *job, int most);

#endif
