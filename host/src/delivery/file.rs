//! One file of a project, as bytes.

use std::sync::Arc;

/// A file's content and the one attribute that both git and zip keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The content.
    pub bytes: Arc<[u8]>,
    /// Whether it can be run.
    pub executable: bool,
}
