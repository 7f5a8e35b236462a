/*
 * vapi_assistant.c - an assistant as Vapi wants it.
 *
 * Vapi's PATCH leaves what is not named as it was: so a change names all that is ours.
 */
#include "peers/vapi_assistant.h"

#include "peers/peer.h"
#include "peers/vapi_rest.h"

#include <string.h>

/* As outbound calls have them: transcript and conversation-update would come many times a call. */
static const char server_messages[] =
    "[\"status-update\",\"end-of-call-report\",\"tool-calls\",\"transfer-destination-request\"]";

/* Transcribers that have no choice of models. */
static const char *const modelless[] = { "assembly-ai", "azure", "vapi" };

/* A text of the row; empty where it is not set and that must be said. */
static void
put_text(struct text *t, const char *name, const char *value, bool whole)
{
	if (value && value[0] != '\0')
		peer_put(t, name, value);
	else if (whole)
		text_printf(t, ",\"%s\":\"\"", name);
}

/* A value of the row as it is; nothing where there is none. */
static void
put_json(struct text *t, const char *name, const struct json *value)
{
	if (json_type(value) == JSON_NULL)
		return;
	text_putc(t, ',');
	text_json(t, name);
	text_putc(t, ':');
	json_write(t, value);
}

static void
put_model(struct text *t, const struct json *row)
{
	const char *prompt = json_str(row, "system_prompt");

	text_puts(t, ",\"model\":{\"messages\":[");
	if (prompt && prompt[0] != '\0') {
		text_puts(t, "{\"role\":\"system\"");
		peer_put(t, "content", prompt);
		text_putc(t, '}');
	}
	text_putc(t, ']');
	peer_put(t, "provider", json_str(row, "model_provider"));
	peer_put(t, "model", json_str(row, "model_name"));
	put_json(t, "temperature", json_get(row, "model_temperature"));
	text_putc(t, '}');
}

static int
put_setting(void *arg, const char *name, const struct json *value)
{
	put_json(arg, name, value);
	return 0;
}

static void
put_voice(struct text *t, const struct json *row)
{
	text_puts(t, ",\"voice\":{");
	peer_put(t, "provider", json_str(row, "voice_provider"));
	peer_put(t, "voiceId", json_str(row, "voice_id"));
	json_each(json_get(row, "voice_settings"), put_setting, t);
	text_putc(t, '}');
}

static void
put_transcriber(struct text *t, const struct json *row)
{
	const char *provider = json_str(row, "transcriber_provider");
	size_t i;

	text_puts(t, ",\"transcriber\":{");
	peer_put(t, "provider", provider);
	for (i = 0; i < COUNT(modelless) && provider && strcmp(modelless[i], provider) != 0; i++)
		;
	if (i == COUNT(modelless))
		peer_put(t, "model", json_str(row, "transcriber_model"));
	peer_put(t, "language", json_str(row, "language"));
	text_putc(t, '}');
}

static void
put_ending(struct text *t, const struct json *row, bool whole)
{
	const struct json *phrases = json_get(row, "end_call_phrases");
	const char *sound = json_str(row, "background_sound");

	put_text(t, "endCallMessage", json_str(row, "end_call_message"), whole);
	if (whole || json_len(phrases) > 0)
		put_json(t, "endCallPhrases", phrases);
	put_text(t, "voicemailMessage", json_str(row, "voicemail_message"), whole);
	put_json(t, "maxDurationSeconds", json_get(row, "max_duration_seconds"));
	/* office is what telephone calls have at Vapi where nothing is said. */
	peer_put(t, "backgroundSound", sound || !whole ? sound : "office");
}

void
vapi_assistant_write(struct text *t, const struct json *row, bool whole, const char *url,
    const char *token)
{
	text_putc(t, '{');
	peer_put(t, "name", json_str(row, "name"));
	put_text(t, "firstMessage", json_str(row, "first_message"), whole);
	put_model(t, row);
	put_voice(t, row);
	put_transcriber(t, row);
	put_ending(t, row, whole);
	text_puts(t, ",\"metadata\":{");
	peer_put(t, "assistant_id", json_str(row, "id"));
	peer_put(t, "organizationId", json_str(row, "organization_id"));
	text_printf(t, "},\"serverMessages\":%s,", server_messages);
	vapi_put_server(t, url, token);
	text_putc(t, '}');
}

const char *
vapi_assistant_find(const struct json *list, const char *id)
{
	size_t i;

	for (i = 0; id && i < json_len(list); i++) {
		const struct json *one = json_at(list, i);
		const char *mark = json_str_of(json_path(one, "metadata.assistant_id"), NULL);
		const char *found = json_str(one, "id");
		if (mark && strcmp(mark, id) == 0 && found && found[0] != '\0')
			return found;
	}
	return NULL;
}
