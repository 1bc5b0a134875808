"""What the SDK promises; `PYTHONPATH=src:sdk python3 -m unittest discover tests` runs it."""

import unittest
from types import SimpleNamespace

from atelier_sdk.conversation import Conversation, GiveUp, Scripted, Unreadable
from atelier_sdk.fences import Block, Line, field, parts
from atelier_sdk.words import in_words


def number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise Unreadable("no number") from None


class SdkTest(unittest.TestCase):
    def test_a_longer_fence_holds_a_shorter_one(self) -> None:
        reply = "a.md\n````markdown\n```sh\nls\n```\n````\nend"
        self.assertEqual(parts(reply), [Line("a.md"), Block("```sh\nls\n```\n", "markdown"), Line("end")])

    def test_a_block_that_was_cut_off_is_marked_open_and_one_in_a_list_loses_its_indent(self) -> None:
        self.assertEqual(parts("```py\nx"), [Block("x\n", "py", True)])
        self.assertEqual(parts("  ```\n  a\n    b\n  ```"), [Block("a\n  b\n")])

    def test_fields_are_found_in_any_dress(self) -> None:
        for line, value in [("**Title:** A b", "A b"), ("title : x: y", "x: y"), ("Title: **A b**", "A b"), ("titles: x", None)]:
            self.assertEqual(field(line, "title"), value)

    def test_a_reply_that_does_not_parse_is_sent_back_once_and_no_more(self) -> None:
        model = Scripted(["seven", "7"])
        self.assertEqual(Conversation(model, "fast", 10, "rules").ask("a number?", number), 7)
        self.assertEqual(len(model.requests[1]), 4)
        with self.assertRaises(GiveUp) as given_up:
            Conversation(Scripted(["seven", "eight", "9"]), "fast", 10, "rules").ask("a number?", number)
        self.assertEqual(given_up.exception.kind, "unusable-reply")

    def test_a_command_is_said_without_the_words_of_a_programming_language(self) -> None:
        exact = type("Matching_Exact", (), {"value": "y\n"})()
        step = SimpleNamespace(arguments=["python3", "a.py"], stdin="x\n", stdout=exact, exit_code=1)
        check = type("Check_Command", (), {"value": [step]})()
        expected = 'these commands, in order:\n  ["python3", "a.py"] reading "x\\n", printing exactly "y\\n", exit code 1'
        self.assertEqual(in_words(check), expected)
