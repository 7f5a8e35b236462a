/*
 * run.h - the engine: takes runs that are due, does their steps, records what became of them.
 *
 * One thread.  What a run is and what becomes of it is decided in sql/functions/82_work*.sql; what
 * its steps are stands in a table (step.h).  Here requests of many runs are under way at once.
 */
#ifndef WORK_RUN_H
#define WORK_RUN_H

#include "work/rounds.h"
#include "work/step.h"

enum {
	WORK_LIVE_MAX = 256, /* requests under way at once */
	WORK_HELD_MAX = 600, /* runs held at once */
	WORK_JSON_MAX = 64 * 1024 * 1024,
	WORK_PRUNE_MAX = 900,     /* so many old runs gone at once: there are more */
	WORK_READ_MAX = 50,       /* as many transcripts are read at once */
	WORK_OUTCOMES_MAX = 1000, /* so many outcomes of provisioning are counted at once */
	WORK_FOLD_MAX = 500,      /* so many rows of the ledger are counted at once */
	WORK_KEY_HOURS = 23 /* providers keep a key for a day: after this time it is not trusted */
};

/* What a turn has done, for its summary and for /metrics. */
struct work_counts {
	int64_t turns, claimed, rescued, sent, looked, done, retried, unknown, failed;
	int64_t finished, dead, scheduled, pruned, read, folded, failures;
};

struct work {
	struct ctx c; /* memory of one round; forgotten after it */
	struct db *db;
	struct fetch *fetch;
	char worker[ROUNDS_WORKER_MAX];
	const struct workflow *const *workflows; /* ended by NULL */
	size_t nworkflows;
	struct mem *mem;     /* as long as the engine */
	const char *names;   /* of the workflows that are ready, as an SQL array */
	const char *unready; /* one that is not; NULL: none */
	const char **tables; /* each workflow's steps as JSON, for SQL */
	struct work_counts counts;
	struct work_counts counted; /* what of them is written down already */
	struct run *runs;           /* held */
	int nruns;
	struct task *intents; /* to be written down before they are asked for */
	struct item *items;   /* results that are to be recorded, oldest first */
	struct item **items_end;
	struct mem *turn; /* memory of the turn */
	bool stopping;    /* nothing new is begun */
	int refused;      /* times in a row that the database did not take the results */
};

/* A run that is held, as one row told it: with the next row it is held anew.  Its memory holds all
 * that belongs to it. */
struct run {
	struct run *next;
	struct mem *mem;
	const struct workflow *workflow;
	size_t at; /* of the workflow in the table */
	const char *id;
	int64_t fence, moves;
	const struct json *row;
	int live;     /* tasks that are intended or asked for */
	int items;    /* results that are not recorded yet */
	bool todo;    /* to be planned */
	bool over;    /* to be let go, once nothing of it is under way */
	bool suspect; /* those who had it before have not come back */
};

/* One step that is asked for, or looked up. */
struct task {
	struct task *next;
	struct run *run;
	const struct step *step; /* what is asked */
	const char *name;        /* of its row: of an undo the step that is undone */
	bool undo, look;
	const char *peer; /* who is asked; NULL: nobody that counts */
	struct step_in in;
};

/* One result on its way to the database. */
struct item {
	struct item *next;
	struct run *run;
	const char *json;
};

/* work_open: an engine for these workflows (ended by NULL), on a pool whose role is
 * hookswitch_pump; -1 with errno (EINVAL: a table is wrong, which is logged).  work_close gives all
 * back. */
int work_open(struct work *w, struct db *db, const struct workflow *const *workflows);
void work_close(struct work *w);

/* work_turn: does all that is due; with wait_ms > 0 it stays that long and does what becomes due.
 * stop_fd: readable when the program is to end (-1: none); what is under way is then finished
 * first.  Returns the summary as JSON text, which lives until the next turn or work_close; NULL
 * when memory is out. */
