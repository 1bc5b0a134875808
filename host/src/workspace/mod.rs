//! A project's files: a content-addressed tree in the store, never a directory, so that no guest path ever reaches the host's
//! file system.
//!
//! [`path`] says what a path may be, [`edits`] finds the place of an edit, [`overlay`] is what one run sees and writes, [`merge`] brings
//! together what two of them did, [`import`] takes a project in that exists already.

pub mod edits;
pub mod folder;
pub mod import;
pub mod merge;
pub mod overlay;
pub mod path;

pub use crate::delivery::file::File;
use path::ProjectPath;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The files of one version of a project.
pub type Files = BTreeMap<ProjectPath, File>;

/// The digest of a tree without files.
pub fn empty_tree() -> String {
    tree_sha256(&Files::new())
}

/// A hash as lower-case hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write;
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The listing of a tree: path → digest and executable bit, in path order.
pub fn tree_entries(files: &Files) -> BTreeMap<String, (String, bool)> {
    files.iter().map(|(path, file)| (path.to_string(), (sha256(&file.bytes), file.executable))).collect()
}

/// The digest of a tree: that of its listing.
pub fn tree_sha256(files: &Files) -> String {
    let entries = tree_entries(files);
    sha256(serde_json::to_string(&entries).expect("a map of strings always serializes").as_bytes())
}
