/*
 * voices.c - the voices that calls can be said with: what is on offer, how one sounds, and which
 * ones a person prefers.
 *
 * Voices are nobody's own.  Which one a call is said with is decided by sql/functions/30_enter.sql.
 */
#include "lib/seal.h"
#include "peers/voice.h"
#include "web/reply.h"
#include "web/server.h"

#include <errno.h>

#define VOICES_READ SCOPE("voices:read")

/* ---- input ---------------------------------------------------------- */

static const struct field list_fields[] = {
	FIELD(provider_id, QUERY, T_UUID, .doc = "Only voices that this provider's account says."),
	FIELD(voice_provider, QUERY, T_STR, .max = 50,
	    .doc = "Only voices of this maker: vapi, inworld, 11labs, ..."),
	FIELD(language, QUERY, T_STR, .max = 35,
	    .doc = "Only voices of this language; en finds en-US too."),
	FIELD(name, QUERY, T_STR, .max = 100, .doc = "Only voices with this in their name."),
	FIELD(after, QUERY, T_CURSOR, .doc = "next_cursor of the page before."),
	FIELD(limit, QUERY, T_INT, .min = 1, .max = 100, .dflt = "20", .doc = "Page size."),
};

static const struct field voice_fields[] = {
	FIELD(voice_id, PATH, T_UUID, .required = true, .doc = "The voice."),
};

struct sample_in {
	const char *voice_id;
	const char *text;
};

static const struct field sample_fields[] = {
	FIELD(voice_id, PATH, T_UUID, INTO(struct sample_in, voice_id), .required = true,
	    .doc = "The voice."),
	FIELD(text, BODY, T_STR, INTO(struct sample_in, text), .min = 1, .max = 500,
	    .required = true, .doc = "What it shall say."),
};

static const struct field wish_fields[] = {
	FIELD(language, BODY, T_STR, .min = 2, .max = 35, .required = true,
	    .doc = "A language tag: de, or pt-BR."),
	FIELD(voice_id, BODY, T_UUID, .required = true, .doc = "The voice for it."),
};

static const struct field preferences_fields[] = {
	FIELD(default_voice_id, BODY, T_UUID, .nullable = true,
	    .doc = "The voice where no language decides; without it: as the assistant speaks."),
	FIELD(languages, BODY, T_ARRAY, MEMBERS(wish_fields), .max = 50,
	    .doc = "The voice for each language."),
};

/* ---- answers -------------------------------------------------------- */

static const struct field voice_out[] = {
	ABOUT("A voice that calls can be said with."),
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The voice, for voice_id of a call."),
	FIELD(voice_id, OUT, T_STR, .required = true, .doc = "Its id at its maker."),
	FIELD(name, OUT, T_STR, .required = true, .doc = "What it is called."),
	FIELD(voice_provider, OUT, T_STR, .required = true, .doc = "Its maker."),
	FIELD(language, OUT, T_STR, .required = true, .doc = "The language it speaks."),
	FIELD(provider_id, OUT, T_UUID, .required = true, .nullable = true,
	    .doc = "The one account that says it; null: all of Vapi's."),
	FIELD(preview_url, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "Where it can be heard."),
	FIELD(created_at, OUT, T_TIME, .required = true, .doc = "When it was put on offer."),
};

static const struct field voice_preview_out[] = {
	ABOUT("Where a voice can be heard."),
	FIELD(voice_id, OUT, T_UUID, .required = true, .doc = "The voice."),
	FIELD(voice_name, OUT, T_STR, .required = true, .doc = "What it is called."),
	FIELD(preview_url, OUT, T_STR, .required = true, .doc = "Where it can be heard."),
};

static const struct field voice_sample_out[] = {
	ABOUT("Where a voice can be heard, saying your text if possible."),
	FIELD(voice_id, OUT, T_UUID, .required = true, .doc = "The voice."),
	FIELD(voice_name, OUT, T_STR, .required = true, .doc = "What it is called."),
	FIELD(sample_url, OUT, T_STR, .required = true, .doc = "Where it can be heard."),
	FIELD(generated, OUT, T_BOOL, .required = true,
	    .doc = "Whether it says your text; false: it is the stored preview."),
};

static const struct field language_voice_out[] = {
	ABOUT("The voice that a person prefers for a language."),
	FIELD(language, OUT, T_STR, .required = true, .doc = "The language tag, in lower case."),
	FIELD(voice_id, OUT, T_UUID, .required = true, .doc = "The voice for it."),
};

