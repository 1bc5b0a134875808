//! `index`: what the code base says, as of the last accepted task. The generation does not change while a run lasts, so a replay
//! asks again and compares. A search alone is kept: its scores depend on what else is stored.

use super::{Context, diverged, host_failed};
use crate::index::{Answer, HITS_MAX, map};
use crate::plugins::api::v0_1_0::{index, types};
use crate::plugins::manifest::Grant;
use crate::project::Refusal;
use crate::store;
use wasmtime::Result;

/// A query is some words, not a file.
const QUERY_CHARS_MAX: usize = 2_000;
/// Files that a map is drawn around.
const NEAR_MAX: usize = 64;

impl Context {
    /// The project to look in; none where the index is switched off, so that its worth can be measured.
    fn indexed_project(&self) -> &str {
        if self.services.as_ref().is_some_and(|services| services.index) { &self.owner.project } else { "" }
    }

    /// A call that reads the stored index. Other tasks change that meanwhile, so the answer is kept for a replay.
    async fn look_up<T: serde::Serialize + serde::de::DeserializeOwned>(
        &mut self,
        name: &'static str,
        arguments: &impl serde::Serialize,
        find: impl AsyncFnOnce(&crate::store::Store, &str) -> store::Result<T>,
    ) -> Result<std::result::Result<T, Refusal>> {
        let call = self.open(name, arguments)?;
        let hashed = self.journal.is_hashed(&call);
        let recorded = if hashed { None } else { self.journal.recorded(&call).map_err(diverged)? };
        let answer = match recorded {
            Some(answer) => answer,
            None => match self.allow(&call, Grant::Index) {
                Ok(()) => Ok(find(&self.services()?.store, self.indexed_project()).await.map_err(host_failed)?),
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

fn told(answer: std::result::Result<Answer, Refusal>) -> std::result::Result<index::Answer, types::Refusal> {
    answer.map(Into::into).map_err(Into::into)
}

impl index::Host for Context {
    async fn search(&mut self, query: String, limit: u32) -> Result<std::result::Result<index::Answer, types::Refusal>> {
        let find = async |store: &crate::store::Store, project: &str| {
            let query: String = query.chars().take(QUERY_CHARS_MAX).collect();
            store.search_chunks(project, &query, limit.min(HITS_MAX)).await
        };
        Ok(told(self.look_up("index.search", &(&query, limit), find).await?))
    }

    async fn definitions(&mut self, name: String) -> Result<std::result::Result<index::Answer, types::Refusal>> {
        let find = async |store: &crate::store::Store, project: &str| store.symbol_hits(project, &name, true, HITS_MAX).await;
        Ok(told(self.look_up("index.definitions", &name, find).await?))
    }

    async fn references(&mut self, name: String) -> Result<std::result::Result<index::Answer, types::Refusal>> {
        let find = async |store: &crate::store::Store, project: &str| store.symbol_hits(project, &name, false, HITS_MAX).await;
        Ok(told(self.look_up("index.references", &name, find).await?))
    }

    async fn outline(&mut self, path: String) -> Result<std::result::Result<index::Answer, types::Refusal>> {
        let find = async |store: &crate::store::Store, project: &str| store.outline(project, &path, HITS_MAX).await;
        Ok(told(self.look_up("index.outline", &path, find).await?))
    }

    async fn symbol_map(&mut self, near: Vec<String>, budget_tokens: u32) -> Result<std::result::Result<index::Listing, types::Refusal>> {
        let mut near = near;
        near.truncate(NEAR_MAX);
        let find = async |store: &crate::store::Store, project: &str| {
            let definitions = store.definitions_by_file(project).await?;
            Ok((store.index_state(project).await?.0, map(&definitions, &near, budget_tokens)))
        };
        let answer = self.look_up("index.symbol-map", &(&near, budget_tokens), find).await?;
        Ok(answer.map(|(generation, text)| index::Listing { generation, text }).map_err(Into::into))
    }
}
