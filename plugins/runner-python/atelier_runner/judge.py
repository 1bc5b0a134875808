"""Notices a project that changes what judges it: identities are kept before its code is loaded and compared afterwards."""

import builtins
from types import FunctionType
from typing import Any, Mapping, Optional

__builtins__ = vars(builtins).copy()

CHANGED = "the test framework was changed by the project"
# What a test reaches for directly; the rest is looked at when the file was loaded and at its end.
NEAREST = frozenset({"builtins", "TestCase"})
# What unittest itself puts into its modules and classes while it runs.
MOVES = frozenset({"__warningregistry__", "__abstractmethods__", "_", "__annotations__", "__annotations_cache__",
                   "__annotate__", "__annotate_func__", "_interrupt_handler", "HANDLES"})


def inner(value: Any) -> tuple[Any, ...]:
    """The parts of a function that can be exchanged without exchanging the function."""
    function = getattr(value, "__func__", value) if type(value) in (classmethod, staticmethod) else value
    if type(function) is FunctionType:
        return function.__code__, function.__defaults__, function.__kwdefaults__
    return ()


class Judge:
    """Holds what must not change."""

    __slots__ = ("kept",)

    def __init__(self) -> None:
        self.kept: list[tuple[str, Mapping[str, Any], dict[str, tuple[Any, tuple[Any, ...]]], bool]] = []

    def watch(self, label: str, names: Mapping[str, Any], closed: bool) -> None:
        """Keeps a namespace; a closed one may not gain names either."""
        kept = {name: (value, inner(value)) for name, value in names.items() if name not in MOVES}
        self.kept.append((label, names, kept, closed))

    def restore(self) -> None:
        """Puts the builtins back, so that the runner itself can end its work."""
        for label, names, kept, _ in self.kept:
            if label == "builtins":
                names.update({name: value for name, (value, _parts) in kept.items()})

    def touched(self) -> bool:
        """Whether a name that every test judges with is another one now: a short look, for after each test."""
        for label, names, kept, _ in self.kept:
            if label in NEAREST and any(names.get(name, self) is not value for name, (value, _parts) in kept.items()):
                return True
        return False

    def changed(self) -> Optional[str]:
        """The first name that is not as it was."""
        for label, names, kept, closed in self.kept:
            for name, (value, parts) in kept.items():
                now = names.get(name, self)
                if now is not value:
                    return f"{label}.{name}"
                if parts:
                    fresh = inner(now)
                    if len(fresh) != len(parts) or any(a is not b for a, b in zip(fresh, parts)):
                        return f"{label}.{name}"
            if closed and len(names) > len(kept):
                for name in list(names):
                    if name not in kept and name not in MOVES:
                        return f"{label}.{name}"
        return None
