/*
 * fuzz_scan.c - any bytes through the scan: what it finds lies in the text and is of its kind.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/scan.h"
#include "base/text.h"

enum { DEPTH = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is found must be a value by itself. */
static void
check_found(const struct scan_field *f, struct span body)
{
	char buf[256];

	if (f->kind == SCAN_NONE) {
		assert(!f->raw.data && !f->escaped);
		return;
	}
	assert(f->raw.data >= body.data && f->raw.len <= body.len);
	assert(f->raw.data + f->raw.len <= body.data + body.len);
	if (f->kind != SCAN_STRING) {
		assert(scan_json(f->raw, NULL, 0, DEPTH) == SCAN_OK);
		assert(scan_unescape(f, buf, sizeof(buf)) == -1);
		return;
	}
	assert(f->escaped == (memchr(f->raw.data, '\\', f->raw.len) != NULL));
	if (scan_unescape(f, buf, sizeof(buf)) == 0 && utf8_valid(f->raw.data, f->raw.len))
		assert(utf8_valid(buf, strlen(buf)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span body = { (const char *)data, size };
	struct scan_field f[] = {
		{ .path = "" },
		{ .path = "a" },
		{ .path = "a.b" },
		{ .path = "a.0" },
		{ .path = "a.1.b" },
		{ .path = "message.type" },
		{ .path = "message.call.id" },
		{ .path = "message.results.0.id" },
	};
	enum scan_result r = scan_json(body, f, COUNT(f), DEPTH);
	size_t i;

	assert(r == scan_json(body, NULL, 0, DEPTH));
	for (i = 0; i < COUNT(f) && r == SCAN_OK; i++)
		check_found(&f[i], body);
	assert(r != SCAN_OK || f[0].kind != SCAN_NONE);
	return 0;
}
