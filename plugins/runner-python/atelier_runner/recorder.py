"""Takes the verdicts of unittest in slots that a test cannot exchange, worst verdict first."""

import builtins
import unittest
from typing import Any, Callable, Optional

__builtins__ = vars(builtins).copy()

PASSED, SKIPPED, FAILED, ERRORED = "passed", "skipped", "failed", "errored"
RANK = {PASSED: 1, SKIPPED: 2, FAILED: 3, ERRORED: 4}
UNITTEST_RUN = unittest.TestCase.run
ASYNC_CASE = unittest.IsolatedAsyncioTestCase
ASYNC_RUN = unittest.IsolatedAsyncioTestCase.run


class Recorder:
    """The result object of one test."""

    __slots__ = ("status", "detail", "_tell", "shouldStop", "failfast", "buffer", "tb_locals", "ended")

    def __init__(self, tell: Callable[[BaseException], str]) -> None:
        self.status: Optional[str] = None
        self.detail = ""
        self._tell = tell
        self.shouldStop = self.failfast = self.buffer = self.tb_locals = self.ended = False

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "status" and RANK.get(getattr(self, "status", None), 0) > RANK.get(value, 0):
            raise AttributeError("a verdict cannot be taken back")
        object.__setattr__(self, name, value)

    def note(self, status: str, detail: str = "") -> None:
        if self.status is None or RANK[status] > RANK[self.status]:
            self.status, self.detail = status, detail

    def startTest(self, test: Any) -> None:
        return None

    def stopTest(self, test: Any) -> None:
        self.ended = True

    def addSuccess(self, test: Any) -> None:
        self.note(PASSED)

    def addFailure(self, test: Any, error: Any) -> None:
        self.note(FAILED, self._tell(error[1]))

    def addError(self, test: Any, error: Any) -> None:
        self.note(ERRORED, self._tell(error[1]))

    def addSkip(self, test: Any, reason: str) -> None:
        self.note(SKIPPED, str(reason))

    def addExpectedFailure(self, test: Any, error: Any) -> None:
        self.note(PASSED)

    def addUnexpectedSuccess(self, test: Any) -> None:
        self.note(FAILED, "the test was expected to fail and did not")

    def addSubTest(self, test: Any, part: Any, error: Any) -> None:
        if error is not None:
            failed = issubclass(error[0], test.failureException)
            where = part._subDescription()
            self.note(FAILED if failed else ERRORED, f"{where} {self._tell(error[1])}")

    def addDuration(self, test: Any, elapsed: float) -> None:
        return None


def run_case(case: unittest.TestCase, recorder: Recorder) -> None:
    """Runs one TestCase with the `run` of the library, whatever the class says."""
    (ASYNC_RUN if isinstance(case, ASYNC_CASE) else UNITTEST_RUN)(case, recorder)
