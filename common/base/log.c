/*
 * log.c - lines for the log: put together in one buffer and written at once, so that threads and
 * programs do not mix theirs.
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

/* A pipe takes this much in one piece (PIPE_BUF). */
enum { LINE_SIZE = 4096, PROGRAM_SIZE = 32 };

static const char *const level_names[] = { "debug", "info", "warn", "error" };
static char log_program[PROGRAM_SIZE] = "hookswitch";
static enum log_level log_lowest = LOG_INFO;

void
log_open(const char *program, enum log_level lowest)
{
	snprintf(log_program, sizeof(log_program), "%s", program);
	log_lowest = lowest;
}

int
log_level_by_name(const char *name)
{
	size_t i;

	for (i = 0; i < COUNT(level_names); i++) {
		if (strcmp(level_names[i], name) == 0)
			return (int)i;
	}
	return -1;
}

/* One line stays one line, whatever went into it. */
static void
flatten(char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			s[i] = ' ';
	}
}

/* snprintf's answer as the number of bytes that are in a buffer with that much room. */
static size_t
written(int n, size_t room)
{
	if (n < 0)
		return 0;
	return (size_t)n < room ? (size_t)n : room - 1;
}

void
log_line(enum log_level level, const char *fmt, ...)
{
	char line[LINE_SIZE], ts[CLOCK_TEXT_MAX];
	int kept = errno;
	size_t n;
	va_list ap;

	if (level < log_lowest)
		return;
	n = written(snprintf(line, sizeof(line) - 1, "ts=%s level=%s program=%s ",
			clock_format(clock_wall_ms(), ts), level_names[level], log_program),
	    sizeof(line) - 1);
	va_start(ap, fmt);
	n += written(vsnprintf(line + n, sizeof(line) - 1 - n, fmt, ap), sizeof(line) - 1 - n);
	va_end(ap);

	flatten(line, n);
	line[n++] = '\n';
	/* Nothing useful can be done when the log cannot be written. */
	if (write(STDERR_FILENO, line, n) < 0)
		errno = kept;
	errno = kept;
}

static bool
is_plain(unsigned char c)
{
	return c > 0x20 && c < 0x7f && c != '"' && c != '\\' && c != '=';
}

static bool
needs_quotes(const char *s)
{
	const char *p;

	for (p = s; *p; p++) {
		if (!is_plain((unsigned char)*p))
			return true;
	}
	return p == s;
}

/* c as it stands between quotes, into piece; its length. */
static size_t
quote_byte(unsigned char c, char piece[5])
{
	if (c == '"' || c == '\\')
		return (size_t)snprintf(piece, 5, "\\%c", c);
	if (c == '\n')
		return (size_t)snprintf(piece, 5, "\\n");
	if (c < 0x20 || c >= 0x7f)
		return (size_t)snprintf(piece, 5, "\\x%02x", (unsigned)c);
	return (size_t)snprintf(piece, 5, "%c", c);
}

const char *
log_quote(const char *s, char *buf, size_t size)
{
	char piece[5];
	size_t n = 0, len;

	if (!s || size < 4 || !needs_quotes(s)) {
		snprintf(buf, size, "%s", s ? s : "-");
		return buf;
	}
	buf[n++] = '"';
	for (; *s; s++) {
		len = quote_byte((unsigned char)*s, piece);
		if (n + len + 2 > size)
			break;
		memcpy(buf + n, piece, len);
		n += len;
	}
	buf[n++] = '"';
	buf[n] = '\0';
	return buf;
}
