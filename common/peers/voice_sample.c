/*
 * voice_sample.c - a text said with one of a provider's voices, without a call.
 *
 * Not for calls, and not for stored previews, which are the database's.
 */
#include "peers/voice.h"

#include <errno.h>

const char *
voice_sample(struct ctx *c, const struct voice_provider *p, const struct json *row,
    const struct voice_say *say)
{
	struct voice_account account = { .type = NULL };
	struct fetch_request request = { .method = NULL };
	struct fetch_answer answer = { .why = NULL };
	const char *url;

	if (!p || !p->sample) {
		errno = ENOTSUP;
		return NULL;
	}
	if (voice_account_read(c->mem, row, &account) < 0 ||
	    p->sample(c->mem, &account, say, &request) < 0)
		return NULL;

	url = fetch_one(c, &request, &answer) == 0 ? p->sampled(c->mem, &account, &answer) : NULL;
	if (!url)
		errno = EIO;
	return url;
}
