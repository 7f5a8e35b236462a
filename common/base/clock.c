/*
 * clock.c - clocks, and times as text.
 */
#include "base/clock.h"

#include <string.h>
#include <time.h>

/* The years 1 to 9999: RFC 3339 has no more digits, and PostgreSQL no year 0. */
static const int64_t first_second = -62135596800, last_second = 253402300799;

static int64_t
clock_us(clockid_t id)
{
	struct timespec ts;

	if (clock_gettime(id, &ts) != 0)
		return 0;
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t
clock_wall_ms(void)
{
	return clock_us(CLOCK_REALTIME) / 1000;
}

int64_t
clock_steady_ms(void)
{
	return clock_us(CLOCK_BOOTTIME) / 1000;
}

int64_t
clock_steady_us(void)
{
	return clock_us(CLOCK_BOOTTIME);
}

char *
clock_format(int64_t wall_ms, char *buf)
{
	int64_t ms = wall_ms % 1000;
	time_t sec;
	struct tm tm;

	if (ms < 0)
		ms += 1000;
	sec = (time_t)((wall_ms - ms) / 1000);
	if (sec < first_second || sec > last_second || !gmtime_r(&sec, &tm)) {
		/* Nothing of ours lies outside. */
		snprintf(buf, CLOCK_TEXT_MAX, "9999-12-31T23:59:59.999Z");
		return buf;
	}
	strftime(buf, CLOCK_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
	/* glibc writes the year 7 as "7". */
	if (tm.tm_year + 1900 < 1000)
		snprintf(buf, CLOCK_TEXT_MAX, "%04u-%02u-%02uT%02u:%02u:%02u",
		    (unsigned)(tm.tm_year + 1900) % 10000u, (unsigned)(tm.tm_mon + 1) % 100u,
		    (unsigned)tm.tm_mday % 100u, (unsigned)tm.tm_hour % 100u,
		    (unsigned)tm.tm_min % 100u, (unsigned)tm.tm_sec % 100u);
	snprintf(buf + 19, CLOCK_TEXT_MAX - 19, ".%03uZ", (unsigned)ms % 1000u);
	return buf;
}

/* n digits at s as a number; -1 when one is none. */
static int
digits(const char *s, size_t n)
{
	int value = 0;

	while (n-- > 0) {
		if (*s < '0' || *s > '9')
			return -1;
		value = value * 10 + (*s++ - '0');
	}
	return value;
}

static int
days_in_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

/* Checks the six parts and gives Unix seconds. */
static int
to_seconds(int year, int month, int day, const char *hms, int64_t *ret)
{
	int hour = digits(hms, 2), minute = digits(hms + 3, 2), second = digits(hms + 6, 2);
	struct tm tm = { 0 };

	if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
		return -1;
	/* 60 is a leap second: the next minute's first. */
	if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
		return -1;
	if (hms[2] != ':' || hms[5] != ':')
		return -1;

	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	tm.tm_mday = day;
	tm.tm_hour = hour;
	tm.tm_min = minute;
	tm.tm_sec = second;
	*ret = (int64_t)timegm(&tm);
	return 0;
}

/* The fraction at s (".25"), cut to milliseconds; how many bytes it takes, 0 when there is none, -1
 * when it is wrong. */
static int
fraction(const char *s, size_t n, int *ms)
{
	static const int worth[] = { 100, 10, 1 };
	size_t i;

	*ms = 0;
	if (n == 0 || s[0] != '.')
		return 0;
	for (i = 1; i < n && s[i] >= '0' && s[i] <= '9'; i++) {
		if (i <= COUNT(worth))
			*ms += (s[i] - '0') * worth[i - 1];
	}
	return i > 1 ? (int)i : -1;
}

/* "Z" or "+05:30" in seconds east of UTC. */
static int
offset(const char *s, size_t n, int *ret)
{
	int hour, minute;

	if (n == 1 && (s[0] == 'Z' || s[0] == 'z')) {
		*ret = 0;
		return 0;
	}
	if (n != 6 || (s[0] != '+' && s[0] != '-') || s[3] != ':')
		return -1;
	hour = digits(s + 1, 2);
	minute = digits(s + 4, 2);
	if (hour < 0 || hour > 23 || minute < 0 || minute > 59)
		return -1;
	*ret = (hour * 60 + minute) * (s[0] == '-' ? -60 : 60);
	return 0;
}

int
clock_parse(const char *s, size_t n, int64_t *ret)
{
	int64_t sec;
	int ms, frac, east;

	/* A sane length also keeps the fraction's counting small. */
	if (n < 20 || n > 64 || s[4] != '-' || s[7] != '-' || (s[10] != 'T' && s[10] != 't'))
		return -1;
	if (to_seconds(digits(s, 4), digits(s + 5, 2), digits(s + 8, 2), s + 11, &sec) != 0)
		return -1;
	frac = fraction(s + 19, n - 19, &ms);
	if (frac < 0 || offset(s + 19 + frac, n - 19 - (size_t)frac, &east) != 0)
		return -1;

	/* The offset may lead out of the years that can be said. */
	if (sec - east < first_second || sec - east > last_second)
		return -1;
	*ret = (sec - east) * 1000 + ms;
	return 0;
}

int
clock_parse_http_date(const char *s, int64_t *ret)
{
	static const char days[] = "Mon, Tue, Wed, Thu, Fri, Sat, Sun, ";
	static const char months[] = " Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec ";
	char day[6] = "", month[6] = "";
	const char *at_day, *at_month;
	int64_t sec;

	if (strlen(s) != 29 || strcmp(s + 25, " GMT") != 0 || s[16] != ' ')
		return -1;
	memcpy(day, s, 5);
	memcpy(month, s + 7, 5);
	at_day = strstr(days, day);
	at_month = strstr(months, month);
	if (!at_day || (at_day - days) % 5 != 0 || !at_month || (at_month - months) % 4 != 0)
		return -1;
	if (to_seconds(digits(s + 12, 4), (int)(at_month - months) / 4 + 1, digits(s + 5, 2),
		s + 17, &sec) != 0)
		return -1;

	*ret = sec * 1000;
	return 0;
}
