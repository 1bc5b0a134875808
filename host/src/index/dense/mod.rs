//! What chunks mean, beside the words they have. An [`Embedder`] makes vectors, a [`Vectors`] store keeps them by the digests of the chunks,
//! and [`fusion`] joins both rankings. Words come first: only the chunks that they found are embedded before a query is answered, and a
//! weak embedder gets little weight or none ([`doctor`] measures it).

#[cfg(feature = "bert")]
pub mod bert;
pub mod doctor;
pub mod embedded;
pub mod fusion;
pub mod qdrant;
pub mod search;

use futures_util::future::BoxFuture;
use std::collections::HashMap;

/// Texts that are embedded in one call.
pub const BATCH: usize = 32;
/// Letters of a text that are embedded; models read no more.
pub const TEXT_CHARS_MAX: usize = 2_000;
/// Numbers of a vector.
pub const DIMENSIONS_MAX: usize = 8_192;

/// Why there are no vectors. Search goes on without them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DenseError {
    /// The embedder.
    #[error("the embedder can't be used ({0}); search goes on by words alone")]
    Embedder(String),
    /// The vector store, after all tries.
    #[error("the vector store can't be reached ({0}); search goes on by words alone, and what is missing is made up for by the next build")]
    Store(String),
    /// The vector store, for good.
    #[error("the vector store refused ({0}); see documentation/operations.md")]
    Refused(String),
}

/// Short.
pub type Result<T> = std::result::Result<T, DenseError>;

/// Makes vectors of texts.
pub trait Embedder: Send + Sync {
    /// Which model in which form: vectors of another one can't be compared with its own.
    fn fingerprint(&self) -> &str;
    /// One vector of length one for each text, all with as many numbers.
    fn embed<'a>(&'a self, texts: &'a [String]) -> BoxFuture<'a, Result<Vec<Vec<f32>>>>;
}

/// A vector and the chunk that it was made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// The chunk's digest, 64 hexadecimal digits.
    pub digest: String,
    /// Of length one.
    pub vector: Vec<f32>,
}

/// Keeps the vectors of one index. The same digests may be put again; nothing is lost or doubled.
pub trait Vectors: Send + Sync {
    /// Those that are there.
    fn get<'a>(&'a self, digests: &'a [String]) -> BoxFuture<'a, Result<HashMap<String, Vec<f32>>>>;
    /// Keeps them.
    fn put(&self, points: Vec<Point>) -> BoxFuture<'_, Result<()>>;
    /// The nearest ones with their likeness, the best first; equal ones by digest.
    fn nearest<'a>(&'a self, vector: &'a [f32], limit: u32) -> BoxFuture<'a, Result<Vec<(String, f32)>>>;
    /// Forgets them.
    fn forget<'a>(&'a self, digests: &'a [String]) -> BoxFuture<'a, Result<()>>;
    /// Every digest that is there, in order.
    fn digests(&self) -> BoxFuture<'_, Result<Vec<String>>>;
    /// Everything that belongs to the index is there: whoever looks for the newest vectors finds these.
    fn publish(&self) -> BoxFuture<'_, Result<()>>;
}

/// What a chunk says to an embedder.
pub fn text_of(name: &str, path: &str, text: &str) -> String {
    format!("{path} {name}\n{text}").chars().take(TEXT_CHARS_MAX).collect()
}

/// Makes a vector one of length one; none where it is nothing, or no vector.
pub fn normalised(mut vector: Vec<f32>) -> Option<Vec<f32>> {
    let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
    if !length.is_finite() || length == 0.0 || vector.is_empty() || vector.len() > DIMENSIONS_MAX {
        return None;
    }
    vector.iter_mut().for_each(|number| *number /= length);
    Some(vector)
}
