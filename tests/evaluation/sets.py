"""Makes what `make eval-index` asks: trees without their documentation, and the sentences that were taken out as queries.

usage: sets.py TARGET

    TARGET/python/{tree/,queries.jsonl}     the standard library of this Python: a docstring's first sentence asks for its function
    TARGET/rust/{tree/,queries.jsonl}       Rust's library, from Debian's package rust-src: the same with doc comments
    TARGET/concepts/{tree/,queries.jsonl}   packages of PyPI and questions of concepts.json, each for a file
    TARGET/definitions.jsonl                what ctags says is defined in the Python tree
    TARGET/releases/NAME/VERSION/           successive releases of packages of PyPI

A line of queries.jsonl: {"query", "split", "relevant": [{"path", "line", "first", "last"}]}; a concept has paths alone.
"""

import ast
import hashlib
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import urllib.parse
import urllib.request

# Words that a sentence must have to ask for anything.
WORDS_MIN = 4
# Folders that are no library: tests, and what others installed.
LEFT_OUT = {"test", "tests", "idle_test", "lib2to3", "site-packages", "dist-packages", "__pycache__", "ensurepip", "config-3.11-x86_64-linux-gnu"}
# Part of the questions that rankings may be tuned on; the others are held out.
DEVELOP_PERCENT = 30
# Packages of the concept questions; pinned, for the files of another version may have other names.
CONCEPT_PACKAGES = ["click==8.1.7", "flask==3.0.3", "requests==2.32.3", "jinja2==3.1.4", "werkzeug==3.0.4", "urllib3==2.2.3"]
RELEASES = {
    "click": "7.0 7.1 7.1.1 7.1.2 8.0.0 8.0.1 8.0.2 8.0.3 8.0.4 8.1.0 8.1.1 8.1.2 8.1.3 8.1.4 8.1.5 8.1.6 8.1.7",
    "flask": "1.1.0 1.1.1 1.1.2 1.1.3 1.1.4 2.0.0 2.0.1 2.0.2 2.0.3 2.1.0 2.1.1 2.1.2 2.1.3 2.2.0 2.2.1 2.2.2 2.2.3 2.2.4 2.2.5 2.3.0 2.3.1 2.3.2 2.3.3 3.0.0",
    "requests": "2.20.0 2.20.1 2.21.0 2.22.0 2.23.0 2.24.0 2.25.0 2.25.1 2.26.0 2.27.0 2.27.1 2.28.0 2.28.1 2.28.2 2.29.0 2.30.0 2.31.0 2.32.0 2.32.1 2.32.2 2.32.3",
}
RUST_CRATES = ["core", "alloc", "std"]


def split_of(*parts):
    digest = hashlib.sha256("\0".join(map(str, parts)).encode()).digest()
    return "develop" if digest[0] * 100 // 256 < DEVELOP_PERCENT else "held-out"


def first_sentence(text):
    first = re.split(r"(?<=[.!?])\s|\n\s*\n", text.strip())[0]
    return " ".join(first.split())


def asks(sentence):
    return len(re.findall(r"[A-Za-z]{2,}", sentence)) >= WORDS_MIN


def write_queries(folder, queries):
    """Keeps the sentences that ask for one thing only."""
    by_text = {}
    for query in queries:
        by_text.setdefault(query["query"].lower(), []).append(query)
    unique = [found[0] for found in by_text.values() if len(found) == 1]
    with open(folder / "queries.jsonl", "w") as out:
        for query in unique:
            out.write(json.dumps(query) + "\n")
    return len(unique)


def without(lines, removed, replaced):
    """The lines that stay, and the new number of each old one."""
    kept, numbers = [], {}
    for number, line in enumerate(lines, 1):
        if number in replaced:
            line = replaced[number]
        elif number in removed:
            continue
        kept.append(line)
        numbers[number] = len(kept)
    return kept, numbers


def python_set(target):
    root, tree = pathlib.Path(sysconfig.get_path("stdlib")), target / "tree"
    queries = []
    for path in sorted(root.rglob("*.py")):
        relative = path.relative_to(root)
        if LEFT_OUT & set(relative.parts) or path.is_symlink():
            continue
        source = path.read_text("utf8", "replace")
        try:
            module = ast.parse(source)
        except (SyntaxError, ValueError):
            continue
        removed, replaced, found = set(), {}, []
        for node in ast.walk(module):
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)):
                continue
            documentation = ast.get_docstring(node)
            if documentation is None:
                continue
            literal = node.body[0]
            removed.update(range(literal.lineno, literal.end_lineno + 1))
            if len(node.body) == 1 and not isinstance(node, ast.Module):
                replaced[literal.lineno] = " " * literal.col_offset + "pass"
            sentence = first_sentence(documentation)
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and asks(sentence):
                first = min([node.lineno] + [decorator.lineno for decorator in node.decorator_list])
                found.append((sentence, node.lineno, first, node.end_lineno))
        kept, numbers = without(source.split("\n"), removed, replaced)
        text = "\n".join(kept)
        try:
            ast.parse(text)
        except (SyntaxError, ValueError):
            continue
        write(tree / relative, text)
        for sentence, line, first, last in found:
            last = max(new for old, new in numbers.items() if old <= last)
            place = {"path": str(relative), "line": numbers[line], "first": numbers[first], "last": last}
            queries.append({"query": sentence, "split": split_of(relative, line), "relevant": [place]})
    return write_queries(target, queries)


