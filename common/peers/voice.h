/*
 * voice.h - the port to voice providers: what all of them can do, in our words.
 *
 * A provider builds requests and reads answers; it sends nothing itself (work/ sends, in parallel)
 * and decides nothing.
 */
#ifndef PEERS_VOICE_H
#define PEERS_VOICE_H

#include "base/ctx.h"
#include "base/settings.h"
#include "lib/fetch.h"
#include "lib/json.h"

/* A provider's row as the pump sees it: key opened already. */
struct voice_account {
	const char *id;       /* call_service_providers.id */
	const char *type;     /* "vapi", "synthflow" */
	const char *base_url; /* resolved: setting, row, default; no trailing slash */
	const char *api_key;
	int timeout_ms;
	const char *webhook_url; /* where this provider shall report:
				    API_URL/api/webhooks/<type>/<organization id>; NULL: nowhere */
};

/* One attempt. */
struct voice_dial {
	const char *assignment_id; /* UUID: our mark at the provider */
	const char *call_id;       /* UUID: calls.id, call_queue.id */
	const char *organization_id;
	const char *number; /* E.164 */
	const char *name;   /* of the person; NULL: unknown */
	const char *email;
	const char *assistant; /* Vapi: assistantId; SynthFlow: model_id */
	const char *caller;    /* Vapi: phoneNumberId; SynthFlow: from_phone_number; NULL: the
				  provider's default */
	const struct json *variables; /* object or NULL */
	const struct json *voice;     /* Vapi: {"provider","voiceId"} override, or NULL */
	const struct json *says; /* {"first_message","prompt","model_provider","model_name"}, ready
				    to be said in place of the assistant's own; or NULL */
	const char *token;       /* X-Vapi-Secret of this call; NULL: none */
};

enum voice_result {
	VOICE_ACCEPTED, /* the provider has it: provider_call_id is set */
	VOICE_REFUSED,  /* it certainly did not dial */
	VOICE_UNKNOWN   /* it may have */
};

/* Whose fault a refusal is: the call's own (bad number: no other provider is asked for 400s that
 * name the request), or the provider's (429, credit, key, concurrency, connect: the next provider
 * is asked). */
enum voice_fault {
	FAULT_NONE,
	FAULT_CALL,
	FAULT_RATE,
	FAULT_CONCURRENCY,
	FAULT_CREDIT,
	FAULT_KEY,
	FAULT_CONFIG,
	FAULT_CONNECT
};

struct voice_outcome {
	enum voice_result result;
	enum voice_fault fault;
	int status;         /* HTTP; 0: none */
	const char *reason; /* short, stable, snake-case: "http_429", "connect_failed", "timeout",
			       "concurrency", "unreadable" */
	const char *detail; /* the provider's own words, cut at 300 bytes, or NULL; never our key */
	const char *provider_call_id;
	const char *control_url; /* to hang up; NULL when none or when it is not https on the
				    provider's own domain (or base_url's host) */
	int64_t retry_after;     /* seconds, -1: none */
	const char *report; /* the call as the provider tells it, as a normal report (see below);
			       NULL: nothing yet */
};

/* Finding out what became of an attempt. */
enum voice_look_kind {
	LOOK_BY_ID,   /* the provider's id is known: read that call */
	LOOK_BY_LIST, /* it is not: list since the attempt and search for our mark */
	LOOK_DETAIL   /* SynthFlow: read one candidate of the list for its variables */
};

struct voice_look {
	enum voice_look_kind kind;
	const char *assignment_id;
	const char *provider_call_id; /* LOOK_BY_ID, LOOK_DETAIL */
	const char *number;
	const char *assistant;
	const char *caller;
	int64_t since_ms; /* list from here: the attempt's start less the slack */
	int64_t until_ms; /* page on below this; 0: from now */
	int offset;       /* SynthFlow's paging */
};

