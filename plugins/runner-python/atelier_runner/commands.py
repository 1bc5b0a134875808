"""Runs one command line as `python3` would: a script, a module, a piece of code, or the tests."""

import atexit
import builtins
import posixpath
import runpy
import sys
import traceback
import unittest
from typing import Any, Callable, Optional

from . import imports
from .sandbox import Left, Sandbox
from .tree import PROJECT

__builtins__ = vars(builtins).copy()

PROGRAMS = {"python3", "python"}
VERSION = f"Python {sys.version.split()[0]}"
UNITTEST_MAIN = unittest.main
HOOK = sys.excepthook


class Usage(Exception):
    """The command line cannot be run here."""


class Command:
    """One command line in one fresh sandbox."""

    def __init__(self, sandbox: Sandbox, arguments: list[str]) -> None:
        self.sandbox, self.arguments = sandbox, arguments

    def run(self) -> int:
        """The exit code; what was printed is in the sandbox."""
        try:
            action = self.plan()
        except Usage as error:
            sys.stderr.write(f"{error}\n")
            return 2
        code = self.ending(action)
        final = self.ending(atexit._run_exitfuncs)
        flushed = self.ending(sys.stdout.flush) if not sys.stdout.closed else 0
        if self.sandbox.left:
            code = self.sandbox.left[0]
        return (code or (120 if flushed else 0) or (final if self.sandbox.left else 0)) & 0xFF

    def plan(self) -> Callable[[], Any]:
        if not self.arguments or posixpath.basename(self.arguments[0]) not in PROGRAMS:
            raise Usage(f"the sandbox runs python3 only, not `{(self.arguments or [''])[0]}`")
        rest = self.arguments[1:]
        while rest and rest[0].startswith("-") and rest[0] not in ("-", "-c", "-m"):
            option = rest.pop(0)
            if option in ("-V", "--version"):
                return lambda: print(VERSION)
            if option in ("-W", "-X") and rest:
                rest.pop(0)
            elif option[:2] not in ("-W", "-X") and set(option[1:]) - set("uBbEIsSOqdvP"):
                raise Usage(f"the option `{option}` of python3 is not available in the sandbox")
        if not rest or rest[0] == "-":
            return lambda: self.code(sys.stdin.read(), "<stdin>", rest[:1] or [""], rest[1:], "")
        if rest[0] in ("-c", "-m") and len(rest) < 2:
            raise Usage(f"Argument expected for the {rest[0]} option")
        if rest[0] == "-c":
            return lambda: self.code(rest[1], "<string>", ["-c"], rest[2:], "")
        if rest[0] == "-m":
            return lambda: self.module(rest[1], rest[2:])
        return lambda: self.script(rest[0], rest[1:])

    def code(self, source: Any, label: str, first: list[str], rest: list[str], folder: str) -> None:
        """Runs text as `__main__`."""
        imports.put_first(self.sandbox.tree, folder or PROJECT)
        sys.path[0] = folder
        sys.argv[:] = [*first, *rest]
        module = imports.main_module()
        if label.startswith("/"):
            module.__dict__.update(__file__=label, __cached__=None)
        exec(compile(source, label, "exec", dont_inherit=True), module.__dict__)

    def script(self, path: str, rest: list[str]) -> None:
        full = posixpath.normpath(posixpath.join(PROJECT, path))
        try:
            node = self.sandbox.tree.find(full)
            if node.is_folder:
                full += "/__main__.py"
                node = self.sandbox.tree.find(full)
        except OSError as error:
            sys.stderr.write(f"python3: can't open file '{full}': [Errno {error.errno}] {error.strerror}\n")
            raise SystemExit(2) from None
        self.code(bytes(node.data), full, [path], rest, posixpath.dirname(full))

    def module(self, name: str, rest: list[str]) -> None:
        imports.put_first(self.sandbox.tree, PROJECT)
        imports.main_module()
        if name.partition(".")[0] in imports.own_names(self.sandbox.tree, PROJECT) | self.folders():
            sys.argv[:] = ["-m", *rest]
            runpy._run_module_as_main(name)
        elif name == "unittest":
            sys.argv[:] = ["python3 -m unittest", *rest]
            UNITTEST_MAIN(module=None, argv=["python3 -m unittest", *rest])
        else:
            module = sys.modules.get(name)
            sys.argv[:] = [name, *rest]
            if module is None or not callable(getattr(module, "main", None)):
                sys.stderr.write(f"python3: the module `{name}` cannot be run in the sandbox\n")
                raise SystemExit(1)
            module.main()

    def folders(self) -> set[str]:
        return {name for name, node in self.sandbox.tree.find(PROJECT).data.items() if node.is_folder}

    def ending(self, action: Callable[[], Any]) -> int:
        """Runs something and turns its end into an exit code, as the interpreter does."""
        try:
            action()
            return 0
        except SystemExit as error:
            if error.code is None or isinstance(error.code, int):
                return int(error.code or 0)
            self.say(f"{error.code}\n")
            return 1
        except Left as error:
            return error.code
        except KeyboardInterrupt:
            self.say("KeyboardInterrupt\n")
            return 130
        except BaseException as error:
            self.report(error)
            return 1

    def say(self, text: str) -> None:
        try:
            sys.stdout.flush()
            sys.stderr.write(text)
            sys.stderr.flush()
        except BaseException:
            self.sandbox.handles.outputs[1].write(text.encode("utf-8", "backslashreplace"))

    def report(self, error: BaseException) -> None:
        """The trace as the interpreter prints it, without the frames of the runner."""
        tail: Optional[Any] = error.__traceback__
        while tail is not None and not tail.tb_frame.f_code.co_filename.startswith((PROJECT, "<string>", "<stdin>")):
            tail = tail.tb_next
        error.__traceback__ = tail
        try:
            if sys.excepthook is not HOOK:
                sys.excepthook(type(error), error, tail)
                return
            words = "".join(traceback.format_exception(type(error), error, tail))
        except BaseException:
            words = f"{type(error).__name__}\n"
        self.say(words)
