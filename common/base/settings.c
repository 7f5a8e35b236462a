/*
 * settings.c - reads the settings once at the start and checks them all.
 */
#include "base/settings.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/settings_file.h"
#include "base/text.h"

enum type { STR, SECRET, INT, URL, BOOL };

enum { REASON_MAX = 200, SETTINGS_MAX_BYTES = 512 * 1024 };

struct info {
	const char *name;
	enum type type;
	const char *dflt;
	int64_t min;
	int64_t max;
	const char *doc;
};

static const struct info infos[SET_COUNT] = {
#define SETTING(name, type, dflt, min, max, doc) { #name, type, dflt, min, max, doc },
#include "base/settings.def"
#undef SETTING
};

/* Written by settings_load only, before there are threads. */
static struct {
	struct mem *mem;
	const char *str[SET_COUNT]; /* NULL: not set */
	int64_t num[SET_COUNT];
} values;

static int wrong(char reason[REASON_MAX], const char *fmt, ...) PRINTF_LIKE(2, 3);

static int
wrong(char reason[REASON_MAX], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, REASON_MAX, fmt, ap);
	va_end(ap);
	return -1;
}

static int
check_int(const struct info *in, const char *s, int64_t *ret, char reason[REASON_MAX])
{
	char *end;
	long long v;

	errno = 0;
	v = strtoll(s, &end, 10);
	if (strspn(s, "-0123456789") != strlen(s) || *end != '\0' || end == s || errno != 0)
		return wrong(reason, "'%.40s' is not a whole number", s);
	if (v < in->min || v > in->max)
		return wrong(reason, "%lld is not between %lld and %lld", v, (long long)in->min,
		    (long long)in->max);
	*ret = v;
	return 0;
}

static int
check_bool(const char *s, int64_t *ret, char reason[REASON_MAX])
{
	static const char *const words[] = { "off", "on", "false", "true", "0", "1" };
	size_t i;

	for (i = 0; i < COUNT(words); i++) {
		if (strcasecmp(words[i], s) == 0) {
			*ret = i % 2;
			return 0;
		}
	}
	return wrong(reason, "'%.40s' is not on or off", s);
}

/* The address may hold a key, so the reason does not repeat it. */
static int
check_url(const char *s, const char **ret, char reason[REASON_MAX])
{
	const char *host = NULL;
	size_t n = strlen(s);

	if (strncasecmp(s, "https://", 8) == 0)
		host = s + 8;
	else if (strncasecmp(s, "http://", 7) == 0)
		host = s + 7;
	if (!host)
		return wrong(reason, "does not begin with http:// or https://");
	if (host[0] == '\0' || host[0] == '/' || host[0] == ':')
		return wrong(reason, "names no host");
	if (strpbrk(s, " ?#\"<>\\"))
		return wrong(reason, "holds a blank, a quote, ? or #");

	while (s[n - 1] == '/')
		n--;
	*ret = mem_dup(values.mem, s, n);
	return *ret ? 0 : wrong(reason, "is too long");
}

static int
check_text(enum setting set, const char *s, char reason[REASON_MAX])
{
	if (set == SET_HOOKSWITCH_LOG_LEVEL && log_level_by_name(s) < 0)
		return wrong(reason, "'%.40s' is not debug, info, warn or error", s);
	return 0;
}

/* Checks the text s and takes it as the value. */
static int
set_value(enum setting set, const char *s, char reason[REASON_MAX])
{
	const struct info *in = &infos[set];
	const char *p;

	for (p = s; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return wrong(reason, "holds a control character");
	}
	values.str[set] = mem_str(values.mem, s);
	if (!values.str[set])
		return wrong(reason, "is too long");

	switch (in->type) {
	case INT:
		return check_int(in, s, &values.num[set], reason);
	case BOOL:
		return check_bool(s, &values.num[set], reason);
	case URL:
		return check_url(s, &values.str[set], reason);
	default:
		return check_text(set, s, reason);
	}
}

static int
complain(const char *name, const char *reason)
{
	char quoted[REASON_MAX + 16];

	log_line(LOG_ERROR, "event=wrong_setting setting=%s reason=%s", name,
	    log_quote(reason, quoted, sizeof(quoted)));
	return -1;
}

/* The environment's value, else the file's, else the default.  Set but empty in the environment
 * means the default. */
static int
load_one(enum setting set, const struct settings_file *file)
{
	const struct info *in = &infos[set];
	const char *s = getenv(in->name);
	char reason[REASON_MAX];

	if (!s)
		s = settings_file_get(file, in->name);
	if (!s || s[0] == '\0')
		s = in->dflt;
	if (s[0] == '\0' || set_value(set, s, reason) == 0)
		return 0;
	values.str[set] = NULL;
	return complain(in->name, reason);
}

static bool
is_known(const char *name)
{
	int i;

	for (i = 0; i < SET_COUNT; i++) {
		if (strcmp(infos[i].name, name) == 0)
			return true;
	}
	return false;
}

/* A name of ours that is none is a slip of the pen.  Other names may be there for others. */
static int
check_names(const struct settings_file *file)
{
	size_t i;
	int bad = 0;

	for (i = 0; i < file->n; i++) {
		if (strncmp(file->lines[i].name, "HOOKSWITCH_", 11) == 0 &&
		    !is_known(file->lines[i].name))
			bad = complain(file->lines[i].name, "there is no such setting");
	}
	return bad;
}

static int
load_all(void)
{
	struct settings_file file = { 0 };
	const char *conf = getenv("HOOKSWITCH_CONF");
	int set, bad = 0;

	if (conf && conf[0]) {
		if (settings_file_read(values.mem, conf, complain, &file) != 0)
			bad = -1;
		if (check_names(&file) != 0)
			bad = -1;
	}
	for (set = 0; set < SET_COUNT; set++) {
		if (load_one((enum setting)set, &file) != 0)
			bad = -1;
	}
	return bad;
}

int
settings_load(void)
{
	mem_freep(&values.mem);
	memset(&values, 0, sizeof(values));
	values.mem = mem_new(SETTINGS_MAX_BYTES);
	if (!values.mem)
		return complain("all", "memory is out");
	return load_all();
}

int
settings_need(const int *list)
{
	int bad = 0;

	for (; *list >= 0; list++) {
		if (!values.str[*list])
			bad = complain(infos[*list].name, "must be set");
	}
	return bad;
}

const char *
setting_str(enum setting s)
{
	return values.str[s];
}

int64_t
setting_int(enum setting s)
{
	return values.num[s];
}

bool
setting_bool(enum setting s)
{
	return values.num[s] != 0;
}

void
settings_describe(FILE *out)
{
	static const char *const types[] = { "str", "secret", "int", "url", "bool" };
	CLEANUP(text_clear) struct text t = TEXT(64 * 1024);
	const struct info *in;

	for (in = infos; in < infos + SET_COUNT; in++) {
		text_puts(&t, in == infos ? "[" : ",\n ");
		text_puts(&t, "{\"name\":");
		text_json(&t, in->name);
		text_printf(&t, ",\"type\":\"%s\",\"default\":", types[in->type]);
		text_json(&t, in->dflt);
		text_printf(&t, ",\"min\":%lld,\"max\":%lld,\"doc\":", (long long)in->min,
		    (long long)in->max);
		text_json(&t, in->doc);
		text_putc(&t, '}');
	}
	text_puts(&t, "]\n");
	fputs(text_str(&t), out);
}
