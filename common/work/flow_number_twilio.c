/*
 * flow_number_twilio.c - the steps of the workflow "phone-number" that ask Twilio: a number is
 * searched, bought, set and given back.
 */
#include "work/flow_number_twilio.h"

#include "base/settings.h"
#include "peers/twilio_number.h"
#include "peers/twilio_url.h"
#include "work/flow_number_step.h"
#include "work/outcome_step.h"

#include <string.h>

enum { RESULT_MAX = 512 * 1024 };

/* ---- search ---------------------------------------------------------- */

int
number_ask_search(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	const struct json *want = json_get(in->prepared, "want");
	struct twilio_search s = { .country = json_str(want, "country_code"),
		.type = json_str(want, "number_type"),
		.area_code = json_str(want, "area_code"),
		.contains = json_str(want, "contains"),
		.region = json_str(want, "region"),
		.locality = json_str(want, "locality"),
		.page_size = (int)json_int(want, "page_size", 20) };

	return twilio_number_search(m, &s, ret);
}

void
number_read_search(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret)
{
	CLEANUP(text_clear) struct text list = TEXT(TWILIO_CANDIDATES_MAX);
	CLEANUP(text_clear) struct text t = TEXT(RESULT_MAX);
	int64_t size = json_int(json_get(in->prepared, "want"), "page_size", 20);
	struct outcome o;

	twilio_answer(m, a, &o);
	outcome_step_refused(m, &o, ret);
	if (o.result != OUTCOME_OK)
		return;
	if (!twilio_number_candidates(&list, o.body) || !text_ok(&list)) {
		ret->verdict = STEP_RETRY;
		ret->reason = "unreadable";
		return;
	}
	number_put_raw(&t, "candidates", text_str(&list));
	number_put_raw(&t, "full",
	    (int64_t)json_len(json_get(o.body, "available_phone_numbers")) >= size ? "true" :
										     "false");
	number_done(m, &t, ret);
}

/* ---- buy ------------------------------------------------------------- */

static struct twilio_number_setup
setup_at_twilio(struct mem *m, const struct step_in *in)
{
	return (struct twilio_number_setup){ .mark = number_mark(m, in),
		.status_url = twilio_webhook_url(m, "/status"),
		.sms_url = twilio_webhook_url(m, "/sms"),
		.fallback_url = twilio_webhook_url(m, "/voice") };
}

int
number_ask_buy(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	struct twilio_number_setup s = setup_at_twilio(m, in);

	return twilio_number_buy(m, number_told(in, "number"), &s, ret);
}

static void
bought(struct mem *m, const struct twilio_number *n, struct step_out *ret)
{
	CLEANUP(text_clear) struct text t = TEXT(4096);

	number_put(&t, "sid", n->sid);
	number_put(&t, "account", n->account);
	number_put_raw(&t, "capabilities", n->capabilities);
	number_done(m, &t, ret);
}

void
number_read_buy(struct mem *m, const struct step_in *in UNUSED, const struct fetch_answer *a,
    struct step_out *ret)
{
	struct twilio_number n;
	struct outcome o;

	twilio_answer(m, a, &o);
	outcome_step_refused(m, &o, ret);
	if (o.result == OUTCOME_OK && twilio_number_read(m, o.body, &n)) {
		bought(m, &n, ret);
	} else if (o.result == OUTCOME_OK) {
		ret->verdict = STEP_UNKNOWN;
		ret->reason = "unreadable";
	} else if (o.result == OUTCOME_ABSENT) {
		/* Not the number: the account's own address. */
		*ret = (struct step_out){ .verdict = STEP_RETRY,
			.reason = o.code,
			.retry_after = OUTCOME_AGAIN_SETTINGS };
	}
}

int
number_ask_check(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	return twilio_number_look(m, number_told(in, "number"), ret);
}

/* Is it the account's, and bought for this row? */
void
number_read_check(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret)
{
	CLEANUP(text_clear) struct text t = TEXT(64);
	const char *mark = number_mark(m, in);
	struct twilio_number n;
	struct outcome o;
	bool whole, found;

	twilio_answer(m, a, &o);
	outcome_step(&o, ret);
	if (o.result != OUTCOME_OK)
		return;
	found = twilio_number_find(m, o.body, number_told(in, "number"), &whole, &n);
	if (found && mark && strcmp(mark, n.mark) == 0) {
		bought(m, &n, ret);
	} else if (found) {
		number_refused(m, "number_not_ours", ret);
	} else if (whole) {
		number_put_raw(&t, "absent", "true");
		number_done(m, &t, ret);
	} else {
		ret->verdict = STEP_UNKNOWN;
		ret->reason = "unreadable";
	}
}

/* ---- configure and release, at Twilio ---------------------------------- */

/* Not there, but we asked another account than the one that it was bought for: there it may be, and
 * is paid for. */
static bool
is_elsewhere(const struct step_in *in, const struct outcome *o, struct step_out *ret)
{
	const char *account = number_told(in, "twilio_account");
	const char *ours = setting_str(SET_TWILIO_ACCOUNT_SID);

	if (o->result != OUTCOME_ABSENT || !account || (ours && strcmp(account, ours) == 0))
		return false;
	*ret = (struct step_out){ .verdict = STEP_RETRY,
		.reason = "other_account",
		.retry_after = OUTCOME_AGAIN_SETTINGS };
	return true;
}

int
number_ask_configure(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	struct twilio_number_setup s = setup_at_twilio(m, in);

	return twilio_number_update(m, number_told(in, "sid"), &s, ret);
}

void
number_read_configure(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret)
{
	CLEANUP(text_clear) struct text t = TEXT(4096);
	struct outcome o;

	twilio_answer(m, a, &o);
	outcome_step(&o, ret);
	if ((o.result != OUTCOME_OK && o.result != OUTCOME_FAILED && o.result != OUTCOME_ABSENT) ||
	    is_elsewhere(in, &o, ret))
		return;
	number_put_version(&t, in);
	if (o.result != OUTCOME_OK)
		number_put(&t, "refused", o.code);
	number_done(m, &t, ret);
}

int
number_ask_release(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	return twilio_number_release(m, number_told(in, "sid"), ret);
}

void
number_read_release(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret)
{
	struct outcome o;

	twilio_answer(m, a, &o);
	if (!is_elsewhere(in, &o, ret))
		number_gone(m, &o, ret);
}
