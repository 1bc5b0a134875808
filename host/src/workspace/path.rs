//! What a path inside a project may be. Every path from a guest, a plan or an archive passes here before anything else looks at
//! it; what comes out is relative, plain, and means the same file on every system.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A whole path; the shortest limit among common systems is about 260 with the folder around the project.
const PATH_BYTES_MAX: usize = 200;
/// One component.
const COMPONENT_BYTES_MAX: usize = 100;
/// Folders within folders.
const DEPTH_MAX: usize = 12;
/// Names that Windows takes for devices.
const DEVICE_NAMES: &[&str] = &[
    "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9", "lpt1", "lpt2", "lpt3", "lpt4",
    "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// A sound path: relative, `/` between components, no `..`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProjectPath(String);

/// Why a text is no path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` is no path of a project: {why}")]
pub struct PathError {
    path: String,
    why: &'static str,
}

impl ProjectPath {
    /// Accepts a sound path and says what is wrong with any other.
    pub fn parse(text: &str) -> Result<ProjectPath, PathError> {
        match problem(text) {
            None => Ok(ProjectPath(text.to_owned())),
            Some(why) => Err(PathError { path: text.chars().take(80).collect(), why }),
        }
    }

    /// The first of these paths that could not stand beside this one on every system: equal but for case, or a file where this
    /// one needs a folder, or the other way round.
    pub fn case_fold_twin<'a>(&self, others: impl Iterator<Item = &'a ProjectPath>) -> Option<&'a ProjectPath> {
        let own = self.0.to_lowercase();
        let inside = |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'));
        others.filter(|other| *other != self).find(|other| {
            let other = other.0.to_lowercase();
            own == other || inside(&own, &other) || inside(&other, &own)
        })
    }

    /// Whether a Python module at this path would hide one of the standard library.
    pub fn shadows_python_standard_library(&self) -> bool {
        let top = self.0.split('/').next().unwrap_or_default();
        let name = top.strip_suffix(".py").or((self.0.len() > top.len()).then_some(top));
        name.is_some_and(|name| PYTHON_STANDARD_LIBRARY.contains(&name)) && self.0.ends_with(".py")
    }
}

fn problem(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        return Some("it is empty");
    }
    if text.len() > PATH_BYTES_MAX {
        return Some("it is longer than 200 bytes");
    }
    if text.starts_with('/') {
        return Some("it must be relative");
    }
    if text.split('/').count() > DEPTH_MAX {
        return Some("it is more than 12 folders deep");
    }
    text.split('/').find_map(component_problem)
}

fn component_problem(component: &str) -> Option<&'static str> {
    if component.is_empty() {
        return Some("it has an empty component; write one `/` between names and none at the end");
    }
    if component == "." || component == ".." {
        return Some("`.` and `..` are not allowed");
    }
    if component.len() > COMPONENT_BYTES_MAX {
        return Some("a component is longer than 100 bytes");
    }
    if component.chars().any(|letter| letter.is_control() || "\\:*?\"<>|".contains(letter)) {
        return Some("control characters and \\ : * ? \" < > | are not allowed");
    }
    if component.chars().any(is_ambiguous) {
        return Some("characters that can't be seen, or that combine with the one before, are not allowed");
    }
    if component.ends_with(['.', ' ']) || component.starts_with(' ') {
        return Some("a component may not begin with a blank or end with a blank or a dot");
    }
    let folded = component.to_lowercase();
    if folded == ".git" || folded.starts_with("git~") {
        return Some("git's own folder is not the project's");
    }
    let stem = folded.split('.').next().unwrap_or_default();
    DEVICE_NAMES.contains(&stem).then_some("it is the name of a device on some systems")
}

/// Some file systems leave invisible characters out or join combining ones, so that two names would become one.
fn is_ambiguous(letter: char) -> bool {
    matches!(letter, '\u{ad}' | '\u{300}'..='\u{36f}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
}

impl AsRef<str> for ProjectPath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProjectPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl TryFrom<String> for ProjectPath {
    type Error = PathError;
    fn try_from(text: String) -> Result<ProjectPath, PathError> {
        ProjectPath::parse(&text)
    }
}

impl From<ProjectPath> for String {
    fn from(path: ProjectPath) -> String {
        path.0
    }
}

/// Which files a task may write: one path, or everything below a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilePattern {
    /// This file.
    Exact(ProjectPath),
    /// Everything below this folder.
    Below(ProjectPath),
}

