/*
 * csv.c - a small machine that is fed bytes and hands out records.
 */
#include "base/csv.h"

static const char mark[] = { '\xef', '\xbb', '\xbf' };

void
csv_begin(struct csv *p, char *buf, size_t size, int64_t line)
{
	*p = (struct csv){ .buf = buf, .size = size, .line = line, .over = true };
	p->mark = line == 1 ? 0 : -1;
}

/* The first fault is the one that is told. */
static void
fault(struct csv *p, enum csv_fault f)
{
	if (p->record.fault == CSV_FINE)
		p->record.fault = f;
}

static void
begin_record(struct csv *p)
{
	p->record.n = 0;
	p->record.line = p->line;
	p->record.fault = CSV_FINE;
	p->used = p->begin = 0;
	p->state = CSV_START;
	p->any = p->over = false;
}

/* Room for the NUL behind a field is always kept. */
static void
put(struct csv *p, char c)
{
	p->any = true;
	if (p->used + 1 < p->size)
		p->buf[p->used++] = c;
	else
		fault(p, CSV_TOO_LONG);
}

static void
end_field(struct csv *p)
{
	struct csv_record *r = &p->record;

	p->state = CSV_START;
	if (p->used >= p->size) {
		fault(p, CSV_TOO_LONG);
		return;
	}
	p->buf[p->used] = '\0';
	if (r->n < CSV_FIELDS_MAX)
		r->fields[r->n++] = (struct span){ p->buf + p->begin, p->used - p->begin };
	else
		fault(p, CSV_TOO_MANY);
	p->begin = ++p->used;
}

/* True when there is a record: an empty line is none. */
static bool
end_record(struct csv *p)
{
	bool some = p->any || p->record.n > 0;

	if (!some) {
		p->record.line = p->line;
		p->state = CSV_START;
		return false;
	}
	end_field(p);
	p->over = true;
	return true;
}

/* A CR that stood last belongs to the line's end. */
static void
drop_cr(struct csv *p)
{
	if (p->state == CSV_PLAIN && p->used > p->begin && p->buf[p->used - 1] == '\r')
		p->used--;
	/* A line of CR alone is an empty one. */
	if (p->record.n == 0 && p->used == p->begin && p->state == CSV_PLAIN &&
	    p->record.fault == CSV_FINE)
		p->any = false;
}

static void
take_quote(struct csv *p)
{
	switch (p->state) {
	case CSV_START:
		p->state = CSV_QUOTED;
		p->any = true;
		break;
	case CSV_QUOTED:
		p->state = CSV_CLOSED;
		break;
	case CSV_CLOSED: /* two of them are one */
		p->state = CSV_QUOTED;
		put(p, '"');
		break;
	case CSV_PLAIN:
	case CSV_CLOSED_CR:
		put(p, '"');
		break;
	}
}

static void
take_text(struct csv *p, char c)
{
	if (p->state == CSV_CLOSED && c == '\r') {
		p->state = CSV_CLOSED_CR;
		return;
	}
	if (p->state == CSV_CLOSED || p->state == CSV_CLOSED_CR)
		fault(p, CSV_BAD_QUOTE);
	if (p->state != CSV_QUOTED)
		p->state = CSV_PLAIN;
	put(p, c);
}

/* True when the byte ended a record. */
static bool
take(struct csv *p, char c)
{
	if (c == '\n')
		p->line++;
	if (c == '\n' && p->state != CSV_QUOTED) {
		drop_cr(p);
		return end_record(p);
	}
	if (c == ',' && p->state != CSV_QUOTED) {
		if (p->state == CSV_CLOSED_CR)
			fault(p, CSV_BAD_QUOTE);
		p->any = true;
		end_field(p);
	} else if (c == '"')
		take_quote(p);
	else
		take_text(p, c);
	return false;
}

/* True while the bytes are those of the mark. */
static bool
is_mark(struct csv *p, char c)
{
	int met = p->mark;

	if (met < 0)
		return false;
	if (met < (int)sizeof(mark) && c == mark[met]) {
		p->mark++;
		return true;
	}
	p->mark = -1;
	for (int i = 0; met < (int)sizeof(mark) && i < met; i++)
		(void)take(p, mark[i]);
	return false;
}

bool
csv_feed(struct csv *p, struct span *in)
{
	char c;

	if (p->over)
		begin_record(p);
	while (in->len > 0) {
		c = *in->data++;
		in->len--;
		if (!is_mark(p, c) && take(p, c))
			return true;
	}
	return false;
}

bool
csv_end(struct csv *p)
{
	if (p->over)
		begin_record(p);
	if (p->state == CSV_QUOTED)
		fault(p, CSV_OPEN_QUOTE);
	drop_cr(p);
	return end_record(p);
}
