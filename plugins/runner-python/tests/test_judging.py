"""Verdicts: honest tests get theirs, and no project talks its way to a pass."""

from case import RunnerCase, call

HEAD = "import unittest, sys, os, builtins\n"
ONE = HEAD + "class TestA(unittest.TestCase):\n    def test_a(self):\n        "


class Honest(RunnerCase):
    def test_every_ending_of_unittest(self) -> None:
        source = HEAD + """
events = []
def setUpModule(): events.append('module')
class TestA(unittest.TestCase):
    @classmethod
    def setUpClass(cls): cls.x = 1
    def setUp(self): self.y = 2
    def tearDown(self): del self.y
    def test_pass(self): self.assertEqual((self.x, self.y, events[0]), (1, 2, 'module'))
    def test_fail(self): self.assertEqual(1, 2)
    def test_error(self): raise KeyError('k')
    @unittest.skip('later')
    def test_skip(self): pass
    @unittest.expectedFailure
    def test_expected(self): self.fail()
    @unittest.expectedFailure
    def test_unexpected(self): pass
    def test_sub(self):
        for n in range(3):
            with self.subTest(n=n): self.assertNotEqual(n, 1)
    def test_exit(self):
        with self.assertRaises(SystemExit): sys.exit(3)
class TestB(unittest.TestCase):
    @classmethod
    def setUpClass(cls): raise ValueError('no')
    def test_b(self): pass
"""
        self.assertEqual(self.statuses(source), {
            "TestA.test_pass": "passed", "TestA.test_fail": "failed", "TestA.test_error": "errored",
            "TestA.test_skip": "skipped", "TestA.test_expected": "passed", "TestA.test_unexpected": "failed",
            "TestA.test_sub": "failed", "TestA.test_exit": "passed", "TestB.test_b": "errored"})

    def test_functions_with_fixtures_and_marks(self) -> None:
        source = """
import pytest, os
from unittest.mock import patch
@pytest.fixture
def number(): return 4
@pytest.fixture
def opened(tmp_path):
    (tmp_path / 'a').write_text('q')
    yield tmp_path / 'a'
    os.remove(tmp_path / 'a')
def test_fixture(number, opened): assert number == 4 and opened.read_text() == 'q'
@pytest.mark.parametrize('a,b', [(1, 1), (2, 3)])
def test_rows(a, b): assert a == b
def test_raises():
    with pytest.raises(ValueError, match='bad') as info: raise ValueError('bad thing')
    assert str(info.value) == 'bad thing' and 0.1 + 0.2 == pytest.approx(0.3)
def test_print(capsys, monkeypatch):
    monkeypatch.setenv('A', 'b'); print(os.environ['A'])
    assert capsys.readouterr().out == 'b\\n'
@patch('os.getcwd', return_value='/x')
def test_patch(got): assert os.getcwd() == '/x'
def test_unknown(mocker): pass
class TestPlain:
    def setup_method(self): self.x = 1
    def test_in(self): assert self.x == 1
    @pytest.mark.skipif(True, reason='r')
    def test_out(self): assert False
"""
        self.assertEqual(self.statuses(source), {
            "test_fixture": "passed", "test_rows": "failed", "test_raises": "passed", "test_print": "passed",
            "test_patch": "passed", "test_unknown": "errored", "TestPlain.test_in": "passed",
            "TestPlain.test_out": "skipped"})

    def test_packages_and_relative_imports(self) -> None:
        files = {"pkg/__init__.py": "from .a import f\n", "pkg/a.py": "def f(): return 1\n", "tests/helper.py": "H = 2\n",
                 "app.py": "X = 5\n", "calendar.py": "MINE = 3\n",
                 "tests/test_x.py": "from pkg import f\nimport helper, app, calendar\nfrom . import helper as h\n"
                                    "def test_x(): assert (f(), helper.H, app.X, calendar.MINE, h.H) == (1, 2, 5, 3, 2)\n"}
        self.assertEqual(call("run_tests", files, "tests/test_x.py")["ok"]["tests"][0],
                         {"name": "test_x", "status": "passed", "detail": ""})

    def test_async_tests(self) -> None:
        self.assertEqual(self.statuses("""
import asyncio, unittest, time
class TestA(unittest.IsolatedAsyncioTestCase):
    async def test_a(self):
        before = time.monotonic()
        await asyncio.gather(asyncio.sleep(5), asyncio.sleep(9))
        self.assertGreaterEqual(time.monotonic() - before, 9)
    async def test_b(self): self.assertEqual(1, 2)
"""), {"TestA.test_a": "passed", "TestA.test_b": "failed"})

    def test_detail_names_the_place(self) -> None:
        run = self.run_file("def test_a():\n    x = 3\n    assert x == 4\n")
        self.assertIn('File "test_it.py", line 3, in test_a', run["tests"][0]["detail"])
        self.assertIn("left: 3", run["tests"][0]["detail"])

    def test_missing_module_is_named(self) -> None:
        run = self.assert_none_passed("import numpy\ndef test_a(): pass\n")
        self.assertIn("the module `numpy` is not available in the sandbox (third-party package)", run["problem"])

    def test_patches_that_are_taken_back(self) -> None:
        self.assertEqual(self.statuses("""
import unittest
from unittest import mock
class TestA(unittest.TestCase):
    def test_a(self):
        with mock.patch('builtins.print') as p, mock.patch('builtins.open', mock.mock_open(read_data='x')):
            print('q'); self.assertEqual(open('a').read(), 'x')
        p.assert_called_once_with('q')
    @mock.patch('builtins.input', side_effect=['a'])
    def test_b(self, _): self.assertEqual(input(), 'a')
"""), {"TestA.test_a": "passed", "TestA.test_b": "passed"})


