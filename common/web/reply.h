/*
 * reply.h - the answer: JSON built member by member, bytes from the database, or an error as RFC
 * 9457 problem details.
 *
 * Answers are kept until the handler has returned 0 and all is committed; then the server sends
 * them.  A handler that returns -1 has answered nothing: the failure of its ctx is the answer.
 */
#ifndef WEB_REPLY_H
#define WEB_REPLY_H

#include "base/ctx.h"
#include "base/text.h"

enum { REPLY_HEAD_MAX = 32768 };

/* An object being written; its members are reply.c's own. */
struct out {
	struct ctx *c;
	int status;
	struct text text;
	unsigned depth;
	unsigned arrays; /* bit n: what is open at depth n is an array */
};

/* What will be sent. */
struct answer {
	int status; /* 0: nothing was answered yet */
	const char *type;
	struct span body;
	bool streamed;       /* its head is out, and its body is on the way (stream.h) */
	bool gone;           /* nobody wants more of it */
	struct text headers; /* "Name: value\r\n"... */
	struct out out;
};

/* reply_json: answers with JSON bytes; they must live as long as the request.  Returns 0. */
int reply_json(struct ctx *c, int status, struct span json);
/* reply_raw: the same for any type ("text/plain; version=0.0.4").  reply_empty: a status alone,
 * e.g. 204. */
int reply_raw(struct ctx *c, int status, const char *type, struct span body);
int reply_empty(struct ctx *c, int status);
/* reply_header: one more header for the answer; a value with control bytes is left out.  Also kept
 * for an error's answer. */
void reply_header(struct ctx *c, const char *name, const char *value);

/* reply_open: begins an answer that is an object; never NULL: what goes wrong is told by
 * reply_close. */
struct out *reply_open(struct ctx *c, int status);
/* Members; inside an array the name is NULL.  A NULL string is written as null. */
void put_str(struct out *o, const char *name, const char *value);
void put_int(struct out *o, const char *name, int64_t value);
void put_num(struct out *o, const char *name, double value);
void put_bool(struct out *o, const char *name, bool value);
void put_null(struct out *o, const char *name);
/* put_json: bytes that are JSON already. */
void put_json(struct out *o, const char *name, struct span json);
void put_object(struct out *o, const char *name); /* up to put_end */
void put_array(struct out *o, const char *name);  /* up to put_end */
void put_end(struct out *o);
/* reply_close: ends the object and makes it the answer; -1 with the failure recorded. */
int reply_close(struct out *o);

/* For the server: reply_failure makes the ctx's failure the answer, in the program's own shape
 * where it has one; reply_problem is the usual shape.  reply_send writes the answer out; -1 when
 * the peer is gone. */
void reply_failure(struct ctx *c);
void reply_problem(struct ctx *c);
int reply_send(struct ctx *c);
/* reply_head: the head of the answer into t, up to its empty line; length -1: nobody knows it yet.
 */
void reply_head(struct ctx *c, struct text *t, int64_t length);
/* reply_forget: there is no answer yet (a second try begins); of its headers the first keep bytes
 * stay.  reply_clear: gives its memory back.
 */
void reply_forget(struct ctx *c, size_t keep);
void reply_clear(struct ctx *c);

#endif
