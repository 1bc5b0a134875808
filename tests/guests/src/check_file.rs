//! Makes the check easier instead of the code better.

use atelier_sdk::types::SourceFile;
use atelier_sdk::workspace::{self, Edit};

const CHECK: &str = "tests/test_greet.py";

/// Overwrites, edits, removes and renames the check's file; names what worked.
pub fn change_check_file() -> String {
    let text = "def test():\n    pass\n".to_owned();
    let edit = Edit { path: CHECK.to_owned(), search: "assert True".to_owned(), replace: "pass".to_owned() };
    let mut worked = Vec::new();
    if workspace::write(&SourceFile { path: CHECK.to_owned(), text: text.clone() }).is_ok() {
        worked.push("write");
    }
    if workspace::apply_edits(&[edit]).is_ok_and(|outcome| outcome.failures.is_empty()) {
        worked.push("edit");
    }
    if workspace::remove(CHECK).is_ok() {
        worked.push("remove");
    }
    if workspace::rename(CHECK, "lib/test.py").is_ok() {
        worked.push("rename");
    }
    let own = SourceFile { path: "greet.py".to_owned(), text };
    if workspace::write(&own).is_ok() && workspace::rename("greet.py", CHECK).is_ok() {
        worked.push("rename over");
    }
    format!("worked: {worked:?}")
}
