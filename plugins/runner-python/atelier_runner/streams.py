"""`open` and `FileIO` over the in-memory handles; buffering and text are left to the real `io` classes."""

import errno
import io
import os
from typing import Any, Optional

from .handles import Handles
from .tree import fail

HANDLES: Optional[Handles] = None
BLOCK = 8192


class FileIO(io.RawIOBase):
    """A raw file of the in-memory tree."""

    def __init__(self, file: Any, mode: str = "r", closefd: bool = True, opener: Any = None) -> None:
        super().__init__()
        self._number = -1
        self._closes = False
        letters = set(mode) - {"b"}
        if len(letters & set("rwax")) != 1 or letters - set("rwax+"):
            raise ValueError("Must have exactly one of create/read/write/append mode and at most one plus")
        self._reads = "r" in letters or "+" in letters
        self._writes = bool(letters & set("wax+"))
        self._letters = letters
        flags = os.O_RDWR if self._reads and self._writes else os.O_WRONLY if self._writes else os.O_RDONLY
        flags |= {"w": os.O_CREAT | os.O_TRUNC, "x": os.O_CREAT | os.O_EXCL, "a": os.O_CREAT | os.O_APPEND,
                  "r": 0}[(letters & set("rwax")).pop()]
        if isinstance(file, int):
            if file < 0:
                raise ValueError("negative file descriptor")
            HANDLES.get(file)
            self._number = file
        elif not closefd:
            raise ValueError("Cannot use closefd=False with file name")
        else:
            self._number = opener(file, flags) if opener is not None else os.open(file, flags, 0o666)
            if self._number < 0:
                raise ValueError(f"opener returned {self._number}")
            node = HANDLES.get(self._number).node
            if node is not None and node.is_folder:
                HANDLES.close(self._number)
                self._number = -1
                fail(errno.EISDIR, file)
        self.name = file
        self._closes = closefd
        self.closefd = closefd
        if "a" in letters and self.seekable():
            HANDLES.seek(self._number, 0, os.SEEK_END)

    @property
    def mode(self) -> str:
        plus = "+" if self._reads and self._writes else ""
        first = "x" if "x" in self._letters else "a" if "a" in self._letters else "r" if self._reads else "w"
        return first + "b" + plus

    def _open_number(self) -> int:
        if self.closed:
            raise ValueError("I/O operation on closed file")
        return self._number

    def fileno(self) -> int:
        return self._open_number()

    def isatty(self) -> bool:
        self._open_number()
        return False

    def readable(self) -> bool:
        self._open_number()
        return self._reads

    def writable(self) -> bool:
        self._open_number()
        return self._writes

    def seekable(self) -> bool:
        handle = HANDLES.get(self._open_number())
        return handle.node is not None and handle.node.data is not None

    def readinto(self, buffer: Any) -> int:
        number = self._open_number()
        if not self._reads:
            raise io.UnsupportedOperation("File not open for reading")
        view = memoryview(buffer).cast("B")
        piece = HANDLES.read(number, len(view))
        view[:len(piece)] = piece
        return len(piece)

    def readall(self) -> bytes:
        number = self._open_number()
        if not self._reads:
            raise io.UnsupportedOperation("File not open for reading")
        return HANDLES.read(number, -1)

    def read(self, size: Optional[int] = -1) -> bytes:
        if size is None or size < 0:
            return self.readall()
        number = self._open_number()
        if not self._reads:
            raise io.UnsupportedOperation("File not open for reading")
        return HANDLES.read(number, size)

    def write(self, data: Any) -> int:
        number = self._open_number()
        if not self._writes:
            raise io.UnsupportedOperation("File not open for writing")
        return HANDLES.write(number, data)

    def seek(self, offset: int, whence: int = 0) -> int:
        return HANDLES.seek(self._open_number(), offset, whence)

    def tell(self) -> int:
        return HANDLES.seek(self._open_number(), 0, os.SEEK_CUR)

    def truncate(self, size: Optional[int] = None) -> int:
        number = self._open_number()
        if not self._writes:
            raise io.UnsupportedOperation("File not open for writing")
        size = self.tell() if size is None else size
        os.ftruncate(number, size)
        return size

    def close(self) -> None:
        if not self.closed:
            try:
                super().close()
            finally:
                if self._closes and self._number >= 0 and self._number in HANDLES.open:
                    HANDLES.close(self._number)

    def __repr__(self) -> str:
        return f"<_io.FileIO name={getattr(self, 'name', None)!r} mode={self.mode!r}>"


def open_file(file: Any, mode: str = "r", buffering: int = -1, encoding: Optional[str] = None,
              errors: Optional[str] = None, newline: Optional[str] = None, closefd: bool = True,
              opener: Any = None) -> Any:
    """The builtin `open`."""
    if not isinstance(file, int):
        file = os.fspath(file)
    if not isinstance(mode, str):
        raise TypeError(f"open() argument 'mode' must be str, not {type(mode).__name__}")
    letters = set(mode)
    if letters - set("axrwb+t") or len(mode) > len(letters):
        raise ValueError(f"invalid mode: {mode!r}")
    binary = "b" in letters
    if "t" in letters and binary:
        raise ValueError("can't have text and binary mode at once")
    if len(letters & set("axrw")) != 1:
        raise ValueError("must have exactly one of create/read/write/append mode")
    for name, value in (("encoding", encoding), ("errors", errors), ("newline", newline)):
        if binary and value is not None:
            raise ValueError(f"binary mode doesn't take {'an' if name[0] == 'e' else 'a'} {name} argument")
    if not binary and buffering == 0:
        raise ValueError("can't have unbuffered text I/O")
    raw = FileIO(file, "".join(letters - set("tb")), closefd, opener)
    try:
        if buffering == 0:
            return raw
        size = buffering if buffering > 1 else BLOCK
        if "+" in letters and raw.seekable():
            buffered = io.BufferedRandom(raw, size)
        elif letters & set("wax"):
            buffered = io.BufferedWriter(raw, size)
        else:
            buffered = io.BufferedReader(raw, size)
        if binary:
            return buffered
        wrapped = io.TextIOWrapper(buffered, encoding or "utf-8", errors, newline, line_buffering=buffering == 1)
        wrapped.mode = mode
        return wrapped
    except BaseException:
        raw.close()
        raise


def open_code(path: str) -> Any:
    """What the import system reads sources with."""
    return open_file(path, "rb")


def standard(number: int) -> io.TextIOWrapper:
    """One of the three standard streams."""
    raw = FileIO(number, "r" if number == 0 else "w", closefd=False)
    raw.name = ("<stdin>", "<stdout>", "<stderr>")[number]
    buffered = io.BufferedReader(raw, BLOCK) if number == 0 else io.BufferedWriter(raw, BLOCK)
    stream = io.TextIOWrapper(buffered, "utf-8", "strict" if number < 2 else "backslashreplace",
                              line_buffering=number > 0, write_through=number == 2)
    stream.mode = "r" if number == 0 else "w"
    return stream
