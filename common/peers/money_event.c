/*
 * money_event.c - what the readers of payment providers' webhooks share.
 */
#include "peers/money_event.h"

#include "lib/crypto.h"
#include "peers/raw.h"

#include <string.h>

/* An event without an id is known by its bytes: sent again it is the same. */
static const char *
body_key(struct mem *m, struct span body)
{
	unsigned char hash[SHA256_LEN];
	char hex[2 * SHA256_LEN + 1];

	if (crypto_sha256(body, hash) < 0)
		return NULL;
	crypto_hex(hash, sizeof(hash), hex);
	return mem_printf(m, "body:%s", hex);
}

enum money_event_error
money_event_open(struct mem *m, struct span body, struct money_event *ret,
    struct scan_field *fields, size_t n)
{
	char type[RAW_WORD_MAX];

	*ret = (struct money_event){ .type = "unknown" };
	/* What is nested too deeply to be read has no fields, and is kept as it is. */
	if (scan_json(body, fields, n, RAW_DEPTH) == SCAN_BAD)
		return MONEY_EVENT_NOT_JSON;

	ret->id = money_id(m, &fields[0]);
	ret->named = ret->id && raw_text(&fields[1], type, sizeof(type));
	if (ret->named)
		ret->type = mem_str(m, type);
	if (!ret->id)
		ret->id = body_key(m, body);
	return ret->id && ret->type ? MONEY_EVENT_OK : MONEY_EVENT_NO_MEMORY;
}

const char *
money_id(struct mem *m, const struct scan_field *f)
{
	static const char letters[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	char id[RAW_ID_MAX + 1];

	if (!raw_id(f, id) || id[strspn(id, letters)] != '\0')
		return NULL;
	return mem_str(m, id);
}

void
money_put_str(struct text *t, const char *name, const char *value)
{
	text_putc(t, ',');
	text_json(t, name);
	text_putc(t, ':');
	text_json(t, value);
}
