"""Names and syntax problems from sources alone."""

import unittest

from case import call


class Reading(unittest.TestCase):
    def test_parse_names_file_and_line(self) -> None:
        found = call("parse", {"a.py": "x = 1\n", "b.py": "def f(:\n", "c.txt": "def (", "d.py": "x\0"})["ok"]
        self.assertEqual([(one["path"], one["line"]) for one in found if one["path"] == "b.py"], [("b.py", 1)])
        self.assertEqual({one["path"] for one in found}, {"b.py", "d.py"})

    def test_names_in_the_order_of_the_file(self) -> None:
        source = """
import unittest
from base import Shared
raise SystemExit
def test_first(): pass
class Odd(unittest.TestCase):
    def test_b(self): pass
    def test_a(self): pass
    def helper(self): pass
class Even(Odd):
    def test_c(self): pass
class TestPlain:
    def test_p(self): pass
class NotATest:
    def test_n(self): pass
class Mine(Shared):
    def test_m(self): pass
async def test_async(): pass
def test_first(): pass
"""
        names = call("list_tests", {"test_x.py": source, "base.py": "import unittest\nclass Shared(unittest.TestCase):\n"
                                                                    "    def test_s(self): pass\n"}, "test_x.py")["ok"]
        self.assertEqual(names, ["Odd.test_b", "Odd.test_a", "Even.test_c", "Even.test_b", "Even.test_a", "TestPlain.test_p",
                                 "Mine.test_m", "Mine.test_s", "test_first"])

    def test_missing_or_broken(self) -> None:
        self.assertIn("not in the project", call("list_tests", {}, "test_x.py")["error"])
        self.assertIn("line 1", call("list_tests", {"t.py": "def (:\n"}, "t.py")["error"])
