//! What a code base says: search by words, names, a map within a budget, patterns. Of a project it is the last accepted state; of a folder,
//! what is there now.
//!
//! An index is a cache: one file, made from the tree and the indexer plugin, safe to delete. In reading order: [`source`] lists the files
//! and what is left out, [`update`] brings the [`cache`] up to them, [`words`] says what a word is, [`map`] and [`grep`] look at the
//! whole, [`dense`] adds what chunks mean, [`pool`] has the caches of all projects.

pub mod cache;
pub mod dense;
pub mod grep;
pub mod map;
pub mod pool;
pub mod source;
pub mod update;
pub mod words;

use serde::{Deserialize, Serialize};

/// What can't be done with an index.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The cache's file.
    #[error("the index {path} can't be used ({why}); it is a cache: delete it, or make room on the disk, and it is made anew")]
    Cache {
        /// Where it is.
        path: String,
        /// What SQLite said.
        why: String,
    },
    /// The folder that is to be indexed.
    #[error("`{path}` can't be read ({why}); let yourself read it, or leave it out with a line of .atelierignore")]
    Unreadable {
        /// What can't be read.
        path: String,
        /// Why.
        why: String,
    },
    /// It has more than an index may hold.
    #[error("it holds more than {0} files; index a folder below, or leave some out with a line of .atelierignore")]
    TooMany(usize),
    /// A part of the work ended before it was done.
    #[error("the update was interrupted; what is done stays, and the next one goes on from there")]
    Interrupted,
    /// Vectors.
    #[error(transparent)]
    Dense(#[from] dense::DenseError),
    /// What is searched for is no pattern.
    #[error("`{pattern}` is no regular expression ({why})")]
    Pattern {
        /// As it was given.
        pattern: String,
        /// Why.
        why: String,
    },
}

/// Short.
pub type Result<T> = std::result::Result<T, IndexError>;

/// Hits of one answer; more would only fill a prompt.
pub const HITS_MAX: u32 = 50;

/// A piece of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// The definition's name, or empty.
    pub name: String,
    /// Such as `function`.
    #[serde(default)]
    pub kind: String,
    /// From 1.
    pub first_line: u32,
    /// Inclusive.
    pub last_line: u32,
    /// The lines.
    pub text: String,
}

/// A name at a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Symbol {
    /// As written.
    pub name: String,
    /// Such as `function`.
    pub kind: String,
    /// From 1.
    pub line: u32,
}

/// What the indexer found in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileIndex {
    /// In line order.
    pub chunks: Vec<Chunk>,
    /// Names that it defines.
    pub definitions: Vec<Symbol>,
    /// Names that it mentions.
    pub references: Vec<Symbol>,
    /// Where it does not parse; the name is what the parser said.
    pub parse_errors: Vec<Symbol>,
}

/// A place in the code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hit {
    /// The file.
    pub path: String,
    /// From 1.
    pub first_line: u32,
    /// Inclusive.
    pub last_line: u32,
    /// The definition's name, or empty.
    pub name: String,
    /// The lines.
    pub text: String,
    /// Larger is better.
    pub score: f32,
}

/// How fresh an answer is: it comes with every one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freshness {
    /// Of a project, how many states were accepted until this one; of a folder, how often its index changed.
    pub generation: u64,
    /// The digest of the listing of the files that were read; empty while some have not been.
    #[serde(default)]
    pub tree: String,
    /// Files not read yet.
    pub pending_files: u32,
}

/// Hits, best first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// How fresh they are.
    #[serde(flatten)]
    pub fresh: Freshness,
    /// Best first.
    pub hits: Vec<Hit>,
}
