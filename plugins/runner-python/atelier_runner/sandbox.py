"""Puts the tree, the clock and the refusals in the place of what the interpreter offers, once, before the snapshot."""

import builtins
import errno
import io
import os
import posix
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from typing import Any, Callable

from . import calls, clock as clocks, databases, streams
from .handles import Handles
from .tree import HOME, PROJECT, TEMPORARY, Tree

PURE = {"fspath", "strerror", "WIFSIGNALED", "WIFEXITED", "WEXITSTATUS", "WTERMSIG", "WIFSTOPPED", "WSTOPSIG",
        "WIFCONTINUED", "WCOREDUMP", "waitstatus_to_exitcode", "register_at_fork", "getpid", "getppid", "cpu_count",
        "_path_splitroot_ex", "_path_splitroot", "_path_normpath", "_inputhook", "_is_inputhook_installed", "_have_functions",
        "_fcopyfile", "get_blocking", "unsetenv", "putenv", "_create_environ", "_supports_virtual_terminal"}


class Left(BaseException):
    """The program asked to end the process at once."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Sandbox:
    """The state of one call; a call gets a fresh instance of the whole component."""

    def __init__(self) -> None:
        self.clock = clocks.Clock()
        self.dice = clocks.Dice()
        self.tree = Tree(self.clock.peek)
        self.handles = Handles(self.tree)
        self.left: list[int] = []
        self.given: dict[str, bytes] = {}

    def leave(self, code: int = 134, *_: object) -> None:
        self.left.append(code if isinstance(code, int) else 1)
        raise Left(self.left[-1])

    def fill(self, files: list[Any]) -> None:
        """Lays out the project."""
        for file in files:
            parts = file.path.split("/")
            if any(part in ("", ".", "..") for part in parts):
                raise ValueError(f"the path `{file.path}` is not a plain relative path")
            self.tree.place(f"{PROJECT}/{file.path}", file.bytes)
            self.given[file.path] = bytes(file.bytes)

    def start(self, stdin: bytes = b"") -> None:
        """Fresh standard streams and a small environment; the build tool fills it from the host in each instance."""
        os.environ.clear()
        os.environ.update(HOME=HOME, PATH="/usr/bin", LANG="C.UTF-8", PWD=PROJECT, USER="user", LOGNAME="user")
        self.handles.streams(stdin)
        sys.stdin, sys.stdout, sys.stderr = (streams.standard(number) for number in range(3))
        sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr

    def texts(self) -> tuple[str, str]:
        """What was printed."""
        for stream in {sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__} - {None}:
            try:
                stream.flush()
            except BaseException:
                pass
        return self.handles.outputs[0].text(), self.handles.outputs[1].text()

    def changes(self) -> tuple[list[tuple[str, bytes]], list[str]]:
        """What differs from the files that were given."""
        now = {path: bytes(node.data) for path, node in self.tree.walk(PROJECT)}
        written = [(path, data) for path, data in now.items()
                   if self.given.get(path) != data and "__pycache__" not in path.split("/")]
        return written, sorted(set(self.given) - set(now))


def refusal(name: str, error: type[Exception] = OSError) -> Callable:
    """A function that says that the sandbox does not have it."""
    def refuse(*_args: object, **_named: object) -> None:
        words = f"{name} is not available in the sandbox"
        raise OSError(errno.ENOTSUP, words) if error is OSError else error(words)
    refuse.__name__ = refuse.__qualname__ = name.rpartition(".")[2]
    return staticmethod(refuse)


def refused_class(name: str) -> type:
    """A class that refuses to be made but can still be named and inherited from."""
    def __init__(self, *_args: object, **_named: object) -> None:
        raise OSError(errno.ENOTSUP, f"{name} is not available in the sandbox")
    return type(name.rpartition(".")[2], (), {"__init__": __init__, "__module__": name.rpartition(".")[0],
                                              "__class_getitem__": classmethod(lambda cls, item: cls)})


def install(sandbox: Sandbox) -> None:
    """Replaces the calls everywhere that a module holds them."""
    streams.HANDLES = sandbox.handles
    swaps: dict[int, tuple[Any, Any]] = {}

    def swap(module: Any, name: str, new: Any) -> None:
        old = getattr(module, name, None)
        if old is not None:
            swaps[id(old)] = (old, new)
        setattr(module, name, new)

    system = calls.make(sandbox.tree, sandbox.handles)
    system.update(urandom=sandbox.dice.bytes, getrandom=lambda size, flags=0: sandbox.dice.bytes(size),
                  _exit=sandbox.leave, abort=sandbox.leave,
                  uname=lambda: os.uname_result(("Linux", "sandbox", "6.0", "1", "wasm32")),
                  get_terminal_size=lambda fd=1: os.terminal_size((80, 24)))
    for name in dir(posix):
        value = getattr(posix, name)
        if name in system:
            swap(posix, name, staticmethod(system[name]))
        elif callable(value) and not isinstance(value, type) and name not in PURE:
            swap(posix, name, refusal(f"os.{name}"))
    for name, new in system.items():
        if not hasattr(os, name):
            setattr(os, name, staticmethod(new))
    swap(posix, "DirEntry", calls.Entry)
    for name in ("kill", "killpg"):
        setattr(os, name, staticmethod(sandbox.leave))
    for name in ("popen", "system", "fork", "execv", "execve", "posix_spawn", "pipe", "wait", "waitpid"):
        setattr(os, name, refusal(f"os.{name}"))
    for module, name in ((signal, "raise_signal"), (signal, "pthread_kill"), (signal, "alarm"), (signal, "setitimer"),
                         (signal, "pause")):
        if hasattr(module, name):
            swap(module, name, staticmethod(sandbox.leave))
    for name, new in clocks.functions(sandbox.clock).items():
        swap(time, name, staticmethod(new))
    opener = staticmethod(streams.open_file)
    import _io
    for module in (_io, io):
        swap(module, "open", opener)
        swap(module, "open_code", staticmethod(streams.open_code))
        swap(module, "FileIO", streams.FileIO)
    swap(builtins, "open", opener)
    no_thread = refusal("a thread", RuntimeError)
    import _thread
    for name in ("start_new_thread", "start_new", "start_joinable_thread"):
        if hasattr(_thread, name):
            swap(_thread, name, no_thread)
    sweep(swaps)
    databases.install(sandbox.tree)
    threading.Thread.start = no_thread.__func__
    refuse_network()
    clocks.still_datetime(sandbox.clock)
    clocks.seed_random(sandbox.dice)
    settle_modules()


def sweep(swaps: dict[int, tuple[Any, Any]]) -> None:
    """Replaces copies of the originals that modules took by name."""
    own = __package__ + "."
    for label, module in list(sys.modules.items()):
        if label.startswith(own) or label == "app" or not isinstance(module, type(sys)):
            continue
        names = vars(module)
        for name, value in list(names.items()):
            entry = swaps.get(id(value))
            if entry is not None and entry[0] is value:
                names[name] = entry[1]


def refuse_network() -> None:
    """Sockets and processes."""
    import socket
    import _socket
    import subprocess
    socket.socket = refused_class("socket.socket")
    socket.SocketType = socket.socket
    for module in (socket, _socket):
        for name in ("socketpair", "create_connection", "create_server", "getaddrinfo", "gethostbyname", "fromfd",
                     "gethostname", "getfqdn"):
            if hasattr(module, name):
                setattr(module, name, refusal(f"socket.{name}"))
    subprocess.Popen.__init__ = refusal("subprocess").__func__
    subprocess.Popen.__del__ = lambda self, **_: None


def settle_modules() -> None:
    """Facts that modules worked out from the host at import."""
    shutil._use_fd_functions = False
    for name in ("_USE_CP_SENDFILE", "_USE_CP_COPY_FILE_RANGE", "_HAS_FCOPYFILE"):
        setattr(shutil, name, False)
    shutil.rmtree.avoids_symlink_attacks = False
    links = {os.stat, os.chmod, os.utime, os.access, os.link, os.chown}
    os.supports_dir_fd, os.supports_effective_ids = set(), set()
    os.supports_fd, os.supports_follow_symlinks = {os.stat, os.listdir, os.scandir, os.chdir, os.truncate}, links
    helper = sys.modules.get("pathlib._os")
    for name in ("_ficlone", "_fcopyfile", "_copy_file_range", "_sendfile", "copy_file_range", "sendfile"):
        if helper is not None and hasattr(helper, name):
            setattr(helper, name, None)
    tempfile.tempdir = TEMPORARY
    tempfile._name_sequence = None
    tempfile._once_lock = threading.Lock()
    sys.executable = "/usr/bin/python3"
    if "dbm" in sys.modules and "dbm.dumb" in sys.modules:
        sys.modules["dbm"]._defaultmod = sys.modules["dbm.dumb"]
        sys.modules["dbm"]._modules["dbm.dumb"] = sys.modules["dbm.dumb"]
    if "zoneinfo" in sys.modules:
        sys.modules["zoneinfo"]._tzpath.TZPATH = ("/usr/share/zoneinfo",)
        sys.modules["zoneinfo"].TZPATH = ("/usr/share/zoneinfo",)
        # The compiled class holds the host's `open`.
        sys.modules["zoneinfo"].ZoneInfo = sys.modules["zoneinfo._zoneinfo"].ZoneInfo