impl FilePattern {
    /// Reads `path` or `dir/**`.
    pub fn parse(text: &str) -> Result<FilePattern, PathError> {
        match text.strip_suffix("/**") {
            Some(folder) => ProjectPath::parse(folder).map(FilePattern::Below),
            None => ProjectPath::parse(text).map(FilePattern::Exact),
        }
    }

    /// Whether it covers this path.
    pub fn allows(&self, path: &ProjectPath) -> bool {
        match self {
            FilePattern::Exact(exact) => exact == path,
            FilePattern::Below(folder) => path.0.strip_prefix(&folder.0).is_some_and(|rest| rest.starts_with('/')),
        }
    }

    /// Whether it names exactly this path.
    pub fn is_exactly(&self, path: &ProjectPath) -> bool {
        matches!(self, FilePattern::Exact(exact) if exact == path)
    }
}

/// Top-level names of CPython 3.11's standard library.
const PYTHON_STANDARD_LIBRARY: &[&str] = &[
    "abc",
    "aifc",
    "antigravity",
    "argparse",
    "array",
    "ast",
    "asynchat",
    "asyncio",
    "asyncore",
    "atexit",
    "audioop",
    "base64",
    "bdb",
    "binascii",
    "bisect",
    "builtins",
    "bz2",
    "cProfile",
    "calendar",
    "cgi",
    "cgitb",
    "chunk",
    "cmath",
    "cmd",
    "code",
    "codecs",
    "codeop",
    "collections",
    "colorsys",
    "compileall",
    "concurrent",
    "configparser",
    "contextlib",
    "contextvars",
    "copy",
    "copyreg",
    "crypt",
    "csv",
    "ctypes",
    "curses",
    "dataclasses",
    "datetime",
    "dbm",
    "decimal",
    "difflib",
    "dis",
    "distutils",
    "doctest",
    "email",
    "encodings",
    "ensurepip",
    "enum",
    "errno",
    "faulthandler",
    "fcntl",
    "filecmp",
    "fileinput",
    "fnmatch",
    "fractions",
    "ftplib",
    "functools",
    "gc",
    "genericpath",
    "getopt",
    "getpass",
    "gettext",
    "glob",
    "graphlib",
    "grp",
    "gzip",
    "hashlib",
    "heapq",
    "hmac",
    "html",
    "http",
    "idlelib",
    "imaplib",
    "imghdr",
    "imp",
    "importlib",
    "inspect",
    "io",
    "ipaddress",
    "itertools",
    "json",
    "keyword",
    "lib2to3",
    "linecache",
    "locale",
    "logging",
    "lzma",
    "mailbox",
    "mailcap",
    "marshal",
    "math",
    "mimetypes",
    "mmap",
    "modulefinder",
    "msilib",
    "msvcrt",
    "multiprocessing",
    "netrc",
    "nis",
    "nntplib",
    "nt",
    "ntpath",
    "nturl2path",
    "numbers",
    "opcode",
    "operator",
    "optparse",
    "os",
    "ossaudiodev",
    "pathlib",
    "pdb",
    "pickle",
    "pickletools",
    "pipes",
    "pkgutil",
    "platform",
    "plistlib",
    "poplib",
    "posix",
    "posixpath",
    "pprint",
    "profile",
    "pstats",
    "pty",
    "pwd",
    "py_compile",
    "pyclbr",
    "pydoc",
    "pydoc_data",
    "pyexpat",
    "queue",
    "quopri",
    "random",
    "re",
    "readline",
    "reprlib",
    "resource",
    "rlcompleter",
    "runpy",
    "sched",
    "secrets",
    "select",
    "selectors",
    "shelve",
    "shlex",
    "shutil",
    "signal",
    "site",
    "smtpd",
    "smtplib",
    "sndhdr",
    "socket",
    "socketserver",
    "spwd",
    "sqlite3",
    "sre_compile",
    "sre_constants",
    "sre_parse",
    "ssl",
    "stat",
    "statistics",
    "string",
    "stringprep",
    "struct",
    "subprocess",
    "sunau",
    "symtable",
    "sys",
    "sysconfig",
    "syslog",
    "tabnanny",
    "tarfile",
    "telnetlib",
    "tempfile",
    "termios",
    "textwrap",
    "this",
    "threading",
    "time",
    "timeit",
    "tkinter",
    "token",
    "tokenize",
    "tomllib",
    "trace",
    "traceback",
    "tracemalloc",
    "tty",
    "turtle",
    "turtledemo",
    "types",
    "typing",
    "unicodedata",
    "unittest",
    "urllib",
    "uu",
    "uuid",
    "venv",
    "warnings",
    "wave",
    "weakref",
    "webbrowser",
    "winreg",
    "winsound",
    "wsgiref",
    "xdrlib",
    "xml",
    "xmlrpc",
    "zipapp",
    "zipfile",
    "zipimport",
    "zlib",
    "zoneinfo",
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_relative_paths_are_accepted() {
        for path in ["a", "src/main.rs", "Makefile", ".gitignore", "docs/über.md", "a b/c"] {
            assert_eq!(ProjectPath::parse(path).map(|path| path.to_string()).as_deref(), Ok(path));
        }
    }

    #[test]
    fn whatever_could_leave_the_project_or_mean_two_things_is_refused() {
        let paths = [
            "",
            "/etc/passwd",
            "..",
            "a/../b",
            "./a",
            "a//b",
            "a/",
            "a\\b",
            "C:x",
            ".git/config",
            "x/.GIT/hooks/a",
            "git~1/x",
            ".git.",
            "a\0",
            "a\n",
            "con",
            "x/NUL.txt",
            "a.",
            " a",
            "a/b/c/d/e/f/g/h/i/j/k/l/m",
        ];
        for path in paths {
            assert!(ProjectPath::parse(path).is_err(), "{path:?}");
        }
        assert!(ProjectPath::parse(&"a".repeat(101)).is_err());
    }

    #[test]
    fn twins_by_case_and_files_in_place_of_folders_are_found() {
        let path = |text: &str| ProjectPath::parse(text).expect("a path");
        let known = [path("Src/a.py"), path("b")];
        assert!(path("src/A.py").case_fold_twin(known.iter()).is_some());
        assert!(path("b/c").case_fold_twin(known.iter()).is_some());
        assert!(path("SRC").case_fold_twin(known.iter()).is_some());
        assert!(path("src/b.py").case_fold_twin(known.iter()).is_none());
    }

    #[test]
    fn a_folder_pattern_covers_what_is_below_it_only() {
        let pattern = FilePattern::parse("src/**").expect("a pattern");
        let allows = |text: &str| pattern.allows(&ProjectPath::parse(text).expect("a path"));
        assert!(allows("src/a/b.py"));
        assert!(!allows("src"));
        assert!(!allows("srcs/a.py"));
        assert!(FilePattern::parse("../**").is_err());
        assert!(FilePattern::parse("**").is_err());
    }

    #[test]
    fn modules_that_hide_the_standard_library_are_known() {
        let shadows = |text: &str| ProjectPath::parse(text).expect("a path").shadows_python_standard_library();
        assert!(shadows("json.py") && shadows("random.py") && shadows("email/x.py"));
        assert!(!shadows("src/json.py") && !shadows("app.py") && !shadows("email/x.txt"));
    }

    proptest! {
        #[test]
        fn no_accepted_path_leaves_its_root(text in "[a-zA-Z0-9./\\\\~: -]{0,40}") {
            if let Ok(path) = ProjectPath::parse(&text) {
                let joined = std::path::Path::new("/a/project").join(path.as_ref());
                prop_assert!(joined.starts_with("/a/project"));
                prop_assert!(joined.components().all(|part| !matches!(part, std::path::Component::ParentDir | std::path::Component::CurDir)));
                prop_assert_eq!(ProjectPath::parse(path.as_ref()), Ok(path));
            }
        }
    }
}
