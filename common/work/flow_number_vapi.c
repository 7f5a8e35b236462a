/*
 * flow_number_vapi.c - the steps of the workflow "phone-number" that ask Vapi: a number of Twilio's
 * is imported, told of its assistant, unlinked and removed.
 */
#include "work/flow_number_vapi.h"

#include "base/settings.h"
#include "lib/seal.h"
#include "peers/vapi_number.h"
#include "work/flow_number_step.h"
#include "work/outcome_step.h"

#include <string.h>

/* As many letters of our id as tell a person which number it is. */
enum { ID_SHOWN = 8 };

static int
account_of(struct mem *m, const struct step_in *in, struct voice_account *ret)
{
	*ret = (struct voice_account){ .type = NULL };
	return voice_account_read(m, json_get(in->prepared, "account"), ret);
}

/* How Vapi shall have it.  Who proves to know the token speaks of this organization's calls. */
static struct vapi_number_setup
setup_at_vapi(struct mem *m, const struct step_in *in)
{
	const char *url = setting_str(SET_API_URL), *id = json_str(in->input, "number_id");

	return (struct vapi_number_setup){
		.name = mem_printf(m, "hs:%.*s", ID_SHOWN, id ? id : ""),
		.assistant = number_told(in, "assistant"),
		.server_url =
		    url ? mem_printf(m, "%s/api/webhooks/vapi/%s", url, in->organization_id) : NULL,
		.server_token = seal_token(m, SEAL_INBOUND, in->organization_id),
	};
}

/* ---- import ---------------------------------------------------------- */

int
number_ask_import(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	struct vapi_number_setup s = setup_at_vapi(m, in);
	struct voice_account a;

	if (account_of(m, in, &a) < 0)
		return -1;
	return vapi_number_import(m, &a, number_told(in, "number"), &s, ret);
}

/* What it was told, which nobody prepares for a look. */
static void
imported(struct mem *m, const struct step_in *in, const char *id, bool found, struct step_out *ret)
{
	CLEANUP(text_clear) struct text t = TEXT(4096);

	number_put(&t, "id", id);
	number_put(&t, "provider_id", json_str(json_get(in->prepared, "account"), "provider_id"));
	number_put_version(&t, in);
	if (found) {
		number_put_raw(&t, "found", "true");
	} else {
		number_put(&t, "assistant", number_told(in, "assistant"));
		number_put(&t, "assistant_id", number_told(in, "assistant_id"));
	}
	number_done(m, &t, ret);
}

void
number_read_import(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret)
{
	struct outcome o;

	vapi_rest_answer(m, a, &o);
	outcome_step_refused(m, &o, ret);
	if (o.result != OUTCOME_OK)
		return;
	if (vapi_path(m, "/", json_str(o.body, "id"))) {
		imported(m, in, json_str(o.body, "id"), false, ret);
	} else {
		ret->verdict = STEP_UNKNOWN;
		ret->reason = "unreadable";
	}
}

int
number_ask_find(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	struct voice_account a;

	if (account_of(m, in, &a) < 0)
		return -1;
	return vapi_number_list(m, &a, ret);
}

/* Was it imported, whatever was answered? */
void
number_read_find(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret)
{
	CLEANUP(text_clear) struct text t = TEXT(64);
	const char *id;
	struct outcome o;

	vapi_rest_answer(m, a, &o);
	outcome_step(&o, ret);
	if (o.result != OUTCOME_OK)
		return;
	id = vapi_number_find(o.body, number_told(in, "number"));
	if (json_type(o.body) != JSON_ARRAY) {
		ret->verdict = STEP_UNKNOWN;
		ret->reason = "unreadable";
	} else if (id) {
		imported(m, in, id, true, ret);
	} else {
		number_put_raw(&t, "absent", "true");
		number_done(m, &t, ret);
	}
}

/* ---- link and unlink --------------------------------------------------- */

int
number_ask_link(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	struct vapi_number_setup s = setup_at_vapi(m, in);
	struct voice_account a;

	if (account_of(m, in, &a) < 0)
		return -1;
	return vapi_number_update(m, &a, number_told(in, "voice"), &s, ret);
}

void
number_read_link(struct mem *m, const struct step_in *in, const struct fetch_answer *a,
    struct step_out *ret)
{
	CLEANUP(text_clear) struct text t = TEXT(4096);
	struct outcome o;

	vapi_rest_answer(m, a, &o);
	outcome_step_refused(m, &o, ret);
	if (ret->verdict != STEP_DONE)
		return;
	if (o.result == OUTCOME_OK) {
		number_put(&t, "assistant", number_told(in, "assistant"));
		number_put(&t, "assistant_id", number_told(in, "assistant_id"));
	} else {
		number_put(&t, "refused", o.code);
	}
	/* Also of what is refused: something newer may not be. */
	number_put_version(&t, in);
	number_done(m, &t, ret);
}

/* ---- remove ------------------------------------------------------------ */

int
number_ask_remove(struct mem *m, const struct step_in *in, struct fetch_request *ret)
{
	struct voice_account a;

	if (account_of(m, in, &a) < 0)
		return -1;
	return vapi_number_remove(m, &a, number_told(in, "voice"), ret);
}

void
number_read_remove(struct mem *m, const struct step_in *in UNUSED, const struct fetch_answer *a,
    struct step_out *ret)
{
	struct outcome o;

	vapi_rest_answer(m, a, &o);
	number_gone(m, &o, ret);
}