static const struct field voice_preferences_out[] = {
	ABOUT("The voices that a person prefers."),
	FIELD(default_voice_id, OUT, T_UUID, .required = true, .nullable = true,
	    .doc = "The voice where no language decides."),
	FIELD(languages, OUT, T_ARRAY, MEMBERS(language_voice_out), .required = true,
	    .doc = "The voice for each language."),
};

/* ---- operations ----------------------------------------------------- */

static int
reply_sample(struct ctx *c, const struct json *voice, const char *url, bool generated)
{
	struct out *o = reply_open(c, 200);

	put_str(o, "voice_id", json_str(voice, "id"));
	put_str(o, "voice_name", json_str(voice, "name"));
	put_str(o, "sample_url", url);
	put_bool(o, "generated", generated);
	return reply_close(o);
}

/* A provider that can say the text does so; for all others the stored preview stands in. */
static int
make_sample(struct ctx *c, const void *arg)
{
	const struct sample_in *in = arg;
	const struct json *voice = db_call(c, ARGS(in->voice_id));
	struct voice_say say = { .text = in->text };
	const char *url;

	if (!voice)
		return -1;

	say.voice_provider = json_str(voice, "voice_provider");
	say.voice_id = json_str(voice, "voice_id");
	url = voice_sample(c, voice_find(json_str(voice, "provider_type")), voice, &say);
	if (url)
		return reply_sample(c, voice, url, true);
	if (errno != ENOTSUP)
		return fail(c, ERR_UNAVAILABLE, "the provider cannot be asked just now");

	url = json_str(voice, "preview_url");
	if (!url)
		return fail(c, ERR_VOICE_SAMPLE_UNAVAILABLE, NULL);
	return reply_sample(c, voice, url, false);
}

/* ---- routes --------------------------------------------------------- */

#define VOICES "/api/v1/voices"

static const struct route routes[] = {
	{ GET, VOICES, VOICES_READ, FIELDS(list_fields), run_query, 200, "voice_list",
	    "List the voices on offer, by name.", .returns = RETURNS_LIST(voice_out) },
	{ GET, VOICES "/preferences", PERSON, NO_FIELDS, run_query, 200, "voice_preferences",
	    "Which voices you prefer for your calls.", .returns = RETURNS(voice_preferences_out) },
	{ PUT, VOICES "/preferences", PERSON, FIELDS(preferences_fields), run_query, 200,
	    "voice_preferences_set", "Say which voices you prefer; what is left out is forgotten.",
	    .returns = RETURNS(voice_preferences_out),
	    .errors = ERRORS(ERR_VOICE_NOT_FOUND, ERR_LANGUAGE_INVALID) },
	{ GET, VOICES "/{voice_id}", VOICES_READ, FIELDS(voice_fields), run_query, 200, "voice_get",
	    "One voice.", .returns = RETURNS(voice_out), .errors = ERRORS(ERR_VOICE_UNKNOWN) },
	{ GET, VOICES "/{voice_id}/preview", VOICES_READ, FIELDS(voice_fields), run_query, 200,
	    "voice_preview", "Where a voice can be heard.", .returns = RETURNS(voice_preview_out),
	    .errors = ERRORS(ERR_VOICE_UNKNOWN, ERR_VOICE_SAMPLE_UNAVAILABLE) },
	{ POST, VOICES "/{voice_id}/sample", VOICES_READ, FIELDS(sample_fields), make_sample, 200,
	    "voice_sample", "Hear a voice say a text, or else its stored preview.",
	    .returns = RETURNS(voice_sample_out),
	    .errors = ERRORS(ERR_VOICE_UNKNOWN, ERR_VOICE_SAMPLE_UNAVAILABLE) },
};

static const int needs[] = { SET_DATABASE_URL, -1 };

/* Without the key all but samples works; a wrong one is told at once. */
static int
start(void)
{
	return setting_str(SET_HOOKSWITCH_SECRET_KEY) ? seal_ready() : 0;
}

int
main(int argc, char *argv[])
{
	return server_main(argc, argv,
	    &(const struct server){ "voices", routes, COUNT(routes),
		.about = "Voices: what is on offer, how they sound, which are preferred.",
		.needs = needs, .start = start });
}