enum voice_finding {
	FOUND,     /* outcome filled: provider_call_id and report */
	NOT_FOUND, /* a complete, successful answer without it (by id: 404) */
	/* No end yet: read each of the candidates (a copy of next with kind LOOK_DETAIL and that
	 * provider_call_id), then go on with next if its kind is LOOK_BY_LIST (the next page); with
	 * kind LOOK_DETAIL the page was the last one, and it is NOT_FOUND when every candidate is.
	 */
	LOOK_ON,
	LOOK_FAILED /* no complete answer: proves nothing */
};

struct voice_sight {
	enum voice_finding finding;
	struct voice_outcome outcome;
	struct voice_look next;
	const char *candidates[64]; /* LOOK_ON: ids to read one by one (SynthFlow's lists do not
				       show our mark) */
	size_t ncandidates;
	const char *why; /* LOOK_FAILED: short reason */
};

/* A normal report, JSON text, the only form that SQL sees (public.call_apply).  All members
 * optional but "status":
 * {"status":"queued|ringing|in-progress|forwarding|ended", "provider_call_id", "assignment_id",
 *  "reason" (the provider's own end reason), "started_at","ended_at" (RFC 3339), "duration_seconds"
 * (number, only where no times are given), "cost_cents" (number), "transcript","summary" (text),
 * "messages" (array), "structured" (object), "success" (text),
 *  "recording_url","stereo_recording_url" (text), "control_url", "final": true (no more will come:
 * a report or a look at an ended call), "at": RFC 3339 time of the event,
 *  "inbound": {"number_id" (the provider's id of the number that was called), "number", "caller"},
 * only and always of a call that came in} */

/* Where a call can be heard; every address is the provider's. */
struct voice_recording {
	const char *url;        /* NULL: only the other one is there */
	const char *stereo_url; /* NULL: only the other one is there */
	const char *expires_at; /* as the provider tells it; NULL: not told */
	const char *why;        /* LOOK_FAILED: short reason */
};

/* What a sample of a voice shall say. */
struct voice_say {
	const char *voice_provider; /* the voice's maker */
	const char *voice_id;       /* its id there */
	const char *text;
};

/* Whether an account's key is good. */
enum voice_key_state {
	KEY_GOOD,
	KEY_REFUSED, /* the provider knows no such key */
	KEY_UNKNOWN  /* no answer, or one that says nothing of the key */
};

struct voice_provider {
	const char *type;
	const char *default_url;
	enum setting url_setting; /* used for all its rows when it is set */
	enum setting key_setting; /* used for rows without a key */
	/* Each builds one request in m; -1 with errno when memory is out or the input cannot be
	 * said to this provider. */
	int (*dial)(struct mem *m, const struct voice_account *a, const struct voice_dial *d,
	    struct fetch_request *ret);
	int (*look)(struct mem *m, const struct voice_account *a, const struct voice_look *l,
	    struct fetch_request *ret);
	/* check: something harmless that only a good key may ask; voice_checked reads the answer.
	 */
	int (*check)(struct mem *m, const struct voice_account *a, struct fetch_request *ret);
	/* hangup: ENOTSUP where the provider has no way. */
	int (*hangup)(struct mem *m, const struct voice_account *a, const char *control_url,
	    struct fetch_request *ret);
	/* Each reads one answer; never fails: what cannot be read is VOICE_UNKNOWN or LOOK_FAILED.
	 */
	void (*dialled)(struct mem *m, const struct voice_account *a, const struct fetch_answer *in,
	    struct voice_outcome *ret);
	void (*looked)(struct mem *m, const struct voice_account *a, const struct voice_look *l,
	    const struct fetch_answer *in, struct voice_sight *ret);
	/* recording: reads the answer to a LOOK_BY_ID for the call's recording: FOUND with an
	 * address, NOT_FOUND when the call or its recording is not there, or LOOK_FAILED, also for
	 * a call with another mark than assignment_id (NULL: whoever's mark). */
	enum voice_finding (*recording)(struct mem *m, const struct voice_account *a,
	    const struct voice_look *l, const struct fetch_answer *in, struct voice_recording *ret);
	/* sample: asks for a text said without a call; NULL where the provider has no way (today
	 * neither has), ENOTSUP where it has none for this voice.  sampled: reads the answer: where
	 * that can be heard, or NULL. */
	int (*sample)(struct mem *m, const struct voice_account *a, const struct voice_say *s,
	    struct fetch_request *ret);
	const char *(
	    *sampled)(struct mem *m, const struct voice_account *a, const struct fetch_answer *in);
};

