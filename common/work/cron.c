/*
 * cron.c - reading five fields, and finding the next time that fits them.
 */
#include "work/cron.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { DAY_S = 86400, DAYS_MAX = 40 * 366 };

static const char *const months[] = { "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep",
	"oct", "nov", "dec", NULL };
static const char *const weekdays[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL };

/* One of the five: its numbers go from low to high. */
struct kind {
	int low, high;
	const char *const *names; /* of low, low + 1, ...; NULL: none */
};

static const struct kind kinds[5] = { { 0, 59, NULL }, { 0, 23, NULL }, { 1, 31, NULL },
	{ 1, 12, months }, { 0, 7, weekdays } };

/* ---- reading ----------------------------------------------------------- */

/* A number or a name at *s, which goes on behind it; -1 when there is none. */
static int
read_value(const struct kind *k, const char **s)
{
	int n = 0, digits = 0;
	size_t i;

	for (i = 0; k->names && k->names[i]; i++) {
		if (strncasecmp(*s, k->names[i], 3) == 0) {
			*s += 3;
			return k->low + (int)i;
		}
	}
	for (; **s >= '0' && **s <= '9' && digits < 4; (*s)++, digits++)
		n = n * 10 + (**s - '0');
	return digits > 0 ? n : -1;
}

/* One part of a list: a star, a value or a range, and perhaps a step. */
static int
read_part(const struct kind *k, const char **s, uint64_t *bits)
{
	int from = k->low, to = k->high, step = 1;
	bool single = false;

	if (**s == '*') {
		(*s)++;
	} else {
		from = to = read_value(k, s);
		single = **s != '-';
		if (!single && (*s)++)
			to = read_value(k, s);
	}
	if (**s == '/') {
		(*s)++;
		step = read_value(&(struct kind){ 1, 59, NULL }, s);
		/* 5/10 is from 5 on. */
		to = single ? k->high : to;
	}
	if (from < k->low || to > k->high || from > to || step < 1)
		return -1;
	for (; from <= to; from += step)
		*bits |= UINT64_C(1) << from;
	return 0;
}

static int
read_field(const struct kind *k, const char **s, uint64_t *ret, bool *star)
{
	*ret = 0;
	*star = **s == '*';
	for (;;) {
		if (read_part(k, s, ret) == -1)
			return -1;
		if (**s != ',')
			break;
		(*s)++;
	}
	if (**s && !strchr(" \t", **s))
		return -1;
	*s += strspn(*s, " \t");
	return 0;
}

int
cron_read(const char *text, struct cron *ret)
{
	uint64_t bits[5];
	bool star[5];
	const char *s = text ? text + strspn(text, " \t") : "";
	size_t i;

	for (i = 0; i < COUNT(kinds); i++) {
		if (read_field(&kinds[i], &s, &bits[i], &star[i]) == -1) {
			errno = EINVAL;
			return -1;
		}
	}
	if (*s) {
		errno = EINVAL;
		return -1;
	}
	*ret = (struct cron){ .minutes = bits[0],
		.hours = (uint32_t)bits[1],
		.days = (uint32_t)bits[2],
		.months = (uint32_t)bits[3],
		.weekdays = (uint32_t)((bits[4] | bits[4] >> 7) & 0x7f),
		.any_day = star[2],
		.any_weekday = star[4] };
	return 0;
}

/* ---- the next slot ------------------------------------------------------- */

static bool
day_fits(const struct cron *c, const struct tm *t)
{
	bool day = c->days >> t->tm_mday & 1, weekday = c->weekdays >> t->tm_wday & 1;

	if (!(c->months >> (t->tm_mon + 1) & 1))
		return false;
	return c->any_day || c->any_weekday ? day && weekday : day || weekday;
}

/* The first minute of the day from `from` on that fits; -1: none. */
static int
minute_of_day(const struct cron *c, int from)
{
	for (; from < 1440; from++) {
		if ((c->hours >> (from / 60) & 1) && (c->minutes >> (from % 60) & 1))
			return from;
	}
	return -1;
}

int64_t
cron_next(const struct cron *c, int64_t after)
{
	int64_t start = (after / 60 + 1) * 60, day = start / DAY_S;
	int from = (int)(start % DAY_S / 60), i, minute;

	for (i = 0; i < DAYS_MAX; i++, day++, from = 0) {
		time_t at = (time_t)(day * DAY_S);
		struct tm t;

		if (!gmtime_r(&at, &t) || !day_fits(c, &t))
			continue;
		minute = minute_of_day(c, from);
		if (minute != -1)
			return day * DAY_S + (int64_t)minute * 60;
	}
	return -1;
}
