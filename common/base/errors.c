/*
 * errors.c - the table of errors.def.
 */
#include "base/errors.h"

#include <string.h>

static const struct err_info infos[ERR_COUNT] = {
	[ERR_NONE] = { 200, "", "" },
#define ERROR(name, status, code, sentence) [name] = { status, code, sentence },
#include "base/errors.def"
#undef ERROR
};

const struct err_info *
err_info(enum err e)
{
	if ((int)e <= ERR_NONE || e >= ERR_COUNT)
		e = ERR_INTERNAL;
	return &infos[e];
}

enum err
err_by_code(const char *code)
{
	int e;

	for (e = ERR_NONE + 1; e < ERR_COUNT; e++) {
		if (strcmp(infos[e].code, code) == 0)
			return (enum err)e;
	}
	return ERR_NONE;
}
