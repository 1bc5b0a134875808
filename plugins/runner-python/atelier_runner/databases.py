"""`sqlite3.connect` with the name of a file: the database lives in memory and is read from and written to the tree."""

import errno
import os
import sqlite3
import urllib.parse
from typing import Any

from .tree import Node, Tree, fail

CONNECT = sqlite3.connect


class Databases:
    """One keeper connection for each database file, so that its content outlives the connections of the project."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.keepers: dict[int, sqlite3.Connection] = {}

    def connect(self, database: Any, *args: Any, **named: Any) -> sqlite3.Connection:
        path = os.fsdecode(database)
        query = ""
        if named.get("uri") and path.startswith("file:"):
            path, _, query = path[len("file:"):].partition("?")
            path = urllib.parse.unquote(path)
        options = urllib.parse.parse_qs(query)
        if path in (":memory:", "") or options.get("mode") == ["memory"]:
            return CONNECT(database, *args, **named)
        try:
            name = self.open(path, options.get("mode") in (["ro"], ["rw"]))
        except OSError:
            raise sqlite3.OperationalError("unable to open database file") from None
        if options.get("mode") == ["ro"]:
            name += "&mode=ro"
        return CONNECT(name, *args, **{**named, "uri": True})

    def open(self, path: str, must_exist: bool) -> str:
        parent, name, node, _ = self.tree.locate(path)
        if node is None:
            if must_exist:
                fail(errno.ENOENT, path)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o644))
            node = self.tree.find(path)
        if not isinstance(node.data, bytearray):
            fail(errno.EISDIR, path)
        label = f"file:/atelier-{node.number}?vfs=memdb"
        if node.refresh is None:
            label = self.keep(node)
        return label

    def keep(self, node: Node) -> str:
        """Loads the bytes of a file into a shared database in memory."""
        previous = self.keepers.pop(node.number, None)
        if previous is not None:
            previous.close()
        label = f"file:/atelier-{node.number}?vfs=memdb"
        keeper = CONNECT(label, uri=True)
        if node.data:
            loaded = CONNECT(":memory:")
            loaded.deserialize(bytes(node.data))
            loaded.backup(keeper)
            loaded.close()
        self.keepers[node.number] = keeper
        node.refresh = self.refresh
        return label

    def refresh(self, node: Node) -> None:
        """Brings the bytes of the file up to date with the database."""
        keeper = self.keepers.get(node.number)
        if keeper is None:
            return
        try:
            content = keeper.serialize()
        except sqlite3.Error:
            return
        self.tree.used += len(content) - len(node.data)
        node.data[:] = content


def install(tree: Tree) -> None:
    """Puts the new `connect` where projects look for it."""
    connect = staticmethod(Databases(tree).connect)
    sqlite3.connect = sqlite3.dbapi2.connect = connect
