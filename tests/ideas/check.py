"""Checks the suite itself: every reference solution meets all its requirements, every wrong one fails exactly those that its
wrong.md names. Runs natively, with python3 and node. See README.md for the format."""

import ast
import html.parser
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
TIMEOUT_SECONDS = 60
KINDS = ("unit-test", "command", "file-present", "parses")
MATCHES = {
    "exact": lambda output, text: output.rstrip() == text.rstrip(),
    "contains": lambda output, text: text in output,
    "pattern": lambda output, text: re.search(text, output) is not None,
}
REQUIREMENTS_BY_SIZE = {"XS": (4, 9), "S": (4, 9), "M": (4, 9), "L": (8, 9)}

# Run by a Python of its own: argv is the project, the test file, the report to write.
PYTHON_HARNESS = """
import importlib.util, json, sys, unittest
project, test_file, report = sys.argv[1:]
sys.argv = [test_file]
sys.path.insert(0, project)
class Result(unittest.TestResult):
    passed = []
    def addSuccess(self, test):
        self.passed.append(type(test).__name__ + "." + test._testMethodName)
spec = importlib.util.spec_from_file_location("hidden_tests", test_file)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
result = Result()
unittest.defaultTestLoader.loadTestsFromModule(module).run(result)
for test, trace in result.failures + result.errors:
    print(test, trace, file=sys.stderr)
with open(report, "w") as file:
    json.dump(result.passed, file)
"""

NODE_REPORTER = """
export default async function* (events) {
  for await (const event of events) {
    if (event.type === "test:pass" && !event.data.skip && !event.data.todo) yield JSON.stringify(event.data.name) + "\\n";
  }
}
"""


class SuiteError(Exception):
    """The suite itself is wrong, rather than a solution in it."""


@dataclass
class Idea:
    folder: Path
    language: str
    size: str
    requirements: list
    named_failures: set

    @property
    def ids(self):
        return [requirement["id"] for requirement in self.requirements]


def load(folder):
    data = tomllib.loads((folder / "requirements.toml").read_text("utf-8"))
    expect(set(data) == {"title", "language", "size", "requirement"}, folder, f"has the keys {sorted(data)}")
    expect(data["language"] in ("python", "javascript", "html"), folder, "has an unknown language")
    expect(data["size"] in REQUIREMENTS_BY_SIZE, folder, "has an unknown size")
    expect((folder / "idea.md").read_text("utf-8").strip(), folder, "has no idea")
    requirements = data["requirement"]
    fewest, most = REQUIREMENTS_BY_SIZE[data["size"]]
    expect(fewest <= len(requirements) <= most, folder, f"has {len(requirements)} requirements")
    if data["size"] != "XS":
        expect(any(requirement["prerequisites"] for requirement in requirements), folder, "has no prerequisites")
    for number, requirement in enumerate(requirements, start=1):
        expect(set(requirement) == {"id", "text", "prerequisites", "check"}, folder, f"R{number} has other keys")
        expect(requirement["id"] == f"R{number}", folder, f"R{number} is out of order")
        earlier = {f"R{index}" for index in range(1, number)}
        expect(set(requirement["prerequisites"]) <= earlier, folder, f"R{number} needs what does not come before it")
        check_form(folder, f"R{number}", requirement["check"])
    line = (folder / "wrong.md").read_text("utf-8").strip()
    match = re.fullmatch(r"Fails (R\d+(?:, R\d+)*): .+", line)
    expect(match, folder, "wrong.md is not one line `Fails R1, R2: why`")
    named = set(match[1].split(", "))
    expect(named <= {requirement["id"] for requirement in requirements}, folder, "wrong.md names an unknown requirement")
    return Idea(folder, data["language"], data["size"], requirements, named)


def check_form(folder, name, check):
    kinds = [kind for kind in KINDS if kind in check]
    expect(len(kinds) == 1, folder, f"{name} has not exactly one kind of check")
    allowed = {kinds[0], "tests"} if kinds[0] == "unit-test" else {kinds[0]}
    expect(set(check) <= allowed, folder, f"{name} has other keys in its check")
    if kinds[0] == "unit-test":
        test_file = folder / check["unit-test"]
        expect(test_file.is_file(), folder, f"{name} names a test file that is missing")
        unknown = set(check.get("tests", [])) - set(test_names(test_file))
        expect(not unknown, folder, f"{name} names unknown tests {sorted(unknown)}")
    for step in check.get("command", []):
        expect(set(step) <= {"arguments", "stdin", "stdout", "exit-code"}, folder, f"{name} has other keys in a step")
        expect(step["arguments"][0] in ("python3", "node"), folder, f"{name} starts an unknown program")
        if "stdout" in step:
            expect(len(step["stdout"]) == 1, folder, f"{name} has not one matching")
            expect(set(step["stdout"]) <= set(MATCHES), folder, f"{name} has an unknown matching")


