"""Keeps the library in library.json in the current folder."""

import json
from pathlib import Path

FILE = Path("library.json")


def load():
    """Books by code, names of members, and loans that are not returned."""
    if FILE.exists():
        return json.loads(FILE.read_text("utf-8"))
    return {"books": {}, "members": [], "loans": []}


def save(library):
    FILE.write_text(json.dumps(library, indent=2), "utf-8")
