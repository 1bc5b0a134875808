"""Due dates and fines. Dates are texts such as `2026-03-01`."""

import datetime
import re

LOAN_DAYS = 14
FINE_CENTS_A_DAY = 20


def parse_date(text):
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise ValueError(f"bad date: {text}")
    return datetime.date.fromisoformat(text)


def due_date(date):
    return (parse_date(date) + datetime.timedelta(days=LOAN_DAYS)).isoformat()


def days_late(due, date):
    return max(0, (parse_date(date) - parse_date(due)).days)


def fine_cents(due, returned):
    return days_late(due, returned) * FINE_CENTS_A_DAY
