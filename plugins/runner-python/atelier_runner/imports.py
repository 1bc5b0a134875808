"""What a project may import: its own modules first, then the preloaded library, and a plain message for the rest."""

import importlib.machinery
import sys
from types import ModuleType
from typing import Any, Optional

from .tree import PROJECT, Tree

# Modules that a bare interpreter has loaded before its first line, which therefore no project can shadow.
STARTED = frozenset((
    "_abc", "_codecs", "_collections_abc", "_frozen_importlib", "_frozen_importlib_external", "_imp", "_io", "_signal",
    "_sitebuiltins", "_stat", "_thread", "_warnings", "_weakref", "abc", "builtins", "codecs", "encodings", "errno",
    "genericpath", "io", "marshal", "os", "posix", "posixpath", "site", "stat", "sys", "time", "zipimport", "unittest",
    "pytest", "__main__"))


class Absent:
    """The last finder: says which module is missing and why."""

    def __init__(self, library: frozenset[str]) -> None:
        self.library = library

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Optional[Any]:
        caller = sys._getframe(1).f_back
        if caller is None or caller.f_code.co_name != "_find_and_load_unlocked":
            return None
        head = name.partition(".")[0]
        if head in self.library or head in sys.stdlib_module_names:
            why = "a part of the standard library that this sandbox does not have"
        elif path is not None:
            return None
        else:
            why = "third-party package"
        raise ModuleNotFoundError(f"the module `{name}` is not available in the sandbox ({why})", name=name)

    def invalidate_caches(self) -> None:
        return None


def own_names(tree: Tree, folder: str) -> set[str]:
    """The top-level modules and packages in a folder of the project."""
    try:
        entries = tree.find(folder).data
    except OSError:
        return set()
    names = {name[:-3] for name, node in entries.items() if name.endswith(".py") and not node.is_folder}
    names |= {name for name, node in entries.items() if node.is_folder and "__init__.py" in node.data}
    return names


def put_first(tree: Tree, *folders: str) -> None:
    """Puts folders at the front of `sys.path` and lets the modules in them win over preloaded ones, as they would."""
    wanted = list(dict.fromkeys(folders))
    for folder in wanted:
        for name in own_names(tree, folder) - STARTED:
            module = sys.modules.get(name)
            origin = getattr(module, "__file__", None) or ""
            if module is not None and not origin.startswith(PROJECT + "/"):
                for loaded in [m for m in sys.modules if m == name or m.startswith(name + ".")]:
                    del sys.modules[loaded]
    sys.path[:] = wanted + [folder for folder in sys.path if folder not in wanted]
    sys.path_importer_cache.clear()


def settle(hidden: tuple[str, ...], library: frozenset[str]) -> None:
    """Leaves only the path finder over the tree, and forgets the runner's own modules."""
    sys.path[:] = []
    sys.path_hooks[:] = [importlib.machinery.FileFinder.path_hook(
        (importlib.machinery.SourceFileLoader, importlib.machinery.SOURCE_SUFFIXES))]
    sys.path_importer_cache.clear()
    builtin = [finder for finder in sys.meta_path
               if finder in (importlib.machinery.BuiltinImporter, importlib.machinery.FrozenImporter)]
    sys.meta_path[:] = [*builtin, importlib.machinery.PathFinder, Absent(library)]
    for name in list(sys.modules):
        if name.partition(".")[0] in hidden:
            del sys.modules[name]
    sys.dont_write_bytecode = True


def main_module() -> ModuleType:
    """A fresh `__main__`."""
    import builtins
    module = ModuleType("__main__")
    module.__dict__["__builtins__"] = builtins
    sys.modules["__main__"] = module
    return module
