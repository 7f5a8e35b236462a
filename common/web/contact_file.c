/*
 * contact_file.c - takes a file of contacts in batches, each of them one transaction.
 */
#include "web/contact_file.h"

#include "base/clock.h"
#include "base/settings.h"
#include "lib/db.h"
#include "web/contact_row.h"
#include "web/intake.h"
#include "web/server.h"
#include "web/stream.h"

#include <stdatomic.h>
#include <string.h>
#include <strings.h>

enum {
	BATCH_ROWS = 1000,
	BATCH_BYTES = 512 * 1024,
	BATCH_MEMORY = 4 * 1024 * 1024,
	BATCH_MAX = 8 * 1024 * 1024,
	VIEW_MAX = 64 * 1024
};

/* ---- what it knows ------------------------------------------- */

struct import {
	const char *id, *fence;
	struct intake_place place; /* all before it is committed */
	struct contact_columns columns;
	const struct json *begun; /* what contact_import_begin said */
	struct intake intake;
	struct text view; /* of the import, when it is done */
};

/* What of the file goes in one transaction. */
struct batch {
	struct contact_rows out;
	size_t read, failed;
	int64_t until_us; /* it is full then at the latest: whoever waits sees how far it is */
	bool last;
};

static void
batch_clear(struct batch *b)
{
	text_clear(&b->out.rows);
	text_clear(&b->out.errors);
}

static const struct db_stmt take_rows = { "contact_import_rows",
	"select api.contact_import_rows($1, $2, $3, $4)" };
static const struct db_stmt release = { "contact_import_release",
	"select api.contact_import_release($1, $2)" };

static int
fail_later(struct ctx *c, const struct import *i, enum err e, const char *detail)
{
	(void)fail(c, e, "%s", detail);
	c->failure.retry_after = (int)json_int(i->begun, "retry_after", 1);
	return -1;
}

static int
begin_import(struct ctx *c, struct import *i)
{
	const char *state, *digest;

	i->begun = db_call(c, ARGS(i->id));
	if (!i->begun)
		return -1;
	state = json_str(i->begun, "state");
	if (state && strcmp(state, "running") == 0)
		return fail_later(c, i, ERR_IMPORT_RUNNING, "send it again when that one is over");
	if (state && strcmp(state, "busy") == 0)
		return fail_later(c, i, ERR_IMPORTS_BUSY, "two at a time: the others first");
	digest = json_str(i->begun, "digest");
	i->fence = mem_printf(c->mem, "%lld", (long long)json_int(i->begun, "fence", 0));
	i->place.bytes = json_int(i->begun, "bytes", 0);
	i->place.line = json_int(i->begun, "line", 1);
	snprintf(i->place.digest, sizeof(i->place.digest), "%s", digest ? digest : "");
	return i->fence ? 0 : fail(c, ERR_INTERNAL, "out of memory");
}

/* ---- batches --------------------------------------------------- */

static void
write_columns(struct text *t, const struct contact_columns *columns)
{
	size_t n;

	text_puts(t, ",\"columns\":[");
	for (n = 0; n < columns->n; n++) {
		text_puts(t, n ? "," : "");
		text_json(t, columns->names[n]);
	}
	text_putc(t, ']');
}

static void
write_batch(struct text *t, const struct import *i, const struct batch *b,
    const struct intake_place *to)
{
	text_printf(t,
	    "{\"read\":%zu,\"failed\":%zu,\"line\":%lld,\"bytes\":%lld,\"digest\":\"%s\","
	    "\"last\":%s",
	    b->read, b->failed, (long long)to->line, (long long)to->bytes, to->digest,
	    b->last ? "true" : "false");
	if (i->place.bytes == 0)
		write_columns(t, &i->columns);
	text_printf(t, ",\"rows\":[%s]", text_str(&b->out.rows));
	text_printf(t, ",\"errors\":[%s]}", text_str(&b->out.errors));
}

/* Commits the batch: from then on the import goes on behind it. */
static int
send_batch(struct ctx *c, struct import *i, const struct batch *b)
{
	CLEANUP(text_clear) struct text t = TEXT(BATCH_MAX);
	struct db_rows rows = { .n = 0 };
	struct span params[4], view;
	struct db_step step = { &take_rows, params, COUNT(params), &rows };
	struct intake_place to;

	if (intake_place(c, &i->intake, &to) < 0)
		return -1;
	write_batch(&t, i, b, &to);
	if (!text_ok(&t) || !text_ok(&b->out.rows) || !text_ok(&b->out.errors))
		return fail(c, ERR_INTERNAL, "the batch does not fit");
	params[0] = span_of(i->id);
	params[1] = span_of(i->fence);
	params[2] = span_of(mem_printf(c->mem, "%lld", (long long)i->place.bytes));
	params[3] = (struct span){ t.data, t.len };
	if (db_ask(c, &step, 1) < 0)
		return -1;
	i->place = to;
	view = rows.n ? db_value(&rows, 0, 0) : (struct span){ "", 0 };
	text_empty(&i->view);
	text_put(&i->view, view.data, view.len);
	return 0;
}

