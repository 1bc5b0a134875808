"""The strategy against a scripted model and a project whose checks fail until a file holds `right`."""

import unittest
from types import SimpleNamespace

from atelier_sdk.conversation import GiveUp, Scripted
from strategy import implement

TASK = SimpleNamespace(title="Say what is right", description="", files=["a.py"], acceptance=[])


class Desk:
    def __init__(self) -> None:
        self.files: list[tuple[str, str]] = []

    def write(self, path: str, text: str) -> None:
        self.files.append((path, text))

    def problems(self, task) -> list[str]:
        return [] if any("right" in text for _, text in self.files) else ["it is not right"]


class StrategyTest(unittest.TestCase):
    def test_what_the_checks_show_is_mended_once(self) -> None:
        model, desk = Scripted(["a.py\n````\nwrong\n````", "a.py\n````\nright\n````"]), Desk()
        self.assertEqual(implement(model, desk, TASK), ("Say what is right", []))
        self.assertIn("it is not right", model.requests[1][-1].text)
        self.assertEqual(len(desk.files), 2)

    def test_a_reply_without_a_file_is_sent_back(self) -> None:
        model = Scripted(["Sure!", "a.py\n````\nright\n````"])
        implement(model, Desk(), TASK)
        self.assertEqual(len(model.requests), 2)

    def test_what_the_host_refuses_ends_the_work(self) -> None:
        with self.assertRaises(GiveUp):
            implement(Scripted([]), Desk(), TASK)
