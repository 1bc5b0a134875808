"""The system calls of `posix` over the in-memory tree, so that os, pathlib, shutil and the import system work unchanged."""

import errno
import os
import stat
from typing import Any, Callable, Iterator, Optional

from .handles import Handle, Handles
from .tree import Node, Tree, fail


def text(path: Any) -> str:
    """A path given as text, bytes or path-like, as text."""
    return os.fsdecode(path)


def refuse_folder_handle(number: Optional[int]) -> None:
    if number is not None:
        raise NotImplementedError("dir_fd is not available in the sandbox")


def describe(node: Node) -> os.stat_result:
    """What `stat` says of a node."""
    times = (node.accessed, node.modified, node.changed)
    named = {}
    for key, nanoseconds in zip(("atime", "mtime", "ctime"), times):
        named[f"st_{key}"] = nanoseconds / 1e9
        named[f"st_{key}_ns"] = nanoseconds
    seconds = [nanoseconds // 1_000_000_000 for nanoseconds in times]
    return os.stat_result((node.mode, node.number, 1, node.links, 1000, 1000, node.size, *seconds), named)


class Entry:
    """What `scandir` yields."""

    __slots__ = ("name", "path", "_node", "_tree", "_full")

    def __init__(self, name: Any, path: Any, node: Node, tree: Tree, full: str) -> None:
        self.name, self.path, self._node, self._tree, self._full = name, path, node, tree, full

    def _target(self, follow: bool) -> Optional[Node]:
        if not (follow and self._node.is_link):
            return self._node
        try:
            return self._tree.find(self._full)
        except OSError:
            return None

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        target = self._target(follow_symlinks)
        return target is not None and target.is_folder

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        target = self._target(follow_symlinks)
        return target is not None and stat.S_ISREG(target.mode)

    def is_symlink(self) -> bool:
        return self._node.is_link

    def is_junction(self) -> bool:
        return False

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        return describe(self._tree.find(self._full, follow_symlinks))

    def inode(self) -> int:
        return self._node.number

    def __fspath__(self) -> Any:
        return self.path

    def __repr__(self) -> str:
        return f"<DirEntry {self.name!r}>"


class Scan:
    """The iterator of `scandir`, also a context manager."""

    def __init__(self, entries: list[Entry]) -> None:
        self._entries = iter(entries)

    def __iter__(self) -> Iterator[Entry]:
        return self

    def __next__(self) -> Entry:
        return next(self._entries)

    def __enter__(self) -> "Scan":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._entries = iter(())


def make(tree: Tree, handles: Handles) -> dict[str, Callable]:
    """The functions by their names in `posix`."""

    def node_of(path: Any, follow: bool = True) -> Node:
        if isinstance(path, int):
            found = handles.get(path).node
            return found if found is not None else Node(None, stat.S_IFIFO | 0o600, 0, tree.clock())
        try:
            return tree.find(text(path), follow)
        except OSError as error:
            fail(error.errno, path)

    def spot(path: Any, follow: bool = False) -> tuple[Node, str, Optional[Node], str]:
        try:
            return tree.locate(text(path), follow)
        except OSError as error:
            fail(error.errno, path)

    def open_(path, flags, mode=0o777, *, dir_fd=None):
        refuse_folder_handle(dir_fd)
        parent, name, node, full = spot(path, not flags & getattr(os, "O_NOFOLLOW", 0))
        writes = flags & (os.O_WRONLY | os.O_RDWR) & ~os.O_RDONLY
        if node is None:
            if not flags & os.O_CREAT:
                fail(errno.ENOENT, path)
            if parent.fixed:
                fail(errno.EACCES, path)
            node = tree.node(bytearray(), stat.S_IFREG | (mode & 0o644))
            tree.attach(parent, name, node, path)
        elif flags & os.O_CREAT and flags & os.O_EXCL:
            fail(errno.EEXIST, path)
        if node.is_folder and writes:
            fail(errno.EISDIR, path)
        if flags & getattr(os, "O_DIRECTORY", 0) and not node.is_folder:
            fail(errno.ENOTDIR, path)
        if writes and ((node.fixed and node.data is not None) or not (node.data is None or node.mode & 0o200)):
            fail(errno.EACCES, path)
        if not node.is_folder and not node.mode & 0o400 and not writes:
            fail(errno.EACCES, path)
        if flags & os.O_TRUNC and writes and isinstance(node.data, bytearray):
            tree.resize(node, 0)
        node.opens += 1
        return handles.add(Handle(node, full, flags))

    def stat_(path, *, dir_fd=None, follow_symlinks=True):
        refuse_folder_handle(dir_fd)
        return describe(node_of(path, follow_symlinks))

    def lstat(path, *, dir_fd=None):
        return stat_(path, dir_fd=dir_fd, follow_symlinks=False)

    def access(path, mode, *, dir_fd=None, effective_ids=False, follow_symlinks=True):
        try:
            node = node_of(path, follow_symlinks)
        except OSError:
            return False
        wanted = (mode & os.R_OK and 0o400) | (mode & os.W_OK and 0o200) | (mode & os.X_OK and 0o100)
        return node.mode & wanted == wanted and not (mode & os.W_OK and node.fixed)

    def listdir(path=None):
        path = "." if path is None else path
        node = node_of(path)
        if not node.is_folder:
            fail(errno.ENOTDIR, path)
        names = sorted(node.data)
        return [os.fsencode(name) for name in names] if isinstance(path, bytes) else names

    def scandir(path=None):
        path = "." if path is None else path
        names = listdir(path)
        full = spot(path, True)[3] if not isinstance(path, int) else handles.get(path).path
        entries = []
        for name in names:
            plain = os.fsdecode(name)
            entries.append(Entry(name, os.path.join(os.fspath(path), name) if not isinstance(path, int) else name,
                                 node_of(full).data[plain], tree, f"{full}/{plain}"))
        return Scan(entries)

    def mkdir(path, mode=0o777, *, dir_fd=None):
        refuse_folder_handle(dir_fd)
        parent, name, node, _ = spot(os.fspath(path).rstrip(b"/" if isinstance(path, bytes) else "/") or path)
        if node is not None:
            fail(errno.EEXIST, path)
        if parent.fixed:
            fail(errno.EACCES, path)
        tree.attach(parent, name, tree.node({}, stat.S_IFDIR | (mode & 0o755)), path)

    def rmdir(path, *, dir_fd=None):
        refuse_folder_handle(dir_fd)
        parent, name, node, full = spot(path)
        if node is None:
            fail(errno.ENOENT, path)
        if not node.is_folder:
            fail(errno.ENOTDIR, path)
        if node.data:
            fail(errno.ENOTEMPTY, path)
        if full == "/" or full == tree.cwd:
            fail(errno.EBUSY, path)
        tree.detach(parent, name, path)

    def unlink(path, *, dir_fd=None):
        refuse_folder_handle(dir_fd)
        parent, name, node, _ = spot(path)
        if node is None:
            fail(errno.ENOENT, path)
        if node.is_folder:
            fail(errno.EISDIR, path)
        tree.detach(parent, name, path)

    def rename(source, target, *, src_dir_fd=None, dst_dir_fd=None):
        refuse_folder_handle(src_dir_fd if src_dir_fd is not None else dst_dir_fd)
        old_parent, old_name, node, old_full = spot(source)
        if node is None:
            fail(errno.ENOENT, source, target)
        new_parent, new_name, there, new_full = spot(target)
        if there is node:
            return
        if node.is_folder and new_full.startswith(old_full + "/"):
            fail(errno.EINVAL, source, target)
        if there is not None:
            if there.is_folder and not node.is_folder:
                fail(errno.EISDIR, source, target)
            if node.is_folder and not there.is_folder:
                fail(errno.ENOTDIR, source, target)
            if there.is_folder and there.data:
                fail(errno.ENOTEMPTY, source, target)
        if old_parent.fixed or new_parent.fixed or node.fixed:
            fail(errno.EACCES, source, target)
        if there is not None:
            tree.detach(new_parent, new_name, target)
        del old_parent.data[old_name]
        tree.attach(new_parent, new_name, node, target)

    def symlink(source, target, target_is_directory=False, *, dir_fd=None):
        refuse_folder_handle(dir_fd)
        parent, name, node, _ = spot(target)
        if node is not None:
            fail(errno.EEXIST, source, target)
        tree.attach(parent, name, tree.node(text(source), stat.S_IFLNK | 0o777), target)

    def link(source, target, *, src_dir_fd=None, dst_dir_fd=None, follow_symlinks=True):
        node = node_of(source, follow_symlinks)
        parent, name, there, _ = spot(target)
        if there is not None:
            fail(errno.EEXIST, source, target)
        if node.is_folder:
            fail(errno.EPERM, source, target)
        tree.attach(parent, name, node, target)
        node.links += 1

    def readlink(path, *, dir_fd=None):
        node = node_of(path, False)
        if not node.is_link:
            fail(errno.EINVAL, path)
        return os.fsencode(node.data) if isinstance(path, bytes) else node.data

    def chmod(path, mode, *, dir_fd=None, follow_symlinks=True):
        node = node_of(path, follow_symlinks)
        if node.fixed:
            fail(errno.EPERM, path)
        node.mode = stat.S_IFMT(node.mode) | (mode & 0o7777)

    def utime(path, times=None, *, ns=None, dir_fd=None, follow_symlinks=True):
        node = node_of(path, follow_symlinks)
        if ns is None:
            ns = [int(moment * 1e9) for moment in times] if times is not None else (tree.clock(),) * 2
        node.accessed, node.modified = ns

    def truncate(path, length):
        node = node_of(path)
        if not isinstance(node.data, bytearray):
            fail(errno.EISDIR if node.is_folder else errno.EINVAL, path)
        tree.resize(node, length)

    def chdir(path):
        node = node_of(path)
        if not node.is_folder:
            fail(errno.ENOTDIR, path)
        tree.cwd = handles.get(path).path if isinstance(path, int) else spot(path, True)[3]

    def dup(number):
        handle = handles.get(number)
        handle.shares += 1
        return handles.add(handle)

    def dup2(number, target, inheritable=True):
        handle = handles.get(number)
        if number != target:
            if target in handles.open:
                handles.close(target)
            handle.shares += 1
            handles.open[target] = handle
        return target

    def isatty(number):
        handles.get(number)
        return False

    def nothing(*_args: object, **_named: object) -> None:
        return None

    named = dict(open=open_, stat=stat_, lstat=lstat, access=access, listdir=listdir, scandir=scandir, mkdir=mkdir,
                 rmdir=rmdir, unlink=unlink, remove=unlink, rename=rename, replace=rename, symlink=symlink, link=link,
                 readlink=readlink, chmod=chmod, utime=utime, truncate=truncate, ftruncate=truncate, chdir=chdir,
                 fchdir=chdir, dup=dup, dup2=dup2, isatty=isatty, fsync=nothing, fdatasync=nothing, sync=nothing,
                 set_inheritable=nothing, get_inheritable=lambda number: False, fchmod=chmod,
                 getcwd=lambda: tree.cwd, getcwdb=lambda: os.fsencode(tree.cwd), fstat=lambda fd: stat_(fd),
                 close=handles.close, read=handles.read, write=handles.write, lseek=handles.seek,
                 umask=lambda mask: 0o022, chown=nothing, lchown=nothing, fchown=nothing)
    return named
