"""Imports the standard library while the component is built, because nothing can be loaded from disk later."""

import importlib
import pkgutil
import sys

LEFT_OUT = {"antigravity", "this", "idlelib", "turtledemo", "turtle", "tkinter", "lib2to3", "ensurepip", "pip", "test",
            "__main__", "msilib", "webbrowser", "_aix_support", "_android_support", "_apple_support", "_ios_support",
            "_osx_support", "_pyrepl", "cgitb", "distutils", "site", "pydoc_data", "imp", "nt", "asyncore", "asynchat",
            "smtpd", "audioop", "cgi", "crypt", "imghdr", "telnetlib", "uu", "xdrlib", "sndhdr", "pipes", "nntplib"}
PACKAGES = ("asyncio", "collections", "compression", "concurrent", "concurrent.futures", "dbm", "email", "email.mime",
            "encodings", "html", "http", "importlib", "importlib.metadata", "importlib.resources", "json", "logging",
            "multiprocessing", "multiprocessing.dummy", "os", "pathlib", "re", "sqlite3", "string", "sysconfig", "tomllib",
            "unittest", "urllib", "wsgiref", "xml", "xml.dom", "xml.etree", "xml.parsers", "xml.sax", "xmlrpc", "zipfile",
            "zipfile._path", "zoneinfo")
SKIP_PARTS = {"__main__", "tests", "test", "mbcs", "oem", "cp65001"}


def load() -> list[str]:
    """Imports all it can and returns what the build of Python does not have."""
    absent = []
    names = [name for name in sorted(sys.stdlib_module_names) if name not in LEFT_OUT]
    for package in PACKAGES:
        try:
            holder = importlib.import_module(package)
        except Exception:
            continue
        for found in pkgutil.iter_modules(getattr(holder, "__path__", [])):
            if found.name not in SKIP_PARTS:
                names.append(f"{package}.{found.name}")
    for name in names:
        try:
            importlib.import_module(name)
        except Exception:
            absent.append(name)
            sys.modules.pop(name, None)
    return absent


def zones() -> dict[str, bytes]:
    """The time zone files, by their names, if the data package is there."""
    try:
        import tzdata.zoneinfo as data
    except ImportError:
        return {}
    import os
    kept = {}
    base = os.path.dirname(data.__file__)
    for folder, _, names in os.walk(base):
        for name in names:
            if not name.endswith((".py", ".pyc")):
                full = os.path.join(folder, name)
                with open(full, "rb") as stream:
                    kept[os.path.relpath(full, base)] = stream.read()
    for name in [name for name in sys.modules if name.partition(".")[0] == "tzdata"]:
        del sys.modules[name]
    return kept
