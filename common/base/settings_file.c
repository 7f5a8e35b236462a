/*
 * settings_file.c - NAME=value lines: # begins a comment, a value may stand in single or double
 * quotes.
 *
 * Nothing is expanded and quotes know no escapes: what stands there is meant.
 */
#include "base/settings_file.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"

enum { FILE_MAX_BYTES = 128 * 1024 };

static const char blanks[] = " \t\r";

/* The whole file as text in m, NULL with errno. */
static char *
read_all(struct mem *m, const char *path)
{
	CLEANUP(base_fclosep) FILE *f = fopen(path, "re");
	CLEANUP(text_clear) struct text t = TEXT(FILE_MAX_BYTES);
	char buf[4096];
	size_t n;

	if (!f)
		return NULL;
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		text_put(&t, buf, n);
	if (ferror(f))
		return NULL;
	if (!text_ok(&t) || memchr(text_str(&t), '\0', t.len)) {
		errno = text_ok(&t) ? EILSEQ : EFBIG;
		return NULL;
	}
	return mem_dup(m, text_str(&t), t.len);
}

/* Cuts blanks off both ends. */
static char *
trim(char *s)
{
	size_t n;

	s += strspn(s, blanks);
	for (n = strlen(s); n > 0 && strchr(blanks, s[n - 1]); n--)
		s[n - 1] = '\0';
	return s;
}

/* The value of what stands behind the equals sign; NULL when its quotes are wrong. */
static char *
value_of(char *s)
{
	char *end, *behind;

	if (s[0] == '"' || s[0] == '\'') {
		end = strchr(s + 1, s[0]);
		if (!end)
			return NULL;
		*end = '\0';
		behind = end + 1 + strspn(end + 1, blanks);
		return *behind == '\0' || *behind == '#' ? s + 1 : NULL;
	}
	for (end = s; *end; end++) {
		if (*end == '#' && (end == s || strchr(blanks, end[-1]))) {
			*end = '\0';
			break;
		}
	}
	return trim(s);
}

static bool
is_name(const char *s)
{
	size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");

	return n > 0 && s[n] == '\0' && (s[0] < '0' || s[0] > '9');
}

/* One line into f; what is wrong with it, NULL when nothing is. */
static const char *
read_line(char *line, struct settings_file *f)
{
	char *name = trim(line), *value, *equals;

	if (name[0] == '\0' || name[0] == '#')
		return NULL;
	equals = strchr(name, '=');
	if (!equals)
		return "is not of the form NAME=value";
	*equals = '\0';
	name = trim(name);
	if (!is_name(name))
		return "is not of the form NAME=value";
	value = value_of(trim(equals + 1));
	if (!value)
		return "the quotes do not match";
	if (settings_file_get(f, name))
		return "sets a name for the second time";
	if (f->n == SETTINGS_LINES_MAX)
		return "is one setting too many";
	f->lines[f->n++] = (struct settings_line){ name, value };
	return NULL;
}

int
settings_file_read(struct mem *m, const char *path, settings_complain *complain,
    struct settings_file *ret)
{
	char *p = read_all(m, path), *end;
	const char *why;
	char where[32];
	int number = 0, bad = 0;

	if (!p)
		return complain("HOOKSWITCH_CONF", strerror(errno));
	while (p) {
		end = strchr(p, '\n');
		if (end)
			*end = '\0';
		why = read_line(p, ret);
		snprintf(where, sizeof(where), "HOOKSWITCH_CONF:%d", ++number);
		if (why)
			bad = complain(where, why);
		p = end ? end + 1 : NULL;
	}
	return bad;
}

const char *
settings_file_get(const struct settings_file *f, const char *name)
{
	size_t i;

	for (i = 0; i < f->n; i++) {
		if (strcmp(f->lines[i].name, name) == 0)
			return f->lines[i].value;
	}
	return NULL;
}
