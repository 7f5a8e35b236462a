/*
 * pump_job.c - one thing asked of a provider: its memory, and the provider's account from a row.
 */
#include "work/pump.h"

#include "base/settings.h"
#include "base/timing.h"

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

static int
account_fill(struct job *j, const struct json *row)
{
	struct voice_account *a = &j->account;
	const char *organization = json_str(row, "organization_id");
	const char *url = setting_str(SET_API_URL);

	j->provider = voice_find(json_str(row, "provider_type"));
	if (voice_account_read(j->mem, row, a) == -1)
		return -1;
	a->id = mem_str(j->mem, json_str(row, "provider_id") ? json_str(row, "provider_id") : "");
	if (url && organization)
		a->webhook_url =
		    mem_printf(j->mem, "%s/api/webhooks/%s/%s", url, a->type, organization);
	return a->id ? 0 : -1;
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
	j->key_number = json_int(row, "key_number", 0);
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

void
job_time(const struct job *j, const struct fetch_answer *a)
{
	static const char
	    *const names[] = { [JOB_DIAL] = "dial", [JOB_LOOK] = "look", [JOB_HANGUP] = "hangup" };
	char name[TIMING_NAME_MAX], code[FETCH_CODE_MAX];

	snprintf(name, sizeof(name), "%s.%s", j->provider->type, names[j->kind]);
	timing_add(TIMING_PROVIDER, name, fetch_code(a, code), a->ms * 1000);
}
