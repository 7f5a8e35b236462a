/*
 * vapi_answer.c - Vapi: reads the answers of its API.
 */
#include "base/clock.h"
#include "peers/peer.h"
#include "peers/raw.h"
#include "peers/vapi_call.h"
#include "peers/vapi_peer.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* ---- the control address -------------------------------------------- */

/* The host of an address without port; empty when the authority holds anything that could mislead.
 */
static struct span
host_of(struct span url, size_t scheme)
{
	size_t i, end = 0;

	for (i = scheme; i < url.len; i++) {
		unsigned char c = (unsigned char)url.data[i];
		if (c == '/' || c == '?' || c == '#')
			break;
		if (c == ':' && end == 0)
			end = i;
		if (!isalnum(c) && c != '.' && c != '-' && c != ':')
			return (struct span){ 0 };
	}
	if (end == 0)
		end = i;
	return (struct span){ url.data + scheme, end - scheme };
}

static bool
is_own_domain(struct span host)
{
	static const struct span domain = { ".vapi.ai", 8 };

	if (host.len == domain.len - 1)
		return strncasecmp(host.data, domain.data + 1, host.len) == 0;
	return host.len > domain.len &&
	    strncasecmp(host.data + host.len - domain.len, domain.data, domain.len) == 0;
}

/* The same scheme, host and port as the address that the operator gave. */
static bool
is_own_place(const char *base_url, struct span url)
{
	const char *authority = base_url ? strstr(base_url, "://") : NULL;
	size_t n;

	if (!authority)
		return false;
	n = strcspn(authority + 3, "/?#") + (size_t)(authority + 3 - base_url);
	return url.len > n && strncasecmp(url.data, base_url, n) == 0 && url.data[n] == '/';
}

const char *
vapi_control_url(struct mem *m, const struct voice_account *a, struct span url)
{
	size_t i;

	for (i = 0; i < url.len; i++) {
		if (!isgraph((unsigned char)url.data[i]) || url.data[i] == '\\')
			return NULL;
	}
	if (url.len == 0 || url.len > PEER_URL_MAX)
		return NULL;
	if (is_own_place(a->base_url, url))
		return mem_dup(m, url.data, url.len);
	if (url.len > 8 && strncasecmp(url.data, "https://", 8) == 0 &&
	    is_own_domain(host_of(url, 8)))
		return mem_dup(m, url.data, url.len);
	return NULL;
}

static const char *
control_of(struct mem *m, const struct voice_account *a, const struct vapi_facts *f)
{
	char url[PEER_URL_MAX + 1];

	if (f->fact[FACT_CONTROL].raw.len > PEER_URL_MAX)
		return NULL;
	if (!raw_text(&f->fact[FACT_CONTROL], url, sizeof(url)))
		return NULL;
	return vapi_control_url(m, a, span_of(url));
}

/* ---- dialled -------------------------------------------------------- */

static bool
is_ended(const struct vapi_facts *f)
{
	const char *status = vapi_status(f);

	return status && strcmp(status, "ended") == 0;
}

/* True when the call ended at birth for want of a line.  A call that ended for another reason may
 * have rung somebody, and one that is only blocked waits for a line at Vapi: both are accepted. */
static bool
ended_for_concurrency(const struct vapi_facts *f)
{
	char reason[RAW_ID_MAX + 1];

	if (!is_ended(f) || f->fact[FACT_STARTED].kind != SCAN_NONE)
		return false;
	if (raw_text(&f->fact[FACT_REASON], reason, sizeof(reason)))
		return strstr(reason, "concurrency") != NULL;
	return raw_true(&f->fact[FACT_BLOCKED]);
}

/* Fills what a call tells of itself; -1 when it has no id or memory is out. */
static int
fill(struct mem *m, const struct voice_account *a, const struct vapi_facts *f,
    struct voice_outcome *ret)
{
	struct vapi_report_how how = { .status = vapi_status(f), .final = is_ended(f) };
	char id[RAW_ID_MAX + 1];

	if (!raw_id(&f->fact[FACT_ID], id))
		return -1;
	ret->provider_call_id = mem_str(m, id);
	if (!ret->provider_call_id)
		return -1;

