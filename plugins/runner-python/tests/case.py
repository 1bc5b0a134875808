"""What the tests share: a call of the runner in its own process, natively or through another driver named by RUNNER_DRIVER."""

import base64
import json
import os
import shlex
import subprocess
import sys
import unittest
from typing import Any, Optional, Union

DRIVER = [sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "driver.py")]
Files = dict[str, Union[str, bytes]]


def call(name: str, files: Files, *arguments: Any) -> Any:
    asked = {"call": name, "arguments": list(arguments), "files": {
        path: base64.b64encode(content.encode() if isinstance(content, str) else content).decode()
        for path, content in files.items()}}
    command = shlex.split(os.environ.get("RUNNER_DRIVER", "")) or DRIVER
    done = subprocess.run(command, input=json.dumps(asked).encode(), capture_output=True, timeout=120)
    if done.returncode != 0 or not done.stdout:
        raise AssertionError(f"the driver ended with {done.returncode}: {done.stderr.decode()[-3000:]}")
    return json.loads(done.stdout)


class RunnerCase(unittest.TestCase):
    """Helpers over `call`."""

    maxDiff = None

    def run_file(self, source: str, **more: Union[str, bytes]) -> Any:
        files: Files = {"test_it.py": source}
        files.update({path.replace("__", "/") + ".py": content for path, content in more.items()})
        return call("run_tests", files, "test_it.py")["ok"]

    def statuses(self, source: str, **more: Union[str, bytes]) -> dict[str, str]:
        return {one["name"]: one["status"] for one in self.run_file(source, **more)["tests"]}

    def assert_none_passed(self, source: str, words: str = "", **more: Union[str, bytes]) -> Any:
        run = self.run_file(source, **more)
        self.assertTrue(run["tests"], run)
        for one in run["tests"]:
            self.assertNotEqual(one["status"], "passed", run)
        if words:
            self.assertIn(words, json.dumps(run))
        return run

    def command(self, arguments: list[str], files: Optional[Files] = None, stdin: str = "") -> Any:
        outcome = call("run_command", files or {}, arguments, stdin)["ok"]
        outcome["written"] = {one["path"]: base64.b64decode(one["bytes"]) for one in outcome["written"]}
        return outcome

    def code(self, source: str, files: Optional[Files] = None, stdin: str = "") -> str:
        """Runs a script and returns what it printed, insisting that it ended well."""
        outcome = self.command(["python3", "main.py"], {**(files or {}), "main.py": source}, stdin)
        self.assertEqual(outcome["exit_code"], 0, outcome["stderr"])
        return outcome["stdout"]