/* Seconds: nothing of the file comes for so long, and it is given up.  Rows go to SQL at least
 * twice in that time, which renews the lease (api.contact_import_begin). */
static int
patience(void)
{
	return (int)setting_int(SET_HOOKSWITCH_IMPORT_WAIT_SECONDS);
}

static bool
is_full(const struct ctx *c, const struct batch *b)
{
	return b->read >= BATCH_ROWS || clock_steady_us() >= b->until_us ||
	    b->out.rows.len >= BATCH_BYTES || b->out.errors.len >= BATCH_BYTES ||
	    mem_used(c->mem) >= BATCH_MEMORY;
}

static enum stream_page
read_batch(struct ctx *c, void *arg)
{
	CLEANUP(batch_clear) struct batch b = { { TEXT(BATCH_MAX), TEXT(BATCH_MAX), 0 } };
	struct import *i = arg;
	int rc = 1;

	b.until_us = clock_steady_us() + (int64_t)patience() * 1000000 / 2;
	while (!is_full(c, &b) && (rc = intake_next(c, &i->intake)) > 0) {
		b.read++;
		b.failed += !contact_row(c, &i->columns, &i->intake.csv.record, &b.out);
	}
	if (rc < 0)
		return STREAM_FAILED;
	b.last = rc == 0;
	if (send_batch(c, i, &b) < 0)
		return STREAM_FAILED;
	if (b.last)
		return STREAM_END;
	if (!server_stopping())
		return STREAM_MORE;
	(void)fail(c, ERR_UNAVAILABLE, "the program is being replaced: send the file again");
	return STREAM_FAILED;
}

/* ---- the file ---------------------------------------------------- */

static int
read_head(struct ctx *c, struct import *i)
{
	int rc;

	if (i->place.bytes > 0)
		return contact_columns_again(c, json_get(i->begun, "columns"), &i->columns);
	rc = intake_next(c, &i->intake);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return fail(c, ERR_IMPORT_HEAD, "the file is empty");
	return contact_columns_read(c, &i->intake.csv.record,
	    json_bool(i->begun, "refuse_unknown", false), &i->columns);
}

static int
read_file(struct ctx *c, struct import *i)
{
	const char *view, *state = json_str(i->begun, "state");

	if (intake_open(c, &i->intake, patience()) < 0 || intake_skip(c, &i->intake, &i->place) < 0)
		return -1;
	if (state && strcmp(state, "done") == 0) {
		view = json_print(c->mem, json_get(i->begun, "view"));
		return intake_over(c, &i->intake) < 0 ? -1 : reply_json(c, 200, span_of(view));
	}
	if (read_head(c, i) < 0 || reply_stream_pages(c, read_batch, i) < 0)
		return -1;
	view = mem_dup(c->mem, text_str(&i->view), i->view.len);
	return reply_json(c, 200, span_of(view));
}

/* Whoever sends the file next need not wait; that it fails does no harm: the lease runs out. */
static void
give_up(struct ctx *c, const struct import *i)
{
	struct span params[2] = { span_of(i->id), span_of(i->fence) };
	struct db_step step = { &release, params, COUNT(params), NULL };
	struct failure kept = c->failure;

	fail_clear(c);
	(void)db_ask(c, &step, 1);
	c->failure = kept;
}

static bool
is_csv(const char *type)
{
	size_t n = type ? strcspn(type, "; \t") : 0;

	return n == strlen("text/csv") && strncasecmp(type, "text/csv", n) == 0;
}

/* Files that are being read in this process.  A client may be slow, and holds a thread for so long:
 * half of them are for everybody else. */
static atomic_int reading;

static int
begin_reading(struct ctx *c)
{
	int threads = (int)setting_int(SET_HOOKSWITCH_THREADS);

	if (atomic_fetch_add(&reading, 1) < (threads + 1) / 2)
		return 0;
	atomic_fetch_sub(&reading, 1);
	(void)fail(c, ERR_UNAVAILABLE, "too many files are being read just now");
	c->failure.retry_after = 5;
	return -1;
}

static int
take_file(struct ctx *c, struct import *i)
{
	int rc;

	if (begin_import(c, i) < 0)
		return -1;
	rc = is_csv(request_header(c, "Content-Type")) ?
	    read_file(c, i) :
	    fail(c, ERR_MEDIA_TYPE, "Content-Type must be text/csv");
	if (rc < 0)
		give_up(c, i);
	text_clear(&i->view);
	return rc;
}

int
contact_file_take(struct ctx *c, const char *import_id)
{
	struct import *i = mem_alloc(c->mem, sizeof(*i));
	int rc;

	if (!i)
		return fail(c, ERR_INTERNAL, "out of memory");
	i->id = import_id;
	i->view = TEXT(VIEW_MAX);
	if (begin_reading(c) < 0)
		return -1;
	rc = take_file(c, i);
	atomic_fetch_sub(&reading, 1);
	return rc;
}
