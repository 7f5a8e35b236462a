/*
 * db_fail.c - what an error of the database means for the request, and whether trying again can
 * help.
 */
#include "base/log.h"
#include "lib/db_private.h"

#include <stdlib.h>
#include <string.h>

enum { RETRY_SECONDS = 1 };

static const char *
word_of(const PGresult *error, int which)
{
	const char *s = PQresultErrorField(error, which);

	return s ? s : "";
}

static bool
is_any(const char *state, const char *const *states, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strncmp(state, states[i], strlen(states[i])) == 0)
			return true;
	}
	return false;
}

enum db_again
fail_again(const PGresult *error)
{
	static const char *const conflicts[] = { "40001", "40P01" };
	/* The prepared statement is gone; the server became one that cannot write. */
	static const char *const stale[] = { "26000", "25006" };
	const char *state = word_of(error, PG_DIAG_SQLSTATE);

	if (is_any(state, conflicts, COUNT(conflicts)))
		return AGAIN_CONFLICT;
	if (is_any(state, stale, COUNT(stale)))
		return AGAIN_FRESH;
	/* "cached plan must not change result type": told by its place, since the text is
	 * translated. */
	if (strcmp(state, "0A000") == 0 &&
	    strcmp(word_of(error, PG_DIAG_SOURCE_FUNCTION), "RevalidateCachedQuery") == 0)
		return AGAIN_FRESH;
	return AGAIN_NEVER;
}

int
fail_unavailable(struct ctx *c, const char *words)
{
	fail(c, ERR_UNAVAILABLE, NULL);
	if (c->failure.err == ERR_UNAVAILABLE && c->failure.retry_after == 0)
		c->failure.retry_after = RETRY_SECONDS;
	fail_log(c, "%s", words);
	return -1;
}

/* The number nnn of an SQLSTATE PTnnn, 0 when it is none. */
static int
status_of(const char *state)
{
	int n;

	if (strncmp(state, "PT", 2) != 0 || strspn(state + 2, "0123456789") != 3 || state[5])
		return 0;
	n = (int)strtol(state + 2, NULL, 10);
	return n >= 400 && n <= 599 ? n : 0;
}

/* A refusal that names a field in its hint becomes an entry of "errors" too. */
static void
add_field(struct ctx *c, const PGresult *error)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_.";
	struct failure *f = &c->failure;
	const char *name = word_of(error, PG_DIAG_MESSAGE_HINT);

	if ((f->status != 400 && f->status != 422) || !name[0] || name[strspn(name, letters)])
		return;
	name = mem_str(c->mem, name);
	if (name)
		f->fields[f->nfields++] = (struct field_error){ name, f->code, f->detail };
}

static int
fail_told(struct ctx *c, int status, const PGresult *error)
{
	if (c->failure.err != ERR_NONE)
		return -1;
	fail_sql(c, status, word_of(error, PG_DIAG_MESSAGE_PRIMARY),
	    PQresultErrorField(error, PG_DIAG_MESSAGE_DETAIL));
	add_field(c, error);
	return -1;
}

static void
log_error(struct ctx *c, const struct db_flight *f)
{
	const char *state = word_of(f->error, PG_DIAG_SQLSTATE);
	const char *name =
	    f->answered < f->nlegs ? f->legs[f->answered].step->stmt->name : "commit";
	char words[DB_WORDS_MAX];

	/* Messages of class 22 repeat the value that was wrong. */
	if (strncmp(state, "22", 2) == 0) {
		fail_log(c, "db_statement=%s sqlstate=%s", name, state);
		return;
	}
	log_quote(word_of(f->error, PG_DIAG_MESSAGE_PRIMARY), words, sizeof(words));
	fail_log(c, "db_statement=%s sqlstate=%s db_words=%s", name, state, words);
}

int
fail_refused(struct ctx *c, const struct db_flight *f)
{
	/* Conflict, no resources, ended by an operator or by the time limit, a lock not to be had.
	 */
	static const char *const passing[] = { "40", "53", "57", "55P03", "25006" };
	const char *state = word_of(f->error, PG_DIAG_SQLSTATE);

	if (status_of(state))
		return fail_told(c, status_of(state), f->error);
	if (!f->error) {
		fail(c, ERR_INTERNAL, NULL);
		fail_log(c, "db_words=\"commit answered rollback\"");
		return -1;
	}

	if (is_any(state, passing, COUNT(passing)))
		fail_unavailable(c, "db=passing");
	else
		fail(c, ERR_INTERNAL, NULL);
	log_error(c, f);
	return -1;
}

int
fail_lost(struct ctx *c, const struct db_flight *f, enum db_verdict v)
{
	const char *words = f->late ? "db=late" : "db=lost";

	if (v != DB_UNSURE)
		return fail_unavailable(c, words);
	fail(c, ERR_OUTCOME_UNKNOWN, NULL);
	fail_log(c, "%s", words);
	return -1;
}
