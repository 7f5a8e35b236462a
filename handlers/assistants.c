/*
 * assistants.c - the assistants resource: who answers the telephone of an organization.
 *
 * What one may be, and what becomes of it at Vapi, is decided by sql/functions/33_assistants*.sql
 * and the workflow assistant-sync (common/work/flow_assistant.c).
 */
#include "base/poke.h"
#include "base/settings.h"
#include "calls-fields.h"
#include "web/server.h"

#define ASSISTANTS_READ SCOPE("assistants:read")
#define ASSISTANTS_WRITE SCOPE("assistants:write")
/* Whoever is called is called from a number, and the organization pays for it. */
#define NUMBERS_WRITE SCOPE("numbers:write")
#define ROOT "/api/v1/assistants"
#define ONE ROOT "/{assistant_id}"
#define STATES VALUES("pending", "active", "failed", "deleting", "deleted")
#define MODELS                                                                                     \
	VALUES("anthropic", "anthropic-bedrock", "anyscale", "cerebras", "deepinfra", "deep-seek", \
	    "google", "groq", "inflection-ai", "minimax", "openai", "openrouter", "perplexity-ai", \
	    "together-ai", "vapi", "xai")
#define VOICES                                                                                     \
	VALUES("11labs", "azure", "cartesia", "deepgram", "hume", "inworld", "lmnt", "microsoft",  \
	    "minimax", "neuphonic", "openai", "playht", "rime-ai", "sesame", "smallest-ai",        \
	    "tavus", "vapi", "wellsaid", "xai")
#define TRANSCRIBERS                                                                               \
	VALUES("11labs", "assembly-ai", "azure", "cartesia", "deepgram", "gladia", "openai",       \
	    "soniox", "talkscriber", "vapi", "xai")

enum { NAME_MAX_CHARS = 40, SAY_MAX = 2000, END_MAX = 1000, PROMPT_MAX = 20000 };

/* ---- input ---------------------------------------------------------- */

#define ASSISTANT_ID FIELD(assistant_id, PATH, T_UUID, .required = true, .doc = "The assistant.")

static const struct field list_fields[] = {
	FIELD(status, QUERY, T_ENUM, STATES, .doc = "Only those that are so."),
	FIELD(after, QUERY, T_CURSOR, .doc = "next_cursor of the page before."),
	FIELD(limit, QUERY, T_INT, .min = 1, .max = 100, .dflt = "20", .doc = "Page size."),
};

#define TEXTS                                                                                      \
	FIELD(description, BODY, T_STR, .max = 2000, .nullable = true, .doc = "What it is for."),  \
	    FIELD(language, BODY, T_STR, .min = 2, .max = 20, .nullable = true,                    \
		.doc = "What callers speak: a language tag, or multi."),                           \
	    FIELD(system_prompt, BODY, T_STR, .max = PROMPT_MAX, .nullable = true,                 \
		.doc = "What it is told to do."),                                                  \
	    FIELD(first_message, BODY, T_STR, .max = SAY_MAX, .nullable = true,                    \
		.doc = "Said first."),                                                             \
	    FIELD(end_call_message, BODY, T_STR, .max = END_MAX, .nullable = true,                 \
		.doc = "Said last."),                                                              \
	    FIELD(end_call_phrases, BODY, T_ARRAY, ITEMS(T_STR, .min = 2, .max = 140), .max = 50,  \
		.nullable = true, .doc = "Words of its own after which the call is over."),        \
	    FIELD(voicemail_message, BODY, T_STR, .max = END_MAX, .nullable = true,                \
		.doc = "Said to a voicemail.")

#define SOUNDS                                                                                     \
	FIELD(model_provider, BODY, T_ENUM, MODELS, .nullable = true, .doc = "Whose model."),      \
	    FIELD(model_name, BODY, T_STR, .min = 1, .max = 100, .nullable = true,                 \
		.doc = "Which model."),                                                            \
	    FIELD(model_temperature, BODY, T_NUMBER, .min = 0, .max = 2, .nullable = true,         \
		.doc = "How freely it speaks, from 0 to 2."),                                      \
	    FIELD(voice_provider, BODY, T_ENUM, VOICES, .nullable = true, .doc = "Whose voice."),  \
	    FIELD(voice_id, BODY, T_STR, .min = 1, .max = 200, .nullable = true,                   \
		.doc = "Which voice, by its id at its maker; where voices of that maker are on "   \
		       "offer, one of these."),                                                    \
	    FIELD(voice_settings, BODY, T_OBJECT, .nullable = true,                                \
		.doc = "How it sounds, in its maker's words as Vapi takes them: stability, "       \
		       "speed, ..."),                                                              \
	    FIELD(transcriber_provider, BODY, T_ENUM, TRANSCRIBERS, .nullable = true,              \
		.doc = "Who listens."),                                                            \
	    FIELD(transcriber_model, BODY, T_STR, .min = 1, .max = 100, .nullable = true,          \
		.doc = "And with what."),                                                          \
	    FIELD(background_sound, BODY, T_STR, .max = 500, .nullable = true,                     \
		.doc = "Heard behind it: off, office, or the address of a sound."),                \
	    FIELD(silence_timeout_seconds, BODY, T_INT, .min = 5, .max = 3600, .nullable = true,   \
		.doc = "After so long without a word the call shall end; kept here: Vapi takes "   \
		       "it no more."),                                                             \
	    FIELD(max_duration_seconds, BODY, T_INT, .min = 10, .max = 43200, .nullable = true,    \
		.doc = "No call lasts longer.")

