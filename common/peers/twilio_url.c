/*
 * twilio_url.c - where Twilio tells us what becomes of calls and text messages.
 */
#include "peers/twilio_url.h"

#include "base/settings.h"

const char *
twilio_webhook_url(struct mem *m, const char *tail)
{
	const char *url = setting_str(SET_API_URL);

	return url ? mem_printf(m, "%s/api/webhooks/twilio%s", url, tail) : NULL;
}
