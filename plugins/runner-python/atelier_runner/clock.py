"""A clock that only sleeps move and randomness from one seed, because a run must end the same way each time."""

import datetime
import gc
import hashlib
import random
import sys
import time
from typing import Any, Callable

START = 1_767_225_600_000_000_000
STEP = 1_000
SEED = b"atelier"

LOCALTIME, GMTIME, STRFTIME, ASCTIME = time.localtime, time.gmtime, time.strftime, time.asctime


class Clock:
    """Nanoseconds since 2026-01-01T00:00:00Z; a microsecond passes a look, and more by sleeping."""

    def __init__(self) -> None:
        self.passed = 0

    def now(self) -> int:
        self.passed += STEP
        return START + self.passed

    def peek(self) -> int:
        return START + self.passed

    def since(self) -> int:
        self.passed += STEP
        return self.passed

    def sleep(self, seconds: float) -> None:
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        self.passed += int(seconds * 1e9)


class Dice:
    """Bytes that look random and are the same in every run."""

    def __init__(self) -> None:
        self.turn = 0

    def bytes(self, size: int) -> bytes:
        if size < 0:
            raise ValueError("negative argument not allowed")
        self.turn += 1
        return hashlib.shake_128(SEED + self.turn.to_bytes(8, "little")).digest(size)


def functions(clock: Clock) -> dict[str, Callable]:
    """Replacements by their names in `time`."""
    def moment(seconds: Any) -> float:
        return clock.now() / 1e9 if seconds is None else seconds

    named: dict[str, Callable] = {
        "time": lambda: clock.now() / 1e9, "time_ns": clock.now, "sleep": clock.sleep,
        "gmtime": lambda seconds=None: GMTIME(moment(seconds)),
        "localtime": lambda seconds=None: LOCALTIME(moment(seconds)),
        "ctime": lambda seconds=None: ASCTIME(LOCALTIME(moment(seconds))),
        "asctime": lambda parts=None: ASCTIME(LOCALTIME(moment(None)) if parts is None else parts),
        "strftime": lambda form, parts=None: STRFTIME(form, LOCALTIME(moment(None)) if parts is None else parts),
    }
    for name in ("monotonic", "perf_counter", "process_time", "thread_time"):
        named[name] = lambda: clock.since() / 1e9
        named[name + "_ns"] = clock.since
    return named


def still_datetime(clock: Clock) -> None:
    """Makes `datetime.now` follow the clock; it is compiled code, so its entries in the class are replaced in place."""
    base = datetime.datetime

    def now(cls, tz=None):
        micro = clock.now() // 1_000
        zone = datetime.timezone.utc if tz is not None else None
        moment = cls.fromtimestamp(micro // 1_000_000, zone).replace(microsecond=micro % 1_000_000)
        return moment if tz is None else moment.astimezone(tz)

    def utcnow(cls):
        return now(cls, datetime.timezone.utc).replace(tzinfo=None)

    for referent in gc.get_referents(base.__dict__):
        if isinstance(referent, dict) and "utcnow" in referent:
            referent.update(now=classmethod(now), utcnow=classmethod(utcnow), today=classmethod(lambda cls: now(cls)))
    clear = getattr(sys, "_clear_type_cache", None)
    if clear is not None:
        clear()


def start_random() -> None:
    """The build tool seeds the shared generator afresh in each instance; this takes that back."""
    random.seed(20260101)


def seed_random(dice: Dice) -> None:
    """Unseeded generators start from the dice instead of the host."""
    original = random.Random.seed

    def seed(self, a=None, version=2):
        original(self, int.from_bytes(dice.bytes(32), "big") if a is None else a, version)

    random.Random.seed = seed
    random._urandom = dice.bytes
