/*
 * step.h - what a workflow is: a table of steps in one file, flow_<name>.c.
 *
 * Step functions build a request and read its answer.  They know no engine: which run comes next,
 * what is stored, when something is tried again is not theirs.  The engine is run.h.
 */
#ifndef WORK_STEP_H
#define WORK_STEP_H

#include "lib/fetch.h"
#include "lib/json.h"

enum step_verdict {
	STEP_DONE,
	STEP_RETRY,   /* certainly not done; later perhaps */
	STEP_UNKNOWN, /* perhaps done */
	STEP_FAILED,  /* certainly not done, and never will be */
	STEP_ABSENT   /* of a look: it is not there */
};

/* What a step is told. */
struct step_in {
	const char *run_id, *workflow, *step;
	const char *organization_id; /* "": none */
	const char *key;             /* made from run and step; another one after a stored 500 */
	int attempt;                 /* 1: the first */
	int64_t sent_s; /* of a look: seconds since it was last sent; else -1.  Who looks too soon
			   may say STEP_UNKNOWN and is asked again */
	const struct json *input;    /* of the run */
	const struct json *results;  /* by step name: { "charge": { "id": ... } } */
	const struct json *prepared; /* what `prepare` answered; never stored; NULL: nothing */
};

/* What it says.  It is all zero before: STEP_DONE without a result; retry_after is -1. */
struct step_out {
	enum step_verdict verdict;
	const char *result;  /* a JSON object in the memory given, or NULL */
	const char *reason;  /* a code for the history: no names, no numbers, no keys */
	int64_t retry_after; /* seconds that the provider asked for; -1: none */
};

/* How often, and how long.  A member left 0 gets its default: 1 s, 2, 5 min, 10, no limit, 15 s. */
struct step_retry {
	int first_ms;     /* before the second attempt */
	double factor;    /* by which each wait is longer */
	int max_ms;       /* the longest wait */
	int attempts;     /* at most */
	int64_t limit_ms; /* of the step as a whole, from its first attempt on */
	int timeout_ms;   /* of one request */
};

struct step {
	const char *name;

	/* SQL function public.<prepare>(p_run jsonb) returns jsonb, run in the transaction that
	 * writes the intent; "prepared" of its answer goes to ask() and is not stored.  Any other
	 * member of its answer is a directive and settles the step without asking. */
	const char *prepare;

	/* The request; -1: it cannot be built (the step fails).  NULL: an SQL step. */
	int (*ask)(struct mem *m, const struct step_in *in, struct fetch_request *ret);
	/* Its answer, whatever came of it.  NULL: a 2xx is done, FETCH_NOT_SENT and 429 are
	 * retried, other 4xx fail, all else is unknown. */
	void (*read)(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
	    struct step_out *ret);

	/* Was it done?  Asked before it is done again where the outcome is unknown. */
	int (*look_ask)(struct mem *m, const struct step_in *in, struct fetch_request *ret);
	void (*look_read)(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
	    struct step_out *ret);

	/* SQL function public.<apply>(p_run jsonb) returns jsonb, run in the transaction that
	 * commits the step's result; p_run.result is what read() gave (when it must be repeated:
	 * the kept fields of it).  An SQL step is this function. */
	const char *apply;

	bool takes_key;          /* the provider honours in->key, or doing it twice does no harm */
	const char *const *keep; /* result fields that are stored, ended by NULL; NULL: none */
	struct step_retry retry;
	const struct step *undo; /* NULL: there is nothing to undo */
	bool with_next;          /* runs at the same time as the next step */
};

/* Slots that nobody was there for. */
enum missed { MISSED_SKIP, MISSED_ONE, MISSED_ALL };

struct workflow {
	const char *name;
	const struct step *steps;
	size_t nsteps;
	bool undo_on_failure; /* a run that fails for good undoes what it did */
	const char *cron;     /* five fields, UTC; NULL: no schedule of its own */
	enum missed missed;
	const char *doc; /* one sentence */
	/* Whether its settings are there, when the program starts; else its runs wait.  NULL: it
	 * needs none. */
	bool (*ready)(void);
};

#endif
