"""The component: wires the exported functions to the sandbox that is prepared when the component is built."""

import builtins
import gc
import sys
import unittest
import unittest.async_case
import unittest.mock
from typing import Any, Optional

from atelier_runner import preload

ABSENT = preload.load()
ZONES = preload.zones()

import wit_world
from componentize_py_types import Err
from wit_world import File, Outcome, SyntaxProblem, TestOutcome, TestRun, TestStatus

from atelier_runner import (clock, commands, fixtures, functions, imports, judge, loop, reading, recorder, running, sandbox, shim,
                            trace)

__builtins__ = vars(builtins).copy()

HIDDEN = ("app", "atelier_runner", "wit_world", "componentize_py_types", "componentize_py_runtime", "poll_loop",
          "componentize_py_async_support", "tzdata")
STATUS = {"passed": TestStatus.PASSED, "failed": TestStatus.FAILED, "errored": TestStatus.ERRORED,
          "skipped": TestStatus.SKIPPED}

BOX = sandbox.Sandbox()
JUDGE = judge.Judge()


def watch() -> None:
    """Keeps what a project could change to judge itself."""
    JUDGE.watch("builtins", vars(builtins), False)
    for module in (unittest, unittest.case, unittest.result, unittest.suite, unittest.loader, unittest.runner, unittest.main,
                   unittest.async_case, unittest.util):
        JUDGE.watch(module.__name__, vars(module), False) if not isinstance(module, type) else None
    for kind in (unittest.TestCase, unittest.IsolatedAsyncioTestCase, unittest.TestResult, unittest.TestSuite,
                 unittest.case._Outcome, unittest.case._AssertRaisesContext, unittest.case._AssertRaisesBaseContext,
                 unittest.TextTestRunner, unittest.TestLoader, recorder.Recorder, shim.Raises, shim.Approx, functions.Functions,
                 fixtures.Pool, running.Runner, judge.Judge):
        JUDGE.watch(kind.__qualname__, vars(kind), True)
    for module in (sys.modules["pytest"], shim, recorder, running, functions, fixtures, judge, trace, reading):
        JUDGE.watch(module.__name__, vars(module), False)


def prepare() -> None:
    """Everything that is slow or must come before any code of a project."""
    sys.modules["pytest"] = shim.build()
    loop.install()
    for name, content in ZONES.items():
        BOX.tree.place(f"/usr/share/zoneinfo/{name}", content)
    sandbox.install(BOX)
    unittest.IsolatedAsyncioTestCase
    watch()
    gc.collect()
    gc.freeze()


LIBRARY = frozenset(ABSENT) | frozenset(name.partition(".")[0] for name in ABSENT)
READY = False


def enter(files: list[File], stdin: str = "") -> None:
    """The first thing of a call that runs code of the project."""
    global READY
    if READY:
        raise RuntimeError("a call needs a fresh instance")
    READY = True
    BOX.fill(files)
    BOX.start(stdin.encode("utf-8", "surrogatepass"))
    imports.settle(HIDDEN, LIBRARY)
    clock.start_random()
    sys.argv[:] = ["python3"]


class WitWorld(wit_world.WitWorld):
    """The exports."""

    def parse(self, files: list[File]) -> list[SyntaxProblem]:
        found = []
        for file in files:
            if file.path.endswith(".py"):
                problem = reading.problem(file.path, bytes(file.bytes))
                if problem is not None:
                    found.append(SyntaxProblem(file.path, *problem))
        return found

    def list_tests(self, files: list[File], test_file: str) -> list[str]:
        try:
            return [one.name for one in reading.tests(files, test_file)]
        except reading.Unreadable as error:
            raise Err(str(error)) from None

    def run_tests(self, files: list[File], test_file: str) -> TestRun:
        try:
            enter(files)
        except (OSError, ValueError, RuntimeError) as error:
            return TestRun([], "", "", f"the project cannot be laid out: {error}")
        runner = running.Runner(BOX, JUDGE, files, test_file)
        runner.run()
        JUDGE.restore()
        stdout, stderr = BOX.texts()
        tests = [TestOutcome(name, STATUS[status], clean(detail)) for name, status, detail in runner.outcomes]
        return TestRun(tests, stdout, stderr, clean(runner.problem))

    def run_command(self, files: list[File], arguments: list[str], stdin: str) -> Outcome:
        try:
            enter(files, stdin)
        except (OSError, ValueError, RuntimeError) as error:
            return Outcome(2, "", f"the project cannot be laid out: {error}\n", [], [])
        code = commands.Command(BOX, arguments).run()
        JUDGE.restore()
        stdout, stderr = BOX.texts()
        written, removed = BOX.changes()
        return Outcome(code, stdout, stderr, [File(path, data) for path, data in written], removed)


def clean(text: Optional[str]) -> Any:
    """Text that can cross the boundary: no lone surrogates."""
    return None if text is None else text.encode("utf-8", "replace").decode("utf-8")


prepare()