	ret->control_url = control_of(m, a, f);
	how.control_url = ret->control_url;
	if (!how.status)
		return 0;
	ret->report = vapi_report(m, f, &how);
	return ret->report ? 0 : -1;
}

static void
unreadable(struct voice_outcome *ret, const char *reason)
{
	*ret = (struct voice_outcome){ .result = VOICE_UNKNOWN,
		.status = ret->status,
		.reason = reason,
		.retry_after = -1 };
}

void
vapi_dialled(struct mem *m, const struct voice_account *a, const struct fetch_answer *in,
    struct voice_outcome *ret)
{
	struct vapi_facts f;

	if (!peer_is_success(in)) {
		voice_refusal(m, in, ret);
		peer_hide_key(a, ret);
		return;
	}
	*ret = (struct voice_outcome){ .status = in->status, .retry_after = -1 };
	if (vapi_read(in->body, VAPI_CALL, &f) != SCAN_OK) {
		unreadable(ret, "unreadable");
		return;
	}
	if (fill(m, a, &f, ret) < 0) {
		unreadable(ret, ret->provider_call_id ? "out_of_memory" : "no_id");
		return;
	}
	ret->result = VOICE_ACCEPTED;
	if (!ended_for_concurrency(&f))
		return;

	ret->result = VOICE_REFUSED;
	ret->fault = FAULT_CONCURRENCY;
	ret->reason = "concurrency";
	ret->report = NULL;
}

/* ---- looked --------------------------------------------------------- */

static void
found(struct mem *m, const struct voice_account *a, const struct vapi_facts *f,
    struct voice_sight *ret)
{
	static const struct vapi_report_how queued = { .status = "queued" };

	ret->outcome =
	    (struct voice_outcome){ .result = VOICE_ACCEPTED, .status = 200, .retry_after = -1 };
	ret->finding = fill(m, a, f, &ret->outcome) < 0 ? LOOK_FAILED : FOUND;
	/* A status that we do not know moves nothing; that the call exists is what counts. */
	if (ret->finding == FOUND && !ret->outcome.report)
		ret->outcome.report = vapi_report(m, f, &queued);
	if (!ret->outcome.report)
		ret->finding = LOOK_FAILED;
	if (ret->finding == LOOK_FAILED)
		ret->why = "unreadable";
}

/* The call that was asked for into f: FOUND, NOT_FOUND, or LOOK_FAILED with ret->why. */
static enum voice_finding
read_by_id(struct mem *m, const struct voice_look *l, const struct fetch_answer *in,
    struct vapi_facts *f, struct voice_sight *ret)
{
	char mark[37];

	if (in->outcome == FETCH_ANSWERED && in->status == 404)
		return NOT_FOUND;
	if (!peer_is_success(in) || vapi_read(in->body, VAPI_CALL, f) != SCAN_OK) {
		peer_look_failed(m, in, ret);
		return LOOK_FAILED;
	}
	if (l->assignment_id && vapi_mark(f, mark) && strcasecmp(mark, l->assignment_id) != 0) {
		ret->why = "other_call";
		return LOOK_FAILED;
	}
	return FOUND;
}

static void
looked_by_id(struct mem *m, const struct voice_account *a, const struct voice_look *l,
    const struct fetch_answer *in, struct voice_sight *ret)
{
	struct vapi_facts f;

	ret->finding = read_by_id(m, l, in, &f, ret);
	if (ret->finding == FOUND)
		found(m, a, &f, ret);
}

/* One page of a list, as far as paging needs to know it. */
struct page {
	size_t n;
	int64_t oldest;
	bool ordered; /* newest first, each with its time */
	bool whole;   /* nothing but calls */
};

static bool
is_ours(const struct vapi_facts *f, const char *assignment_id)
{
	char mark[37];

	if (raw_uuid(&f->fact[FACT_MARK], mark) && strcasecmp(mark, assignment_id) == 0)
		return true;
	return raw_uuid(&f->fact[FACT_NAME], mark) && strcasecmp(mark, assignment_id) == 0;
}

static void
page_add(struct page *p, const struct vapi_facts *f)
{
	int64_t created;

	p->n++;
	if (!raw_time(&f->fact[FACT_CREATED], &created) || (p->n > 1 && created > p->oldest))
		p->ordered = false;
	else
		p->oldest = created;
}

