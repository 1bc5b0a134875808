"""Runs one call of the runner in its own process, as the host gives each call a fresh instance; JSON in, JSON out."""

import base64
import json
import os
import sys
import types
from dataclasses import dataclass
from enum import Enum
from typing import Any, Optional

HERE = os.path.dirname(os.path.abspath(__file__))
KEPT = (os.write, os._exit)


@dataclass
class File:
    path: str
    bytes: bytes


@dataclass
class SyntaxProblem:
    path: str
    line: int
    message: str


class TestStatus(Enum):
    PASSED = 0
    FAILED = 1
    ERRORED = 2
    SKIPPED = 3


@dataclass
class TestOutcome:
    name: str
    status: TestStatus
    detail: str


@dataclass
class TestRun:
    tests: list
    stdout: str
    stderr: str
    problem: Optional[str]


@dataclass
class Outcome:
    exit_code: int
    stdout: str
    stderr: str
    written: list
    removed: list


class Err(Exception):
    def __init__(self, value: Any) -> None:
        super().__init__(value)
        self.value = value


def stand_in() -> None:
    """The modules that the build tool would make from the contract."""
    world = types.ModuleType("wit_world")
    for kind in (File, SyntaxProblem, TestStatus, TestOutcome, TestRun, Outcome):
        setattr(world, kind.__name__, kind)
    world.WitWorld = object
    kinds = types.ModuleType("componentize_py_types")
    kinds.Err = Err
    sys.modules.update(wit_world=world, componentize_py_types=kinds)


def plain(value: Any) -> Any:
    """Records as JSON."""
    if isinstance(value, Enum):
        return value.name.lower()
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    if isinstance(value, list):
        return [plain(one) for one in value]
    return {name: plain(one) for name, one in vars(value).items()} if hasattr(value, "__dict__") else value


def main() -> None:
    asked = json.loads(sys.stdin.buffer.read())
    sys.path[:] = [os.path.dirname(HERE)] + [folder for folder in sys.path if os.path.abspath(folder or ".") != HERE]
    stand_in()
    dumps = json.dumps
    import app
    files = [File(path, base64.b64decode(content)) for path, content in asked["files"].items()]
    call = getattr(app.WitWorld(), asked["call"])
    try:
        answer = {"ok": plain(call(files, *asked["arguments"]))}
    except Err as error:
        answer = {"error": error.value}
    data = dumps(answer).encode()
    while data:
        data = data[KEPT[0](1, data):]
    KEPT[1](0)


if __name__ == "__main__":
    main()
