/*
 * vapi_tools.c - the tool calls of a message, in each of the spellings that are seen.
 *
 * One call is {id, type, function: {name, arguments}} or {id, name, ...}; what it is called with is
 * of no interest here.
 */
#include "peers/vapi_tools.h"

#include "base/scan.h"
#include "base/text.h"
#include "lib/crypto.h"
#include "peers/raw.h"

#include <ctype.h>

enum { TOOLS_MAX = 1000, REPLY_MAX = 4 << 20 };

static const char sorry[] = "This function is not available.";

struct tool {
	struct span id; /* as written */
	struct span name;
};

/* The list to read, and where in its items the call is. */
struct tools {
	struct span list;
	const char *id;
	const char *names[3];
};

static bool
is_filled(const struct scan_field *f)
{
	size_t pos = 0;
	struct span first;

	return f->kind == SCAN_ARRAY && raw_next(f->raw, &pos, &first);
}

static bool
find_tools(struct span message, struct tools *ret)
{
	struct scan_field f[] = { { .path = "toolCallList" }, { .path = "toolCalls" },
		{ .path = "toolWithToolCallList" } };

	if (scan_json(message, f, COUNT(f), RAW_DEPTH) != SCAN_OK)
		return false;
	if (is_filled(&f[0]) || is_filled(&f[1])) {
		*ret = (struct tools){ .list = is_filled(&f[0]) ? f[0].raw : f[1].raw,
			.id = "id",
			.names = { "function.name", "name", "name" } };
		return true;
	}
	*ret = (struct tools){ .list = f[2].raw,
		.id = "toolCall.id",
		.names = { "toolCall.function.name", "toolCall.name", "name" } };
	return is_filled(&f[2]);
}

/* Each call with an id that is a string; false at the end. */
static bool
next_tool(const struct tools *t, size_t *pos, struct tool *ret)
{
	struct span item;
	size_t i;

	while (raw_next(t->list, pos, &item)) {
		struct scan_field f[] = { { .path = t->id }, { .path = t->names[0] },
			{ .path = t->names[1] }, { .path = t->names[2] } };
		if (scan_json(item, f, COUNT(f), RAW_DEPTH) != SCAN_OK || f[0].kind != SCAN_STRING)
			continue;
		*ret = (struct tool){ .id = f[0].raw };
		for (i = 1; i < COUNT(f) && ret->name.len == 0; i++) {
			if (f[i].kind == SCAN_STRING)
				ret->name = f[i].raw;
		}
		return true;
	}
	return false;
}

static bool
is_plain(const struct text *t)
{
	size_t i;

	for (i = 0; i < t->len; i++) {
		if (!isgraph((unsigned char)t->data[i]) || t->data[i] == '\\')
			return false;
	}
	return t->len <= TOOLS_KEY_MAX;
}

int
vapi_tools_key(struct span message, char ret[TOOLS_KEY_MAX + 1])
{
	CLEANUP(text_clear) struct text ids = TEXT(REPLY_MAX);
	unsigned char hash[SHA256_LEN];
	struct tools tools;
	struct tool tool;
	size_t pos = 0, n;

	if (!find_tools(message, &tools))
		return -1;
	for (n = 0; n < TOOLS_MAX && next_tool(&tools, &pos, &tool); n++) {
		if (n > 0)
			text_putc(&ids, ',');
		text_put(&ids, tool.id.data, tool.id.len);
	}
	if (n == 0 || !text_ok(&ids))
		return -1;
	if (is_plain(&ids)) {
		snprintf(ret, TOOLS_KEY_MAX + 1, "%s", text_str(&ids));
		return 0;
	}
	if (crypto_sha256((struct span){ ids.data, ids.len }, hash) < 0)
		return -1;

	crypto_hex(hash, sizeof(hash), ret);
	return 0;
}

static void
put_sorry(struct text *t, const struct tool *tool)
{
	text_puts(t, "{\"toolCallId\":");
	raw_clean_string(t, tool->id);
	if (tool->name.len > 0) {
		text_puts(t, ",\"name\":");
		raw_clean_string(t, tool->name);
	}
	text_puts(t, ",\"error\":");
	text_json(t, sorry);
	text_putc(t, '}');
}

const char *
vapi_tools_reply(struct mem *m, struct span message)
{
	CLEANUP(text_clear) struct text reply = TEXT(REPLY_MAX);
	struct tools tools;
	struct tool tool;
	size_t pos = 0, n;

	text_puts(&reply, "{\"results\":[");
	if (find_tools(message, &tools)) {
		for (n = 0; n < TOOLS_MAX && next_tool(&tools, &pos, &tool); n++) {
			if (n > 0)
				text_putc(&reply, ',');
			put_sorry(&reply, &tool);
		}
	}
	text_puts(&reply, "]}");
	return text_ok(&reply) ? mem_dup(m, reply.data, reply.len) : NULL;
}
