"""A small `pytest`: raises, approx, marks, skip, fail and fixtures, because many projects write their tests for it."""

import builtins
import math
import re
import unittest
import warnings
from contextlib import contextmanager
from types import FunctionType, MethodType, ModuleType, SimpleNamespace
from typing import Any, Callable, Iterator, Optional

__builtins__ = vars(builtins).copy()


class Failed(AssertionError):
    """What `pytest.fail` raises."""


Skipped = unittest.SkipTest


class Expected(Exception):
    """What `pytest.xfail` raises."""


class Information:
    """What `raises` hands out."""

    type: Any = None
    value: Any = None
    tb: Any = None

    @property
    def typename(self) -> str:
        return self.type.__name__

    def match(self, pattern: str) -> bool:
        if not re.search(pattern, str(self.value)):
            raise Failed(f"the pattern {pattern!r} does not match {str(self.value)!r}")
        return True

    def exconly(self, tryshort: bool = False) -> str:
        return f"{self.type.__name__}: {self.value}"


class Raises:
    """The context manager of `raises`."""

    def __init__(self, kinds: Any, pattern: Optional[str], check: Optional[Callable]) -> None:
        self.kinds, self.pattern, self.check, self.info = kinds, pattern, check, Information()

    def __enter__(self) -> Information:
        return self.info

    def __exit__(self, kind: Any, value: Any, tb: Any) -> bool:
        if kind is None:
            names = self.kinds if isinstance(self.kinds, tuple) else (self.kinds,)
            raise Failed("DID NOT RAISE " + " or ".join(getattr(name, "__name__", str(name)) for name in names))
        if not issubclass(kind, self.kinds):
            return False
        self.info.type, self.info.value, self.info.tb = kind, value, tb
        if self.pattern is not None:
            self.info.match(self.pattern)
        if self.check is not None and not self.check(value):
            raise Failed("the check of the exception did not hold")
        return True


def raises(expected_exception: Any = BaseException, *args: Any, match: Optional[str] = None,
           check: Optional[Callable] = None, **named: Any) -> Any:
    context = Raises(expected_exception, match, check)
    if not args:
        return context
    with context as info:
        args[0](*args[1:], **named)
    return info


@contextmanager
def warns(expected: Any = Warning, match: Optional[str] = None) -> Iterator[list]:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        yield seen
    if not any(issubclass(one.category, expected) and (match is None or re.search(match, str(one.message))) for one in seen):
        raise Failed(f"DID NOT WARN {expected}")


class Approx:
    """Equality within a tolerance, also inside lists and dicts."""

    __array_ufunc__ = None
    __hash__ = None

    def __init__(self, expected: Any, rel: Optional[float], abs_: Optional[float], nan_ok: bool) -> None:
        self.expected, self.rel, self.abs, self.nan_ok = expected, rel, abs_, nan_ok

    def near(self, actual: Any, expected: Any) -> bool:
        if isinstance(expected, dict):
            return isinstance(actual, dict) and actual.keys() == expected.keys() and all(
                self.near(actual[key], expected[key]) for key in expected)
        if isinstance(expected, (list, tuple)):
            return len(actual) == len(expected) and all(map(self.near, actual, expected))
        if isinstance(expected, bool) or not hasattr(expected, "__sub__") or not hasattr(actual, "__sub__"):
            return actual == expected
        if actual == expected:
            return True
        if isinstance(expected, float) and math.isnan(expected):
            return self.nan_ok and isinstance(actual, float) and math.isnan(actual)
        if isinstance(expected, float) and math.isinf(expected):
            return False
        absolute = 1e-12 if self.abs is None else self.abs
        relative = 0 if self.rel is None and self.abs is not None else (1e-6 if self.rel is None else self.rel)
        return abs(actual - expected) <= max(type(expected)(absolute), type(expected)(relative) * abs(expected))

    def __eq__(self, actual: Any) -> bool:
        return self.near(actual, self.expected)

    def __repr__(self) -> str:
        return f"approx({self.expected!r})"


def approx(expected: Any, rel: Any = None, abs: Any = None, nan_ok: bool = False) -> Approx:
    return Approx(expected, rel, abs, nan_ok)


def skip(reason: str = "", *, allow_module_level: bool = False, msg: str = "") -> None:
    raise Skipped(reason or msg)


def fail(reason: str = "", pytrace: bool = True, msg: str = "") -> None:
    raise Failed(reason or msg)


def xfail(reason: str = "") -> None:
    raise Expected(reason)


def importorskip(name: str, *_: Any, **__: Any) -> Any:
    try:
        return __import__(name, fromlist=["*"])
    except ImportError as error:
        raise Skipped(str(error)) from None


class Mark:
    """One mark, put on a function or a class as a decorator."""

    def __init__(self, name: str, args: tuple = (), kwargs: Optional[dict] = None) -> None:
        self.name, self.args, self.kwargs = name, args, kwargs or {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if len(args) == 1 and not kwargs and isinstance(args[0], (FunctionType, MethodType, type, staticmethod)):
            target = args[0]
            target.pytestmark = [*getattr(target, "pytestmark", []), self]
            return target
        return Mark(self.name, self.args + args, {**self.kwargs, **kwargs})


class Marks:
    def __getattr__(self, name: str) -> Mark:
        if name.startswith("_"):
            raise AttributeError(name)
        return Mark(name)


class Parameter(SimpleNamespace):
    """What `param` makes."""


def param(*values: Any, id: Any = None, marks: Any = ()) -> Parameter:
    return Parameter(values=values, id=id, marks=marks if isinstance(marks, (list, tuple)) else [marks])


class Fixture:
    """A function that makes what a test asks for by the name of a parameter."""

    def __init__(self, function: Callable, scope: str, autouse: bool, name: Optional[str], params: Any) -> None:
        self.function, self.scope, self.autouse, self.params = function, scope, autouse, params
        self.name = name or function.__name__
        self.__name__ = function.__name__

    def __call__(self, *_: Any, **__: Any) -> None:
        raise Failed(f'the fixture "{self.name}" was called directly')


def fixture(function: Any = None, *, scope: Any = "function", autouse: bool = False, name: Optional[str] = None,
            params: Any = None, ids: Any = None) -> Any:
    def wrap(inner: Callable) -> Fixture:
        return Fixture(inner, scope, autouse, name, list(params) if params is not None else None)
    return wrap if function is None else wrap(function)


def build() -> ModuleType:
    """The module that `import pytest` gives."""
    from .fixtures import CapSys, LogCapture, MonkeyPatch
    module = ModuleType("pytest", "A small stand-in for pytest.")
    for part in (raises, warns, approx, skip, fail, xfail, importorskip, param, fixture, MonkeyPatch):
        setattr(module, part.__name__, part)
    module.mark = Marks()
    module.Config = module.FixtureRequest = module.Item = object
    module.CaptureFixture, module.LogCaptureFixture, module.ExceptionInfo = CapSys, LogCapture, Information
    for kind in (CapSys, LogCapture, Information):
        kind.__class_getitem__ = classmethod(lambda cls, item: cls)
    for function in (skip, fail, xfail):
        function.Exception = {skip: Skipped, fail: Failed, xfail: Expected}[function]
    module.__version__ = "0"
    return module
