/*
 * timing.c - the process's table of how often and how long.
 */
#include "base/timing.h"

#include "base/clock.h"

#include <pthread.h>
#include <string.h>

enum { NEARLY_FULL = TIMING_SLOTS * 3 / 4 };

/* In microseconds; the same as public.timing_bounds(). */
static const int64_t bounds[TIMING_BUCKETS - 1] = { 5000, 10000, 25000, 50000, 100000, 250000,
	500000, 1000000, 2500000, 5000000, 10000000, 30000000, 60000000 };

static struct {
	pthread_mutex_t lock;
	struct timing slots[TIMING_SLOTS]; /* filled from the front */
	size_t n;
	int64_t written_ms;
} gathered = { .lock = PTHREAD_MUTEX_INITIALIZER };

static bool
is_code(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_");

	return n > 0 && n < TIMING_OUTCOME_MAX && s[n] == '\0';
}

/* The lock is held.  NULL: there is no room. */
static struct timing *
find(const char *kind, const char *name, const char *outcome)
{
	struct timing *t;
	size_t i;

	for (i = 0; i < gathered.n; i++) {
		t = &gathered.slots[i];
		if (strcmp(t->name, name) == 0 && strcmp(t->outcome, outcome) == 0 &&
		    strcmp(t->kind, kind) == 0)
			return t;
	}
	if (gathered.n == TIMING_SLOTS)
		return NULL;
	if (gathered.written_ms == 0)
		gathered.written_ms = clock_steady_ms();
	t = &gathered.slots[gathered.n++];
	*t = (struct timing){ .kind = kind };
	memcpy(t->name, name, strlen(name) + 1);
	memcpy(t->outcome, outcome, strlen(outcome) + 1);
	return t;
}

void
timing_add(const char *kind, const char *name, const char *outcome, int64_t us)
{
	struct timing *t;
	size_t b = 0;

	if (strlen(name) >= TIMING_NAME_MAX)
		return;
	if (!is_code(outcome))
		outcome = "other";
	while (b < COUNT(bounds) && us > bounds[b])
		b++;
	pthread_mutex_lock(&gathered.lock);
	t = find(kind, name, outcome);
	if (t) {
		t->n++;
		t->us += us;
		t->buckets[b]++;
	}
	pthread_mutex_unlock(&gathered.lock);
}

void
timing_count(const char *kind, const char *name, const char *outcome)
{
	timing_add(kind, name, outcome, 0);
}

bool
timing_due(int64_t every_ms)
{
	bool due;

	pthread_mutex_lock(&gathered.lock);
	due = gathered.n >= NEARLY_FULL ||
	    (gathered.n > 0 && clock_steady_ms() - gathered.written_ms >= every_ms);
	pthread_mutex_unlock(&gathered.lock);
	return due;
}

size_t
timing_take(struct mem *m, struct timing **ret)
{
	struct timing *copy = NULL;
	size_t n;

	pthread_mutex_lock(&gathered.lock);
	n = gathered.n;
	if (n > 0)
		copy = mem_alloc(m, n * sizeof(*copy));
	if (copy) {
		memcpy(copy, gathered.slots, n * sizeof(*copy));
		gathered.n = 0;
		*ret = copy;
	}
	gathered.written_ms = clock_steady_ms();
	pthread_mutex_unlock(&gathered.lock);
	return copy ? n : 0;
}

void
timing_give_back(const struct timing *given, size_t n)
{
	struct timing *t;
	size_t i, b;

	pthread_mutex_lock(&gathered.lock);
	for (i = 0; i < n; i++) {
		t = find(given[i].kind, given[i].name, given[i].outcome);
		if (!t)
			continue;
		t->n += given[i].n;
		t->us += given[i].us;
		for (b = 0; b < TIMING_BUCKETS; b++)
			t->buckets[b] += given[i].buckets[b];
	}
	pthread_mutex_unlock(&gathered.lock);
}
