/*
 * twilio_number.c - numbers at Twilio: the requests about them, and what is read of the answers.
 */
#include "peers/twilio_number.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

static const char numbers_path[] = "/IncomingPhoneNumbers.json";

/* ---- search ---------------------------------------------------------- */

static const struct {
	const char *type, *path;
} types[] = { { "local", "Local" }, { "toll-free", "TollFree" }, { "mobile", "Mobile" } };

static const char *
search_path(struct mem *m, const struct twilio_search *s)
{
	const char *c = s->country, *type = s->type ? s->type : types[0].type;

	if (c && strlen(c) == 2 && isupper((unsigned char)c[0]) && isupper((unsigned char)c[1])) {
		for (size_t i = 0; i < COUNT(types); i++) {
			if (strcmp(types[i].type, type) == 0)
				return mem_printf(m, "/AvailablePhoneNumbers/%s/%s.json", c,
				    types[i].path);
		}
	}
	errno = EINVAL;
	return NULL;
}

static void
put_flag(struct twilio_form *f, const char *name, bool wanted)
{
	twilio_put(f, name, wanted ? "true" : NULL);
}

int
twilio_number_search(struct mem *m, const struct twilio_search *s, struct fetch_request *ret)
{
	CLEANUP(twilio_form_clear) struct twilio_form f = TWILIO_FORM;
	int size = s->page_size < TWILIO_PAGE_MAX ? s->page_size : TWILIO_PAGE_MAX;

	twilio_put(&f, "AreaCode", s->area_code);
	twilio_put(&f, "Contains", s->contains);
	twilio_put(&f, "InRegion", s->region);
	twilio_put(&f, "InLocality", s->locality);
	twilio_put(&f, "InPostalCode", s->postal_code);
	put_flag(&f, "VoiceEnabled", true);
	put_flag(&f, "SmsEnabled", s->sms);
	put_flag(&f, "MmsEnabled", s->mms);
	put_flag(&f, "FaxEnabled", s->fax);
	put_flag(&f, "ExcludeAllAddressRequired", true);
	if (size > 0)
		twilio_put_int(&f, "PageSize", size);
	return twilio_get(m, search_path(m, s), &f, ret);
}

static const char *const capability_names[] = { "voice", "sms", "mms", "fax" };

struct capabilities {
	const struct json *told;
	bool can[COUNT(capability_names)];
};

/* Their names come in capitals, too. */
static int
take_capability(void *arg, const char *name, const struct json *value UNUSED)
{
	struct capabilities *c = arg;

	for (size_t i = 0; i < COUNT(capability_names); i++) {
		if (strcasecmp(capability_names[i], name) == 0)
			c->can[i] = json_bool(c->told, name, false);
	}
	return 0;
}

static struct capabilities
capabilities_of(const struct json *number)
{
	struct capabilities c = { .told = json_get(number, "capabilities") };

	if (json_type(c.told) == JSON_OBJECT)
		json_each(c.told, take_capability, &c);
	return c;
}

static void
put_capabilities(struct text *t, const struct capabilities *c)
{
	for (size_t i = 0; i < COUNT(capability_names); i++)
		text_printf(t, "%c\"%s\":%s", i > 0 ? ',' : '{', capability_names[i],
		    c->can[i] ? "true" : "false");
	text_putc(t, '}');
}

static void
put_member(struct text *t, const char *name, const char *value)
{
	text_printf(t, "\"%s\":", name);
	text_json(t, value);
	text_putc(t, ',');
}

/* What it takes to have it is more than a request. */
static bool
is_simple(const struct json *number)
{
	const char *address = json_str(number, "address_requirements");

	return json_str(number, "phone_number") && !json_bool(number, "beta", false) &&
	    (!address || strcmp(address, "none") == 0);
}

static void
put_candidate(struct text *t, const struct json *j, const struct capabilities *c)
{
	put_member(t, "phone_number", json_str(j, "phone_number"));
	put_member(t, "friendly_name", json_str(j, "friendly_name"));
	put_member(t, "locality", json_str(j, "locality"));
	put_member(t, "region", json_str(j, "region"));
	put_member(t, "postal_code", json_str(j, "postal_code"));
	put_member(t, "country_code", json_str(j, "iso_country"));
	text_puts(t, "\"capabilities\":");
	put_capabilities(t, c);
}

bool
twilio_number_candidates(struct text *t, const struct json *body)
{
	const struct json *list = json_get(body, "available_phone_numbers");
	bool first = true;

	if (json_type(list) != JSON_ARRAY)
		return false;
	text_putc(t, '[');
	for (size_t i = 0; i < json_len(list); i++) {
		const struct json *j = json_at(list, i);
		struct capabilities c = capabilities_of(j);

		if (!is_simple(j) || !c.can[0])
			continue;
		text_puts(t, first ? "{" : ",{");
		put_candidate(t, j, &c);
		text_putc(t, '}');
		first = false;
	}
	text_putc(t, ']');
	return true;
}

