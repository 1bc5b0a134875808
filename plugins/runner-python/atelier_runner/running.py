"""Runs the tests of one file and judges them; nothing that the project prints or returns is taken for a verdict."""

import builtins
import importlib
import importlib.util
import inspect
import posixpath
import sys
import unittest
import unittest.case
from types import FunctionType, ModuleType
from typing import Any, Callable, Optional

from . import functions, imports, reading, trace
from .judge import CHANGED, Judge
from .recorder import ERRORED, SKIPPED, Recorder, run_case
from .sandbox import Left, Sandbox
from .shim import Skipped
from .tree import PROJECT

__builtins__ = vars(builtins).copy()

TestCase = unittest.TestCase
AsyncCase = unittest.IsolatedAsyncioTestCase
GENERATOR = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
COROUTINE = inspect.CO_COROUTINE
LIBRARY = (unittest.TestCase, unittest.IsolatedAsyncioTestCase, unittest.FunctionTestCase, object)
IMPORT = importlib.import_module
MODULE_CLEANUPS = unittest.case.doModuleCleanups
# What a test class may override; everything else of TestCase that judges is left to the library.
OWN = {"run", "__call__", "debug", "_callTestMethod", "_callSetUp", "_callTearDown", "__getattribute__", "_addError",
       "_callCleanup", "doCleanups", "subTest", "skipTest", "fail", "failureException"}
JUDGING = frozenset({name for name in dir(TestCase) if name.startswith(("assert", "_assert"))} | OWN)


class Stop(Exception):
    """The file cannot be run at all."""


