/*
 * pump.h - one turn of the call pump: claim, dial, record, look, hang up, keep in order.
 *
 * One thread.  What SQL decides is in sql/functions (40_claim, 50_apply, 60_record); here bytes are
 * moved between the database and the providers, many requests at once.
 */
#ifndef WORK_PUMP_H
#define WORK_PUMP_H

#include "base/text.h"
#include "lib/db.h"
#include "lib/fetch.h"
#include "peers/voice.h"
#include "work/rounds.h"

enum {
	PUMP_LIVE_MAX = 256,     /* requests to providers under way at once */
	PUMP_LOOKS_MAX = 32,     /* of them look-ups */
	PUMP_RESULTS_MAX = 1000, /* calls named in the summary */
	PUMP_JSON_MAX = 32 * 1024 * 1024
};

/* What a turn has done, for its summary. */
struct pump_counts {
	int64_t turns; /* 1 */
	int64_t claimed, accepted, refused, unknown;
	int64_t looked, absent, hung_up, expired, swept, sealed, failures;
};

/* Dials of one kind of provider by their result, since they were last written down. */
struct pump_dials {
	const char *type;
	int64_t n[3];
};

enum { PUMP_TYPES_MAX = 8 };

struct pump {
	struct ctx c; /* memory of one round; forgotten after it */
	struct db *db;
	struct fetch *fetch;
	char worker[ROUNDS_WORKER_MAX];
	struct pump_counts counts;
	struct pump_counts counted; /* what of them is written down already */
	struct pump_dials by_type[PUMP_TYPES_MAX];
	struct mem *turn;    /* memory of the turn */
	struct text results; /* one JSON object for each dial */
	int64_t nresults;
	struct text waiting;  /* JSON: why the last claim took nothing more */
	int dials, looks;     /* under way */
	struct job *done;     /* dials answered and not yet recorded, with their outcomes */
	struct text findings; /* JSON objects of looks that are to be recorded, joined by commas */
	struct text hangups;  /* ids of hang-ups that are to be recorded, joined by commas */
};

enum job_kind { JOB_DIAL, JOB_LOOK, JOB_HANGUP };

/* One thing that is asked of a provider, with its own memory: it outlives rounds. */
struct job {
	enum job_kind kind;
	struct mem *mem;
	struct job *next;
	const struct voice_provider *provider;
	struct voice_account account;
	char assignment_id[37];
	char call_id[37];
	int64_t fence;
	int64_t key_number; /* JOB_DIAL: of the account's key, as the row said */
	const char
	    *outcome; /* JOB_DIAL: what came back, as JSON; NULL: it could not be written down */
	struct voice_look look; /* JOB_LOOK: what is asked now */
	int64_t began_ms;       /* JOB_LOOK: when the listing began (wall clock) */
	const char **todo;      /* JOB_LOOK: candidates still to be read */
	size_t ntodo;
	bool more;              /* JOB_LOOK: another page after them */
	struct voice_look page; /* JOB_LOOK: that page, while candidates are read */
};

/* pump_open: a pump on a pool whose role is hookswitch_pump; -1 with errno.  pump_close gives all
 * back. */
int pump_open(struct pump *p, struct db *db);
void pump_close(struct pump *p);

/* pump_turn: does all that is due; with wait_ms > 0 it stays that long and does what becomes due.
 * stop_fd: readable when the program is to end (-1: none); what is under way is then finished
 * first.  Returns the summary as JSON text, which lives until the next turn or pump_close; NULL
 * when memory is out.  A database that does not answer is told in the summary (failures). */
const char *pump_turn(struct pump *p, int64_t wait_ms, int stop_fd);

/* ---- for the files of work/ ------------------------------------------ */

/* pump_run: database steps of this round; -1 is logged and counted. */
int pump_run(struct pump *p, int flags, const struct db_step *steps, size_t n);
/* pump_json: one statement that answers one JSON value; NULL when it failed. */
const struct json *pump_json(struct pump *p, const struct db_stmt *stmt, const struct span *params,
    size_t n);

/* job_new: a job with the account opened from a row of claims or looks; NULL with errno (EACCES:
 * the key cannot be opened). */
struct job *job_new(enum job_kind kind, const struct json *row);
void job_free(struct job *j);
/* job_time: counts how long the provider took to answer, and how. */
void job_time(const struct job *j, const struct fetch_answer *a);

/* dial_claim: claims what can be dialled and sends it off; how many, -1 when the database failed.
 */
int dial_claim(struct pump *p);
/* dial_answered: reads one answer; look_answered and hangup_answered: the same for theirs. */
void dial_answered(struct pump *p, struct job *j, const struct fetch_answer *a);
/* dial_record: records what came back. */
void dial_record(struct pump *p);

/* look_claim: takes what is to be looked up and asks; how many, -1 when the database failed. */
int look_claim(struct pump *p);
void look_answered(struct pump *p, struct job *j, const struct fetch_answer *a);
/* look_record: records what was found. */
void look_record(struct pump *p);

/* hangup_claim: takes calls that are to be hung up and sends the requests; how many, -1 when the
 * database failed. */
int hangup_claim(struct pump *p);
void hangup_answered(struct pump *p, struct job *j, const struct fetch_answer *a);
/* hangup_record: records which were hung up. */
void hangup_record(struct pump *p);

/* upkeep_run: expiry, waiting events, plain keys, counters; full: also partitions and pruning.  1
 * when there is more of it at once, 0 when not, -1 when the database failed. */
int upkeep_run(struct pump *p, bool full);
/* upkeep_due: 1 when something is due now, 0 when nothing is, -1 when the database failed. */
int upkeep_due(struct pump *p);
/* upkeep_dialled: counts one dial's result for /metrics.  upkeep_count: writes down for
 * /metrics what the turn has done since it was last written. */
void upkeep_dialled(struct pump *p, const char *type, enum voice_result result);
void upkeep_count(struct pump *p);

#endif
