/*
 * mem.h - request memory: taken piece by piece, given back all at once.
 *
 * One region belongs to one thread.  Nothing taken from it is freed by itself.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include "base/base.h"

#include <stdarg.h>

struct mem;

/* mem_new: a region that never grows above max bytes.  NULL with errno set.  The caller frees it
 * with mem_free. */
struct mem *mem_new(size_t max);

/* mem_alloc: n zeroed bytes, aligned for any type, valid until mem_reset.  NULL with errno ENOMEM
 * beyond the limit. */
void *mem_alloc(struct mem *m, size_t n);

/* mem_dup / mem_str / mem_printf: copies with a terminating NUL.  NULL with errno ENOMEM beyond the
 * limit. */
char *mem_dup(struct mem *m, const char *data, size_t n);
char *mem_str(struct mem *m, const char *s);
char *mem_printf(struct mem *m, const char *fmt, ...) PRINTF_LIKE(2, 3);
char *mem_vprintf(struct mem *m, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);

/* mem_on_reset: calls f(arg) at the next mem_reset or mem_free (newest first): for what a library
 * owns. -1 beyond the limit. */
int mem_on_reset(struct mem *m, void (*f)(void *), void *arg);

/* mem_reset: forgets everything; keeps one block so that the next request allocates nothing. */
void mem_reset(struct mem *m);

/* mem_empty: forgets everything and keeps no block. */
void mem_empty(struct mem *m);

/* mem_give_back: what was freed goes back to the system.  Takes a moment: for a program that has
 * nothing to do. */
void mem_give_back(void);

/* mem_used: bytes given out since the last reset. */
size_t mem_used(const struct mem *m);

/* mem_free: gives all back; NULL is fine.  mem_freep: the same for CLEANUP. */
void mem_free(struct mem *m);
void mem_freep(struct mem **m);

#endif
