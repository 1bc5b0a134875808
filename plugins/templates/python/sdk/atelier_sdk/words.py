"""A plan's checks in words, the same for whoever writes and whoever reviews."""

import json
from typing import Any


def in_words(check: Any) -> str:
    """What is checked, in a line (a command: a line for each step). The text of a test file is not repeated."""
    value = check.value
    match type(check).__name__.removeprefix("Check_"):
        case "Parses":
            return f"these files parse: {', '.join(value)}"
        case "Loads":
            return f"these files can be imported: {', '.join(value)}"
        case "UnitTest":
            return f"unit tests in {value.path}"
        case "Command":
            return "these commands, in order:\n" + "\n".join(map(_step, value))
        case "FilePresent":
            return f"the file {value} is there"
    return f"judged by reading: {value}"


def _step(step: Any) -> str:
    reading = f" reading {json.dumps(step.stdin, ensure_ascii=False)}" if step.stdin else ""
    value = getattr(step.stdout, "value", "")
    said = json.dumps(value, ensure_ascii=False)
    printing = {
        "Exact": f", printing exactly {said}",
        "Contains": f", printing something with {said}",
        "Pattern": f", printing what matches /{value}/",
    }.get(type(step.stdout).__name__.removeprefix("Matching_"), "")
    return f"  {json.dumps(step.arguments, ensure_ascii=False)}{reading}{printing}, exit code {step.exit_code}"