const char *work_turn(struct work *w, int64_t wait_ms, int stop_fd);

/* work_once: what a program does with --once [--wait SECONDS]: one turn, its summary on standard
 * output; false when the options are none of these.  *ret is the exit status. */
bool work_once(int argc, char *argv[], const struct workflow *const *workflows, int *ret);

/* work_poke: tells the waiting turn of this host that a run was started or signalled. */
void work_poke(void);

/* ---- for the files of work/ ------------------------------------------ */

/* work_json: one statement that answers one JSON value; NULL when it failed, which is counted.
 * after_send: see db_after_send; may be NULL. */
const struct json *work_json(struct work *w, const struct db_stmt *stmt, const struct span *params,
    size_t n, void (*after_send)(void));
/* work_lease: seconds of a lease, as a parameter. */
struct span work_lease(struct work *w);

/* table_wrong: what is wrong with a workflow's table, NULL when nothing is.  table_json: its steps
 * as SQL wants them, in m; NULL when memory is out.  table_retry: a step's policy with the defaults
 * filled in. */
const char *table_wrong(const struct workflow *f);
const char *table_json(struct mem *m, const struct workflow *f);
struct step_retry table_retry(const struct step *s);
/* table_group: first and last of the steps that run together with the one of that name; false when
 * there is no such step. */
bool table_group(const struct workflow *f, const char *name, size_t *first, size_t *last);

/* run_claim: takes runs that are due; how many, -1 when the database failed. */
int run_claim(struct work *w);
/* run_hold: holds the run that a row tells of, and plans it next. */
void run_hold(struct work *w, const struct json *row);
/* run_renew: makes the leases of all held runs longer.  run_sweep: lets go those that are over. */
void run_renew(struct work *w);
void run_sweep(struct work *w);

/* plan_run: what is to be done for a run now: tasks to intend, looks to ask, results to record. */
void plan_run(struct work *w, struct run *r);

/* task_add: a step that is to be asked for, once the intent is written.  task_look: looks it up
 * now. */
void task_add(struct work *w, struct run *r, const struct step *s, const char *name, bool undo);
void task_look(struct work *w, struct run *r, const struct step *s, const char *name, bool undo);
/* tasks_send: writes the intents and sends what may be sent.  task_answered: reads one answer. */
void tasks_send(struct work *w);
void task_answered(struct work *w, const struct fetch_answer *a);
/* task_row: what the database says of a step, or of its undo; NULL when it was not begun. */
const struct json *task_row(const struct run *r, const char *name, bool undo);

/* task_time: counts how long the step took, and how the provider answered: code is "ok", "absent",
 * or why not. */
void task_time(const struct task *t, const char *verdict, const char *code, int64_t ms);

/* A result: verdict NULL is none, the run is only to be looked at again. */
struct verdict {
	const char *step;
	bool undo;
	const char *verdict;
	const char *result, *directive; /* JSON or NULL */
	const char *reason;
	int64_t retry_ms; /* at least so long; 0: by the policy */
	bool sql, looked, stored, suffix;
};

/* item_add: a result that is to be recorded.  items_record: records all of them in one commit. */
void item_add(struct work *w, struct run *r, const struct verdict *v);
void items_record(struct work *w);

/* work_known: tells the database which workflows there are; work_schedules: starts what the clock
 * says; work_prune: old runs; work_due: 1 when something is due now; work_count: writes the figures
 * down.  -1 when the database failed, else how many. */
int work_known(struct work *w);
int work_schedules(struct work *w);
int work_prune(struct work *w);
/* work_read: reads transcripts that are new, so that they are found; how many. */
int work_read(struct work *w);
/* work_fold: adds what calls used to the sums of their periods; how many rows of the ledger. */
int work_fold(struct work *w);
/* work_outcomes: counts what became of the numbers that plans bring; how many. */
int work_outcomes(struct work *w);
int work_due(struct work *w);
void work_count(struct work *w);

#endif
