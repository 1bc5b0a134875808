"""Books meeting rooms. Bookings are kept in bookings.json in the current folder."""

import argparse
import datetime
import json
import re
import sys
from pathlib import Path

from schedule import free_gaps, overlaps

FILE = Path("bookings.json")


class BadTime(Exception):
    pass


def load():
    if FILE.exists():
        return json.loads(FILE.read_text("utf-8"))
    return {"last_number": 0, "bookings": []}


def save(data):
    FILE.write_text(json.dumps(data, indent=2), "utf-8")


def check_date(text):
    try:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            raise ValueError(text)
        datetime.date.fromisoformat(text)
    except ValueError:
        raise BadTime from None


def check_times(start, end):
    for text in (start, end):
        if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", text):
            raise BadTime
    if start >= end:
        raise BadTime


def of_room(data, room, date):
    found = [booking for booking in data["bookings"] if (booking["room"], booking["date"]) == (room, date)]
    return sorted(found, key=lambda booking: booking["start"])


def book(options):
    check_date(options.date)
    check_times(options.start, options.end)
    data = load()
    for booking in of_room(data, options.room, options.date):
        if overlaps(booking["start"], booking["end"], options.start, options.end):
            print(f"conflict with {booking['number']}")
            return 1
    data["last_number"] += 1
    data["bookings"].append(
        {
            "number": data["last_number"],
            "room": options.room,
            "date": options.date,
            "start": options.start,
            "end": options.end,
            "name": options.name,
        }
    )
    save(data)
    print(f"booked {data['last_number']}")
    return 0


def cancel(options):
    data = load()
    left = [booking for booking in data["bookings"] if booking["number"] != options.number]
    if len(left) == len(data["bookings"]):
        print(f"no booking {options.number}")
        return 1
    data["bookings"] = left
    save(data)
    print(f"cancelled {options.number}")
    return 0


def show_list(options):
    check_date(options.date)
    found = [booking for booking in load()["bookings"] if booking["date"] == options.date]
    for booking in sorted(found, key=lambda booking: (booking["room"], booking["start"])):
        print(f"{booking['number']} {booking['room']} {booking['start']}-{booking['end']} {booking['name']}")
    if not found:
        print("nothing booked")
    return 0


def free(options):
    check_date(options.date)
    check_times(options.start, options.end)
    booked = [(booking["start"], booking["end"]) for booking in of_room(load(), options.room, options.date)]
    gaps = free_gaps(booked, options.start, options.end)
    for start, end in gaps:
        print(f"{start}-{end}")
    if not gaps:
        print("nothing free")
    return 0


def read_arguments():
    parser = argparse.ArgumentParser(description="Books meeting rooms.")
    commands = parser.add_subparsers(required=True)
    for name, action, arguments in (
        ("book", book, ("room", "date", "start", "end", "name")),
        ("list", show_list, ("date",)),
        ("free", free, ("room", "date", "start", "end")),
    ):
        command = commands.add_parser(name)
        command.set_defaults(action=action)
        for argument in arguments:
            command.add_argument(argument)
    command = commands.add_parser("cancel")
    command.set_defaults(action=cancel)
    command.add_argument("number", type=int)
    return parser.parse_args()


def main():
    options = read_arguments()
    try:
        return options.action(options)
    except BadTime:
        print("bad time")
        return 2


if __name__ == "__main__":
    sys.exit(main())
