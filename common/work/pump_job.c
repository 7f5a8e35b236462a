/*
 * pump_job.c - one thing asked of a provider: its memory, and the provider's account from a row.
 */
#include "work/pump.h"

#include "base/settings.h"
#include "lib/seal.h"

#include <errno.h>
#include <string.h>

enum { JOB_MEM_MAX = 24 * 1024 * 1024 };

static void
copy_id(char ret[37], const char *id)
{
	size_t n = id ? strlen(id) : 0;

	if (n > 36)
		n = 36;
	if (n > 0)
		memcpy(ret, id, n);
	ret[n] = '\0';
}

static const char *
account_key(struct mem *m, const char *type, const char *row_key)
{
	const char *key = row_key;

	if (!key && strcmp(type, "vapi") == 0)
		key = setting_str(SET_VAPI_API_KEY);
	else if (!key && strcmp(type, "synthflow") == 0)
		key = setting_str(SET_SYNTHFLOW_API_KEY);
	if (!key)
		return mem_str(m, "");
	return seal_open(m, "provider.api_key", key);
}

static int
account_fill(struct job *j, const struct json *row)
{
	struct voice_account *a = &j->account;
	const char *type = json_str(row, "provider_type");
	const char *organization = json_str(row, "organization_id");
	const char *url = setting_str(SET_API_URL);

	j->provider = voice_find(type);
	if (!j->provider) {
		errno = ENOENT;
		return -1;
	}
	a->type = j->provider->type;
	a->id = mem_str(j->mem, json_str(row, "provider_id") ? json_str(row, "provider_id") : "");
	a->base_url = voice_base_url(j->mem, a->type, json_str(row, "base_url"));
	a->timeout_ms =
	    (int)json_int(row, "timeout_ms", setting_int(SET_HOOKSWITCH_DIAL_TIMEOUT_MS));
	if (url && organization)
		a->webhook_url =
		    mem_printf(j->mem, "%s/api/webhooks/%s/%s", url, a->type, organization);
	a->api_key = account_key(j->mem, a->type, json_str(row, "api_key"));
	if (!a->api_key) {
		errno = EACCES;
		return -1;
	}
	return a->id && a->base_url ? 0 : -1;
}

/* The job is made even when its account cannot be used: its refusal must be recorded. */
struct job *
job_new(enum job_kind kind, const struct json *row)
{
	struct mem *m = mem_new(JOB_MEM_MAX);
	struct job *j = m ? mem_alloc(m, sizeof(*j)) : NULL;

	if (!j) {
		mem_free(m);
		errno = ENOMEM;
		return NULL;
	}
	j->kind = kind;
	j->mem = m;
	copy_id(j->assignment_id, json_str(row, "assignment_id"));
	copy_id(j->call_id, json_str(row, "call_id"));
	j->fence = json_int(row, kind == JOB_LOOK ? "look_fence" : "fence", 0);
	if (account_fill(j, row) == -1)
		j->account.api_key = NULL;
	return j;
}

void
job_free(struct job *j)
{
	if (j)
		mem_free(j->mem);
}
