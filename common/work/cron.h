/*
 * cron.h - five fields that name times, in UTC: minute, hour, day of the month, month, day of the
 * week.
 *
 * Each field is '*' or a list of numbers, names (jan, mon) and ranges, with steps: 1-5,10,20-40/5.
 * As everywhere: when both days are restricted, either of them is enough; 7 is Sunday too.
 */
#ifndef WORK_CRON_H
#define WORK_CRON_H

#include "base/base.h"

struct cron {
	uint64_t minutes;
	uint32_t hours, days, months, weekdays; /* bit n: n is in the list */
	bool any_day, any_weekday;              /* the field began with a star */
};

/* cron_read: reads five fields; -1 with errno EINVAL, and *ret is not written. */
int cron_read(const char *text, struct cron *ret);
/* cron_next: the first slot after a time (seconds of the epoch); -1 when none comes in 40 years. */
int64_t cron_next(const struct cron *c, int64_t after);

#endif
