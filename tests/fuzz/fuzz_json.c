/*
 * fuzz_json.c - any bytes as JSON: what is accepted is also accepted by the scan, and its printed
 * form reads as the same.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/scan.h"
#include "lib/json.h"

enum { DEPTH = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(mem_freep) struct mem *m = mem_new(16 << 20);
	const char *text = (const char *)data, *printed, *again;
	const struct json *j = NULL, *k = NULL;
	enum scan_result scanned = scan_json((struct span){ text, size }, NULL, 0, DEPTH);
	enum json_error e;

	assert(m);
	e = json_read(m, text, size, DEPTH, &j);
	assert((scanned == SCAN_TOO_DEEP) == (e == JSON_DEEP));
	if (e != JSON_OK) {
		assert(!j);
		return 0;
	}
	assert(scanned == SCAN_OK);

	printed = json_print(m, j);
	assert(printed);
	e = json_read(m, printed, strlen(printed), DEPTH, &k);
	assert(e == JSON_OK && json_type(j) == json_type(k) && json_len(j) == json_len(k));
	again = json_print(m, k);
	assert(again && strcmp(printed, again) == 0);
	json_path(j, "a.b.0.c");
	json_int(j, "a", 0);
	json_double(j, "a", 0);
	return 0;
}
