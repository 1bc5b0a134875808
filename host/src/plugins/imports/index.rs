//! `index`: what the code base says, as of the last accepted task. The generation does not change while a run lasts, so a replay
//! asks again and compares. A search alone is kept: its scores depend on what else is stored.

use super::{Context, diverged, host_failed};
use crate::index::cache::Cache;
use crate::index::dense::search::search;
use crate::index::map::map;
use crate::index::pool::Pool;
use crate::index::{self as code, Answer, HITS_MAX};
use crate::plugins::api::v0_1_0::{index, types};
use crate::plugins::manifest::Grant;
use crate::project::Refusal;
use wasmtime::Result;

/// A query is some words, not a file.
const QUERY_CHARS_MAX: usize = 2_000;
/// Files that a map is drawn around.
const NEAR_MAX: usize = 64;

impl Context {
    /// A call that reads the stored index. Other tasks change that meanwhile, so the answer is kept for a replay.
    async fn look_up<T: Default + serde::Serialize + serde::de::DeserializeOwned>(
        &mut self,
        name: &'static str,
        arguments: &impl serde::Serialize,
        find: impl AsyncFnOnce(&Cache) -> code::Result<T>,
    ) -> Result<std::result::Result<T, Refusal>> {
        let call = self.open(name, arguments)?;
        let hashed = self.journal.is_hashed(&call);
        let recorded = if hashed { None } else { self.journal.recorded(&call).map_err(diverged)? };
        let answer = match recorded {
            Some(answer) => answer,
            None => match self.allow(&call, Grant::Index) {
                Ok(()) => match indexed(self.services()?.indexes.clone(), self.owner.project.clone()).await? {
                    Some(cache) => Ok(find(&cache).await.map_err(host_failed)?),
                    None => Ok(T::default()),
                },
                Err(refusal) => Err(refusal),
            },
        };
        match hashed {
            true => self.journal.compare(&call, &answer).map_err(diverged)?,
            false => self.journal.keep(&call, &answer),
        }
        Ok(answer)
    }
}

/// The index to look in; none before the first file, or where agents do without, so that its worth can be measured.
async fn indexed(indexes: Option<Pool>, project: String) -> Result<Option<Cache>> {
    match indexes {
        Some(indexes) => indexes.to_read(&project).await.map_err(host_failed),
        None => Ok(None),
    }
}

fn told(answer: std::result::Result<Answer, Refusal>) -> std::result::Result<index::Answer, types::Refusal> {
    answer.map(Into::into).map_err(Into::into)
}

impl index::Host for Context {
    async fn search(&mut self, query: String, limit: u32) -> Result<std::result::Result<index::Answer, types::Refusal>> {
        let (indexes, project) = (self.services()?.indexes.clone(), self.owner.project.clone());
        let find = async |cache: &Cache| {
            let query: String = query.chars().take(QUERY_CHARS_MAX).collect();
            let dense = match &indexes {
                Some(indexes) => indexes.dense(&project, cache).await?,
                None => None,
            };
            let (answer, without_vectors) = search(cache, dense.as_ref(), &query, limit.min(HITS_MAX)).await?;
            if let Some(why) = without_vectors {
                tracing::warn!("{why}");
            }
            Ok(answer)
        };
        Ok(told(self.look_up("index.search", &(&query, limit), find).await?))
    }

    async fn definitions(&mut self, name: String) -> Result<std::result::Result<index::Answer, types::Refusal>> {
        let find = async |cache: &Cache| cache.definitions(&name, HITS_MAX).await;
        Ok(told(self.look_up("index.definitions", &name, find).await?))
    }

    async fn references(&mut self, name: String) -> Result<std::result::Result<index::Answer, types::Refusal>> {
        let find = async |cache: &Cache| cache.references(&name, HITS_MAX).await;
        Ok(told(self.look_up("index.references", &name, find).await?))
    }

    async fn outline(&mut self, path: String) -> Result<std::result::Result<index::Answer, types::Refusal>> {
        let find = async |cache: &Cache| cache.outline(&path, HITS_MAX).await;
        Ok(told(self.look_up("index.outline", &path, find).await?))
    }

    async fn symbol_map(&mut self, near: Vec<String>, budget_tokens: u32) -> Result<std::result::Result<index::Listing, types::Refusal>> {
        let mut near = near;
        near.truncate(NEAR_MAX);
        let find = async |cache: &Cache| {
            let (fresh, text) = map(cache, &near, budget_tokens).await?;
            Ok((fresh.generation, text))
        };
        let answer = self.look_up("index.symbol-map", &(&near, budget_tokens), find).await?;
        Ok(answer.map(|(generation, text): (u64, String)| index::Listing { generation, text }).map_err(Into::into))
    }
}