/* voice_find: the provider of that type, NULL when there is none. */
const struct voice_provider *voice_find(const char *type);
/* voice_base_url: setting, else the row's (the seeds' .com hosts mapped to the real ones), else the
 * default; no trailing slash; in m. */
const char *voice_base_url(struct mem *m, const char *type, const char *row_url);
/* voice_key: the key of a row opened, or the provider's setting where the row has none (NULL or
 * empty); "" when there is neither, NULL when it cannot be opened or memory is out; in m. */
const char *voice_key(struct mem *m, const struct voice_provider *p, const char *row_key);
/* voice_account_read: type, base_url, api_key and timeout_ms from a row with provider_type,
 * base_url, api_key and timeout_ms.  -1 with errno: ENOENT: no such provider, EACCES: the key
 * cannot be opened (the rest is filled), ENOMEM. */
int voice_account_read(struct mem *m, const struct json *row, struct voice_account *ret);
/* voice_sample: has the account of a row (see voice_account_read) say it, and waits: where it can
 * be heard.  NULL with errno: ENOTSUP: p cannot (NULL can nothing); else it failed. */
const char *voice_sample(struct ctx *c, const struct voice_provider *p, const struct json *row,
    const struct voice_say *say);
/* voice_checked: what the answer to a check says of the key. */
enum voice_key_state voice_checked(const struct fetch_answer *in);
/* voice_refusal: what all providers share: the outcome of an answer that is no 2xx, or of none at
 * all (design section 6 step 4). */
void voice_refusal(struct mem *m, const struct fetch_answer *in, struct voice_outcome *ret);

/* ---- events (webhooks) ---- */

enum voice_event_class {
	EVENT_UNKNOWN, /* kept, counted, answered {} */
	EVENT_CHATTER, /* counted only, unless HOOKSWITCH_KEEP_CHATTER */
	EVENT_KEPT,    /* kept, moves nothing (transcript, hang, ...) */
	EVENT_MOVES,   /* status-update, end-of-call-report and the seeds' forms: report is set */
	EVENT_LOOK,    /* SynthFlow: says only "look now" */
	EVENT_ANSWER,  /* expects an answer in its body: reply is set; kept too */
	EVENT_ASK      /* asks who takes an inbound call: the database answers; reply is what is
			  said where nobody does, report is set */
};

struct voice_event {
	enum voice_event_class class;
	const char *type;             /* as the provider names it, cut at 100 bytes */
	const char *key;              /* what makes it one event: design section 7 */
	const char *assignment_id;    /* our mark in the body, if it is a UUID; NULL */
	const char *provider_call_id; /* NULL when the body has none */
	const char *report;           /* JSON text of a normal report, or NULL */
	const char *reply;            /* JSON text of the answer, "{}" when nothing is asked */
};

/* voice_class_name: the class in the database's words: unknown, chatter, kept, moves, look, answer,
 * ask.
 */
const char *voice_class_name(enum voice_event_class class);

enum voice_event_error { EVENT_OK, EVENT_NOT_JSON, EVENT_NO_MEMORY };

/* vapi_event / synthflow_event: read one webhook's raw body (base/scan, no json-c), in m. */
enum voice_event_error vapi_event(struct mem *m, struct span body, struct voice_event *ret);
enum voice_event_error synthflow_event(struct mem *m, struct span body, struct voice_event *ret);

extern const struct voice_provider vapi_provider;
extern const struct voice_provider synthflow_provider;

#endif
