"""Arithmetic of times of one day. Times are texts such as `09:30`, which sort in the order of the day."""


def overlaps(start, end, other_start, other_end):
    return start <= other_end and other_start <= end


def free_gaps(bookings, start, end):
    gaps = []
    free_from = start
    for booked_from, booked_until in sorted(bookings):
        if not overlaps(booked_from, booked_until, start, end):
            continue
        if booked_from > free_from:
            gaps.append((free_from, booked_from))
        free_from = max(free_from, booked_until)
    if free_from < end:
        gaps.append((free_from, end))
    return gaps
