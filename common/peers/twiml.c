/*
 * twiml.c - TwiML for a call that its assistant could not take.
 */
#include "peers/twiml.h"

#include "base/text.h"
#include "peers/twilio_url.h"

#include <string.h>

enum { TWIML_MAX = 16 * 1024, RING_SECONDS = 25, SILENCE_SECONDS = 5, MESSAGE_SECONDS = 120 };

#define GREETING                                                                                   \
	"Sorry, nobody can take your call right now. Please leave a message after the tone, and "  \
	"hang up when you are done."
#define NOTHING_SAID "No message was recorded. Goodbye."

/* Only what XML can hold; an address or a number has nothing else in it. */
static void
put_escaped(struct text *t, const char *s)
{
	static const char odd[] = "&<>\"'";
	static const char *const words[] = { "&amp;", "&lt;", "&gt;", "&quot;", "&apos;" };

	for (; *s; s++) {
		const char *p = strchr(odd, *s);

		if (p)
			text_puts(t, words[p - odd]);
		else if ((unsigned char)*s >= ' ')
			text_putc(t, *s);
	}
}

static void
put_attribute(struct text *t, const char *name, const char *value)
{
	if (!value)
		return;
	text_printf(t, " %s=\"", name);
	put_escaped(t, value);
	text_putc(t, '"');
}

static void
put_dial(struct text *t, const char *to, const char *caller, const char *action)
{
	text_printf(t, "<Dial answerOnBridge=\"true\" timeout=\"%d\"", RING_SECONDS);
	put_attribute(t, "callerId", caller);
	put_attribute(t, "action", action);
	text_puts(t, " method=\"POST\"><Number>");
	put_escaped(t, to);
	text_puts(t, "</Number></Dial>");
}

/* The address is told of the recording twice: while the caller may still be there, and when it can
 * be heard. */
static void
put_record(struct text *t, const char *action)
{
	text_puts(t, "<Say>" GREETING "</Say><Record");
	put_attribute(t, "action", action);
	put_attribute(t, "recordingStatusCallback", action);
	text_printf(t,
	    " method=\"POST\" recordingStatusCallbackMethod=\"POST\" playBeep=\"true\" "
	    "trim=\"trim-silence\" timeout=\"%d\" maxLength=\"%d\"/>",
	    SILENCE_SECONDS, MESSAGE_SECONDS);
	text_puts(t, "<Say>" NOTHING_SAID "</Say>");
}

const char *
twiml_voice(struct mem *m, const struct json *answer)
{
	CLEANUP(text_clear) struct text t = TEXT(TWIML_MAX);
	const char *to = json_str(answer, "dial");
	const char *voice = twilio_webhook_url(m, "/voice");
	const char *recording = twilio_webhook_url(m, "/voice/recording");

	if (!voice || !recording)
		return NULL;
	text_puts(&t, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response>");
	if (to)
		put_dial(&t, to, json_str(answer, "caller_id"), voice);
	else if (json_bool(answer, "record", false))
		put_record(&t, recording);
	else
		text_puts(&t,
		    json_bool(answer, "hangup", false) ? "<Hangup/>" :
							 "<Reject reason=\"rejected\"/>");
	text_puts(&t, "</Response>\n");
	return text_ok(&t) ? mem_dup(m, t.data, t.len) : NULL;
}
