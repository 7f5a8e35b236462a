/*
 * workflow-answers.h - what runs of workflows look like: for workflow-pump.c and admin.c, which
 * both show them.
 */
#ifndef HANDLERS_WORKFLOW_ANSWERS_H
#define HANDLERS_WORKFLOW_ANSWERS_H

#include "web/field.h"

#define RUN_STATES VALUES("ready", "working", "waiting", "done", "failed", "canceled")

/* public.work_run_line */
#define RUN_MEMBERS                                                                                \
	FIELD(id, OUT, T_STR, .required = true, .doc = "The run."),                                \
	    FIELD(workflow, OUT, T_STR, .required = true, .doc = "Its workflow."),                 \
	    FIELD(organization_id, OUT, T_UUID, .required = true, .nullable = true,                \
		.doc = "Whose work it is; null: the installation's."),                             \
	    FIELD(state, OUT, T_ENUM, RUN_STATES, .required = true, .doc = "Where it stands."),    \
	    FIELD(generation, OUT, T_INT, .required = true, .doc = "How often it began anew."),    \
	    FIELD(step, OUT, T_STR, .required = true, .nullable = true,                            \
		.doc = "The step that is next."),                                                  \
	    FIELD(undo_to, OUT, T_ENUM, VALUES("failed", "canceled"), .required = true,            \
		.nullable = true, .doc = "What it becomes once all is undone."),                   \
	    FIELD(slot, OUT, T_TIME, .required = true, .nullable = true,                           \
		.doc = "The time of the clock that it was started for."),                          \
	    FIELD(due_at, OUT, T_TIME, .required = true, .nullable = true,                         \
		.doc = "When it goes on."),                                                        \
	    FIELD(wait_signal, OUT, T_STR, .required = true, .nullable = true,                     \
		.doc = "The signal that it waits for."),                                           \
	    FIELD(cancel_requested, OUT, T_BOOL, .required = true, .doc = "It is to end."),        \
	    FIELD(worker, OUT, T_STR, .required = true, .nullable = true,                          \
		.doc = "Who works on it."),                                                        \
	    FIELD(known, OUT, T_BOOL, .required = true,                                            \
		.doc = "Whether a program knows its workflow."),                                   \
	    FIELD(last_error, OUT, T_STR, .required = true, .nullable = true,                      \
		.doc = "What went wrong last."),                                                   \
	    FIELD(created_at, OUT, T_TIME, .required = true, .doc = "When it was started."),       \
	    FIELD(updated_at, OUT, T_TIME, .required = true, .doc = "When it moved last."),        \
	    FIELD(finished_at, OUT, T_TIME, .required = true, .nullable = true,                    \
		.doc = "When it was over.")

static const struct field workflow_run_line_out[] = {
	ABOUT("A run of work in several steps, as lists show one."),
	RUN_MEMBERS,
};

static const struct field workflow_step_out[] = {
	ABOUT("A step of a run."),
	FIELD(generation, OUT, T_INT, .required = true, .doc = "In which generation."),
	FIELD(step, OUT, T_STR, .required = true, .doc = "The step."),
	FIELD(undo, OUT, T_BOOL, .required = true, .doc = "Whether this is its undoing."),
	FIELD(state, OUT, T_ENUM, VALUES("sent", "unknown", "retry", "answered", "done", "failed"),
	    .required = true, .doc = "Where it stands."),
	FIELD(visit, OUT, T_INT, .required = true, .doc = "How often the run came here."),
	FIELD(attempts, OUT, T_INT, .required = true, .doc = "How often it was tried."),
	FIELD(looks, OUT, T_INT, .required = true, .doc = "How often was asked what became of it."),
	FIELD(key, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "The idempotency key that it is sent with."),
	FIELD(result, OUT, T_ANY, .required = true, .nullable = true,
	    .doc = "The fields that were kept."),
	FIELD(reason, OUT, T_STR, .required = true, .nullable = true, .doc = "Why it failed."),
	FIELD(due_at, OUT, T_TIME, .required = true, .nullable = true, .doc = "When it goes on."),
	FIELD(started_at, OUT, T_TIME, .required = true, .doc = "When it was written down."),
	FIELD(first_sent_at, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "When it was sent first."),
	FIELD(sent_at, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "When it was sent last."),
	FIELD(finished_at, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "When it was over."),
};

static const struct field workflow_signal_out[] = {
	ABOUT("What a run was told."),
	FIELD(id, OUT, T_STR, .required = true, .doc = "The signal's own id."),
	FIELD(name, OUT, T_STR, .required = true, .doc = "What it is called."),
	FIELD(created_at, OUT, T_TIME, .required = true, .doc = "When it came."),
	FIELD(used_at, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "When a step took it."),
};

static const struct field workflow_run_out[] = {
	ABOUT("A run, with its steps and signals."),
	RUN_MEMBERS,
	FIELD(steps, OUT, T_ARRAY, MEMBERS(workflow_step_out), .required = true,
	    .doc = "What was done, oldest first."),
	FIELD(signals, OUT, T_ARRAY, MEMBERS(workflow_signal_out), .required = true,
	    .doc = "What it was told."),
};

#endif
