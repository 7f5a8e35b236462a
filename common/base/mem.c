/*
 * mem.c - request memory: blocks from malloc, handed out from the front.
 *
 * A reset keeps the largest block, up to KEEP_MAX.  New blocks are at least twice the size of the
 * last, so after a few like requests one block holds a whole request and malloc is not called any
 * more.
 */
#include "base/mem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#if defined(__SANITIZE_ADDRESS__)
#define MEM_CHECKED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MEM_CHECKED 1
#endif
#endif

/* In a checked build what is not given out may not be touched, and a gap behind each piece catches
 * overruns. */
#ifdef MEM_CHECKED
#include <sanitizer/asan_interface.h>
#define MEM_HIDE(p, n) ASAN_POISON_MEMORY_REGION(p, n)
#define MEM_SHOW(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
enum { MEM_GAP = 16 };
#else
#define MEM_HIDE(p, n) ((void)(p), (void)(n))
#define MEM_SHOW(p, n) ((void)(p), (void)(n))
enum { MEM_GAP = 0 };
#endif

enum { ALIGN = _Alignof(max_align_t), BLOCK_MIN = 2 * 1024, KEEP_MAX = 256 * 1024 };

struct block {
	struct block *older;
	size_t size;
	size_t used;
	_Alignas(max_align_t) char data[];
};

struct at_reset {
	struct at_reset *older;
	void (*f)(void *);
	void *arg;
};

struct mem {
	struct block *newest;
	struct at_reset *last;
	size_t used;
	size_t max;
};

struct mem *
mem_new(size_t max)
{
	struct mem *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->max = max;
	return m;
}

static void
block_free(struct block *b)
{
	MEM_SHOW(b->data, b->size);
	free(b);
}

/* A new block with room for at least n bytes, in front of the others. */
static struct block *
block_add(struct mem *m, size_t n)
{
	size_t size = m->newest ? m->newest->size * 2 : BLOCK_MIN;
	struct block *b;

	if (size > KEEP_MAX)
		size = KEEP_MAX;
	if (size < n)
		size = n;
	b = malloc(sizeof(*b) + size);
	if (!b)
		return NULL;

	b->older = m->newest;
	b->size = size;
	b->used = 0;
	m->newest = b;
	MEM_HIDE(b->data, b->size);
	return b;
}

/* n bytes, not zeroed. */
static void *
take(struct mem *m, size_t n)
{
	struct block *b = m->newest;
	size_t step;
	char *p;

	if (n > SIZE_MAX / 2 || n > m->max || m->max - n < m->used) {
		errno = ENOMEM;
		return NULL;
	}
	step = (n + MEM_GAP + ALIGN - 1) / ALIGN * ALIGN;
	if (!b || b->size - b->used < step)
		b = block_add(m, step);
	if (!b)
		return NULL;

	p = b->data + b->used;
	b->used += step;
	m->used += n;
	MEM_SHOW(p, n);
	return p;
}

void *
mem_alloc(struct mem *m, size_t n)
{
	void *p = take(m, n);

	return p ? memset(p, 0, n) : NULL;
}

char *
mem_dup(struct mem *m, const char *data, size_t n)
{
	char *p;

	if (n == SIZE_MAX) {
		errno = ENOMEM;
		return NULL;
	}
	p = take(m, n + 1);
	if (!p)
		return NULL;

	if (n > 0)
		memcpy(p, data, n);
	p[n] = '\0';
	return p;
}

char *
mem_str(struct mem *m, const char *s)
{
	return mem_dup(m, s, strlen(s));
}

char *
mem_vprintf(struct mem *m, const char *fmt, va_list ap)
{
	va_list again;
	char *p;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0)
		return NULL;

	p = take(m, (size_t)n + 1);
	if (p)
		vsnprintf(p, (size_t)n + 1, fmt, ap);
	return p;
}

char *
mem_printf(struct mem *m, const char *fmt, ...)
{
	va_list ap;
	char *p;

	va_start(ap, fmt);
	p = mem_vprintf(m, fmt, ap);
	va_end(ap);
	return p;
}

int
mem_on_reset(struct mem *m, void (*f)(void *), void *arg)
{
	struct at_reset *r = mem_alloc(m, sizeof(*r));

	if (!r)
		return -1;
	*r = (struct at_reset){ m->last, f, arg };
	m->last = r;
	return 0;
}

static void
run_at_reset(struct mem *m)
{
	struct at_reset *r;

	for (r = m->last; r; r = r->older)
		r->f(r->arg);
	m->last = NULL;
}

/* The block that a reset keeps: the largest that is not too large to lie around. */
static struct block *
block_to_keep(const struct mem *m)
{
	struct block *b, *best = NULL;

	for (b = m->newest; b; b = b->older) {
		if (b->size <= KEEP_MAX && (!best || b->size > best->size))
			best = b;
	}
	return best;
}

void
mem_reset(struct mem *m)
{
	struct block *kept, *b, *older;

	run_at_reset(m);
	kept = block_to_keep(m);
	for (b = m->newest; b; b = older) {
		older = b->older;
		if (b != kept)
			block_free(b);
	}
	if (kept) {
		kept->older = NULL;
		kept->used = 0;
		MEM_HIDE(kept->data, kept->size);
	}
	m->newest = kept;
	m->used = 0;
}

void
mem_empty(struct mem *m)
{
	mem_reset(m);
	if (m->newest)
		block_free(m->newest);
	m->newest = NULL;
}

size_t
mem_used(const struct mem *m)
{
	return m->used;
}

void
mem_free(struct mem *m)
{
	struct block *b, *older;

	if (!m)
		return;
	run_at_reset(m);
	for (b = m->newest; b; b = older) {
		older = b->older;
		block_free(b);
	}
	free(m);
}

void
mem_freep(struct mem **m)
{
	mem_free(*m);
	*m = NULL;
}

void
mem_give_back(void)
{
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}
