"""Runs tests that are plain functions or methods of plain classes, with marks, parameters and fixtures."""

import builtins
import inspect
import itertools
from types import ModuleType, SimpleNamespace
from typing import Any, Callable, Optional

from .fixtures import NoFixture, Pool
from .recorder import ERRORED, FAILED, PASSED, SKIPPED, Recorder
from .shim import Expected, Fixture, Mark, Parameter, Skipped

__builtins__ = vars(builtins).copy()


def call_loosely(function: Callable, *args: Any) -> Any:
    """Calls a set-up function with as many arguments as it takes."""
    try:
        wanted = len(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        wanted = 0
    return function(*args[:wanted])


def marks_of(*targets: Any) -> list[Mark]:
    found: list[Mark] = []
    for target in targets:
        marks = getattr(target, "pytestmark", [])
        found += [mark for mark in (marks if isinstance(marks, (list, tuple)) else [marks]) if isinstance(mark, Mark)]
    return found


def rows(marks: list[Mark]) -> list[tuple[dict[str, Any], list[Mark]]]:
    """The combinations that the parametrize marks ask for."""
    tables = []
    for mark in marks:
        if mark.name != "parametrize":
            continue
        given = {**dict(zip(("argnames", "argvalues"), mark.args)), **mark.kwargs}
        names = given["argnames"]
        names = [name.strip() for name in names.split(",") if name.strip()] if isinstance(names, str) else list(names)
        table = []
        for values in given["argvalues"]:
            own: list[Mark] = []
            if isinstance(values, Parameter):
                own, values = values.marks, values.values
            elif len(names) == 1:
                values = (values,)
            if len(values) != len(names):
                raise ValueError(f"parametrize: {len(names)} names and {len(values)} values")
            table.append((dict(zip(names, values)), own))
        tables.append(table)
    combined = []
    for choice in itertools.product(*tables):
        values: dict[str, Any] = {}
        own = []
        for part, extra in choice:
            values.update(part)
            own += extra
        combined.append((values, own))
    return combined


class Functions:
    """The function tests of one file."""

    def __init__(self, module: ModuleType, conftests: list[ModuleType], runner: Any) -> None:
        self.module = module
        self.pool = Pool([vars(one) for one in (*conftests, module)], Fixture)
        self.tell = runner.tell

    def close(self) -> None:
        while self.pool.ends:
            self.pool.ends.pop()()

    def run(self, function: Callable, holder: Optional[type], one: Any, recorder: Recorder) -> None:
        """Every row of one test; the worst verdict stands for it."""
        marks = marks_of(function, holder, self.module)
        own = {}
        if holder is not None:
            for base in reversed(type.mro(holder)):
                own.update({value.name: value for value in vars(base).values() if type(value) is Fixture})
        try:
            table = rows(marks)
            wanted = list(inspect.signature(function).parameters) if not hasattr(function, "patchings") else []
            axes = []
            for name in dict.fromkeys(wanted):
                fixture = own.get(name) or self.pool.known.get(name)
                if fixture is not None and fixture.params is not None and not (table and name in table[0][0]):
                    axes.append([(name, getattr(value, "values", (value,))[0]) for value in fixture.params])
        except Exception as error:
            recorder.note(ERRORED, self.tell(error))
            return
        if not table:
            recorder.note(SKIPPED, "parametrize has no rows")
        for values, extra in table:
            for choice in itertools.product(*axes):
                before = recorder.status
                self.row(function, holder, one, [*extra, *marks], values, dict(choice), own, recorder)
                if recorder.status != before and recorder.status in (FAILED, ERRORED) and (values or choice):
                    shown = ", ".join(f"{name}={value!r}"[:80] for name, value in {**values, **dict(choice)}.items())
                    recorder.detail = f"[{shown}] {recorder.detail}"

    def row(self, function: Callable, holder: Optional[type], one: Any, marks: list[Mark], values: dict[str, Any],
            chosen: dict[str, Any], own: dict[str, Any], recorder: Recorder) -> None:
        """One call of the test."""
        fails: Optional[Mark] = None
        for mark in marks:
            condition = mark.args[0] if mark.args else mark.kwargs.get("condition", True)
            if mark.name == "skip" or (mark.name == "skipif" and condition):
                recorder.note(SKIPPED, str(mark.kwargs.get("reason", mark.args[0] if mark.name == "skip" and mark.args else "")))
                return
            if mark.name == "xfail" and (condition or isinstance(condition, str)):
                fails = mark
        ends: list[Callable[[], None]] = []
        status, detail = PASSED, ""
        try:
            self.call(function, holder, one, marks, values, chosen, own, ends)
            if fails is not None and fails.kwargs.get("strict"):
                status, detail = FAILED, "the test was expected to fail and did not"
        except Skipped as error:
            status, detail = SKIPPED, str(error)
        except Expected:
            pass
        except NoFixture as error:
            status, detail = ERRORED, str(error)
        except AssertionError as error:
            status, detail = FAILED, self.tell(error)
        except BaseException as error:
            status, detail = ERRORED, self.tell(error)
        if fails is not None and status in (FAILED, ERRORED):
            status, detail = PASSED, ""
        recorder.note(status, detail)
        while ends:
            try:
                ends.pop()()
            except BaseException as error:
                recorder.note(ERRORED, self.tell(error))

    def call(self, function: Callable, holder: Optional[type], one: Any, marks: list[Mark], values: dict[str, Any],
             chosen: dict[str, Any], own: dict[str, Any], ends: list[Callable[[], None]]) -> None:
        instance = holder() if holder is not None else None
        made: dict[str, Any] = dict(values)
        bound = getattr(instance, one.method) if holder is not None else function
        autos = [name for name, fixture in {**self.pool.known, **own}.items() if fixture.autouse]
        asked = [str(name) for mark in marks if mark.name == "usefixtures" for name in mark.args]
        for name in (*autos, *asked):
            self.pool.make(name, made, ends, own, instance, chosen)
        arguments = {}
        for name, parameter in inspect.signature(bound).parameters.items():
            if parameter.default is parameter.empty and parameter.kind in (0, 1, 3) and not self.patched(bound, name):
                arguments[name] = self.pool.make(name, made, ends, own, instance, chosen)
            elif name in values:
                arguments[name] = values[name]
        target, first, last = (instance, "setup_method", "teardown_method") if holder else (
            self.module, "setup_function", "teardown_function")
        if hasattr(target, last):
            ends.append(lambda: call_loosely(getattr(target, last), bound))
        if hasattr(target, first):
            call_loosely(getattr(target, first), bound)
        result = bound(**arguments)
        if inspect.iscoroutine(result):
            result.close()
            raise NoFixture("async test functions need IsolatedAsyncioTestCase in the sandbox")
        if result is not None:
            raise NoFixture(f"the test returned {type(result).__name__} instead of nothing; its asserts may not have run")

    @staticmethod
    def patched(function: Callable, name: str) -> bool:
        """Whether `mock.patch` hands this parameter in."""
        inner = getattr(function, "__func__", function)
        given = sum(1 for patch in getattr(inner, "patchings", []) if patch.attribute_name is None and str(patch.new) == "sentinel.DEFAULT")
        parameters = [one for one in inspect.signature(function).parameters]
        return name in parameters[:given]
