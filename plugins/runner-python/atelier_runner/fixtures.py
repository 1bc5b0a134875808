"""Finds and makes the fixtures of a function test, and holds the built-in ones."""

import builtins
import importlib
import inspect
import io
import logging
import os
import pathlib
import sys
import tempfile
from collections import namedtuple
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, Callable, Iterator, Mapping

__builtins__ = vars(builtins).copy()

Captured = namedtuple("CaptureResult", "out err")
UNSET = object()


class MonkeyPatch:
    """Changes that are taken back after the test."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    @classmethod
    @contextmanager
    def context(cls) -> Iterator["MonkeyPatch"]:
        patch = cls()
        try:
            yield patch
        finally:
            patch.undo()

    def _resolve(self, path: str) -> tuple[Any, str]:
        parts = path.split(".")
        target = importlib.import_module(parts[0])
        for at, part in enumerate(parts[1:-1], 2):
            target = getattr(target, part) if hasattr(target, part) else importlib.import_module(".".join(parts[:at]))
        return target, parts[-1]

    def setattr(self, target: Any, name: Any, value: Any = UNSET, raising: bool = True) -> None:
        if value is UNSET:
            value = name
            target, name = self._resolve(target)
        old = inspect.getattr_static(target, name, UNSET)
        if old is UNSET and raising:
            raise AttributeError(f"{target!r} has no attribute {name!r}")
        own = name in vars(target) if hasattr(target, "__dict__") else old is not UNSET
        self._undo.append(lambda: setattr(target, name, old) if own else delattr(target, name))
        setattr(target, name, value)

    def delattr(self, target: Any, name: Any = UNSET, raising: bool = True) -> None:
        if name is UNSET:
            target, name = self._resolve(target)
        old = inspect.getattr_static(target, name, UNSET)
        if old is UNSET:
            if raising:
                raise AttributeError(name)
            return
        delattr(target, name)
        self._undo.append(lambda: setattr(target, name, old))

    def setitem(self, mapping: Any, key: Any, value: Any) -> None:
        old = mapping.get(key, UNSET)
        self._undo.append(lambda: mapping.__setitem__(key, old) if old is not UNSET else mapping.pop(key, None))
        mapping[key] = value

    def delitem(self, mapping: Any, key: Any, raising: bool = True) -> None:
        if key not in mapping and not raising:
            return
        old = mapping.pop(key)
        self._undo.append(lambda: mapping.__setitem__(key, old))

    def setenv(self, name: str, value: Any, prepend: Any = None) -> None:
        value = str(value)
        if prepend and name in os.environ:
            value = value + prepend + os.environ[name]
        self.setitem(os.environ, name, value)

    def delenv(self, name: str, raising: bool = True) -> None:
        self.delitem(os.environ, name, raising)

    def syspath_prepend(self, path: Any) -> None:
        old = sys.path[:]
        self._undo.append(lambda: sys.path.__setitem__(slice(None), old))
        sys.path.insert(0, str(path))

    def chdir(self, path: Any) -> None:
        old = os.getcwd()
        self._undo.append(lambda: os.chdir(old))
        os.chdir(path)

    def undo(self) -> None:
        while self._undo:
            self._undo.pop()()


class CapSys:
    """Takes what is printed while a test runs."""

    def __init__(self) -> None:
        self._old = sys.stdout, sys.stderr
        self._fresh()

    def _fresh(self) -> None:
        sys.stdout, sys.stderr = (io.TextIOWrapper(io.BytesIO(), "utf-8", newline="", write_through=True) for _ in "ab")
        self._new = sys.stdout, sys.stderr

    def readouterr(self) -> Captured:
        said = []
        for stream in self._new:
            stream.flush()
            said.append(stream.buffer.getvalue().decode("utf-8", "replace"))
            stream.seek(0)
            stream.truncate()
        return Captured(*said)

    @contextmanager
    def disabled(self) -> Iterator[None]:
        sys.stdout, sys.stderr = self._old
        try:
            yield
        finally:
            sys.stdout, sys.stderr = self._new

    def close(self) -> None:
        sys.stdout, sys.stderr = self._old


class LogCapture(logging.Handler):
    """Takes what is logged while a test runs."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self._levels: list[tuple[logging.Logger, int]] = []
        logging.getLogger().addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    @property
    def messages(self) -> list[str]:
        return [record.getMessage() for record in self.records]

    @property
    def text(self) -> str:
        return "".join(f"{r.levelname} {r.name}:{r.filename}:{r.lineno} {r.getMessage()}\n" for r in self.records)

    @property
    def record_tuples(self) -> list[tuple[str, int, str]]:
        return [(r.name, r.levelno, r.getMessage()) for r in self.records]

    def set_level(self, level: Any, logger: Any = None) -> None:
        target = logging.getLogger(logger)
        self._levels.append((target, target.level))
        target.setLevel(level)

    @contextmanager
    def at_level(self, level: Any, logger: Any = None) -> Iterator[None]:
        target = logging.getLogger(logger)
        old = target.level
        target.setLevel(level)
        try:
            yield
        finally:
            target.setLevel(old)

    def clear(self) -> None:
        self.records.clear()

    def close(self) -> None:
        logging.getLogger().removeHandler(self)
        for target, level in reversed(self._levels):
            target.setLevel(level)
        super().close()


