/*
 * fuzz_event.c - any bytes as a webhook of a voice provider: what comes out is always fit for the
 * database.
 */
#include "base/scan.h"
#include "lib/json.h"
#include "peers/voice.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool good)
{
	if (!good)
		abort();
}

/* Good JSON whose texts jsonb takes; a name that stands twice in it is the sender's own. */
static void
check_json(struct mem *m, const char *s)
{
	const struct json *j;
	enum json_error e = json_read(m, s, strlen(s), JSON_DEPTH_PROVIDER, &j);
	struct scan_field whole[] = { { .path = "" } };

	check(e != JSON_BAD_TEXT);
	check(scan_json(span_of(s), whole, COUNT(whole), 1000) == SCAN_OK);
	check(whole[0].kind == SCAN_OBJECT && utf8_valid(s, strlen(s)));
}

static void
check_event(struct mem *m, enum voice_event_error error, const struct voice_event *e)
{
	if (error != EVENT_OK)
		return;
	check(e->type && strlen(e->type) <= 100 && utf8_valid(e->type, strlen(e->type)));
	check(e->key && strlen(e->key) <= 600 && utf8_valid(e->key, strlen(e->key)));
	check(!e->assignment_id || strlen(e->assignment_id) == 36);
	check(!e->provider_call_id || utf8_valid(e->provider_call_id, strlen(e->provider_call_id)));
	check((e->report != NULL) == (e->class == EVENT_MOVES || e->class == EVENT_ASK));
	check_json(m, e->reply);
	if (e->report)
		check_json(m, e->report);
	check(voice_class_name(e->class) != NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct span body = { (const char *)data, size };
	struct mem *m = mem_new((size_t)64 << 20);
	struct voice_event e;

	check(m != NULL);
	check_event(m, vapi_event(m, body, &e), &e);
	check_event(m, synthflow_event(m, body, &e), &e);
	mem_free(m);
	return 0;
}
