/*
 * fuzz_csv.c - any bytes as CSV: never a crash, the same records however the bytes are cut, and
 * nothing beyond the buffer.
 */
#include "base/csv.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

enum { SMALL = 64 };

/* What one reading found: how many records, and a sum over all that stands in them. */
struct reading {
	size_t records;
	uint64_t sum;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
add(struct reading *r, const void *p, size_t n)
{
	const unsigned char *s = p;

	for (; n > 0; n--)
		r->sum = (r->sum ^ *s++) * 0x100000001b3u;
}

static void
keep(struct reading *r, const struct csv *p)
{
	const struct csv_record *one = &p->record;
	size_t i;

	assert(one->line >= 1 && one->line <= p->line);
	assert(one->n > 0 || one->fault != CSV_FINE);
	for (i = 0; i < one->n; i++) {
		assert(one->fields[i].data >= p->buf &&
		    one->fields[i].data + one->fields[i].len < p->buf + p->size);
		assert(!one->fields[i].data[one->fields[i].len]);
		add(r, one->fields[i].data, one->fields[i].len + 1);
	}
	add(r, &one->line, sizeof(one->line));
	add(r, &one->fault, sizeof(one->fault));
	r->records++;
}

/* All of it in pieces of so many bytes. */
static struct reading
read_in(const uint8_t *data, size_t size, size_t piece, size_t buffer)
{
	char buf[4096];
	struct reading r = { 0, 0 };
	struct csv p;
	struct span in;
	size_t n;

	csv_begin(&p, buf, buffer, 1);
	for (; size > 0; data += n, size -= n) {
		n = size < piece ? size : piece;
		in = (struct span){ (const char *)data, n };
		while (csv_feed(&p, &in))
			keep(&r, &p);
		assert(in.len == 0);
	}
	if (csv_end(&p))
		keep(&r, &p);
	assert(!csv_end(&p));
	return r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t buffers[] = { 4096, SMALL, 1 }, i;
	struct reading whole, bytes;

	for (i = 0; i < sizeof(buffers) / sizeof(buffers[0]); i++) {
		whole = read_in(data, size, size + 1, buffers[i]);
		bytes = read_in(data, size, 1, buffers[i]);
		assert(whole.records == bytes.records && whole.sum == bytes.sum);
		bytes = read_in(data, size, 7, buffers[i]);
		assert(whole.records == bytes.records && whole.sum == bytes.sum);
	}
	return 0;
}
