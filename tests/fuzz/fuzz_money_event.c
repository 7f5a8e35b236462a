/*
 * fuzz_money_event.c - any bytes as a webhook of a payment provider: what comes out is always fit
 * for the database, and an id for an address.
 */
#include "base/scan.h"
#include "lib/json.h"
#include "peers/money_event.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool good)
{
	if (!good)
		abort();
}

/* Good JSON whose texts jsonb takes; a name that stands twice in metadata is the sender's own. */
static void
check_object(struct mem *m, const char *s)
{
	struct scan_field f[] = { { .path = "" }, { .path = "kind" }, { .path = "id" } };
	const struct json *j;
	char id[256];

	check(json_read(m, s, strlen(s), JSON_DEPTH_PROVIDER, &j) != JSON_BAD_TEXT);
	check(scan_json(span_of(s), f, COUNT(f), 1000) == SCAN_OK);
	check(f[0].kind == SCAN_OBJECT && utf8_valid(s, strlen(s)));
	if (f[1].kind == SCAN_NONE) {
		check(strcmp(s, "{}") == 0);
		return;
	}
	check(scan_unescape(&f[2], id, sizeof(id)) == 0 && id[0] != '\0');
	check(id[strcspn(id, "/.?#%& \\\"")] == '\0');
}

static void
check_event(struct mem *m, enum money_event_error error, const struct money_event *e)
{
	if (error != MONEY_EVENT_OK)
		return;
	check(e->id && e->id[0] != '\0' && strlen(e->id) <= 200);
	check(e->type && strlen(e->type) <= 100 && utf8_valid(e->type, strlen(e->type)));
	check(e->named || !e->object);
	if (e->object)
		check_object(m, e->object);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct span body = { (const char *)data, size };
	struct mem *m = mem_new((size_t)64 << 20);
	struct money_event e;

	check(m != NULL);
	check_event(m, stripe_event(m, body, &e), &e);
	check_event(m, paddle_event(m, body, &e), &e);
	mem_free(m);
	return 0;
}
