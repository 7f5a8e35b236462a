/*
 * vapi_call.h - a call as Vapi describes it: in an answer of its API, inside one of its messages,
 * or in the forms of older samples.
 *
 * Only for vapi.c, vapi_answer.c and vapi_event.c.
 */
#ifndef PEERS_VAPI_CALL_H
#define PEERS_VAPI_CALL_H

#include "base/mem.h"
#include "base/scan.h"

enum vapi_form {
	VAPI_CALL = 1,    /* the call object itself */
	VAPI_MESSAGE = 2, /* a message with the call inside */
	VAPI_FLAT = 4     /* {call_id, status, duration, transcript, recording_url} */
};

enum vapi_fact {
	FACT_TYPE,
	FACT_ID,
	FACT_NAME,
	FACT_MARK,
	FACT_STATUS,
	FACT_REASON,
	FACT_CREATED,
	FACT_STARTED,
	FACT_ENDED,
	FACT_AT,
	FACT_SECONDS,
	FACT_MILLISECONDS,
	FACT_COST,
	FACT_TRANSCRIPT,
	FACT_SUMMARY,
	FACT_MESSAGES,
	FACT_STRUCTURED,
	FACT_SUCCESS,
	FACT_RECORDING,
	FACT_STEREO,
	FACT_CONTROL,
	FACT_BLOCKED,
	FACT_FUNCTION,
	FACT_KIND,
	FACT_NUMBER_ID,
	FACT_NUMBER,
	FACT_CALLER,
	FACT_COUNT
};

/* Each fact from the best place that has it; the rest keep SCAN_NONE. */
struct vapi_facts {
	struct scan_field fact[FACT_COUNT];
};

/* vapi_read: the facts of a JSON object of that form. */
enum scan_result vapi_read(struct span object, enum vapi_form form, struct vapi_facts *ret);
/* vapi_mark: our assignment id, from the metadata or from the call's name. */
bool vapi_mark(const struct vapi_facts *f, char ret[37]);
/* vapi_status: the status in voice.h's words; NULL when it is none of them. */
const char *vapi_status(const struct vapi_facts *f);

/* vapi_is_inbound: whether the call came in. */
bool vapi_is_inbound(const struct vapi_facts *f);

/* What the caller of vapi_report knows better than the facts. */
struct vapi_report_how {
	const char *status;      /* voice.h's word */
	const char *reason;      /* instead of the end reason; NULL: the fact */
	const char *control_url; /* checked already; NULL: none */
	bool final;              /* with cost, transcript and recording */
	bool inbound;            /* the call came in */
};

/* vapi_report: the normal report, in m; NULL when memory is out. */
const char *vapi_report(struct mem *m, const struct vapi_facts *f,
    const struct vapi_report_how *how);

#endif