class Folders:
    """Makes temporary folders."""

    def mktemp(self, name: str, numbered: bool = True) -> pathlib.Path:
        return pathlib.Path(tempfile.mkdtemp(prefix=f"{name}-"))


def built_in(name: str) -> tuple[Any, Callable[[], None]]:
    """A built-in fixture and how to end it, or KeyError."""
    def nothing() -> None:
        return None
    if name == "tmp_path":
        return Folders().mktemp("test"), nothing
    if name == "tmp_path_factory":
        return Folders(), nothing
    if name == "monkeypatch":
        patch = MonkeyPatch()
        return patch, patch.undo
    if name in ("capsys", "caplog"):
        taker = CapSys() if name == "capsys" else LogCapture()
        return taker, taker.close
    raise KeyError(name)


class NoFixture(Exception):
    """A test asks for what nothing makes."""


class Pool:
    """The fixtures that one test file can see, and those that live for the whole file."""

    def __init__(self, spaces: list[Mapping[str, Any]], kind: type) -> None:
        self.known = {}
        for space in spaces:
            for value in list(space.values()):
                if type(value) is kind:
                    self.known[value.name] = value
        self.kept: dict[str, Any] = {}
        self.ends: list[Callable[[], None]] = []

    def make(self, name: str, test: dict[str, Any], ends: list, own: Mapping[str, Any], instance: Any,
             chosen: Mapping[str, Any], trail: tuple[str, ...] = ()) -> Any:
        """The value of a fixture, made at most once in its scope."""
        if name in test:
            return test[name]
        if name in self.kept:
            return self.kept[name]
        fixture = own.get(name) or self.known.get(name)
        if name in trail:
            fixture = self.known.get(name) if trail.count(name) == 1 and own.get(name) else None
        if name == "request":
            return SimpleNamespace(param=chosen.get(trail[-1]) if trail else None, node=SimpleNamespace(name=""),
                                   instance=instance, addfinalizer=ends.append,
                                   getfixturevalue=lambda one: self.make(one, test, ends, own, instance, chosen, trail))
        if fixture is None:
            try:
                value, end = built_in(name)
            except KeyError:
                raise NoFixture(f"the fixture `{name}` is not available in the sandbox") from None
            test[name] = value
            ends.append(end)
            return value
        wide = fixture.scope != "function" and fixture.params is None
        store, closing = (self.kept, self.ends) if wide else (test, ends)
        wanted = list(inspect.signature(fixture.function).parameters)
        bound = []
        if wanted and wanted[0] == "self":
            bound, wanted = [instance], wanted[1:]
        values = {one: self.make(one, test, closing, own, instance, chosen, trail + (name,)) for one in wanted}
        made = fixture.function(*bound, **values)
        if inspect.isgenerator(made):
            steps = made
            made = next(steps)
            closing.append(lambda: next(steps, None))
        store[name] = made
        return made