static const struct field create_fields[] = {
	FIELD(template, BODY, T_STR, .min = 1, .max = 100,
	    .doc = "The slug of a template; what is given beside it stands in place of its own."),
	FIELD(variable_values, BODY, T_OBJECT, .doc = "Values for the template's variables."),
	FIELD(name, BODY, T_STR, .min = 1, .max = NAME_MAX_CHARS,
	    .doc = "Its name; without it: the template's."),
	TEXTS,
	SOUNDS,
};

static const struct field update_fields[] = {
	ASSISTANT_ID,
	FIELD(name, BODY, T_STR, .min = 1, .max = NAME_MAX_CHARS, .doc = "Its name."),
	TEXTS,
	SOUNDS,
};

static const struct field one_fields[] = { ASSISTANT_ID };

static const struct field delete_fields[] = {
	ASSISTANT_ID,
	FIELD(force, QUERY, T_BOOL,
	    .doc = "Also where numbers have it: they get the default one instead."),
};

static const struct field test_fields[] = {
	ASSISTANT_ID,
	FIELD(verified_number_id, BODY, T_UUID, .required = true,
	    .doc = "Who is called: a verified number of the organization."),
	FIELD(number_id, BODY, T_UUID,
	    .doc = "From which number; without it: from one that has this assistant, else from any "
		   "active one."),
};

/* ---- output --------------------------------------------------------- */

static const struct field assistant_out[] = {
	ABOUT("An assistant that speaks on the telephone."),
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The assistant."),
	FIELD(organization_id, OUT, T_UUID, .required = true, .doc = "Your organization."),
	FIELD(template_id, OUT, T_UUID, .required = true, .nullable = true,
	    .doc = "The template that it was made from."),
	FIELD(created_by, OUT, T_UUID, .required = true, .nullable = true,
	    .doc = "Who made it; null: an API key, or it was made by itself."),
	FIELD(name, OUT, T_STR, .required = true, .doc = "Its name."),
	FIELD(description, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "What it is for."),
	FIELD(language, OUT, T_STR, .required = true, .doc = "What callers speak."),
	FIELD(status, OUT, T_ENUM, STATES, .required = true,
	    .doc = "pending: it is being brought to Vapi; active: it can answer; failed: Vapi "
		   "will not have it so, see last_error."),
	FIELD(by_hand, OUT, T_BOOL, .required = true,
	    .doc = "Made at Vapi by somebody else: it can only be used here."),
	FIELD(system_prompt, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "What it is told to do."),
	FIELD(first_message, OUT, T_STR, .required = true, .nullable = true, .doc = "Said first."),
	FIELD(end_call_message, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "Said last."),
	FIELD(end_call_phrases, OUT, T_ARRAY, ITEMS(T_STR), .required = true,
	    .doc = "Words of its own after which the call is over."),
	FIELD(voicemail_message, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "Said to a voicemail."),
	FIELD(model_provider, OUT, T_STR, .required = true, .doc = "Whose model."),
	FIELD(model_name, OUT, T_STR, .required = true, .doc = "Which model."),
	FIELD(model_temperature, OUT, T_NUMBER, .required = true, .doc = "How freely it speaks."),
	FIELD(voice_provider, OUT, T_STR, .required = true, .doc = "Whose voice."),
	FIELD(voice_id, OUT, T_STR, .required = true, .doc = "Which voice."),
	FIELD(voice_settings, OUT, T_OBJECT, ITEMS(T_ANY), .required = true,
	    .doc = "How it sounds."),
	FIELD(transcriber_provider, OUT, T_STR, .required = true, .doc = "Who listens."),
	FIELD(transcriber_model, OUT, T_STR, .required = true, .doc = "And with what."),
	FIELD(background_sound, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "Heard behind it; null: as Vapi has it."),
	FIELD(silence_timeout_seconds, OUT, T_INT, .required = true,
	    .doc = "After so long without a word the call shall end."),
	FIELD(max_duration_seconds, OUT, T_INT, .required = true, .doc = "No call lasts longer."),
	FIELD(variable_values, OUT, T_OBJECT, ITEMS(T_ANY), .required = true,
	    .doc = "The values that the template was filled with."),
	FIELD(functions, OUT, T_ARRAY, ITEMS(T_STR), .required = true,
	    .doc = "In-call functions that its template speaks of."),
	FIELD(vapi_assistant_id, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "Its id at Vapi; null: it is not there."),
	FIELD(last_error, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "Why it is not there as it is here: vapi_400, provider_missing, ..."),
	FIELD(synced_at, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "When Vapi last took it."),
	FIELD(created_at, OUT, T_TIME, .required = true, .doc = "When it was made."),
	FIELD(updated_at, OUT, T_TIME, .required = true, .doc = "When it was last changed."),
};

