/*
 * settings_file.h - a file of NAME=value lines.  For settings.c only; everybody else asks
 * settings.h.
 */
#ifndef BASE_SETTINGS_FILE_H
#define BASE_SETTINGS_FILE_H

#include "base/mem.h"

enum { SETTINGS_LINES_MAX = 256 };

struct settings_line {
	const char *name;
	const char *value;
};

struct settings_file {
	struct settings_line lines[SETTINGS_LINES_MAX];
	size_t n;
};

/* Tells what is wrong; returns -1. */
typedef int settings_complain(const char *name, const char *reason);

/* settings_file_read: the lines of the file, in m; -1 when it cannot be read or lines are wrong:
 * all are told, and the good ones are in ret all the same. */
int settings_file_read(struct mem *m, const char *path, settings_complain *complain,
    struct settings_file *ret);
/* settings_file_get: the value of that name, NULL when it is not there. */
const char *settings_file_get(const struct settings_file *f, const char *name);

#endif
