/*
 * pairs.h - names and values as forms send them: "name=value&name=value", percent-encoded.
 */
#ifndef BASE_PAIRS_H
#define BASE_PAIRS_H

#include "base/mem.h"

enum { PAIRS_MAX = 1000 };

struct pair {
	struct span name, value; /* decoded, any bytes; a NUL stands behind each */
};

struct pairs {
	const struct pair *items; /* as they came; a name may stand there several times */
	size_t n;
};

/* pairs_read: the pairs of a body, in m.  A percent sign that encodes nothing stands for itself.
 * -1 with errno: E2BIG: more than PAIRS_MAX, ENOMEM. */
int pairs_read(struct mem *m, struct span body, struct pairs *ret);
/* pairs_find: the first value of that name up to its first NUL; NULL when there is none. */
const char *pairs_find(const struct pairs *p, const char *name);

#endif
