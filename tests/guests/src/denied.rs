//! Calls what its manifest does not name.

use atelier_sdk::types::SourceFile;
use atelier_sdk::workspace;

/// Reads and writes files in an export that was granted neither.
pub fn call_without_grant() -> String {
    let file = SourceFile { path: "greet.py".to_owned(), text: String::new() };
    format!("read: {:?}; write: {:?}", workspace::read("greet.py"), workspace::write(&file))
}