def expect(holds, folder, message):
    if not holds:
        raise SuiteError(f"{folder.name}: {message}")


def test_names(test_file):
    """From the source alone, without running it."""
    source = test_file.read_text("utf-8")
    if test_file.suffix == ".py":
        names = [
            f"{item.name}.{method.name}"
            for item in ast.parse(source).body
            if isinstance(item, ast.ClassDef)
            for method in item.body
            if isinstance(method, ast.FunctionDef) and method.name.startswith("test")
        ]
    else:
        names = re.findall(r'^test\("([^"]+)"', source, re.MULTILINE)
    if not names or len(set(names)) != len(names):
        raise SuiteError(f"{test_file}: no test, or two of one name")
    return names


def judge(idea, solution):
    """The ids of the requirements whose own check holds, and what went wrong with the others."""
    met, problems = set(), {}
    for requirement in idea.requirements:
        with tempfile.TemporaryDirectory() as temporary:
            project = Path(temporary) / "project"
            shutil.copytree(idea.folder / solution, project)
            problem = problem_of(idea, project, requirement["check"])
        if problem is None:
            met.add(requirement["id"])
        else:
            problems[requirement["id"]] = problem
    return met, problems


def problem_of(idea, project, check):
    """None if the check holds."""
    if "unit-test" in check:
        return unit_test_problem(project, idea.folder / check["unit-test"], check.get("tests"))
    if "command" in check:
        return next(filter(None, (step_problem(project, step) for step in check["command"])), None)
    if "file-present" in check:
        return None if (project / check["file-present"]).is_file() else f"{check['file-present']} is missing"
    return next(filter(None, (parse_problem(project, path) for path in check["parses"])), None)


def unit_test_problem(project, hidden, wanted):
    target = project / "tests" / hidden.name
    target.parent.mkdir(exist_ok=True)
    shutil.copy(hidden, target)
    with tempfile.TemporaryDirectory() as outside:
        report = Path(outside) / "report"
        if hidden.suffix == ".py":
            outcome = run(project, [sys.executable, "-c", PYTHON_HARNESS, str(project), str(target), str(report)])
            passed = set(json.loads(report.read_text("utf-8"))) if report.exists() else set()
        else:
            reporter = Path(outside) / "reporter.mjs"
            reporter.write_text(NODE_REPORTER, "utf-8")
            flags = [f"--test-reporter={reporter}", f"--test-reporter-destination={report}"]
            outcome = run(project, ["node", *flags, str(target)])
            passed = set(map(json.loads, report.read_text("utf-8").splitlines())) if report.exists() else set()
    missing = [name for name in wanted or test_names(hidden) if name not in passed]
    return f"not passed: {missing}\n{outcome.stdout}{outcome.stderr}" if missing else None


def step_problem(project, step):
    arguments = [sys.executable if word == "python3" else word for word in step["arguments"][:1]] + step["arguments"][1:]
    outcome = run(project, arguments, step.get("stdin", ""))
    if outcome.returncode != step.get("exit-code", 0):
        return f"{step['arguments']} ended with {outcome.returncode}\n{outcome.stdout}{outcome.stderr}"
    for how, text in step.get("stdout", {}).items():
        if not MATCHES[how](outcome.stdout, text):
            return f"{step['arguments']} printed {outcome.stdout!r}, not {how} {text!r}"
    return None


