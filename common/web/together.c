/*
 * together.c - who leads a go, who sleeps meanwhile, and who leads the next one.
 */
#include "web/together.h"

static void
put_last(struct together *t, struct together_job *job)
{
	if (t->first)
		t->last->next = job;
	else
		t->first = job;
	t->last = job;
	t->waiting++;
}

/* Takes what goes together, the oldest first; how many. */
static size_t
take_first(struct together *t, struct together_job *ret[TOGETHER_MOST])
{
	size_t n = 0, size = 0;

	while (
	    t->first && n < TOGETHER_MOST && (n == 0 || size + t->first->size <= TOGETHER_BYTES)) {
		size += t->first->size;
		ret[n++] = t->first;
		t->first = t->first->next;
	}
	t->waiting -= n;
	return n;
}

/* Whoever has waited longest leads the next go, by its own thread.  Until that is awake it stays
 * the first in the row and more may gather behind it.  Returns whom to wake, or NULL. */
static struct together_job *
begin_next(struct together *t, int most)
{
	if (!t->first || t->first->leads || t->under_way >= most)
		return NULL;
	if (t->under_way > 0 && t->waiting < TOGETHER_FEW)
		return NULL;
	t->under_way++;
	t->first->leads = true;
	return t->first;
}

static void
wake(struct together_job *job)
{
	if (job)
		sem_post(&job->woken);
}

static void
lead(struct ctx *c, struct together *t, const struct together_job *own, int most)
{
	struct together_job *jobs[TOGETHER_MOST], *next;
	size_t i, n;

	pthread_mutex_lock(&t->lock);
	n = take_first(t, jobs);
	next = begin_next(t, most);
	pthread_mutex_unlock(&t->lock);
	wake(next);

	t->go(c, jobs, n);

	pthread_mutex_lock(&t->lock);
	t->under_way--;
	next = begin_next(t, most);
	pthread_mutex_unlock(&t->lock);
	wake(next);
	for (i = 0; i < n; i++) {
		if (jobs[i] != own)
			wake(jobs[i]);
	}
}

/* Who is woken needs no lock: it either leads, which was written before it was woken, or all is
 * done. */
void
together_do(struct ctx *c, struct together *t, struct together_job *job, int most)
{
	struct together_job *next;

	job->next = NULL;
	job->leads = false;
	sem_init(&job->woken, 0, 0);

	pthread_mutex_lock(&t->lock);
	put_last(t, job);
	next = begin_next(t, most);
	pthread_mutex_unlock(&t->lock);

	if (next != job) {
		wake(next);
		while (sem_wait(&job->woken) < 0)
			;
	}
	if (job->leads)
		lead(c, t, job, most);
	sem_destroy(&job->woken);
}