def rust_set(target):
    source = target / "source"
    if not source.exists():
        run(["apt-get", "download", "-q", "rust-src"], cwd=target)
        package = next(target.glob("rust-src_*.deb"))
        run(["dpkg-deb", "-x", str(package), str(source)], cwd=target)
    queries, tree = [], target / "tree"
    item = re.compile(r"\s*(?:pub(?:\([a-z]+\))?\s+)?(?:default\s+|const\s+|unsafe\s+|async\s+)*(?:fn|struct|enum|trait|union|macro)\s+(\w+)|\s*macro_rules!\s+(\w+)")
    for crate in RUST_CRATES:
        root = next(source.rglob(f"library/{crate}/src"))
        for path in sorted(root.rglob("*.rs")):
            relative = pathlib.Path(crate) / path.relative_to(root)
            if LEFT_OUT & set(relative.parts) or path.name == "tests.rs":
                continue
            lines = path.read_text("utf8", "replace").split("\n")
            removed, found, comment = set(), [], []
            for number, line in enumerate(lines, 1):
                text = line.strip()
                if text.startswith(("///", "//!")) and not text.startswith("////"):
                    removed.add(number)
                    comment = comment + [text[3:].strip()] if text.startswith("///") else []
                elif comment and (matched := item.match(line)):
                    sentence = re.sub(r"[`\[\]]", "", first_sentence("\n".join(comment)))
                    if asks(sentence):
                        found.append((sentence, number))
                    comment = []
                elif not text.startswith(("#", ")]")) and not text == "":
                    comment = []
            kept, numbers = without(lines, removed, {})
            write(tree / relative, "\n".join(kept))
            for sentence, line in found:
                place = {"path": str(relative), "line": numbers[line], "first": numbers[line], "last": numbers[line]}
                queries.append({"query": sentence, "split": split_of(relative, line), "relevant": [place]})
    return write_queries(target, queries)


def concept_set(target, here):
    for package in CONCEPT_PACKAGES:
        name, version = package.split("==")
        folder = release(target / "sources", name, version)
        inside = folder / "src" / name if (folder / "src" / name).exists() else folder / name
        for path in sorted(inside.rglob("*.py")):
            write(target / "tree" / name / path.relative_to(inside), path.read_text("utf8"))
    questions = json.loads((here / "concepts.json").read_text())
    with open(target / "queries.jsonl", "w") as out:
        for question in questions:
            for path in question["files"]:
                if not (target / "tree" / path).exists():
                    sys.exit(f"concepts.json names {path}, which is not there")
            relevant = [{"path": path} for path in question["files"]]
            out.write(json.dumps({"query": question["query"], "split": "held-out", "relevant": relevant}) + "\n")
    return len(questions)


def definitions(target):
    kinds = "--kinds-Python=cfmv"
    listing = ["ctags", "-R", "--languages=Python", kinds, "--output-format=json", "--fields=+n", "-f", "-", "."]
    lines = subprocess.run(listing, cwd=target / "python/tree", check=True, capture_output=True, text=True).stdout.splitlines()
    with open(target / "definitions.jsonl", "w") as out:
        for tag in map(json.loads, lines):
            if tag.get("_type") == "tag":
                out.write(json.dumps({"name": tag["name"], "path": tag["path"].removeprefix("./"), "line": tag["line"]}) + "\n")
    return len(lines)


def release(target, name, version):
    """A source distribution, unpacked."""
    folder = target / name / version
    if not folder.exists():
        with tarfile.open(fileobj=io.BytesIO(fetch(source_of(name, version)))) as archive:
            archive.extractall(folder, filter="data")
    inside = [entry for entry in folder.iterdir() if entry.is_dir()]
    return inside[0] if len(inside) == 1 else folder


def source_of(name, version):
    """Where the index of packages has it. pip itself would run what the distribution says on the way."""
    configured = subprocess.run([sys.executable, "-m", "pip", "config", "get", "global.index-url"], capture_output=True, text=True).stdout.strip()
    index = os.environ.get("PIP_INDEX_URL") or configured or "https://pypi.org/simple"
    listing = f"{index.rstrip('/')}/{name}/"
    for link in re.findall(r'href="([^"]+)"', fetch(listing).decode()):
        if link.split("#")[0].rsplit("/", 1)[-1].lower() == f"{name}-{version}.tar.gz":
            return urllib.parse.urljoin(listing, link)
    sys.exit(f"{listing} has no source distribution of {name} {version}")


def fetch(address):
    with urllib.request.urlopen(address, timeout=60) as answer:
        return answer.read()


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf8")


def run(command, cwd):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"`{' '.join(command)}` failed: {done.stderr.strip()}")


def main():
    target = pathlib.Path(sys.argv[1]).resolve()
    here = pathlib.Path(__file__).resolve().parent
    for name in ["python", "rust", "concepts", "releases"]:
        shutil.rmtree(target / name / "tree", ignore_errors=True)
        (target / name).mkdir(parents=True, exist_ok=True)
    print(f"python: {python_set(target / 'python')} questions")
    print(f"rust: {rust_set(target / 'rust')} questions")
    print(f"concepts: {concept_set(target / 'concepts', here)} questions")
    print(f"definitions: {definitions(target)}")
    for name, versions in RELEASES.items():
        for version in versions.split():
            release(target / "releases", name, version)
        print(f"releases of {name}: {len(versions.split())}")


if __name__ == "__main__":
    main()