/* ---- routes --------------------------------------------------------- */

static void
poke_pump(struct ctx *c)
{
	(void)c;
	poke_send("pump");
}

#define UNWRITABLE ERR_ASSISTANT_NOT_FOUND, ERR_ORGANIZATION_INACTIVE
#define MISMADE ERR_ASSISTANT_INVALID, ERR_VOICE_NOT_FOUND

static const struct route routes[] = {
	{ GET, ROOT, ASSISTANTS_READ, FIELDS(list_fields), run_query, 200, "assistant_list",
	    "Assistants, newest first.", .returns = RETURNS_LIST(assistant_out) },
	{ POST, ROOT, ASSISTANTS_WRITE, FIELDS(create_fields), run_query, 201, "assistant_create",
	    "Make an assistant, from a template or from texts of your own; it is brought to Vapi.",
	    .returns = RETURNS(assistant_out),
	    .errors = ERRORS(MISMADE, ERR_ORGANIZATION_INACTIVE, ERR_ASSISTANTS_FULL,
		ERR_ASSISTANT_TEMPLATE_NOT_FOUND, ERR_VARIABLE_MISSING, ERR_VARIABLE_UNKNOWN,
		ERR_VARIABLE_INVALID) },
	{ GET, ONE, ASSISTANTS_READ, FIELDS(one_fields), run_query, 200, "assistant_get",
	    "One assistant.", .returns = RETURNS(assistant_out),
	    .errors = ERRORS(ERR_ASSISTANT_NOT_FOUND) },
	{ PATCH, ONE, ASSISTANTS_WRITE, FIELDS(update_fields), run_query, 200, "assistant_update",
	    "Change it, here and then at Vapi.", .returns = RETURNS(assistant_out),
	    .errors = ERRORS(UNWRITABLE, ERR_ASSISTANT_BY_HAND, MISMADE) },
	{ DELETE, ONE, ASSISTANTS_WRITE, FIELDS(delete_fields), run_query, 204, "assistant_delete",
	    "Take it out of use, and away from Vapi; one made by hand stays there.",
	    .errors = ERRORS(UNWRITABLE, ERR_ASSISTANT_IN_USE) },
	{ POST, ONE "/sync", ASSISTANTS_WRITE, FIELDS(one_fields), run_query, 202, "assistant_sync",
	    "Bring it to Vapi once more, whatever is there.", .returns = RETURNS(assistant_out),
	    .errors = ERRORS(UNWRITABLE, ERR_ASSISTANT_BY_HAND) },
	{ POST, ONE "/test", NUMBERS_WRITE, FIELDS(test_fields), run_query, 202, "assistant_test",
	    "Be called by it, from one of your numbers.", .after = poke_pump,
	    .returns = RETURNS(call_out),
	    .errors = ERRORS(UNWRITABLE, ERR_ASSISTANT_NOT_READY, ERR_NUMBER_NOT_FOUND,
		ERR_NUMBER_NOT_ACTIVE, ERR_VERIFIED_NUMBER_NOT_FOUND, ERR_NUMBER_NOT_VERIFIED,
		ERR_NUMBER_DO_NOT_CALL, ERR_PLAN_CALLS, ERR_PLAN_MINUTES,
		ERR_SUBSCRIPTION_INACTIVE) },
};

static const int needs[] = { SET_DATABASE_URL, -1 };

int
main(int argc, char *argv[])
{
	return server_main(argc, argv,
	    &(const struct server){ "assistants", routes, COUNT(routes),
		.about = "Who answers the telephone of an organization.", .needs = needs });
}