def run(project, arguments, stdin=""):
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1", "NO_COLOR": "1"}
    try:
        return subprocess.run(
            arguments, cwd=project, input=stdin, capture_output=True, encoding="utf-8", env=environment, timeout=TIMEOUT_SECONDS
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(arguments, -1, "", "took too long")


def parse_problem(project, path):
    file = project / path
    if not file.is_file():
        return f"{path} is missing"
    text = file.read_text("utf-8")
    if file.suffix == ".py":
        try:
            compile(text, path, "exec")
        except SyntaxError as error:
            return f"{path}: {error}"
    elif file.suffix in (".js", ".mjs", ".cjs"):
        outcome = run(project, ["node", "--check", path])
        return None if outcome.returncode == 0 else f"{path}: {outcome.stderr}"
    elif file.suffix in (".html", ".htm"):
        page = Page(project, file)
        page.feed(text)
        page.close()
        return page.first_problem()
    return None


class Page(html.parser.HTMLParser):
    """Are elements closed in the order they were opened, and do relative addresses lead to files?"""

    VOID = set("area base br col embed hr img input link meta source track wbr".split())
    # HTML lets these end without saying so.
    MAY_STAY_OPEN = set("html head body p li dt dd option optgroup thead tbody tfoot tr td th colgroup".split())

    def __init__(self, project, file):
        super().__init__()
        self.project, self.file = project, file
        self.open, self.problems = [], []

    def handle_starttag(self, tag, attributes):
        if tag not in self.VOID:
            self.open.append(tag)
        self.check_addresses(tag, attributes)

    def handle_startendtag(self, tag, attributes):
        self.check_addresses(tag, attributes)

    def handle_endtag(self, tag):
        while self.open and self.open[-1] != tag and self.open[-1] in self.MAY_STAY_OPEN:
            self.open.pop()
        if self.open and self.open[-1] == tag:
            self.open.pop()
        else:
            self.problem(f"</{tag}> closes nothing")

    def check_addresses(self, tag, attributes):
        for name, value in attributes:
            if name not in ("href", "src") or not value:
                continue
            address = urllib.parse.urlsplit(value)
            if address.scheme or address.netloc or not address.path:
                continue
            path = urllib.parse.unquote(address.path)
            target = self.project / path.lstrip("/") if path.startswith("/") else self.file.parent / path
            if not target.exists():
                self.problem(f"<{tag} {name}=\"{value}\"> leads nowhere")

    def problem(self, message):
        self.problems.append(f"{self.file.name}:{self.getpos()[0]}: {message}")

    def first_problem(self):
        for tag in self.open:
            if tag not in self.MAY_STAY_OPEN:
                self.problem(f"<{tag}> is never closed")
        return self.problems[0] if self.problems else None


def with_prerequisites(idea, met):
    """Those of the met whose prerequisites count as well; prerequisites always come earlier."""
    counted = set()
    for requirement in idea.requirements:
        if requirement["id"] in met and counted.issuperset(requirement["prerequisites"]):
            counted.add(requirement["id"])
    return counted


def main(chosen):
    folders = sorted(path.parent for path in HERE.glob("*/requirements.toml"))
    ideas = [load(folder) for folder in folders if not chosen or folder.name.startswith(tuple(chosen))]
    if not ideas:
        raise SuiteError("there is no such idea")
    row = "{:<22} {:<10} {:<4} {:>5}  {:>9}  {:>7}  {:<22} {}"
    print("requirements met: by their own check / with prerequisites")
    print(row.format("idea", "language", "size", "count", "reference", "wrong", "wrong fails", "verdict"))
    everything_holds = True
    totals = [0] * 5
    for idea in ideas:
        reference, problems = judge(idea, "reference")
        wrong, wrong_problems = judge(idea, "wrong")
        failed = [name for name in idea.ids if name not in wrong]
        holds = not problems and set(failed) == idea.named_failures
        everything_holds &= holds
        numbers = [len(idea.ids)]
        for met in (reference, wrong):
            numbers += [len(met), len(with_prerequisites(idea, met))]
        totals = [total + number for total, number in zip(totals, numbers)]
        verdict = "ok" if holds else "NOT AS IT SHOULD BE"
        print(row.format(idea.folder.name, idea.language, idea.size, *counts(numbers), " ".join(failed), verdict))
        for name, problem in problems.items():
            print(f"  reference {name}: {problem}")
        for name in sorted(set(failed) ^ idea.named_failures):
            print(f"  wrong {name}: {wrong_problems.get(name, 'holds, though wrong.md says it fails')}")
    print(row.format(f"{len(ideas)} ideas", "", "", *counts(totals), "", "ok" if everything_holds else "NOT AS IT SHOULD BE"))
    return 0 if everything_holds else 1


def counts(numbers):
    total, reference, reference_strict, wrong, wrong_strict = numbers
    return total, f"{reference}/{reference_strict}", f"{wrong}/{wrong_strict}"


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except SuiteError as error:
        sys.exit(f"the suite is wrong: {error}")
