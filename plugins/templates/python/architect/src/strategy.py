"""An architect: it makes a brief of an idea in one call, plans one task with one test file, and believes what the checks did."""

import re
from dataclasses import dataclass

from atelier_sdk.conversation import Conversation, Unreadable
from atelier_sdk.fences import Block, fields, parts

BRIEF_RULES = """You make a brief of an idea for a small Python program. Answer with these lines and nothing else:
title: a few words
summary: one sentence
requirement: one sentence that a test can show (three to six such lines)"""
PLAN_RULES = ("You write the unit tests of a Python program before it exists. Answer with the line `module: NAME` for the module that the "
              "tests import, then one file of unittest tests between fences of four backticks.")
OUTPUT_TOKENS_MAX = 6_000
"""The longest useful answer."""
TEST_FILE = "tests/test_requirements.py"


@dataclass
class Understood:
    """What the idea means."""
    title: str
    summary: str
    requirements: list[str]


@dataclass
class Planned:
    """What is to be written, and what has to hold of it."""
    module: str
    tests: str


def understand(model, idea: str) -> Understood:
    """One call, and one more where the answer can't be read."""
    return Conversation(model, "planner", OUTPUT_TOKENS_MAX, BRIEF_RULES).ask(idea, read_brief)


def plan_for(model, title: str, summary: str, wanted: str) -> Planned:
    """One module, and one file of tests for all requirements."""
    return Conversation(model, "planner", OUTPUT_TOKENS_MAX, PLAN_RULES).ask(f"{title}\n\n{summary}\n\n{wanted}", read_tests)


def read_brief(reply: str) -> Understood:
    requirements, titles = fields(reply, "requirement"), fields(reply, "title")
    if not requirements:
        raise Unreadable("there is no line `requirement: …`")
    if not titles:
        raise Unreadable("there is no line `title: …`")
    return Understood(titles[0], (fields(reply, "summary") or titles)[0], requirements)


def read_tests(reply: str) -> Planned:
    modules = fields(reply, "module")
    if not modules:
        raise Unreadable("there is no line `module: …`")
    if not re.fullmatch("[a-z_]+", modules[0]):
        raise Unreadable("a module's name has small letters and `_`")
    files = [part for part in parts(reply) if isinstance(part, Block) and not part.open]
    if not files:
        raise Unreadable("there is no whole file of tests")
    return Planned(modules[0], files[0].text)
