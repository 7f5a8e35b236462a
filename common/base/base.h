/*
 * base.h - the few small things that every file uses: counting, cleaning up, checking formats.
 */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* CLEANUP(f): f(&variable) is called when the variable goes out of scope. */
#define CLEANUP(f) __attribute__((cleanup(f)))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define UNUSED __attribute__((unused))

/* A run of bytes that somebody else owns; data may hold NUL and is not terminated. */
struct span {
	const char *data;
	size_t len;
};

#define SPAN(literal) ((struct span){ (literal), sizeof(literal) - 1 })

/* span_of(s): the bytes of a C string; NULL gives an empty span with data NULL. */
struct span span_of(const char *s);
bool span_equal(struct span a, struct span b);

/* base_is_uuid: 32 hex digits of either case with their four dashes; false for NULL. */
bool base_is_uuid(const char *s);

/* base_fclosep / base_closep: for CLEANUP: close what is open and keep errno. */
void base_fclosep(FILE **f);
void base_closep(int *fd);
/* base_give_fd: gives the descriptor to the caller and leaves -1, so that CLEANUP does not close
 * it. */
int base_give_fd(int *fd);

#endif
