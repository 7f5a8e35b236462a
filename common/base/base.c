/*
 * base.c - the few small things that every file uses.
 */
#include "base/base.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

struct span
span_of(const char *s)
{
	return (struct span){ s, s ? strlen(s) : 0 };
}

bool
span_equal(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool
base_is_uuid(const char *s)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	size_t i;

	if (!s || strlen(s) != sizeof(form) - 1)
		return false;
	for (i = 0; form[i]; i++) {
		if (form[i] == '-' ? s[i] != '-' : !strchr("0123456789abcdefABCDEF", s[i]))
			return false;
	}
	return true;
}

void
base_fclosep(FILE **f)
{
	int kept = errno;

	if (*f)
		fclose(*f);
	*f = NULL;
	errno = kept;
}

void
base_closep(int *fd)
{
	int kept = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = kept;
}

int
base_give_fd(int *fd)
{
	int given = *fd;

	*fd = -1;
	return given;
}
