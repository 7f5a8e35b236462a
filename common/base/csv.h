/*
 * csv.h - reads CSV (RFC 4180) as it comes, piece by piece, in a memory that does not grow.
 *
 * A record ends with LF or CRLF; inside of quotes both are text.  A byte order mark before the
 * first line and empty lines are passed over.  What the texts hold is the caller's business: they
 * may be of any bytes.
 */
#ifndef BASE_CSV_H
#define BASE_CSV_H

#include "base/base.h"

enum { CSV_FIELDS_MAX = 256 };

enum csv_fault {
	CSV_FINE,
	CSV_TOO_LONG,  /* the record does not fit into the buffer */
	CSV_TOO_MANY,  /* more than CSV_FIELDS_MAX fields */
	CSV_BAD_QUOTE, /* text behind a quote that closes */
	CSV_OPEN_QUOTE /* the end came inside of quotes */
};

struct csv_record {
	struct span fields[CSV_FIELDS_MAX]; /* each is NUL-terminated too */
	size_t n;
	int64_t line; /* where it begins */
	enum csv_fault fault;
};

enum csv_state { CSV_START, CSV_PLAIN, CSV_QUOTED, CSV_CLOSED, CSV_CLOSED_CR };

/* A reader; its members are csv.c's own, but for record. */
struct csv {
	struct csv_record record;
	char *buf;
	size_t size, used, begin; /* of the buffer; of the field in hand */
	int64_t line;             /* that is being read */
	enum csv_state state;
	bool any;  /* the record in hand has a byte or a quote */
	bool over; /* the record was handed over */
	int mark;  /* bytes of the mark that were met; -1: there is none any more */
};

/* csv_begin: a reader of records of at most size bytes, which go into buf.  line: of the first
 * byte, 1 where the text begins. */
void csv_begin(struct csv *p, char *buf, size_t size, int64_t line);
/* csv_feed: takes bytes from the front of *in.  True: a whole record is in p->record, good until
 * the next call, and *in is what stands behind it.  False: *in is used up. */
bool csv_feed(struct csv *p, struct span *in);
/* csv_end: nothing comes any more; true when that ends one more record. */
bool csv_end(struct csv *p);

#endif
