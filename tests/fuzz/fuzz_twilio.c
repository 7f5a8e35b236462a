/*
 * fuzz_twilio.c - any bytes as a webhook of Twilio: what comes out is always fit for the database,
 * and nobody's signature fits two tokens.
 *
 * The first line is the address, the second the signature; the rest is the body.
 */
#include "base/scan.h"
#include "lib/json.h"
#include "peers/twilio_event.h"
#include "web/signature.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool good)
{
	if (!good)
		abort();
}

static const char *
header_of(const void *arg, const char *name UNUSED)
{
	return arg;
}

static const char *
next_line(struct mem *m, const char **s, const char *end)
{
	const char *from = *s, *to = from < end ? memchr(from, '\n', (size_t)(end - from)) : NULL;

	*s = to ? to + 1 : end;
	return mem_dup(m, from, (size_t)((to ? to : end) - from));
}

/* Texts that jsonb takes. */
static void
check_event(struct mem *m, enum twilio_event_kind kind, struct span body)
{
	struct twilio_event e;
	const struct json *j;

	check(twilio_event(m, kind, body, &e) == 0);
	check(e.key[0] != '\0' && strlen(e.key) <= 250 && utf8_valid(e.key, strlen(e.key)));
	check(strlen(e.type) <= 100 && utf8_valid(e.type, strlen(e.type)));
	if (!e.facts)
		return;
	check(utf8_valid(e.facts, strlen(e.facts)) && !strstr(e.facts, "\\u0000"));
	check(json_read(m, e.facts, strlen(e.facts), JSON_DEPTH_API, &j) == JSON_OK);
	check(json_str(j, "kind") && json_str(j, "sid") && json_str(j, "sid")[0] != '\0');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *)data, *end = s + size;
	struct mem *m = mem_new((size_t)64 << 20);
	struct signed_request r = { .header = header_of, .method = "POST" };
	enum twilio_event_kind kind;

	check(m != NULL);
	r.url = next_line(m, &s, end);
	r.arg = next_line(m, &s, end);
	r.body = (struct span){ s, (size_t)(end - s) };
	if (signature_fits(&signature_twilio[0], SPAN("token"), &r))
		check(!signature_fits(&signature_twilio[0], SPAN("tokens"), &r));
	for (kind = 0; kind < TWILIO_EVENT_KINDS; kind++)
		check_event(m, kind, r.body);
	mem_free(m);
	return 0;
}
