"""Periods of subscriptions: months and years from an anchor, in UTC, and shares of a period by seconds."""
import calendar
from datetime import datetime, timezone
from decimal import ROUND_HALF_UP, Decimal

SECONDS = {"day": 86400, "week": 7 * 86400}


def add(anchor, interval, count):
    """The anchor, so many intervals later; the 31st becomes a shorter month's last day, and is the 31st again after it."""
    if interval in SECONDS:
        return anchor + SECONDS[interval] * count
    at = datetime.fromtimestamp(anchor, timezone.utc)
    month = at.month - 1 + count * (12 if interval == "year" else 1)
    year, month = at.year + month // 12, month % 12 + 1
    day = min(at.day, calendar.monthrange(year, month)[1])
    return int(at.replace(year=year, month=month, day=day).timestamp())


def period(anchor, recurring, number):
    """Start and end of the period with this number, counted from 0 at the anchor."""
    step = recurring["interval_count"]
    return (add(anchor, recurring["interval"], number * step), add(anchor, recurring["interval"], (number + 1) * step))


def whole(amount):
    """An amount in the smallest unit, halves away from zero."""
    return int(Decimal(amount).quantize(Decimal(1), ROUND_HALF_UP))


def share(amount, start, end, at):
    """What of an amount falls to the seconds from "at" to the end of the period."""
    if end <= start:
        return 0
    return whole(Decimal(amount) * (end - max(at, start)) / (end - start))
