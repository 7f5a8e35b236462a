/*
 * twilio_url.c - the addresses that Twilio is told, from the settings alone.
 */
#include "peers/twilio_url.h"

#include "base/settings.h"

const char *
twilio_webhook_url(struct mem *m, const char *tail)
{
	const char *own = setting_str(SET_TWILIO_WEBHOOK_URL), *api = setting_str(SET_API_URL);

	if (own)
		return mem_printf(m, "%s%s", own, tail);
	return api ? mem_printf(m, "%s%s%s", api, TWILIO_WEBHOOK_PATH, tail) : NULL;
}
