/*
 * stream_query.c - pages of SQL, one after the other.
 */
#include "web/stream_query.h"

#include "web/field.h"
#include "web/flight.h"
#include "web/stream.h"

struct pages {
	const char *const *args;
	size_t n;
	char after[FIELD_CURSOR_MAX + 1]; /* "": the first page */
	const char *text;                 /* of the page in hand */
};

static enum stream_page
ask_page(struct ctx *c, struct pages *p)
{
	const char *args[FLIGHT_ARGS_MAX], *next;
	const struct json *page;
	size_t i;

	for (i = 0; i < p->n && i < FLIGHT_ARGS_MAX - 1; i++)
		args[i] = p->args[i];
	args[i++] = p->after[0] ? p->after : NULL;
	page = db_call(c, args, i);
	if (!page)
		return STREAM_FAILED;
	p->text = json_str(page, "text");
	next = json_str(page, "next_cursor");
	snprintf(p->after, sizeof(p->after), "%s", next ? next : "");
	return next ? STREAM_MORE : STREAM_END;
}

static enum stream_page
write_page(struct ctx *c, void *arg)
{
	struct pages *p = arg;
	enum stream_page more = ask_page(c, p);

	if (more == STREAM_FAILED)
		return more;
	return reply_stream_write(c, span_of(p->text ? p->text : "")) < 0 ? STREAM_END : more;
}

int
stream_query(struct ctx *c, const char *type, const char *file, const char *const *args, size_t n)
{
	struct pages p = { .args = args, .n = n };
	enum stream_page more = ask_page(c, &p);

	if (more == STREAM_FAILED || reply_stream_open(c, type, file) < 0)
		return -1;
	if (reply_stream_write(c, span_of(p.text ? p.text : "")) < 0)
		more = STREAM_END;
	if (more == STREAM_MORE && reply_stream_pages(c, write_page, &p) < 0)
		return -1;
	return reply_stream_close(c);
}
