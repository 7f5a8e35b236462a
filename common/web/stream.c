/*
 * stream.c - writes an answer piece by piece.
 */
#include "web/stream.h"

#include "web/request.h"
#include "web/server.h"

#include <string.h>

enum { NAME_MAX_LEN = 200 };

int
reply_stream_open(struct ctx *c, const char *type, const char *file)
{
	CLEANUP(text_clear) struct text t = TEXT(REPLY_HEAD_MAX);
	struct request *r = request_of(c);
	struct answer *a = &r->answer;
	char disposition[NAME_MAX_LEN + 32];

	if (r->tx)
		return fail(c, ERR_INTERNAL, "a stream begins inside of a transaction");
	snprintf(disposition, sizeof(disposition), "attachment; filename=\"%s\"", file ? file : "");
	if (file && (strlen(file) > NAME_MAX_LEN || strpbrk(file, "\"\\/")))
		return fail(c, ERR_INTERNAL, "a stream's file has a bad name");
	a->status = 200;
	a->type = type;
	reply_header(c, "Content-Disposition", file ? disposition : NULL);
	reply_header(c, "X-Accel-Buffering", "no");
	reply_head(c, &t, -1);
	if (!text_ok(&t))
		return fail(c, ERR_INTERNAL, "the head could not be written");
	a->streamed = true;
	a->gone = fcgi_write(r->fcgi, t.data, t.len) < 0 || fcgi_flush(r->fcgi) < 0 || r->head;
	return 0;
}

int
reply_stream_write(struct ctx *c, struct span bytes)
{
	struct request *r = request_of(c);
	struct answer *a = &r->answer;

	if (!a->gone)
		a->gone = fcgi_write(r->fcgi, bytes.data, bytes.len) < 0 || fcgi_flush(r->fcgi) < 0;
	return a->gone ? -1 : 0;
}

/* The page's reasons live in its own memory, which ends now. */
static void
keep_failure(struct ctx *c, const struct ctx *page)
{
	const struct failure *f = &page->failure;

	(void)fail(c, f->err == ERR_NONE ? ERR_INTERNAL : f->err, NULL);
	if (f->log)
		fail_log(c, "%s", f->log);
}

static enum stream_page
run_page(struct ctx *c, struct ctx *page, enum stream_page (*run)(struct ctx *c, void *arg),
    void *arg)
{
	enum stream_page next;

	page->owner = c->owner;
	memcpy(page->request_id, c->request_id, sizeof(page->request_id));
	next = run(page, arg);
	memcpy(c->organization_id, page->organization_id, sizeof(c->organization_id));
	memcpy(c->user_id, page->user_id, sizeof(c->user_id));
	if (next == STREAM_FAILED)
		keep_failure(c, page);
	ctx_reset(page);
	return next;
}

int
reply_stream_pages(struct ctx *c, enum stream_page (*page)(struct ctx *c, void *arg), void *arg)
{
	CLEANUP(ctx_free) struct ctx own = { .mem = NULL };
	const struct answer *a = &request_of(c)->answer;
	enum stream_page next = STREAM_MORE;

	if (ctx_init(&own, SERVER_MEM_MAX) < 0)
		return fail(c, ERR_INTERNAL, "out of memory");
	while (next == STREAM_MORE && !a->gone)
		next = run_page(c, &own, page, arg);
	return next == STREAM_FAILED ? -1 : 0;
}

int
reply_stream_close(struct ctx *c)
{
	return request_of(c)->answer.streamed ? 0 : fail(c, ERR_INTERNAL, "no stream was opened");
}
