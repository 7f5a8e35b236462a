/*
 * errors.h - the errors of errors.def as an enum with their facts.
 */
#ifndef BASE_ERRORS_H
#define BASE_ERRORS_H

#include "base/base.h"

enum err {
	ERR_NONE,
#define ERROR(name, status, code, sentence) name,
#include "base/errors.def"
#undef ERROR
	ERR_COUNT
};

struct err_info {
	int status;
	const char *code;
	const char *title;
};

/* err_info: the facts of e; never NULL (an e out of range gives ERR_INTERNAL's). */
const struct err_info *err_info(enum err e);
/* err_by_code: the error with that code, ERR_NONE when there is none. */
enum err err_by_code(const char *code);

#endif
