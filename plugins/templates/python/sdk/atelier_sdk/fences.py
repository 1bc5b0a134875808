"""Reads replies in fenced text. Code travels between fences of backticks, never inside JSON; a longer fence holds a shorter one, so a
file with fences of its own survives."""

import re
from dataclasses import dataclass


@dataclass
class Line:
    """One line of prose."""
    text: str


@dataclass
class Block:
    """What stands between two fences."""
    text: str
    info: str = ""
    """What follows the opening fence, such as `python`."""
    open: bool = False
    """Whether the closing fence is missing, as in a reply that was cut off."""


def _ticks(line: str) -> int:
    found = re.match(r"\s*(`{3,})", line)
    return len(found.group(1)) if found else 0


def parts(reply: str) -> list[Line | Block]:
    """The parts of a reply, in order."""
    found: list[Line | Block] = []
    lines = iter(reply.splitlines())
    for line in lines:
        opening = _ticks(line)
        if not opening:
            found.append(Line(line))
            continue
        indent = re.compile(r"^ {0,%d}" % (len(line) - len(line.lstrip())))
        block = Block("", line.strip().lstrip("`").strip(), True)
        for inner in lines:
            if _ticks(inner) >= opening and not inner.strip().strip("`"):
                block.open = False
                break
            # A block inside a list is indented as a whole.
            block.text += indent.sub("", inner) + "\n"
        found.append(block)
    return found


def field(line: str, key: str) -> str | None:
    """The value of `key: value`, with the key in any case, and either of them perhaps in bold."""
    found = re.match(r"[\s*#]*([^:]*?)[\s*]*:(.*)$", line)
    if not found or found.group(1).lower() != key.lower():
        return None
    value = found.group(2).strip()
    bold = re.fullmatch(r"\*\*(.*)\*\*", value)
    return (bold.group(1) if bold else re.sub(r"^\*\* ", "", value)).strip()


def fields(reply: str, key: str) -> list[str]:
    """The values of all such lines that have one."""
    return [value for line in reply.splitlines() if (value := field(line, key))]
