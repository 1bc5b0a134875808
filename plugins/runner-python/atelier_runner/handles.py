"""Open files and the three standard streams, because captured output must stay bounded and numbered like real descriptors."""

import errno
import os
from typing import Optional, Union

from .tree import Node, Tree, fail

ACCESS = os.O_RDONLY | os.O_WRONLY | os.O_RDWR
CUT = 256 * 1024
MARK = "\n[output cut here: more than 256 KiB]\n"


class Sink:
    """Keeps the first 256 KiB that are written and counts the rest away."""

    __slots__ = ("kept", "cut")

    def __init__(self) -> None:
        self.kept = bytearray()
        self.cut = False

    def write(self, data: bytes) -> int:
        room = CUT - len(self.kept)
        if len(data) > room:
            self.cut = True
        if room > 0:
            self.kept += data[:room]
        return len(data)

    def text(self) -> str:
        said = bytes(self.kept).decode("utf-8", "replace")
        return said + MARK if self.cut else said


class Handle:
    """One open file: a node, a place in it, and what may be done."""

    __slots__ = ("node", "path", "at", "flags", "sink", "source", "shares")

    def __init__(self, node: Optional[Node], path: str, flags: int, sink: Optional[Sink] = None,
                 source: Optional[bytes] = None) -> None:
        self.node = node
        self.path = path
        self.at = 0
        self.flags = flags
        self.sink = sink
        self.source = source
        self.shares = 1

    @property
    def reads(self) -> bool:
        return self.sink is None and self.flags & ACCESS in (os.O_RDONLY, os.O_RDWR)

    @property
    def writes(self) -> bool:
        return self.sink is not None or self.flags & ACCESS in (os.O_WRONLY, os.O_RDWR)


class Handles:
    """The table of descriptors of one call."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.open: dict[int, Handle] = {}
        self.outputs = (Sink(), Sink())
        self.streams(b"")

    def streams(self, stdin: bytes) -> None:
        """Sets 0, 1 and 2 afresh."""
        self.outputs = (Sink(), Sink())
        self.open[0] = Handle(None, "<stdin>", os.O_RDONLY, source=stdin)
        self.open[1] = Handle(None, "<stdout>", os.O_WRONLY, sink=self.outputs[0])
        self.open[2] = Handle(None, "<stderr>", os.O_WRONLY, sink=self.outputs[1])

    def get(self, number: int) -> Handle:
        if not isinstance(number, int):
            raise TypeError("an integer is required")
        found = self.open.get(number)
        if found is None:
            fail(errno.EBADF)
        return found

    def add(self, handle: Handle) -> int:
        number = 3
        while number in self.open:
            number += 1
        if number > 1000:
            fail(errno.EMFILE)
        self.open[number] = handle
        return number

    def close(self, number: int) -> None:
        handle = self.get(number)
        del self.open[number]
        handle.shares -= 1
        if handle.shares == 0 and handle.node is not None:
            handle.node.opens -= 1
            self.tree.release(handle.node)

    def read(self, number: int, size: int) -> bytes:
        handle = self.get(number)
        if not handle.reads:
            fail(errno.EBADF)
        if handle.node is None:
            data = handle.source
        elif handle.node.data is None:
            return b""
        elif handle.node.is_folder:
            fail(errno.EISDIR)
        else:
            handle.node.size
            data = handle.node.data
        end = len(data) if size < 0 else handle.at + size
        piece = bytes(data[handle.at:end])
        handle.at += len(piece)
        return piece

    def write(self, number: int, data: Union[bytes, bytearray, memoryview]) -> int:
        handle = self.get(number)
        if not handle.writes:
            fail(errno.EBADF)
        view = memoryview(data).cast("B")
        if handle.sink is not None:
            return handle.sink.write(view)
        node = handle.node
        if node is None or node.data is None:
            return len(view)
        if handle.flags & os.O_APPEND:
            handle.at = len(node.data)
        end = handle.at + len(view)
        self.tree.resize(node, max(end, len(node.data)))
        node.data[handle.at:end] = view
        handle.at = end
        return len(view)

    def seek(self, number: int, offset: int, whence: int) -> int:
        handle = self.get(number)
        if handle.node is None or handle.node.data is None:
            fail(errno.ESPIPE)
        start = {os.SEEK_SET: 0, os.SEEK_CUR: handle.at, os.SEEK_END: handle.node.size}.get(whence)
        if start is None or start + offset < 0:
            fail(errno.EINVAL)
        handle.at = start + offset
        return handle.at