class Runner:
    """One test file in one fresh sandbox."""

    def __init__(self, sandbox: Sandbox, judge: Judge, files: list[Any], path: str) -> None:
        self.sandbox, self.judge, self.path, self.files = sandbox, judge, path, files
        self.full = f"{PROJECT}/{path}"
        self.outcomes: list[tuple[str, str, str]] = []
        self.problem: Optional[str] = None
        self.given = sandbox.given
        self.listed: list[reading.Listed] = []

    def lines(self, full: str) -> list[str]:
        return self.given.get(full[len(PROJECT) + 1:], b"").decode("utf-8", "replace").splitlines()

    def tell(self, error: BaseException) -> str:
        if isinstance(error, Left):
            return f"the program ended the process (exit code {error.code})"
        return trace.detail(error, self.lines)

    def run(self) -> None:
        """Fills `outcomes` and `problem`."""
        try:
            self.listed = reading.tests(self.files, self.path)
        except reading.Unreadable as error:
            self.problem = str(error)
            return
        status = ERRORED
        try:
            try:
                module, conftests = self.load()
                self.untouched()
                functions_pool = functions.Functions(module, conftests, self)
                self.all(module, functions_pool)
            except Skipped as error:
                status = SKIPPED
                raise Stop(f"skipped: {error}") from None
            self.untouched()
        except Stop as error:
            self.problem = str(error) if status == ERRORED else None
            self.outcomes = [(one.name, status, str(error)) for one in self.listed]
        except BaseException as error:
            self.problem = clip_line(self.tell(error))
            self.outcomes = [(one.name, ERRORED, self.tell(error)) for one in self.listed]
        if self.problem != CHANGED and self.judge.changed() is not None:
            self.problem = CHANGED
            self.outcomes = [(one.name, ERRORED, CHANGED) for one in self.listed]

    def untouched(self) -> None:
        if self.judge.changed() is not None:
            raise Stop(CHANGED)

    def guarded(self, what: str, action: Callable, *args: Any) -> Any:
        """Runs code of the project that belongs to no single test."""
        try:
            value = action(*args)
        except Skipped:
            raise
        except SystemExit as error:
            raise Stop(f"{what} ended the program (exit code {error.code})") from None
        except Left as error:
            raise Stop(f"{what} ended the process (exit code {error.code})") from None
        except BaseException as error:
            raise Stop(f"{what} failed\n{self.tell(error)}") from None
        if self.sandbox.left:
            raise Stop(f"{what} ended the process (exit code {self.sandbox.left[0]})")
        return value

    def load(self) -> tuple[ModuleType, list[ModuleType]]:
        """Imports the test file by its dotted name, after the conftest files on the way to it."""
        folder = posixpath.dirname(self.full)
        imports.put_first(self.sandbox.tree, PROJECT, folder)
        imports.main_module()
        conftests = []
        at = folder
        while at.startswith(PROJECT):
            relative = f"{at}/conftest.py"[len(PROJECT) + 1:]
            if relative in self.given:
                conftests.insert(0, relative)
            at = posixpath.dirname(at)
        loaded = [self.guarded(f"the import of {path}", self.by_path, path) for path in conftests]
        return self.guarded(f"the import of {self.path}", self.by_path, self.path), loaded

    def by_path(self, path: str) -> ModuleType:
        parts = path[:-3].split("/")
        if all(part.isidentifier() for part in parts):
            module = IMPORT(".".join(parts))
            if getattr(module, "__file__", None) == f"{PROJECT}/{path}":
                return module
        spec = importlib.util.spec_from_file_location(parts[-1].replace("-", "_"), f"{PROJECT}/{path}")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        return module

    def all(self, module: ModuleType, pool: "functions.Functions") -> None:
        """Every test in the order of the file, with the fixtures of module and class around them."""
        names = vars(module)
        for name in ("setUpModule", "setup_module"):
            if callable(names.get(name)):
                self.guarded(name, functions.call_loosely, names[name], module)
        current: Optional[str] = None
        holder: Any = None
        refused: Optional[tuple[str, str]] = None
        for one in self.listed:
            if one.holder != current:
                self.leave_class(holder, refused)
                current, holder = one.holder, names.get(one.holder) if one.holder else None
                refused = self.enter_class(holder) if one.holder else None
            status, detail = refused if refused is not None else self.one(one, names, holder, pool)
            self.outcomes.append((one.name, status, detail))
            if self.judge.touched():
                raise Stop(CHANGED)
        self.leave_class(holder, refused)
        for name in ("tearDownModule", "teardown_module"):
            if callable(names.get(name)):
                self.after(name, functions.call_loosely, names[name], module)
        self.after("the module clean-ups", MODULE_CLEANUPS)
        self.after("the fixtures", pool.close)

    def after(self, what: str, action: Callable, *args: Any) -> None:
        """Something that comes after the verdicts; its failure is the file's."""
        try:
            self.guarded(what, action, *args)
        except (Stop, Skipped) as error:
            self.problem = self.problem or str(error)

    def enter_class(self, holder: Any) -> Optional[tuple[str, str]]:
        """Sets a class up, or says how all of its tests end."""
        if not isinstance(holder, type):
            return ERRORED, "the test disappeared"
        if issubclass(holder, TestCase):
            for base in holder.__mro__:
                changed = JUDGING & vars(base).keys() if base not in LIBRARY else None
                if changed:
                    return ERRORED, f"the class {base.__name__} replaces `{min(changed)}` of the test framework"
            if getattr(holder, "__unittest_skip__", False):
                return SKIPPED, str(getattr(holder, "__unittest_skip_why__", ""))
        name = "setUpClass" if issubclass(holder, TestCase) else "setup_class"
        try:
            if hasattr(holder, name):
                self.guarded(f"{holder.__name__}.{name}", getattr(holder, name))
        except Skipped as error:
            return SKIPPED, str(error)
        except Stop as error:
            if issubclass(holder, TestCase):
                self.after(f"{holder.__name__} clean-ups", holder.doClassCleanups)
            return ERRORED, str(error)
        return None

    def leave_class(self, holder: Any, refused: Optional[tuple[str, str]]) -> None:
        if isinstance(holder, type) and refused is None:
            case = issubclass(holder, TestCase)
            name = "tearDownClass" if case else "teardown_class"
            if hasattr(holder, name):
                self.after(f"{holder.__name__}.{name}", getattr(holder, name))
            if case:
                self.after(f"{holder.__name__} clean-ups", holder.doClassCleanups)
                for error in getattr(holder, "tearDown_exceptions", ()):
                    self.problem = self.problem or f"{holder.__name__} clean-ups failed\n{self.tell(error[1])}"

    def one(self, one: reading.Listed, names: dict[str, Any], holder: Any, pool: "functions.Functions") -> tuple[str, str]:
        """The verdict of one test."""
        function = names.get(one.method)
        if holder is not None:
            function = next((vars(base)[one.method] for base in type.mro(holder) if one.method in vars(base)), None)
        if type(function) in (staticmethod, classmethod):
            function = function.__func__
        if function is None or not callable(function):
            return ERRORED, "the test disappeared"
        if one.line:
            code = function.__code__ if type(function) is FunctionType else None
            if code is None or code.co_filename != self.full or code.co_firstlineno != one.line:
                return ERRORED, "the test was replaced while the file was loaded"
        case = holder is not None and issubclass(holder, TestCase)
        flags = getattr(getattr(function, "__code__", None), "co_flags", 0)
        if flags & GENERATOR or (flags & COROUTINE and not (case and issubclass(holder, AsyncCase))):
            return ERRORED, "the test is a generator or a coroutine, so its body would never run"
        recorder = Recorder(self.tell)
        try:
            if case:
                made = holder(one.method)
                run_case(made, recorder)
                if JUDGING & vars(made).keys():
                    return ERRORED, "the test replaced a method of the test framework on itself"
                if not recorder.ended:
                    recorder.note(ERRORED, "the test did not come to its end")
            else:
                pool.run(function, holder, one, recorder)
        except BaseException as error:
            recorder.note(ERRORED, self.tell(error))
        if self.sandbox.left:
            recorder.note(ERRORED, f"the program ended the process (exit code {self.sandbox.left.pop()})")
            self.sandbox.left.clear()
        if recorder.status is None:
            return ERRORED, "the test ended without a verdict"
        return recorder.status, recorder.detail


def clip_line(text: str) -> str:
    return trace.clip(text, trace.DETAIL)