class Hostile(RunnerCase):
    def test_ends_of_the_process(self) -> None:
        for end in ("sys.exit(0)", "os._exit(0)", "quit()", "os.abort()", "raise SystemExit", "os.kill(os.getpid(), 9)",
                    "import signal; signal.raise_signal(9)", "\n        try: os._exit(0)\n        except BaseException: pass"):
            with self.subTest(end=end):
                self.assert_none_passed(ONE + end + "\n")

    def test_ends_while_imported(self) -> None:
        for end in ("sys.exit(0)", "os._exit(0)", "\ntry: os._exit(0)\nexcept BaseException: pass"):
            with self.subTest(end=end):
                run = self.assert_none_passed(HEAD + end + "\ndef test_a(): pass\n")
                self.assertIn("ended the pro", run["problem"])
        self.assert_none_passed("import own\ndef test_a(): pass\n", own="import sys\nsys.exit(0)\n")

    def test_changed_framework(self) -> None:
        changes = ("unittest.TestCase.assertEqual = lambda *a: None", "unittest.TestCase.run = lambda s, r: r.addSuccess(s)",
                   "builtins.AssertionError = ValueError", "builtins.isinstance = lambda *a: True", "builtins.len = lambda x: 0",
                   "builtins.sorted = lambda *a, **k: []", "unittest.TestCase = object", "unittest.TextTestRunner.run = None",
                   "unittest.TestCase.__getattribute__ = lambda s, n: object.__getattribute__(s, n)",
                   "unittest.TestCase.assertEqual.__code__ = (lambda self, a, b, msg=None: None).__code__",
                   "import unittest.case; unittest.case._Outcome = None",
                   "import pytest; pytest.raises = None", "del builtins.any")
        for change in changes:
            with self.subTest(change=change):
                source = HEAD + change + "\nclass TestA(unittest.case.TestCase):\n    def test_a(self): self.assertEqual(1, 2)\n"
                run = self.assert_none_passed(source)
                self.assertEqual(run["problem"], "the test framework was changed by the project")
                run = self.assert_none_passed(HEAD + f"def test_a():\n    {change}\ndef test_b(): pass\n")
                self.assertEqual(run["problem"], "the test framework was changed by the project")

    def test_changes_on_class_and_instance(self) -> None:
        self.assert_none_passed(HEAD + "class T(unittest.TestCase):\n    def run(self, r=None): r.addSuccess(self)\n"
                                       "    def test_a(self): self.fail()\n")
        self.assert_none_passed(HEAD + "class T(unittest.TestCase):\n    def assertEqual(self, *a): pass\n"
                                       "    def test_a(self): self.assertEqual(1, 2)\n")
        self.assert_none_passed(ONE + "self.assertEqual = lambda *a: None; self.assertEqual(1, 2)\n")

    def test_the_result_object(self) -> None:
        for trick in ("self._outcome.result.addFailure = lambda *a: None", "self._outcome.success = True",
                      "self._outcome.result.addSuccess(self)",
                      "r = self._outcome.result; self.addCleanup(lambda: setattr(r, 'status', 'passed'))", "self._outcome.result = None",
                      "type(self._outcome.result).note = lambda *a: None",
                      "self._outcome.result.status = 'passed'; self._outcome.result.addFailure.__func__"):
            with self.subTest(trick=trick):
                self.assert_none_passed(ONE + trick + "; self.fail()\n")

    def test_fake_summary(self) -> None:
        run = self.assert_none_passed(ONE + "print('Ran 1 test\\n\\nOK', file=sys.stderr); self.fail()\n")
        self.assertIn("OK", run["stderr"])

    def test_disappearing_tests(self) -> None:
        self.assert_none_passed(ONE + "self.fail()\ndel TestA.test_a\n", "the test disappeared")
        self.assert_none_passed(ONE + "self.fail()\ndel TestA\n", "the test disappeared")
        self.assert_none_passed("def test_a(): assert 0\ndel test_a\n", "the test disappeared")
        self.assert_none_passed("def test_a(): assert 0\ntest_a = lambda: None\n", "replaced")
        self.assert_none_passed(ONE + "self.fail()\nTestA.test_a = lambda self: None\n", "replaced")

    def test_bodies_that_never_run(self) -> None:
        self.assert_none_passed(ONE + "yield\n        self.fail()\n", "would never run")
        self.assert_none_passed("def test_a():\n    yield\n    assert 0\n", "would never run")
        self.assert_none_passed(HEAD + "class T(unittest.TestCase):\n    async def test_a(self): self.fail()\n", "would never run")
        self.assert_none_passed("def inner(f): return lambda: f\n@inner\ndef test_a(): assert 0\n", "returned function")

    def test_the_runner_is_out_of_reach(self) -> None:
        for name in ("app", "atelier_runner", "atelier_runner.judge", "wit_world"):
            self.assert_none_passed(f"import {name}\ndef test_a(): pass\n")

    def test_printing_without_end_stays_bounded(self) -> None:
        run = self.run_file("import sys\ndef test_a():\n    for _ in range(2000): sys.stdout.write('x' * 100000)\n")
        self.assertLess(len(run["stdout"]), 300_000)
        self.assertIn("[output cut here", run["stdout"])

    def test_deep_recursion_and_threads(self) -> None:
        run = self.run_file("import threading\ndef test_a():\n    def f(n): return f(n + 1)\n    f(0)\n"
                            "def test_b(): threading.Thread(target=print).start()\n")
        self.assertEqual([one["status"] for one in run["tests"]], ["errored", "errored"])
        self.assertIn("RecursionError", run["tests"][0]["detail"])
        self.assertIn("not available in the sandbox", run["tests"][1]["detail"])
