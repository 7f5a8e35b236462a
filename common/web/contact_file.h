/*
 * contact_file.h - a file of contacts that is sent as a request's body, of any length.
 *
 * Rows go to SQL in batches, each of them one transaction with the place in the file behind it.  So
 * whoever sends the same file again goes on there, whatever has happened in between.
 */
#ifndef WEB_CONTACT_FILE_H
#define WEB_CONTACT_FILE_H

struct ctx;

/* contact_file_take: reads the body of a ROUTE_STREAM route whose query is contact_import_begin,
 * and answers how the import looks in the end.  -1 with the failure recorded: what was committed
 * until then stays. */
int contact_file_take(struct ctx *c, const char *import_id);

#endif
