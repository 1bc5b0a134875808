//! Vectors in the file of the index itself, compared one by one: exact, and fast enough for what one machine indexes.

use super::super::IndexError;
use super::super::cache::Cache;
use super::{DenseError, Point, Result, Vectors};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::Mutex;

/// The vectors of one index, of one embedder. Those of another one are deleted when it is opened.
#[derive(Debug)]
pub struct Embedded {
    cache: Cache,
    /// All of them, once somebody compared them; nothing where they have changed since.
    all: Mutex<Option<Arc<Vec<Point>>>>,
}

impl Embedded {
    /// Those in this file.
    pub async fn open(cache: Cache, fingerprint: &str) -> Result<Embedded> {
        cache.keep_vectors_of(fingerprint).await.map_err(failed)?;
        Ok(Embedded { cache, all: Mutex::default() })
    }

    async fn all(&self) -> Result<Arc<Vec<Point>>> {
        let mut all = self.all.lock().await;
        if all.is_none() {
            *all = Some(Arc::new(self.cache.vectors(None).await.map_err(failed)?));
        }
        Ok(all.clone().unwrap_or_default())
    }

    async fn add(&self, points: Vec<Point>) -> Result<()> {
        let known = self.cache.vector_dimensions().await.map_err(failed)?;
        let mut dimensions = known.into_iter().chain(points.iter().map(|point| point.vector.len()));
        let first = dimensions.next().unwrap_or(0);
        if let Some(other) = dimensions.find(|other| *other != first) {
            return Err(DenseError::Refused(format!("a vector of {other} numbers beside those of {first}")));
        }
        self.cache.put_vectors(&points).await.map_err(failed)?;
        *self.all.lock().await = None;
        Ok(())
    }

    async fn compare(&self, vector: &[f32], limit: u32) -> Result<Vec<(String, f32)>> {
        let all = self.all().await?;
        if let Some(point) = all.first().filter(|point| point.vector.len() != vector.len()) {
            return Err(DenseError::Refused(format!("a query of {} numbers to vectors of {}", vector.len(), point.vector.len())));
        }
        let mut ranked: Vec<(usize, f32)> = all.iter().map(|point| likeness(&point.vector, vector)).enumerate().collect();
        ranked.sort_by(|(one, first), (other, second)| second.total_cmp(first).then_with(|| one.cmp(other)));
        Ok(ranked.into_iter().take(limit as usize).map(|(at, like)| (all[at].digest.clone(), like)).collect())
    }
}

/// The cosine of two vectors of length one.
pub(super) fn likeness(one: &[f32], other: &[f32]) -> f32 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

fn failed(error: IndexError) -> DenseError {
    DenseError::Store(error.to_string())
}

impl Vectors for Embedded {
    fn get<'a>(&'a self, digests: &'a [String]) -> BoxFuture<'a, Result<HashMap<String, Vec<f32>>>> {
        async move {
            let found = self.cache.vectors(Some(digests)).await.map_err(failed)?;
            Ok(found.into_iter().map(|point| (point.digest, point.vector)).collect())
        }
        .boxed()
    }

    fn put(&self, points: Vec<Point>) -> BoxFuture<'_, Result<()>> {
        self.add(points).boxed()
    }

    fn nearest<'a>(&'a self, vector: &'a [f32], limit: u32) -> BoxFuture<'a, Result<Vec<(String, f32)>>> {
        self.compare(vector, limit).boxed()
    }

    fn forget<'a>(&'a self, digests: &'a [String]) -> BoxFuture<'a, Result<()>> {
        async move {
            self.cache.forget_vectors(digests).await.map_err(failed)?;
            *self.all.lock().await = None;
            Ok(())
        }
        .boxed()
    }

    fn digests(&self) -> BoxFuture<'_, Result<Vec<String>>> {
        async move { self.cache.vector_digests().await.map_err(failed) }.boxed()
    }

    fn publish(&self) -> BoxFuture<'_, Result<()>> {
        async move { Ok(()) }.boxed()
    }
}