/* ---- a number of ours ------------------------------------------------ */

static bool
is_number(const char *s)
{
	size_t n = s && s[0] == '+' ? strspn(s + 1, "0123456789") : 0;

	return n >= 7 && n <= 15 && s[1] != '0' && s[n + 1] == '\0';
}

static void
put_setup(struct twilio_form *f, const struct twilio_number_setup *s)
{
	twilio_put(f, "FriendlyName", s->mark);
	twilio_put(f, "StatusCallback", s->status_url);
	twilio_put(f, "StatusCallbackMethod", s->status_url ? "POST" : NULL);
	twilio_put(f, "SmsUrl", s->sms_url);
	twilio_put(f, "SmsMethod", s->sms_url ? "POST" : NULL);
	twilio_put(f, "VoiceFallbackUrl", s->fallback_url);
	twilio_put(f, "VoiceFallbackMethod", s->fallback_url ? "POST" : NULL);
}

int
twilio_number_buy(struct mem *m, const char *number, const struct twilio_number_setup *s,
    struct fetch_request *ret)
{
	CLEANUP(twilio_form_clear) struct twilio_form f = TWILIO_FORM;

	twilio_put(&f, "PhoneNumber", number);
	put_setup(&f, s);
	return twilio_post(m, is_number(number) ? numbers_path : NULL, &f, ret);
}

static const char *
number_path(struct mem *m, const char *sid)
{
	return twilio_path(m, "/IncomingPhoneNumbers/", sid, ".json");
}

int
twilio_number_update(struct mem *m, const char *sid, const struct twilio_number_setup *s,
    struct fetch_request *ret)
{
	CLEANUP(twilio_form_clear) struct twilio_form f = TWILIO_FORM;

	put_setup(&f, s);
	return twilio_post(m, number_path(m, sid), &f, ret);
}

int
twilio_number_look(struct mem *m, const char *number, struct fetch_request *ret)
{
	CLEANUP(twilio_form_clear) struct twilio_form f = TWILIO_FORM;

	twilio_put(&f, "PhoneNumber", number);
	return twilio_get(m, is_number(number) ? numbers_path : NULL, &f, ret);
}

int
twilio_number_get(struct mem *m, const char *sid, struct fetch_request *ret)
{
	return twilio_get(m, number_path(m, sid), NULL, ret);
}

int
twilio_number_release(struct mem *m, const char *sid, struct fetch_request *ret)
{
	return twilio_delete(m, number_path(m, sid), ret);
}

int
twilio_number_list(struct mem *m, struct fetch_request *ret)
{
	CLEANUP(twilio_form_clear) struct twilio_form f = TWILIO_FORM;

	twilio_put_int(&f, "PageSize", TWILIO_PAGE_MAX);
	return twilio_get(m, numbers_path, &f, ret);
}

static const char *
told(const struct json *j, const char *name)
{
	const char *s = json_str(j, name);

	return s ? s : "";
}

bool
twilio_number_read(struct mem *m, const struct json *j, struct twilio_number *ret)
{
	CLEANUP(text_clear) struct text t = TEXT(256);
	struct capabilities c = capabilities_of(j);
	struct twilio_number n = { .sid = told(j, "sid"),
		.number = told(j, "phone_number"),
		.account = told(j, "account_sid"),
		.mark = told(j, "friendly_name"),
		.voice_url = told(j, "voice_url"),
		.sms_url = told(j, "sms_url"),
		.status_url = told(j, "status_callback"),
		.fallback_url = told(j, "voice_fallback_url") };

	put_capabilities(&t, &c);
	n.capabilities = text_ok(&t) ? mem_dup(m, text_str(&t), t.len) : NULL;
	if (!twilio_path(m, "/", n.sid, "") || !is_number(n.number) || !n.capabilities)
		return false;
	*ret = n;
	return true;
}

bool
twilio_number_find(struct mem *m, const struct json *body, const char *number, bool *whole,
    struct twilio_number *ret)
{
	const struct json *list = json_get(body, "incoming_phone_numbers");
	struct twilio_number n;

	*whole = json_type(list) == JSON_ARRAY;
	for (size_t i = 0; number && i < json_len(list); i++) {
		if (!twilio_number_read(m, json_at(list, i), &n)) {
			*whole = false;
		} else if (strcmp(n.number, number) == 0) {
			*ret = n;
			return true;
		}
	}
	return false;
}
