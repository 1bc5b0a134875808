"""The files of one call, in memory, because the sandbox has no file system: nodes, path resolution and a ceiling on growth."""

import errno
import os
import stat
from typing import Iterator, NoReturn, Optional, Union

PROJECT = "/project"
TEMPORARY = "/tmp"
HOME = "/home/user"
GROWTH = 16 * 1024 * 1024
NODES = 20_000
LINKS = 40
NAME = 255

Data = Union[bytearray, dict, str, None]


def fail(code: int, *paths: object) -> NoReturn:
    """Raises the OSError that the system would raise."""
    if len(paths) == 2:
        raise OSError(code, os.strerror(code), paths[0], None, paths[1])
    raise OSError(code, os.strerror(code), *paths)


class Node:
    """A file, folder, symbolic link or the null device; `data` is a bytearray, a dict, a string or None."""

    __slots__ = ("data", "mode", "number", "links", "opens", "modified", "accessed", "changed", "fixed", "refresh")

    def __init__(self, data: Data, mode: int, number: int, now: int, fixed: bool = False) -> None:
        self.data = data
        self.mode = mode
        self.number = number
        self.links = 1
        self.opens = 0
        self.modified = self.accessed = self.changed = now
        self.fixed = fixed
        self.refresh = None

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.mode)

    @property
    def is_link(self) -> bool:
        return stat.S_ISLNK(self.mode)

    @property
    def size(self) -> int:
        if self.refresh is not None:
            self.refresh(self)
        return len(self.data) if isinstance(self.data, (bytearray, str)) else 0


class Tree:
    """The whole tree: the project, a place for temporary files, a home, and nothing of the host."""

    def __init__(self, clock) -> None:
        self.clock = clock
        self.used = 0
        self.count = 0
        self.cwd = PROJECT
        self.root = self.node({}, stat.S_IFDIR | 0o755, fixed=True)
        for folder in (PROJECT, TEMPORARY, HOME, "/dev"):
            self.folders(folder)
        self.find("/dev").data["null"] = self.node(None, stat.S_IFCHR | 0o666, fixed=True)
        for folder in (PROJECT, TEMPORARY, HOME):
            self.find(folder).fixed = False

    def node(self, data: Data, mode: int, fixed: bool = False) -> Node:
        if self.count >= NODES:
            fail(errno.ENOSPC)
        self.count += 1
        return Node(data, mode, self.count, self.clock(), fixed)

    def folders(self, path: str) -> Node:
        """The folder at an absolute path, made where missing; for the host's own use."""
        at = self.root
        for part in path.split("/"):
            if not part:
                continue
            if part not in at.data:
                at.data[part] = self.node({}, stat.S_IFDIR | 0o755, fixed=at.fixed)
            at = at.data[part]
            if not at.is_folder:
                fail(errno.ENOTDIR, path)
        return at

    def place(self, path: str, content: bytes) -> None:
        """Puts a file at an absolute path without counting it as growth."""
        folder, _, name = path.rpartition("/")
        parent = self.folders(folder)
        parent.data[name] = self.node(bytearray(content), stat.S_IFREG | 0o644, fixed=parent.fixed)

    def absolute(self, path: str) -> str:
        if "\0" in path:
            raise ValueError("embedded null byte")
        return path if path.startswith("/") else f"{self.cwd}/{path}"

    def locate(self, path: str, follow: bool = True) -> tuple[Node, str, Optional[Node], str]:
        """The parent folder, the last name, the node or None, and the canonical path."""
        if path == "":
            fail(errno.ENOENT, path)
        parts = [p for p in self.absolute(path).split("/") if p and p != "."][::-1]
        must_be_folder = path.endswith("/")
        trail: list[tuple[str, Node]] = [("", self.root)]
        hops = 0
        while parts:
            part = parts.pop()
            parent = trail[-1][1]
            if not parent.is_folder:
                fail(errno.ENOTDIR, path)
            if part == "..":
                if len(trail) > 1:
                    trail.pop()
                continue
            if len(part) > NAME:
                fail(errno.ENAMETOOLONG, path)
            child = parent.data.get(part)
            if child is None:
                if parts:
                    fail(errno.ENOENT, path)
                return parent, part, None, self.join(trail, part)
            if child.is_link and (parts or follow or must_be_folder):
                hops += 1
                if hops > LINKS:
                    fail(errno.ELOOP, path)
                if child.data.startswith("/"):
                    trail = [("", self.root)]
                parts += [p for p in child.data.split("/") if p and p != "."][::-1]
                continue
            trail.append((part, child))
        name, found = trail[-1]
        if must_be_folder and not found.is_folder:
            fail(errno.ENOTDIR, path)
        parent = trail[-2][1] if len(trail) > 1 else self.root
        return parent, name, found, self.join(trail[:-1], name) if len(trail) > 1 else "/"

    @staticmethod
    def join(trail: list[tuple[str, Node]], name: str) -> str:
        return "/".join([entry[0] for entry in trail] + [name])

    def find(self, path: str, follow: bool = True) -> Node:
        found = self.locate(path, follow)[2]
        if found is None:
            fail(errno.ENOENT, path)
        return found

    def attach(self, parent: Node, name: str, child: Node, path: object) -> None:
        if parent.fixed:
            fail(errno.EACCES, path)
        parent.data[name] = child
        parent.modified = parent.changed = self.clock()

    def detach(self, parent: Node, name: str, path: object) -> None:
        if parent.fixed or parent.data[name].fixed:
            fail(errno.EACCES, path)
        child = parent.data.pop(name)
        parent.modified = parent.changed = self.clock()
        child.links -= 1
        self.release(child)

    def release(self, node: Node) -> None:
        """Gives the room of a file back once no name and no handle holds it."""
        if node.links <= 0 and node.opens == 0:
            self.count -= 1
            if isinstance(node.data, bytearray):
                self.used -= len(node.data)
                node.data = bytearray()

    def resize(self, node: Node, size: int) -> None:
        """Every growth and every cut goes through here, so that the ceiling holds."""
        if node.fixed:
            fail(errno.EACCES)
        node.refresh = None
        delta = size - len(node.data)
        if delta > 0:
            if self.used + delta > GROWTH:
                fail(errno.ENOSPC)
            node.data.extend(bytes(delta))
        elif delta < 0:
            del node.data[size:]
        self.used += delta
        node.modified = node.changed = self.clock()

    def walk(self, path: str) -> Iterator[tuple[str, Node]]:
        """Every file below a folder, with its path relative to it, in order."""
        waiting = [("", self.find(path))]
        while waiting:
            prefix, folder = waiting.pop()
            for name in sorted(folder.data, reverse=True):
                child = folder.data[name]
                if child.is_folder:
                    waiting.append((f"{prefix}{name}/", child))
                elif isinstance(child.data, bytearray):
                    child.size
                    yield prefix + name, child
