//! Reaches for what is not the project's, and for files that are not the task's.

use atelier_sdk::types::SourceFile;
use atelier_sdk::workspace;

const PATHS: &[&str] = &[
    "/etc/passwd",
    "../secret",
    "lib/../../secret",
    ".git/config",
    "lib/.GIT/hooks/x",
    "other.py",
    "lib\\..\\..\\secret",
    "lib/a\0b",
    "json.py",
    "GREET.py",
];

/// Tries each path in both directions; names those that worked.
pub fn reach_outside() -> String {
    let mut worked: Vec<String> = Vec::new();
    for path in PATHS {
        if workspace::read(path).is_ok() {
            worked.push(format!("read {path}"));
        }
        let file = SourceFile { path: (*path).to_owned(), text: "x".to_owned() };
        if *path != "GREET.py" && workspace::write(&file).is_ok() {
            worked.push(format!("write {path}"));
        }
        if workspace::rename("README.md", path).is_ok() {
            worked.push(format!("rename to {path}"));
        }
    }
    let hiding = SourceFile { path: "lib/x.py".to_owned(), text: "x".to_owned() };
    if workspace::write(&hiding).is_err() {
        worked.push("not even a good path".to_owned());
    }
    let own = SourceFile { path: "greet.py".to_owned(), text: "x".to_owned() };
    if workspace::write(&own).is_ok() && workspace::write(&SourceFile { path: "GREET.py".to_owned(), ..own }).is_ok() {
        worked.push("a twin that differs in case".to_owned());
    }
    format!("worked: {worked:?}")
}