/* Reads a page up to our call; true, and f, when it is there. */
static bool
search(struct span body, const char *assignment_id, struct page *p, struct vapi_facts *f)
{
	struct span item;
	size_t pos = 0;

	while (raw_next(body, &pos, &item)) {
		if (!raw_is(item, '{') || vapi_read(item, VAPI_CALL, f) != SCAN_OK) {
			p->whole = false;
			continue;
		}
		if (is_ours(f, assignment_id))
			return true;
		page_add(p, f);
	}
	return false;
}

/* Where to go on after a page without our call.  Vapi has no cursor: the next page ends at the
 * oldest call seen, that millisecond included, since other calls may share it.  That lists come
 * newest first is not promised: a full page in another order proves nothing. */
static void
next_page(const struct voice_look *l, const struct page *p, struct voice_sight *ret)
{
	int64_t until = p->oldest + 1;

	ret->finding = LOOK_FAILED;
	if (!p->whole) {
		ret->why = "unreadable";
	} else if (p->n < VAPI_LIST_LIMIT) {
		ret->finding = NOT_FOUND;
	} else if (!p->ordered) {
		ret->why = "list_not_ordered";
	} else if (l->until_ms > 0 && until >= l->until_ms) {
		ret->why = "list_does_not_progress";
	} else {
		ret->finding = LOOK_ON;
		ret->next = *l;
		ret->next.until_ms = until;
	}
}

static void
looked_by_list(struct mem *m, const struct voice_account *a, const struct voice_look *l,
    const struct fetch_answer *in, struct voice_sight *ret)
{
	struct page page = { .ordered = true, .whole = true };
	struct vapi_facts f;

	if (!peer_is_success(in) || !raw_is(in->body, '[') ||
	    scan_json(in->body, NULL, 0, RAW_DEPTH) != SCAN_OK) {
		peer_look_failed(m, in, ret);
		return;
	}
	if (search(in->body, l->assignment_id, &page, &f))
		found(m, a, &f, ret);
	else
		next_page(l, &page, ret);
}

void
vapi_looked(struct mem *m, const struct voice_account *a, const struct voice_look *l,
    const struct fetch_answer *in, struct voice_sight *ret)
{
	*ret = (struct voice_sight){ 0 };
	ret->outcome.retry_after = in->retry_after;
	if (l->kind == LOOK_BY_LIST)
		looked_by_list(m, a, l, in, ret);
	else
		looked_by_id(m, a, l, in, ret);
}

/* ---- recording ------------------------------------------------------ */

enum vapi_recording_field { RECORDING_MONO, RECORDING_STEREO, RECORDING_EXPIRES, RECORDING_COUNT };

enum voice_finding
vapi_recording(struct mem *m, const struct voice_account *a, const struct voice_look *l,
    const struct fetch_answer *in, struct voice_recording *ret)
{
	struct scan_field field[RECORDING_COUNT] = {
		[RECORDING_MONO] = { .path = "artifact.presignedMonoUrl" },
		[RECORDING_STEREO] = { .path = "artifact.presignedStereoUrl" },
		[RECORDING_EXPIRES] = { .path = "artifact.presignedUrlsExpiresAt" },
	};
	struct voice_sight sight = { 0 };
	enum voice_finding finding;
	char id[RAW_ID_MAX + 1];
	struct vapi_facts f;

	(void)a;
	*ret = (struct voice_recording){ 0 };
	finding = read_by_id(m, l, in, &f, &sight);
	ret->why = sight.why;
	if (finding != FOUND)
		return finding;
	if (!raw_id(&f.fact[FACT_ID], id)) {
		ret->why = "unreadable";
		return LOOK_FAILED;
	}
	if (scan_json(in->body, field, COUNT(field), RAW_DEPTH) == SCAN_OK) {
		ret->url = peer_text(m, &field[RECORDING_MONO]);
		ret->stereo_url = peer_text(m, &field[RECORDING_STEREO]);
		ret->expires_at = peer_text(m, &field[RECORDING_EXPIRES]);
	}
	return ret->url || ret->stereo_url ? FOUND : NOT_FOUND;
}
