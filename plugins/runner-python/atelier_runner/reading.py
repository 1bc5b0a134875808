"""What the sources say without being run: which files do not parse, and which tests a file holds."""

import ast
import builtins
import posixpath
import re
import warnings
from dataclasses import dataclass
from typing import Any, Iterable, Optional, Union

__builtins__ = vars(builtins).copy()

TEST_CASE = re.compile(r"TestCase$")
TEST_CLASS = re.compile(r"^Test|Tests?$|TestCase$")
Definition = Union[ast.FunctionDef, ast.AsyncFunctionDef]


@dataclass(frozen=True)
class Listed:
    """One test by its place in the source; `line` is 0 where a decorator may have wrapped it."""

    holder: Optional[str]
    method: str
    line: int

    @property
    def name(self) -> str:
        return f"{self.holder}.{self.method}" if self.holder else self.method


class Unreadable(Exception):
    """The file is missing or does not parse."""


def problem(path: str, content: bytes) -> Optional[tuple[int, str]]:
    """The line and the words of the parser, if it refuses the file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(content, path, "exec", dont_inherit=True)
    except SyntaxError as error:
        line = error.lineno or 0
        words = f"{type(error).__name__}: {error.msg}"
        source = (error.text or "").strip()
        return line, " ".join((f"{words} (`{source[:100]}`)" if source else words).split())
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        return 0, " ".join(f"{type(error).__name__}: {error}".split())
    return None


def source_of(files: Iterable[Any], path: str) -> bytes:
    for file in files:
        if file.path == path:
            return bytes(file.bytes)
    raise Unreadable(f"the file `{path}` is not in the project")


def parse(content: bytes, path: str) -> ast.Module:
    found = problem(path, content)
    if found is not None:
        raise Unreadable(f"{path}, line {found[0]}: {found[1]}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(content, path)


def base_name(node: ast.expr) -> str:
    """The last word of a base class: `unittest.TestCase` is `TestCase`."""
    if isinstance(node, ast.Subscript):
        node = node.value
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


class Family:
    """The classes of one file and what they inherit within the project."""

    def __init__(self, files: list[Any], path: str, tree: ast.Module, depth: int = 0) -> None:
        self.classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
        self.outside: dict[str, Family] = {}
        if depth < 4:
            for node in tree.body:
                if isinstance(node, ast.ImportFrom):
                    self.follow(files, path, node, depth)

    def follow(self, files: list[Any], path: str, node: ast.ImportFrom, depth: int) -> None:
        """Reads the project file that base classes are imported from."""
        folder = posixpath.dirname(path)
        for _ in range(max(node.level - 1, 0)):
            folder = posixpath.dirname(folder)
        inside = (node.module or "").replace(".", "/")
        bases = [folder] if node.level else ["", posixpath.dirname(path)]
        for base in bases:
            stem = posixpath.join(base, inside)
            for wanted in (f"{stem}.py", posixpath.join(stem, "__init__.py")):
                for file in files:
                    if file.path == wanted and wanted != path:
                        try:
                            family = Family(files, wanted, parse(bytes(file.bytes), wanted), depth + 1)
                        except Unreadable:
                            return
                        for alias in node.names:
                            if alias.name in family.classes:
                                self.outside[alias.asname or alias.name] = family
                                family.classes.setdefault(alias.asname or alias.name, family.classes[alias.name])
                        return

    def is_test_case(self, name: str, seen: frozenset[str] = frozenset()) -> bool:
        """Whether a class is, or inherits from, something whose name ends in TestCase."""
        if name in self.outside:
            return self.outside[name].is_test_case(name)
        node = self.classes.get(name)
        if node is None or name in seen:
            return False
        for base in map(base_name, node.bases):
            if (base not in self.classes and TEST_CASE.search(base)) or self.is_test_case(base, seen | {name}):
                return True
        return False

    def methods(self, name: str, seen: frozenset[str] = frozenset()) -> dict[str, tuple[Definition, ast.ClassDef, bool]]:
        """Every method by name, inherited ones after its own; the flag says that it stands in this file."""
        if name in self.outside:
            return {key: (node, holder, False) for key, (node, holder, _) in self.outside[name].methods(name).items()}
        node = self.classes.get(name)
        if node is None or name in seen:
            return {}
        own = {}
        for item in node.body:
            if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)):
                own.pop(item.name, None)
                own[item.name] = (item, node, True)
        for base in map(base_name, node.bases):
            for key, value in self.methods(base, seen | {name}).items():
                own.setdefault(key, value)
        return own


def tests(files: list[Any], path: str) -> list[Listed]:
    """The tests of a file in its order."""
    tree = parse(source_of(files, path), path)
    family = Family(files, path, tree)
    last: dict[str, ast.stmt] = {}
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)):
            last[node.name] = node
    listed = []
    for node in sorted(last.values(), key=lambda node: node.lineno):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
            fixture = any("fixture" in ast.dump(decorator) for decorator in node.decorator_list)
            if not fixture:
                listed.append(Listed(None, node.name, 0 if node.decorator_list else node.lineno))
        elif isinstance(node, ast.ClassDef):
            methods = family.methods(node.name)
            case = family.is_test_case(node.name)
            known = all(base_name(base) in family.classes or base_name(base) in ("object", "") for base in node.bases)
            plain = node.name.startswith("Test") and "__init__" not in methods
            unknown = not known and TEST_CLASS.search(node.name) is not None
            if not (case or plain or unknown):
                continue
            for name, (method, holder, here) in methods.items():
                if name.startswith("test") and (case or unknown or isinstance(method, ast.FunctionDef)):
                    bare = here and not (method.decorator_list or holder.decorator_list or node.decorator_list
                                         or holder.keywords or node.keywords)
                    listed.append(Listed(node.name, name, method.lineno if bare else 0))
    return listed
