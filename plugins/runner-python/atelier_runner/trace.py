"""Turns an exception into the few lines that help: frames of the project only, relative paths, a bounded length."""

import ast
import builtins
import traceback
from types import FrameType
from typing import Any, Callable, Optional

from .tree import PROJECT

__builtins__ = vars(builtins).copy()

DETAIL = 1500
MESSAGE = 900
SHOWN = 200
PREFIX = PROJECT + "/"


def clip(text: str, size: int, tail: bool = False) -> str:
    if len(text) <= size:
        return text
    return "…" + text[-size + 1:] if tail else text[:size - 1] + "…"


def frames(error: BaseException) -> list[tuple[FrameType, int]]:
    found = []
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename.startswith(PREFIX):
            found.append((step.tb_frame, step.tb_lineno))
        step = step.tb_next
    return found


def message(error: BaseException) -> str:
    """The type and the words of an exception, which may itself fail to speak."""
    try:
        if isinstance(error, SyntaxError):
            return "".join(traceback.format_exception_only(error)).strip().replace(PREFIX, "")
        words = str(error)
    except BaseException:
        words = "<the message could not be formed>"
    name = type(error).__name__
    return f"{name}: {words}" if words else name


def sides(error: BaseException, lines: Callable[[str], list[str]]) -> str:
    """For a bare `assert a == b`, what the two sides were."""
    seen = frames(error)
    if not isinstance(error, AssertionError) or error.args or not seen:
        return ""
    frame, line = seen[-1]
    try:
        tree = ast.parse("\n".join(lines(frame.f_code.co_filename)))
        claims = [node for node in ast.walk(tree) if isinstance(node, ast.Assert)
                  and node.lineno <= line <= (node.end_lineno or node.lineno)]
        if len(claims) != 1 or not isinstance(claims[0].test, ast.Compare):
            return ""
        parts = []
        for label, node in (("left", claims[0].test.left), ("right", claims[0].test.comparators[0])):
            if any(isinstance(inner, (ast.Call, ast.Await, ast.NamedExpr, ast.Yield)) for inner in ast.walk(node)):
                continue
            value = eval(compile(ast.Expression(node), "<assert>", "eval"), frame.f_globals, frame.f_locals)
            parts.append(f"  {label}: {clip(repr(value), SHOWN)}")
        return "\n".join(parts)
    except BaseException:
        return ""


def detail(error: BaseException, lines: Callable[[str], list[str]]) -> str:
    """The whole text."""
    shown = []
    for frame, line in frames(error)[-6:]:
        path = frame.f_code.co_filename
        source = lines(path)
        text = source[line - 1].strip() if 0 < line <= len(source) else ""
        shown.append(f'File "{path[len(PREFIX):]}", line {line}, in {frame.f_code.co_name}' + (f"\n  {text}" if text else ""))
    end = clip(message(error), MESSAGE)
    more = sides(error, lines)
    cause: Optional[BaseException] = error.__cause__
    if cause is not None:
        more = (more + "\n" if more else "") + clip("caused by " + message(cause), 300)
    tail = end + ("\n" + more if more else "")
    room = max(DETAIL - len(tail) - 1, 0)
    head = clip("\n".join(shown), room, tail=True) if room > 20 else ""
    return f"{head}\n{tail}" if head else tail
