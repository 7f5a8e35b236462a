/*
 * crash.c - ends the process at a named point.  Only builds with --enable-crash-points ever call
 * crash_at.
 */
#include "base/crash.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"

static const struct {
	const char *name;
	const char *sentence;
} points[CRASH_COUNT] = {
#define CRASH_POINT(name, sentence) { #name, sentence },
#include "base/crash.def"
#undef CRASH_POINT
};

static atomic_long passed;

const char *
crash_name(int id)
{
	return id >= 0 && id < CRASH_COUNT ? points[id].name : NULL;
}

const char *
crash_sentence(int id)
{
	return id >= 0 && id < CRASH_COUNT ? points[id].sentence : NULL;
}

/* False when somebody crashed here before and left the mark. */
static bool
mark_first(const char *file)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	return fd >= 0 && close(fd) == 0;
}

/* Is the name one of the list, which commas separate? */
static bool
listed(const char *list, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = list; p; p = strchr(p, ',')) {
		p += *p == ',';
		if (strncmp(p, name, n) == 0 && (p[n] == ',' || p[n] == '\0'))
			return true;
	}
	return false;
}

void
crash_at(enum crash_id id)
{
	const char *names = getenv("HOOKSWITCH_CRASH_POINT");
	const char *skip = getenv("HOOKSWITCH_CRASH_SKIP");
	const char *once = getenv("HOOKSWITCH_CRASH_ONCE");

	if (!listed(names, points[id].name))
		return;
	if (atomic_fetch_add(&passed, 1) < (skip ? strtol(skip, NULL, 10) : 0))
		return;
	if (once && once[0] && !mark_first(once))
		return;
	kill(getpid(), SIGKILL);
}
