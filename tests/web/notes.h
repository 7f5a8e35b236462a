/*
 * notes.h - for the tests of web/: a small program over the functions of database.h.
 */
#ifndef TESTS_WEB_NOTES_H
#define TESTS_WEB_NOTES_H

#include "database.h"

static const struct field note_add_fields[] = {
	FIELD(text, BODY, T_STR, .required = true, .min = 1, .max = 100, .doc = "x"),
};

static const struct field note_echo_fields[] = {
	FIELD(id, PATH, T_UUID, .required = true, .doc = "x"),
	FIELD(limit, QUERY, T_INT, .min = 1, .max = 100, .dflt = "20", .doc = "x"),
	FIELD(at, QUERY, T_TIME, .doc = "x"),
	FIELD(flag, QUERY, T_BOOL, .doc = "x"),
};

static const struct field note_put_fields[] = {
	FIELD(id, PATH, T_UUID, .required = true, .doc = "x"),
	FIELD(any, BODY, T_OBJECT, .doc = "x"),
};

static const struct field note_change_fields[] = {
	FIELD(id, PATH, T_UUID, .required = true, .doc = "x"),
	FIELD(text, BODY, T_STR, .nullable = true, .doc = "x"),
	FIELD(number, BODY, T_INT, .doc = "x"),
	FIELD(any, BODY, T_OBJECT, .doc = "x"),
};

static const struct field note_tag_out[] = {
	FIELD(name, OUT, T_STR, .required = true, .doc = "x"),
};

static const struct field note_out[] = {
	ABOUT("A note."),
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The note."),
	FIELD(tags, OUT, T_ARRAY, MEMBERS(note_tag_out), .nullable = true, .doc = "x"),
	FIELD(counts, OUT, T_OBJECT, ITEMS(T_INT, .max = 7), .doc = "x"),
};

struct note_in {
	const char *id;
};

static const struct field note_read_fields[] = {
	FIELD(id, PATH, T_UUID, INTO(struct note_in, id), .required = true, .doc = "x"),
};

static inline int
note_read(struct ctx *c, const void *arg)
{
	const struct note_in *in = arg;
	const struct json *j = db_call(c, ARGS(in->id, "7"));
	struct out *o;

	if (!j)
		return -1;
	o = reply_open(c, 200);
	put_str(o, "id", json_str(j, "id"));
	put_int(o, "limit", json_int(j, "limit", -1));
	return reply_close(o);
}

static inline int
note_none(struct ctx *c, const void *arg)
{
	(void)arg;
	return db_call(c, NULL, 0) ? 0 : -1;
}

/* Changes something and then finds a reason to refuse. */
static inline int
note_half(struct ctx *c, const void *arg)
{
	(void)arg;
	if (!db_call(c, ARGS("half")))
		return -1;
	return fail(c, ERR_CALL_ENDED, NULL);
}

static inline int
note_silent(struct ctx *c, const void *arg)
{
	(void)c;
	(void)arg;
	return 0;
}

static inline int
note_raw(struct ctx *c, const void *arg)
{
	struct span body = request_body(c);

	(void)arg;
	reply_header(c, "X-Path", request_path(c));
	return reply_raw(c, 200, "text/plain", body);
}

static inline void
note_after(struct ctx *c)
{
	(void)c;
	/* The answer is out already: this comes behind it. */
	fputs("AFTER", stdout);
}

#define NOTES_READ SCOPE("notes:read")
#define NOTES_WRITE SCOPE("notes:write")

static const struct route note_routes[] = {
	{ POST, "/notes", NOTES_WRITE, FIELDS(note_add_fields), run_query, 201, "note_add", "x",
	    .after = note_after },
	{ GET, "/notes/{id}", NOTES_READ, FIELDS(note_echo_fields), run_query, 200, "note_echo",
	    "x", .returns = RETURNS_EITHER(note_out, note_tag_out),
	    .errors = ERRORS(ERR_NOT_FOUND, ERR_CALL_ENDED) },
	{ PUT, "/notes/{id}", NOTES_WRITE, FIELDS(note_put_fields), run_query, 200, "note_echo",
	    "x" },
	{ PATCH, "/notes/{id}", NOTES_WRITE, FIELDS(note_change_fields), run_query, 200,
	    "note_change", "x" },
	{ GET, "/notes/{id}/read", NOTES_READ, FIELDS(note_read_fields), note_read, 200,
	    "note_echo", "x" },
	{ GET, "/none", NOTES_READ, NO_FIELDS, note_none, 200, "note_nothing", "x" },
	{ POST, "/half", NOTES_WRITE, NO_FIELDS, note_half, 200, "note_add", "x" },
	{ GET, "/open/none", PUBLIC, NO_FIELDS, run_query, 200, "note_nothing", "x" },
	{ POST, "/open/request", PUBLIC, NO_FIELDS, run_query, 200, "note_request", "x",
	    .flags = ROUTE_LENIENT | ROUTE_SECRET },
	{ GET, "/silent", PUBLIC, NO_FIELDS, note_silent, 200, NULL, "x" },
	{ POST, "/raw", PUBLIC, NO_FIELDS, note_raw, 200, NULL, "x", .flags = ROUTE_RAW,
	    .body_max = 100, .after = note_after, .returns = RETURNS_FILE("text/plain"),
	    .body_type = "text/csv" },
};

static const struct server notes = { "notes", note_routes, COUNT(note_routes), .about = "Notes." };

#define NOTE "/notes/0f8fad5b-d9cb-469f-a165-70867728950e"
#define WITH_KEY "HTTP_X_API_KEY=" DATABASE_KEY
#define ASK(...)                                                                                   \
	(const char *const[])                                                                      \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}

/* Asks the program once; the body goes with its length and as JSON. */
static inline void
notes_ask(const char *method, const char *uri, const char *const *more, const char *body,
    struct child *ret)
{
	const char *variables[16] = { "CONTENT_TYPE=application/json", "REMOTE_ADDR=10.0.0.1",
		"REQUEST_ID=r1" };
	char method_is[64], uri_is[1024], length_is[64];
	size_t n = 3;

	snprintf(method_is, sizeof(method_is), "REQUEST_METHOD=%s", method);
	snprintf(uri_is, sizeof(uri_is), "REQUEST_URI=%s", uri);
	snprintf(length_is, sizeof(length_is), "CONTENT_LENGTH=%zu", strlen(body));
	variables[n++] = method_is;
	variables[n++] = uri_is;
	variables[n++] = length_is;
	for (; more && *more; more++)
		variables[n++] = *more;
	child_run(&notes, NULL, variables, body, ret);
	assert_int_equal(ret->exit, 0);
}

#endif
